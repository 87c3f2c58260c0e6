"""The guest's report, read without any I/O: bytes go in, statements come out.

What a guest writes to its report port:

- one line ``VMREPORTID:<i>|||<text>``, as ever: the VM's number and what ``systemd-analyze`` said;
- then, optionally, ``key=value`` lines (``protocol=2``, ``clock_us=``, systemd's
  ``...TimestampMonotonic`` in µs), sections ``[slowest]``, ``[failed]``, ``[critical-chain]`` of
  free lines, and ``[end]``.

The guest is not trusted: every length is bounded, and text leaves here by ``printable`` only.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeAlias

from vmtiming_tui.escape import one_line, printable
from vmtiming_tui.model.events import RejectionCode

MAX_LINE_BYTES = 64 * 1024
MAX_REPORT_BYTES = 1024 * 1024
MAX_DETAILS_BYTES = 64 * 1024
MAX_REJECTIONS = 20
MAX_EXCERPT = 200

_MAX_ENTRY = 500
_MAX_ENTRIES = 200
_MAX_PROPERTIES = 100

_FIRST = re.compile(rb"VMREPORTID:(.*?)\|\|\|(.*)", re.DOTALL)
_WHOLE = re.compile(rb"[0-9]{1,18}")
_STAMP = "TimestampMonotonic"
_SECTIONS = {b"[slowest]": "slowest", b"[failed]": "failed", b"[critical-chain]": "chain"}


def excerpt(raw: bytes) -> str:
    """Return how foreign bytes begin, escaped and short enough to show."""
    return one_line(raw, MAX_EXCERPT)


@dataclass(frozen=True, slots=True)
class Reported:
    """The report's prefix arrived whole and names the VM who sent it."""


@dataclass(frozen=True, slots=True)
class LineEnded:
    """The rest of the first line arrived."""

    text: str


@dataclass(frozen=True, slots=True)
class OrderTold:
    after: dict
    dropped_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something that is no report; ``final`` where the guest wrote more than it ever may."""

    why: str
    excerpt: str = ""
    final: bool = False
    code: RejectionCode = RejectionCode.OTHER


@dataclass(slots=True)
class Details:
    """What followed the first line; ``complete`` once its end line came.

    ``dropped_bytes`` is the length of the lines there was no more room for.
    """

    clock_us: int | None = None
    clock_resolution_us: int = 1
    timestamps_us: dict[str, int] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    slowest: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    chain: list[str] = field(default_factory=list)
    units: list = field(default_factory=list)
    gathering_us: int | None = None
    complete: bool = False
    dropped_bytes: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether the guest sent nothing of the second part."""
        said = self.properties or self.timestamps_us or self.dropped_bytes
        return not (self.complete or said) and self.clock_us is None


@dataclass(frozen=True, slots=True)
class DetailsBegun:
    """The guest speaks the newer protocol: details follow, closed by an end line."""


Statement: TypeAlias = Reported | LineEnded | OrderTold | Rejected | DetailsBegun | Details


class _Phase(Enum):
    FIRST = auto()
    LINE = auto()
    DETAILS = auto()
    DONE = auto()
    CLOSED = auto()


