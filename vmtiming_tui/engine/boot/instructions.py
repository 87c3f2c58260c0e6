"""What the course of a boot asks for: each is carried out at once, or begun at once.

What is begun comes back as a fact: ``Await`` as ``Reached``, ``Spawn`` as ``Spawned`` or
``NotSpawned``, ``Connect`` as ``QmpReady``, ``Ask`` as ``Answered``, ``Explain`` as ``Explained``;
``TellGuest`` only where it fails, as ``Unheard``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from vmtiming_tui.engine.boot.facts import Goal
from vmtiming_tui.engine.children.children import Exit
from vmtiming_tui.engine.qemu.why_it_failed import Why
from vmtiming_tui.model.events import Event


@dataclass(frozen=True, slots=True)
class Await:
    """Begin to wait for something."""

    goal: Goal


@dataclass(frozen=True, slots=True)
class Spawn:
    """Begin to start QEMU, stopped."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Begin to negotiate QMP."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Begin to send a QMP command, and to wait that long for its answer."""

    command: str
    limit_s: float


class Word(StrEnum):
    """What the host may say to a guest that waits for it; ``kernel`` comes before ``details``."""

    KERNEL = "kernel"
    DETAILS = "details"
    POWEROFF = "poweroff"


@dataclass(frozen=True, slots=True)
class TellGuest:
    """Write a word to the guest's report port."""

    word: Word


@dataclass(frozen=True, slots=True)
class EndReport:
    """Wait no more for what the guest began to tell; what there is of it comes as it would have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explain:
    """Begin to find out why QEMU ended, by what it said and who else has its image."""

    ended: Exit
    reason: str
    connected: bool
    rejected: str


@dataclass(frozen=True, slots=True)
class Abandon:
    """Give up all that was begun."""


@dataclass(frozen=True, slots=True)
class Emit:
    """Say what happened."""

    event: Event


@dataclass(frozen=True, slots=True)
class Fail:
    """Say that the boot failed, and what QEMU wrote."""

    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOut:
    """Say that no report came in time, and what was on the console last."""

    limit_s: float
    stopped_by_itself: bool


@dataclass(frozen=True, slots=True)
class TellSoFar:
    """Say what QEMU has used so far, and what its guest wrote last on the console."""


@dataclass(frozen=True, slots=True)
class TellExit:
    """Say that QEMU is gone, and what was said last."""

    ended: Exit
    reason: str
    shutdown_ns: int | None


@dataclass(frozen=True, slots=True)
class EndLaunch:
    """Let another QEMU start up."""


@dataclass(frozen=True, slots=True)
class LeavePlace:
    """Let another VM boot in its place: it is decided whether this one boots."""


@dataclass(frozen=True, slots=True)
class LeaveCollect:
    """Let another guest tell its details: this one has, or never will."""


@dataclass(frozen=True, slots=True)
class Kill:
    """End QEMU's process, and what it started."""


Instruction: TypeAlias = (
    Await
    | Spawn
    | Connect
    | Ask
    | TellGuest
    | EndReport
    | Explain
    | Abandon
    | Emit
    | Fail
    | TimeOut
    | TellSoFar
    | TellExit
    | EndLaunch
    | LeavePlace
    | LeaveCollect
    | Kill
)
