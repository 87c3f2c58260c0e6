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
    FREEZING = "the VM to stand still"
    STANDING_BY = "its turn to tell details"
    UNASKED = "what a guest does by itself: details, or the power-off"
    DETAILING = "the end of the details"
    TOLD = "its turn to end"
    SHUTTING_DOWN = "the guest to shut down, as it was asked to"
    POWERING_OFF = "the guest to power off, as it does by itself"
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


# A pause that was asked for does not count against how long these may last.
PAUSABLE = frozenset(
    {
        State.BOOTING,
        State.UNASKED,
        State.DETAILING,
        State.SHUTTING_DOWN,
        State.POWERING_OFF,
    }
)


@dataclass(slots=True)
class Standing:
    """A state, till when it lasts at most, and QEMU as far as it is known.

    ``now_ns`` (monotonic, as ``due_ns``) is when the newest fact was taken in. ``pid`` is 0 where
    there is no QEMU yet; ``reason`` is what SHUTDOWN gave for its end, ``shutdown_ns`` when.
    ``paused_ns`` is how long it stood still on request so far, ``paused_before_ns`` how long before
    this state.
    """

    state: State = State.QUEUED
    now_ns: int = 0
    due_ns: int | None = None
    pid: int = 0
    exit: Exit | None = None
    reason: str = ""
    shutdown_ns: int | None = None
    paused_ns: int = 0
    paused_before_ns: int = 0

    def enter(
        self, state: State, *todo: Instruction, limit_s: float | None = None
    ) -> list[Instruction]:
        """Go over into a state, and stay there no longer than a limit; return what to do."""
        self.state = state
        self.paused_before_ns = self.paused_ns
        self.due_ns = None if limit_s is None else self.now_ns + round(limit_s * 1e9)
        return [*todo]
