"""What ``systemctl show '*'`` prints, read line by line: each unit's stamps, and what it waits for.

A unit's properties stand one a line (``Id=``, ``ActiveState=``, ...), in an order of systemd's own;
an empty line ends them. Others than those read here are passed over.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from vmtiming_tui.escape import printable
from vmtiming_tui.model.guest_events import UnitTimes

MAX_NAME = 500

_WHOLE = re.compile(rb"[0-9]{1,18}")
_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_ESCAPED = re.compile(r"\\(.)")
_WORDS = {b"Id": "name", b"ActiveState": "active", b"SubState": "sub", b"Result": "result"}
_STAMPS = {
    b"InactiveExitTimestampMonotonic": "activating_us",
    b"ActiveEnterTimestampMonotonic": "active_us",
    b"ActiveExitTimestampMonotonic": "deactivating_us",
    b"InactiveEnterTimestampMonotonic": "inactive_us",
}
_LISTS = (b"Names", b"After")


def unit_names(value: str) -> tuple[str, ...]:
    """Return the names in a list; newer systemds quote one with a backslash, in C's way."""
    found = _NAME.finditer(value)
    return tuple((match[2] or _ESCAPED.sub(r"\1", match[1] or ""))[:MAX_NAME] for match in found)


@dataclass(slots=True)
class UnitRead:
    """One unit as far as its lines have come; ``size_bytes`` is their length."""

    words: dict[str, str] = field(default_factory=dict)
    stamps: dict[str, int] = field(default_factory=dict)
    lists: dict[bytes, tuple[str, ...]] = field(default_factory=dict)
    size_bytes: int = 0

    @property
    def times(self) -> UnitTimes:
        """Where it stands, and its stamps."""
        word, stamp = self.words.get, self.stamps.get
        return UnitTimes(
            name=word("name", ""),
            active=word("active", ""),
            sub=word("sub", ""),
            result=word("result", ""),
            activating_us=stamp("activating_us", 0),
            active_us=stamp("active_us", 0),
            deactivating_us=stamp("deactivating_us", 0),
            inactive_us=stamp("inactive_us", 0),
        )

    @property
    def is_default(self) -> bool:
        """Whether it is what the guest boots into."""
        return "default.target" in self.lists.get(b"Names", ())

    @property
    def after(self) -> tuple[str, ...]:
        """The units it is started after."""
        return self.lists.get(b"After", ())

    @property
    def is_of_the_boot(self) -> bool:
        """Whether systemd ever began to start it, or it failed."""
        is_known = any(self.stamps.values()) or self.words.get("active") == "failed"
        return bool(self.words.get("name")) and is_known


class UnitReader:
    """Takes in the lines of a list of units, and yields each unit once it is whole."""

    def __init__(self) -> None:
        self._unit = UnitRead()

    def line(self, line: bytes) -> Iterator[UnitRead]:
        """Take in one line."""
        if not line.strip():
            yield from self.end()
            return
        unit = self._unit
        unit.size_bytes += len(line) + 1
        key, _, value = line.partition(b"=")
        if word := _WORDS.get(key):
            unit.words[word] = printable(value.strip())[:MAX_NAME]
        elif stamp := _STAMPS.get(key):
            unit.stamps[stamp] = int(value) if _WHOLE.fullmatch(value.strip()) else 0
        elif key in _LISTS:
            unit.lists[key] = unit_names(printable(value))

    def end(self) -> Iterator[UnitRead]:
        """Say that no line will follow of the unit that was begun, if one was."""
        if self._unit.size_bytes:
            yield self._unit
            self._unit = UnitRead()