class ReportParser:
    """Reads one VM's report, piece by piece; keeps ``details_bytes`` of its details, as JSON."""

    def __init__(self, vm: int, details_bytes: int = MAX_DETAILS_BYTES) -> None:
        self._vm = vm
        self._room = details_bytes
        self._phase = _Phase.FIRST
        self._buffer = bytearray()
        self._scanned = 0
        self._total = 0
        self._skipping = False
        self._rejections = 0
        self._details = Details()
        self._section = ""

    @property
    def is_closed(self) -> bool:
        """Whether nothing this guest may still write is looked at."""
        return self._phase is _Phase.CLOSED

    @property
    def awaits_first_line(self) -> bool:
        """Whether the report proper has not come yet."""
        return self._phase is _Phase.FIRST

    @property
    def is_midway(self) -> bool:
        """Whether something was begun and not finished: half a line, or details without end."""
        return self._phase is _Phase.FIRST and bool(self._buffer and not self._skipping)

    def feed(self, data: bytes) -> Iterator[Statement]:
        """Take in bytes as they came and yield what they amount to."""
        if self.is_closed:
            return
        self._total += len(data)
        if self._total > MAX_REPORT_BYTES:
            if self._phase is _Phase.DETAILS:
                yield self._close_details()
            self._phase = _Phase.CLOSED
            self._buffer.clear()
            yield Rejected(f"it wrote more than {MAX_REPORT_BYTES >> 20} MiB", "", final=True)
            return
        self._buffer += data
        if self._phase is _Phase.FIRST and not self._skipping and (end := self._buffer.find(b"|||")) >= 0 and b"\n" not in self._buffer[:end]:
            mark = bytes(self._buffer[:end])
            if mark == b"VMREPORTID:%d" % self._vm:
                del self._buffer[: end + 3]
                self._scanned = 0
                self._phase = _Phase.LINE
                yield Reported()
        while not self.is_closed and (end := self._buffer.find(b"\n", self._scanned)) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._scanned = 0
            if self._skipping:
                self._skipping = False
            else:
                yield from self._line(line.removesuffix(b"\r"))
        self._scanned = len(self._buffer)
        if len(self._buffer) > MAX_LINE_BYTES + len(b"\r"):
            if not self._skipping:
                yield from self._reject(
                    f"a line of more than {MAX_LINE_BYTES >> 10} KiB", bytes(self._buffer[:400])
                )
            self._skipping = True
            self._buffer.clear()
            self._scanned = 0

    def finish(self, why: str) -> Iterator[Statement]:
        """Say that no more will be waited for, because of ``why``; yield what that leaves."""
        rest, skipping = bytes(self._buffer), self._skipping
        self._buffer.clear()
        self._scanned, self._skipping = 0, False
        if self._phase is _Phase.DETAILS:
            if not self._details.is_empty:
                yield self._close_details()
            self._phase = _Phase.DONE
        elif rest and not skipping and self._phase is _Phase.FIRST:
            yield from self._reject(f"half a line, then {why}", rest)

    def _close_details(self) -> Details:
        self._phase = _Phase.DONE
        return self._details

    def _reject(
        self, why: str, raw: bytes, code: RejectionCode = RejectionCode.OTHER
    ) -> Iterator[Rejected]:
        self._rejections += 1
        if self._rejections <= MAX_REJECTIONS:
            yield Rejected(why, excerpt(raw), code=code)

    def _line(self, line: bytes) -> Iterator[Statement]:
        if len(line) > MAX_LINE_BYTES:
            yield from self._reject(f"a line of more than {MAX_LINE_BYTES >> 10} KiB", line)
        elif self._phase is _Phase.LINE:
            self._phase = _Phase.DETAILS
            yield LineEnded(printable(line.strip()))
        elif self._phase is _Phase.FIRST:
            yield from self._first(line)
        elif line.startswith(b"VMREPORTID:"):
            yield from self._reject("a second report", line, RejectionCode.SECOND_REPORT)
        elif self._phase is _Phase.DETAILS:
            yield from self._detail(line)

    def _first(self, line: bytes) -> Iterator[Statement]:
        if not line.strip():
            return
        match = _FIRST.fullmatch(line)
        if match is None:
            yield from self._reject("not a report; expected VMREPORTID:<i>|||<text>", line)
            return
        number = match[1].strip()
        if not _WHOLE.fullmatch(number):
            yield from self._reject(f"its number {excerpt(number)!r} is no VM's number", line)
        elif int(number) != self._vm:
            yield from self._reject(f"it claims to be VM {int(number)}", line)
        else:
            self._phase = _Phase.DETAILS
            yield Reported()
            yield LineEnded(printable(match[2].strip()))

    def _detail(self, line: bytes) -> Iterator[Statement]:
        if line == b"[end]":
            self._details.complete = True
            yield self._close_details()
        elif line in _SECTIONS:
            self._section = _SECTIONS[line]
        elif self._section:
            self._entry(line)
        else:
            if line.startswith(b"protocol="):
                yield DetailsBegun()
            self._property(line)

    def _fits(self, line: bytes, *words: str, room: bool = True) -> bool:
        """Take what words cost off the room there is; count the line where they do not fit."""
        cost = sum(len(json.dumps(word)) + 2 for word in words)
        if room and cost <= self._room:
            self._room -= cost
            return True
        self._details.dropped_bytes += len(line) + 1
        return False

    def _entry(self, line: bytes) -> None:
        if not line.strip():
            return
        entries: list[str] = getattr(self._details, self._section)
        entry = printable(line.rstrip())[:_MAX_ENTRY]
        if self._fits(line, entry, room=len(entries) < _MAX_ENTRIES):
            entries.append(entry)

    def _property(self, line: bytes) -> None:
        raw_key, equals, raw_value = line.partition(b"=")
        if not equals or not raw_key.strip() or b" " in raw_key:
            return  # such as the second line of an older guest's systemd-analyze
        key, value = printable(raw_key)[:_MAX_ENTRY], printable(raw_value.strip())[:_MAX_ENTRY]
        number = int(raw_value) if _WHOLE.fullmatch(raw_value.strip()) else None
        details = self._details
        if key == "clock_us":
            details.clock_us = number
        elif key == "clock_resolution_us":
            details.clock_resolution_us = max(number or 1, 1)
        elif key.endswith(_STAMP):
            room = len(details.timestamps_us) < _MAX_PROPERTIES
            if number is not None and self._fits(line, key, str(number), room=room):
                details.timestamps_us[key] = number
        elif self._fits(line, key, value, room=len(details.properties) < _MAX_PROPERTIES):
            details.properties[key] = value
