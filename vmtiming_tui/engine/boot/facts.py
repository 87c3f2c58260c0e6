"""What can become known about a boot, as its course takes it in: one fact at a time."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from vmtiming_tui.engine.children.children import Exit
from vmtiming_tui.engine.guest.report_protocol import Statement
from vmtiming_tui.engine.qemu.why_it_failed import Why
from vmtiming_tui.engine.qmp.controller import QmpEvent
from vmtiming_tui.own_faults import OwnFault


class Goal(StrEnum):
    """What a boot can wait for besides QEMU and its guest."""

    PLACE = "a place among those that boot"
    LAUNCH = "a place among those whose QEMU starts up"
    TURN = "its turn to go"
    STAMPS = "the stamps of what was written to the report port so far"
    COLLECT = "its turn to tell details"
    END = "its turn to end"
    LAST_WORDS = "what QEMU and its guest said last"


# What came of an instruction.


@dataclass(frozen=True, slots=True)
class Reached:
    """What was waited for is so."""

    goal: Goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawned:
    """QEMU's process exists; as ``VmLaunched`` has it."""

    pid: int
    spawn_ns: int
    argv: tuple[str, ...] = ()
    injected: str = ""


@dataclass(frozen=True, slots=True)
class NotSpawned:
    """QEMU's process could not be started."""

    why: Why


@dataclass(frozen=True, slots=True)
class QmpReady:
    """QMP is negotiated, or, with ``trouble``, never will be."""

    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """QEMU's answer to a command; ``trouble`` says why there is none, or what it refused.

    ``is_sent`` is false where there was no session to send the command by.
    """

    command: str
    value: object = None
    trouble: str = ""
    is_sent: bool = True


@dataclass(frozen=True, slots=True)
class Unheard:
    """A word for the guest could not be written to its report port."""


@dataclass(frozen=True, slots=True)
class Explained:
    """Why QEMU ended before its guest reported."""

    why: Why


@dataclass(frozen=True, slots=True)
class TimeUp:
    """Nothing more became known by the course's deadline."""


@dataclass(frozen=True, slots=True)
class Faulted:
    """The tool itself failed at something for this boot."""

    fault: OwnFault


# What comes unasked.


@dataclass(frozen=True, slots=True)
class PortOpened:
    """QEMU, process ``pid``, connected its report chardev, on our descriptor ``connection``."""

    connection: int
    pid: int


@dataclass(frozen=True, slots=True)
class PortClosed:
    """The report connection is over, and so is all that the guest may say."""


@dataclass(frozen=True, slots=True)
class Said:
    """The guest said something; the bytes that completed it came at ``received_ns``."""

    statement: Statement
    received_ns: int


@dataclass(frozen=True, slots=True)
class QmpLost:
    """An established QMP session is over."""

    why: str


@dataclass(frozen=True, slots=True)
class QmpFlooded:
    """QEMU said so much that it is no longer listened to."""


@dataclass(frozen=True, slots=True)
class EndAsked:
    """Somebody wants it ended: in order, or ``at_once``."""

    why: str
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class PauseAsked:
    """Somebody is about to have the VM stand still: that time will not count."""


@dataclass(frozen=True, slots=True)
class ResumeAsked:
    """Somebody lets the VM go on: from here its time counts, even if QEMU does not obey."""

    at_ns: int


Reply: TypeAlias = (
    Reached | Spawned | NotSpawned | QmpReady | Answered | Unheard | Explained | TimeUp | Faulted
)
News: TypeAlias = (
    Exit
    | QmpEvent
    | PortOpened
    | PortClosed
    | Said
    | QmpLost
    | QmpFlooded
    | EndAsked
    | PauseAsked
    | ResumeAsked
)
Fact: TypeAlias = Reply | News
