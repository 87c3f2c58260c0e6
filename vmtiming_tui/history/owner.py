"""Whose recorder keeps a run: what tells one process from every other that had or gets its id."""

import re
from pathlib import Path

_PID = re.compile(r"[0-9]{1,18}")
_ENDED = (b"Z", b"X")


def owner_of(pid: int) -> str:
    """Return what tells a process from every other, also after its id was given away again.

    The host's boot id, the process's id and its start time; empty where there is no such process,
    or nothing of it but what its parent has yet to take notice of.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in _ENDED else f"{boot} {pid} {int(fields[19])}"


def is_alive(owner: str) -> bool:
    """Return whether the process an owner names still runs."""
    words = owner.split()
    return len(words) == 3 and bool(_PID.fullmatch(words[1])) and owner_of(int(words[1])) == owner
