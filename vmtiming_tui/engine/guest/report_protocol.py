"""The guest's report, read without any I/O: bytes go in, statements come out.

What a guest writes to its report port:

- ``VMREPORTID:<i>|||``, the prefix: the VM's number. It is the report; all else may follow later;
- the rest of that line: what ``systemd-analyze`` says;
- then, optionally, ``key=value`` lines (``protocol=3``, ``clock_us=``, ``gathering_us=``, systemd's
  ``...TimestampMonotonic`` in µs), a section ``[units]`` (see ``report_units``), one ``[kernel]``
  (see ``report_kernel``) where it was asked for, and ``[end]``.

Guests of ``protocol=2`` have sections ``[slowest]``, ``[failed]``, ``[critical-chain]`` of free
lines in place of the units.

The guest is not trusted: every length is bounded, and text leaves here by ``printable`` only.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeAlias, cast

from vmtiming_tui.engine.guest.report_kernel import KernelReader
from vmtiming_tui.engine.guest.report_units import UnitRead, UnitReader
from vmtiming_tui.escape import one_line, printable
from vmtiming_tui.model.codec import Json, to_json
from vmtiming_tui.model.guest_events import RejectionCode, UnitTimes
from vmtiming_tui.model.kernel_events import KernelLog

MAX_LINE_BYTES = 64 * 1024
MAX_REPORT_BYTES = 4 * 1024 * 1024
MAX_REPORT_LINES = 64 * 1024
MAX_DETAILS_BYTES = 64 * 1024
MAX_ORDER_BYTES = 128 * 1024
MAX_REJECTIONS = 20
MAX_EXCERPT = 200

_MAX_ENTRY = 500
_MAX_ENTRIES = 200
_MAX_PROPERTIES = 100
_MAX_VALUE = 2048
_MAX_PREFIX_BYTES = 1024

_MARK = b"VMREPORTID:"
_PREFIX = re.compile(_MARK + rb"([^\n]*?)\|\|\|")
_WHOLE = re.compile(rb"[0-9]{1,18}")
_STAMP = "TimestampMonotonic"
_UNITS = "units"
_KERNEL = "kernel"
_SECTIONS = {
    b"[slowest]": "slowest",
    b"[failed]": "failed",
    b"[critical-chain]": "chain",
    b"[units]": _UNITS,
    b"[kernel]": _KERNEL,
}


def excerpt(raw: bytes) -> str:
    """Return how foreign bytes begin, escaped and short enough to show."""
    return one_line(raw, MAX_EXCERPT)


def _cost(value: object) -> int:
    """Return how long a value is as JSON, among others."""
    return len(json.dumps(value)) + 2


@dataclass(frozen=True, slots=True)
class Reported:
    """The prefix arrived whole, and names the VM who sent it."""


@dataclass(frozen=True, slots=True)
class LineEnded:
    """The rest of the first line is in."""

    text: str


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
    units: list[UnitTimes] = field(default_factory=list)
    gathering_us: int | None = None
    complete: bool = False
    dropped_bytes: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether the guest sent nothing of the second part."""
        said = self.properties or self.timestamps_us or self.units or self.dropped_bytes
        return not (self.complete or said) and self.clock_us is None


@dataclass(slots=True)
class OrderTold:
    """Which of the units of the boot are started after which."""

    after: dict[str, tuple[str, ...]] = field(default_factory=dict)
    dropped_bytes: int = 0


@dataclass(frozen=True, slots=True)
class DetailsBegun:
    """The guest speaks a newer protocol: details follow, closed by an end line."""


Statement: TypeAlias = (
    Reported | LineEnded | Rejected | DetailsBegun | OrderTold | KernelLog | Details
)


class _Phase(Enum):
    PREFIX = auto()
    LINE = auto()
    DETAILS = auto()
    DONE = auto()
    CLOSED = auto()


