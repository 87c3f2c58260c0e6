"""The errors this project raises: one hierarchy, each worded for the person who reads it."""

from collections.abc import Sequence
from dataclasses import dataclass


class VmTimingError(Exception):
    """Anything that stops us; the message says what happened, ``hint`` what to do about it."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in what was asked: the setting's name (``RunConfig`` field) and what to do."""

    field: str
    text: str

    def __str__(self) -> str:
        return self.text


class ConfigError(VmTimingError):
    """A configuration that cannot run; carries every fault found, not only the first."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class EngineError(VmTimingError):
    """The engine could not do what was asked: its process, its socket or its folder failed."""


class HostError(EngineError):
    """One of several hosts cannot take part, or is lost."""


class QemuError(EngineError):
    """QEMU could not be started, or ended before it could be spoken to."""


class ImageError(VmTimingError):
    """A disk image that cannot be taken: damaged, unknown, or asking for more than it may."""


class AsItIsError(ImageError):
    """A system of which no copy is made, for it would not boot or not as the image does.

    As it is, its own loader boots it, and a systemd of 256 or newer takes the report service from
    outside; ``systemd`` is its version, 0 where nobody knows. ``untouched`` says that its kernel
    and initrd, handed over with what its loader says, boot it as well.
    """

    def __init__(
        self, message: str, *, hint: str = "", systemd: int = 0, untouched: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.systemd = systemd
        self.untouched = untouched


class EventError(VmTimingError):
    """A line that is not one of our events: a damaged stream, file or database row."""


class HistoryError(VmTimingError):
    """The store of past runs cannot be read or written."""


class ExportError(VmTimingError):
    """An export could not be written; an existing file of that name is as it was."""
