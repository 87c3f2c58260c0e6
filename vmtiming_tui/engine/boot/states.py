"""Where a boot stands."""

from enum import StrEnum


class State(StrEnum):
    """Where a boot stands, as what it waits for."""

    QUEUED = "a place among those that boot"
    HELD = "a place among those whose QEMU starts up"
    SPAWNING = "QEMU's process"
    GREETING = "QMP"
    PLUGGING = "QEMU to connect its report port"
    LEARNING = "the threads of its vCPUs"
    READY = "its turn to go"
    STAMPING = "the stamps of what was written too early"
    LETTING_GO = "the answer to cont"
    SETTLING = "QEMU's own stamp of its start"
    BOOTING = "the report"
    DOUBTED = "an exit, which says better what went wrong"
    ENDED = "the last words of a QEMU that ended too early"
    EXPLAINING = "why it ended too early"
    REPORTED = "QEMU's own stamp of the opened port"
    BOOTED = "details, or the power-off"
    DETAILING = "the end of the details"
    POWERING_OFF = "the power-off"
    POWERING_DOWN = "the power-off that was asked for"
    QUITTING = "QEMU to quit"
    KILLING = "QEMU to die"
    EXITED = "the last words of a QEMU that is gone"
    OVER = "nothing"


# What comes unasked in these is taken in afterwards: they are short, and what they wait for decides
# what it means, or is to be said first.
BUSY = frozenset(
    {
        State.SPAWNING,
        State.LEARNING,
        State.STAMPING,
        State.LETTING_GO,
        State.SETTLING,
        State.EXPLAINING,
        State.REPORTED,
    }
)
