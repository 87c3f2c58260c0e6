"""A kernel's log, read line by line: what its initcalls and probes took, and where it was silent.

A line is as ``dmesg --raw`` prints it, ``<7>[    1.234567] text``, or as ``/dev/kmsg`` has it,
``7,160,1234567,-;text``. With ``initcall_debug`` the kernel says (``init/main.c``,
``drivers/base/dd.c``, at the level of debugging):

- ``calling  NAME+0x0/0x10 [module] @ PID``, then
  ``initcall NAME+0x0/0x10 [module] returned 0 after 12 usecs``;
- ``entering initcall level: NAME``, in recent kernels;
- ``probe of DEVICE returned 0 after 12 usecs``; 517 is ``EPROBE_DEFER``;
- ``DRIVER DEVICE: deferred probe pending``, whatever the arguments.

Programs may write to this log, but not in the kernel's name: a facility other than 0 tells them.
"""

import heapq
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from vmtiming_tui.escape import one_line
from vmtiming_tui.model.kernel_events import KernelLog, Spans

MAX_INITCALLS_BYTES = 32 * 1024
MAX_PROBES_BYTES = 16 * 1024
MAX_SILENCES = 20
LEAST_SILENCE_US = 1000

_MAX_NAME = 120
_NUMBERS_BYTES = 24
_MAX_DEVICES = 50
_MAX_LEVELS = 20
_DEFER = 517
_LINE = re.compile(
    rb"<(\d{1,4})>\[ *(\d{1,9})\.(\d{6})\](?:\[ *[TC]\d+\])? ?(.*)"
    rb"|(\d{1,4}),\d+,(\d{1,15}),[^;]*;(.*)",
    re.DOTALL,
)
_CALLING = re.compile(rb"calling  (\S+(?: \[\S+\])?) @ \d+")
_RETURNED = re.compile(
    rb"initcall (\S+(?: \[\S+\])?) returned (?:(-?\d{1,9}) )?after (\d{1,12}) usecs"
)
_PROBED = re.compile(
    rb"probe (?:of|\S+ in driver \S+ for device) (\S+) returned (-?\d{1,9}) after (\d{1,12}) usecs"
)
_LEVEL = re.compile(rb"entering initcall level: (\S+)")
_LEVELS_END = (b"Freeing unused kernel", b"Run /")
_PENDING = re.compile(rb"\S+ (\S+): deferred probe pending")
_OFFSET = re.compile(r"^\d+_|\+0x[0-9a-f]+/0x[0-9a-f]+")


@dataclass(slots=True)
class _Part:
    """One name's time; those of the same name count together, from when the first began."""

    name: str
    began_us: int
    took_us: int = 0
    returned: int = 0


class _Parts:
    """Parts by name, of which those are kept that took longest, as far as there is room."""

    def __init__(self, room_bytes: int) -> None:
        self._room = room_bytes
        self._parts: dict[str, _Part] = {}
        self._ways: list[tuple[int, int]] = []

    def add(self, name: str, began_us: int, took_us: int, returned: int) -> None:
        self._ways.append((began_us, began_us + took_us))
        part = self._parts.setdefault(name, _Part(name, began_us))
        part.took_us += took_us
        part.returned = returned

    def spans(self) -> Spans:
        slowest = sorted(self._parts.values(), key=lambda part: (-part.took_us, part.name))
        kept, room = list[_Part](), self._room
        for part in slowest:
            room -= len(json.dumps(part.name)) + _NUMBERS_BYTES
            if room < 0:
                break
            kept.append(part)
        return replace(
            _spans(kept, slowest),
            returned=tuple(part.returned for part in kept),
            total_us=_covered_us(self._ways),
        )


def _covered_us(ways: Iterable[tuple[int, int]]) -> int:
    """Return for how long any way was gone: modules are loaded beside each other."""
    covered = reached = 0
    for begin, end in sorted(ways):
        covered += max(end - max(begin, reached), 0)
        reached = max(reached, end)
    return covered


def _spans(kept: Sequence[_Part], found: Iterable[_Part]) -> Spans:
    took_us = [part.took_us for part in found]
    return Spans(
        names=tuple(part.name for part in kept),
        began_us=tuple(part.began_us for part in kept),
        took_us=tuple(part.took_us for part in kept),
        count=len(took_us),
        total_us=sum(took_us),
    )


def _name(raw: bytes) -> str:
    return one_line(raw, _MAX_NAME)


