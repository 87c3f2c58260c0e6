"""Faults of our own: what is said of one that nobody foresaw, and where its traceback is kept."""

import os
import traceback
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from vmtiming_tui.escape import printable

_MOST_SAID = 200


@dataclass(frozen=True, slots=True)
class OwnFault:
    """An error of the tool's own: what happened in a line, and what to do about it."""

    what: str
    hint: str


def kept_fault(error: BaseException, name: str) -> OwnFault:
    """Keep an error's traceback as the state folder's ``NAME-crash.txt``; return what to say of it.

    The newest is kept: what fails once fails again and again, and in the same way.
    """
    last = "".join(traceback.format_exception_only(error)).strip().partition("\n")[0]
    what = printable(last)[:_MOST_SAID]
    path = platformdirs.user_state_path("vmtiming-tui") / f"{name}-crash.txt"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, "".join(traceback.format_exception(error)))
    except OSError as trouble:
        why = trouble.strerror or str(trouble)
        return OwnFault(what, f"please report this; {_shown(path)} could not be written: {why}")
    return OwnFault(what, f"please report this, with {_shown(path)}")


def _write(path: Path, text: str) -> None:
    """Write a file of our own; a link in its place, which may be another user's, goes."""
    path.unlink(missing_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123
        file.write(text)


def _shown(path: Path) -> str:
    return printable(str(path))
