"""Who has a file open: for the words about a disk image that somebody else holds."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vmtiming_tui.text import printable


@dataclass(frozen=True, slots=True)
class Holder:
    """A process and the name it goes by."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.name})"


def holders(path: Path) -> list[Holder]:
    """Return the processes that have a file open, as far as this user may know (proc(5))."""
    try:
        wanted = path.stat()
    except OSError:
        return []
    return [Holder(pid, _name(pid)) for pid in _pids() if _has_open(pid, wanted)]


def _pids() -> Iterator[int]:
    with os.scandir("/proc") as entries:
        yield from sorted(int(entry.name) for entry in entries if entry.name.isdigit())


def _has_open(pid: int, wanted: os.stat_result) -> bool:
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as links:
        for link in links:
            with contextlib.suppress(OSError):
                if os.path.samestat(link.stat(), wanted):
                    return True
    return False


def _name(pid: int) -> str:
    try:
        return printable(Path(f"/proc/{pid}/comm").read_bytes().rstrip(b"\n"))
    except OSError:
        return "gone meanwhile"
