"""Where a boot stands: what it waits for, how long, and what is known of its QEMU."""

from dataclasses import dataclass
from enum import StrEnum

from vmtiming_tui.engine.boot.instructions import Instruction
from vmtiming_tui.engine.children.children import Exit


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


@dataclass(slots=True)
class Standing:
    """A state, till when it lasts at most, and QEMU as far as it is known.

    ``now_ns`` (monotonic, as ``due_ns``) is when the newest fact was taken in. ``pid`` is 0 where
    there is no QEMU yet; ``reason`` is what SHUTDOWN gave for its end.
    """

    state: State = State.QUEUED
    now_ns: int = 0
    due_ns: int | None = None
    pid: int = 0
    exit: Exit | None = None
    reason: str = ""

    def enter(
        self, state: State, *todo: Instruction, limit_s: float | None = None
    ) -> list[Instruction]:
        """Go over into a state, and stay there no longer than a limit; return what to do."""
        self.state = state
        self.due_ns = None if limit_s is None else self.now_ns + round(limit_s * 1e9)
        return [*todo]