def _function(raw: bytes) -> str:
    return _OFFSET.sub("", _name(raw))


def _ended_by(text: bytes) -> str:
    """Return the line that ended a silence, without what is of no use to a person."""
    match = _CALLING.match(text)
    return f"calling {_function(match[1])}" if match else _name(text)


class KernelReader:
    """Takes in a kernel's log, and keeps what it comes to."""

    def __init__(self) -> None:
        self._lines = 0
        self._first_us: int | None = None
        self._last_us = 0
        self._calls: dict[bytes, int] = {}
        self._initcalls = _Parts(MAX_INITCALLS_BYTES)
        self._probes = _Parts(MAX_PROBES_BYTES)
        self._levels: list[_Part] = []
        self._at_levels = False
        self._silences: list[tuple[int, int, bytes]] = []
        self._deferred: dict[str, None] = {}
        self._pending: dict[str, None] = {}

    def line(self, line: bytes) -> None:
        """Take in one line; what is none of a kernel's log is passed over."""
        match = _LINE.fullmatch(line)
        if match is None:
            return
        if match[1] is not None:
            facility, text = int(match[1]) >> 3, match[4]
            at_us = int(match[2]) * 1_000_000 + int(match[3])
        else:
            facility, at_us, text = int(match[5]) >> 3, int(match[6]), match[7]
        self._lines += 1
        if self._first_us is None:
            self._first_us = self._last_us = at_us
        is_within = bool(self._calls)
        accounts = facility == 0 and self._statement(at_us, text)
        self._hear(at_us, text, is_accounted_for=accounts or is_within)

    def told(self, until_us: int | None) -> KernelLog | None:
        """Return what the log comes to, or None where there was none.

        A silence that lasted beyond ``until_us``, the end of the boot, is not the boot's.
        """
        if not self._lines:
            return None
        silences = [
            _Part(_ended_by(text), from_us, us)
            for us, from_us, text in sorted(self._silences, reverse=True)
            if until_us is None or from_us + us <= until_us
        ]
        return KernelLog(
            lines=self._lines,
            initcalls=self._initcalls.spans(),
            levels=_spans(self._levels, self._levels),
            probes=self._probes.spans(),
            silences=_spans(silences, silences),
            deferred=tuple(self._deferred),
            pending=tuple(self._pending),
            is_cut=bool(self._first_us),
        )

    def _hear(self, at_us: int, text: bytes, *, is_accounted_for: bool) -> None:
        """Take note of how long there was no line; stamps may go back a little between CPUs."""
        silence_us = at_us - self._last_us
        if silence_us >= LEAST_SILENCE_US and not is_accounted_for:
            found = (silence_us, self._last_us, text)
            if len(self._silences) < MAX_SILENCES:
                heapq.heappush(self._silences, found)
            else:
                heapq.heappushpop(self._silences, found)
        self._last_us = max(self._last_us, at_us)

    def _statement(self, at_us: int, text: bytes) -> bool:
        """Take in what the kernel says; return whether it says what took the time just passed."""
        if match := _RETURNED.match(text):
            took_us = int(match[3])
            began_us = self._calls.pop(match[1], max(at_us - took_us, 0))
            self._initcalls.add(_function(match[1]), began_us, took_us, int(match[2] or 0))
            return True
        if match := _CALLING.match(text):
            self._calls[match[1]] = at_us
        elif match := _PROBED.match(text):
            took_us, returned = int(match[3]), int(match[2])
            self._probes.add(_name(match[1]), max(at_us - took_us, 0), took_us, returned)
            if abs(returned) == _DEFER:
                _note(self._deferred, match[1])
            return True
        elif match := _LEVEL.match(text):
            self._begin_level(at_us, _name(match[1]))
        elif self._at_levels and text.startswith(_LEVELS_END):
            self._end_level(at_us)
        elif match := _PENDING.match(text):
            _note(self._pending, match[1])
        return False

    def _begin_level(self, at_us: int, name: str) -> None:
        self._end_level(at_us)
        self._at_levels = len(self._levels) < _MAX_LEVELS
        if self._at_levels:
            self._levels.append(_Part(name, at_us))

    def _end_level(self, at_us: int) -> None:
        if self._at_levels:
            level = self._levels[-1]
            level.took_us, self._at_levels = max(at_us - level.began_us, 0), False


def _note(devices: dict[str, None], device: bytes) -> None:
    if len(devices) < _MAX_DEVICES:
        devices[_name(device)] = None