class ReportParser:
    """Reads one VM's report, piece by piece; keeps ``details_bytes`` of its details, as JSON."""

    def __init__(self, vm: int, details_bytes: int = MAX_DETAILS_BYTES) -> None:
        self._vm = vm
        self._room = details_bytes
        self._order_room = MAX_ORDER_BYTES
        self._phase = _Phase.PREFIX
        self._buffer = bytearray()
        self._scanned = 0
        self._total = self._lines = 0
        self._skipping = False
        self._rejections = 0
        self._wrote_on = False
        self._section = ""
        self._details = Details()
        self._order = OrderTold()
        self._units = UnitReader()
        self._kernel = KernelReader()

    @property
    def is_closed(self) -> bool:
        """Whether nothing this guest may still write is looked at."""
        return self._phase is _Phase.CLOSED

    @property
    def awaits_first_line(self) -> bool:
        """Whether the report proper has not come yet."""
        return self._phase is _Phase.PREFIX

    @property
    def is_midway(self) -> bool:
        """Whether a prefix was begun and is not whole."""
        return self.awaits_first_line and bool(self._buffer) and not self._skipping

    def feed(self, data: bytes) -> Iterator[Statement]:
        """Take in bytes as they came and yield what they amount to."""
        if self.is_closed:
            return
        self._total += len(data)
        if self._total > MAX_REPORT_BYTES:
            yield from self._close(f"it wrote more than {MAX_REPORT_BYTES >> 20} MiB")
            return
        self._buffer += data
        yield from self._look_for_prefix()
        while (end := self._buffer.find(b"\n", self._scanned)) >= 0:
            self._lines += 1
            if self._lines > MAX_REPORT_LINES:
                yield from self._close(f"it wrote more than {MAX_REPORT_LINES:,} lines")
                return
            line = bytes(self._buffer[:end])
            self._cut(end + 1)
            yield from self._line(line.removesuffix(b"\r"))
            yield from self._look_for_prefix()
        self._scanned = len(self._buffer)
        if self._scanned > MAX_LINE_BYTES + len(b"\r"):
            if not self._skipping:
                yield from self._too_long(bytes(self._buffer[:400]))
            self._skipping = True
            self._cut(self._scanned)

    def finish(self, why: str) -> Iterator[Statement]:
        """Say that no more will be waited for, because of ``why``; yield what that leaves."""
        rest = b"" if self._skipping else bytes(self._buffer)
        self._cut(len(self._buffer))
        self._skipping = False
        match self._phase:
            case _Phase.PREFIX if rest:
                yield from self._reject(f"half a line, then {why}", rest)
            case _Phase.LINE:
                self._phase = _Phase.DONE
                if text := printable(rest.strip()):
                    yield LineEnded(text)
            case _Phase.DETAILS:
                yield from self._close_details()

    def _close(self, why: str) -> Iterator[Statement]:
        """Look at nothing more."""
        if self._phase is _Phase.DETAILS:
            yield from self._close_details()
        self._phase = _Phase.CLOSED
        self._buffer.clear()
        yield Rejected(why, final=True)

    def _cut(self, size: int) -> None:
        del self._buffer[:size]
        self._scanned = 0

    def _reject(
        self, why: str, raw: bytes, code: RejectionCode = RejectionCode.OTHER
    ) -> Iterator[Rejected]:
        self._rejections += 1
        if self._rejections <= MAX_REJECTIONS:
            yield Rejected(why, excerpt(raw), code=code)

    def _too_long(self, raw: bytes) -> Iterator[Rejected]:
        return self._reject(f"a line of more than {MAX_LINE_BYTES >> 10} KiB", raw)

    def _look_for_prefix(self) -> Iterator[Statement]:
        if self._phase is not _Phase.PREFIX or self._skipping:
            return
        match = _PREFIX.match(bytes(self._buffer[:_MAX_PREFIX_BYTES]))
        if match is None:
            return
        self._cut(match.end())
        number = match[1].strip()
        if _WHOLE.fullmatch(number) and int(number) == self._vm:
            self._phase = _Phase.LINE
            yield Reported()
            return
        self._skipping = True
        if _WHOLE.fullmatch(number):
            yield from self._reject(f"it claims to be VM {int(number)}", match[0])
        else:
            yield from self._reject(f"its number {excerpt(number)!r} is no VM's number", match[0])

    def _line(self, line: bytes) -> Iterator[Statement]:
        is_skipped, self._skipping = self._skipping, False
        if len(line) > MAX_LINE_BYTES and not is_skipped:
            is_skipped = True
            yield from self._too_long(line)
        if self._phase is _Phase.LINE:
            self._phase = _Phase.DETAILS
            yield LineEnded("" if is_skipped else printable(line.strip()))
        elif is_skipped:
            return
        elif self._phase is _Phase.PREFIX:
            if line.strip():
                yield from self._reject("not a report; expected VMREPORTID:<i>|||<text>", line)
        elif line.startswith(_MARK):
            yield from self._reject("a second report", line, RejectionCode.SECOND_REPORT)
        elif self._phase is _Phase.DETAILS:
            yield from self._detail(line)
        elif line.strip() and not self._wrote_on:
            self._wrote_on = True
            yield from self._reject("it wrote on after its report had ended", line)

    def _detail(self, line: bytes) -> Iterator[Statement]:
        if line == b"[end]":
            self._details.complete = True
            yield from self._close_details()
        elif line in _SECTIONS:
            self._section = _SECTIONS[line]
        elif self._section == _UNITS and not line.startswith(b"gathering_us="):
            for unit in self._units.line(line):
                self._keep(unit)
        elif self._section == _KERNEL and not line.startswith(b"gathering_us="):
            self._kernel.line(line)
        elif self._section not in ("", _UNITS, _KERNEL):
            self._entry(line)
        else:
            if line.startswith(b"protocol=") and "protocol" not in self._details.properties:
                yield DetailsBegun()
            self._property(line)

    def _close_details(self) -> Iterator[Statement]:
        """Yield the order of the units and the kernel's log, where told, and then all else."""
        self._phase = _Phase.DONE
        for unit in self._units.end():
            self._keep(unit)
        if self._order.after or self._order.dropped_bytes:
            known = {unit.name for unit in self._details.units}
            kept = self._order.after.items()
            self._order.after = {
                name: tuple(filter(known.__contains__, after)) for name, after in kept
            }
            yield self._order
        if (log := self._kernel.told(self._details.clock_us)) is not None:
            yield log
        if not self._details.is_empty:
            yield self._details

    def _keep(self, unit: UnitRead) -> None:
        """Keep a unit of the boot, as far as there is room."""
        if not unit.is_of_the_boot:
            return
        details, order, times = self._details, self._order, unit.times
        cost = _cost([*cast(dict[str, Json], to_json(times)).values()])
        if cost > self._room:
            details.dropped_bytes += unit.size_bytes
            return
        self._room -= cost
        details.units.append(times)
        if times.active == "failed":
            details.failed.append(times.name)
        if unit.is_default:
            details.properties["default_unit"] = times.name
        cost = _cost({times.name: unit.after})
        if unit.after and cost <= self._order_room:
            self._order_room -= cost
            order.after[times.name] = unit.after
        elif unit.after:
            order.dropped_bytes += cost

    def _fits(self, line: bytes, *words: str, room: bool = True) -> bool:
        """Take what words cost off the room there is; count the line where they do not fit."""
        cost = sum(map(_cost, words))
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
        key, value = printable(raw_key)[:_MAX_ENTRY], printable(raw_value.strip())[:_MAX_VALUE]
        number = int(raw_value) if _WHOLE.fullmatch(raw_value.strip()) else None
        details = self._details
        if key == "clock_us":
            details.clock_us = number
        elif key == "gathering_us":
            details.gathering_us = number
        elif key == "clock_resolution_us":
            details.clock_resolution_us = max(number or 1, 1)
        elif key.endswith(_STAMP):
            room = len(details.timestamps_us) < _MAX_PROPERTIES
            if number is not None and self._fits(line, key, str(number), room=room):
                details.timestamps_us[key] = number
        elif self._fits(line, key, value, room=len(details.properties) < _MAX_PROPERTIES):
            details.properties[key] = value
