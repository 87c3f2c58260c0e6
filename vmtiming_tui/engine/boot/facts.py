"""What can become known about a boot, as its attempt is told it: one fact at a time."""

from dataclasses import dataclass
from typing import TypeAlias

from vmtiming_tui.engine.children.children import Exit
from vmtiming_tui.engine.guest.protocol import Statement
from vmtiming_tui.engine.qmp.controller import QmpEvent


@dataclass(frozen=True, slots=True)
class PortOpened:
    """QEMU connected its report chardev, on our descriptor ``connection``."""

    connection: int


@dataclass(frozen=True, slots=True)
class Said:
    """The guest said something; the bytes that completed it came at ``received_ns``."""

    statement: Statement
    received_ns: int


@dataclass(frozen=True, slots=True)
class QmpReady:
    """QMP is negotiated, or, with ``trouble``, never will be."""

    trouble: str = ""


@dataclass(frozen=True, slots=True)
class QmpLost:
    """An established QMP session is over."""

    why: str


@dataclass(frozen=True, slots=True)
class QmpFlooded:
    """QEMU said so much that it is no longer listened to."""


@dataclass(frozen=True, slots=True)
class Killed:
    """Somebody wants it ended."""

    why: str


@dataclass(frozen=True, slots=True)
class Wake:
    """Something that was waited for has happened."""


Fact: TypeAlias = (
    Exit | QmpEvent | PortOpened | Said | QmpReady | QmpLost | QmpFlooded | Killed | Wake
)
