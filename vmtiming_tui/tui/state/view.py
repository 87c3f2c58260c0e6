"""Which VMs are shown, in which order, and which of them are marked; pure, no Textual."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.errors import VmTimingError
from vmtiming_tui.model.attempt import Attempt, Phase, Vm, VmState
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.tui.state.phases import phase_of

Test: TypeAlias = Callable[[Vm, int], bool]
Sortable: TypeAlias = Callable[[Attempt, int], float | None]


class FilterError(VmTimingError):
    """A text that is no filter: the message says why."""


class Sort(StrEnum):
    """What the VMs are ordered by; also the list's columns, in their order."""

    ID = "VM"
    STATE = "state"
    TIME = "host s"
    KERNEL = "kernel"
    INITRD = "initrd"
    USERSPACE = "userspace"
    RESIDUAL = "residual"
    RSS = "RSS"
    DISK = "disk read"
    CPU = "CPU s"


_ORDER = {state: place for place, state in enumerate(VmState)}

STATE_GROUPS: tuple[frozenset[VmState], ...] = (
    frozenset({VmState.QUEUED, VmState.LAUNCHING}),
    frozenset({VmState.CONNECTED}),
    frozenset({VmState.BOOTED}),
    frozenset({VmState.FAILED}),
    frozenset({VmState.TIMED_OUT}),
    frozenset({VmState.KILLED}),
)

_SORTS: dict[Sort, Sortable] = {
    Sort.STATE: lambda attempt, _: _ORDER[attempt.state],
    Sort.TIME: lambda attempt, now_ns: attempt.elapsed_ns(now_ns),
    Sort.KERNEL: lambda attempt, _: stages_of(attempt).of(Stage.KERNEL),
    Sort.INITRD: lambda attempt, _: stages_of(attempt).of(Stage.INITRD),
    Sort.USERSPACE: lambda attempt, _: stages_of(attempt).of(Stage.USERSPACE),
    Sort.RESIDUAL: lambda attempt, _: stages_of(attempt).residual_ns,
    Sort.RSS: lambda attempt, _: attempt.usage.rss_bytes if attempt.usage else None,
    Sort.DISK: lambda attempt, _: attempt.usage.disk_read_bytes if attempt.usage else None,
    Sort.CPU: lambda attempt, _: attempt.usage.cpu_ns if attempt.usage else None,
}

MOST_FILTER = 200
_RANGE = re.compile(r"(\d+)\s*(?:-|\.\.)\s*(\d+)")
_LIMIT = re.compile(r"([<>])\s*(\d+(?:\.\d+)?)")


def _words(vm: Vm) -> str:
    newest = vm.newest
    return f"{newest.state} {newest.why} {newest.text}".lower()


def _in_state(states: frozenset[VmState]) -> Test:
    return lambda vm, _: vm.state in states


def _faster_or_slower(sign: str, limit_ns: float) -> Test:
    def test(vm: Vm, now_ns: int) -> bool:
        elapsed = vm.newest.elapsed_ns(now_ns)
        if elapsed is None:
            return False
        return elapsed > limit_ns if sign == ">" else elapsed < limit_ns

    return test


def parse_filter(text: str) -> Test:
    """Return the test a filter text stands for; raise ``FilterError`` for one that is none.

    ``7`` is that VM, ``3-7`` a range, ``>20`` and ``<20`` host seconds, the name of a state or of
    a phase after the report that one; anything else is looked for in state, failure and report. A
    leading ``!`` inverts.
    """
    text = text.strip().lower()
    if len(text) > MOST_FILTER:
        raise FilterError(f"it is longer than {MOST_FILTER} characters")
    if not text.isprintable():
        raise FilterError("it holds characters that cannot be seen")
    plain = text.lstrip("! ")
    test = _parse_plain(plain)
    if text[: len(text) - len(plain)].count("!") % 2:
        return lambda vm, now_ns: not test(vm, now_ns)
    return test


def _parse_plain(text: str) -> Test:
    if not text:
        return lambda vm, now_ns: True
    if text.isdecimal():
        wanted = int(text)
        return lambda vm, _: vm.id == wanted
    if match := _RANGE.fullmatch(text):
        low, high = int(match[1]), int(match[2])
        return lambda vm, _: low <= vm.id <= high
    if match := _LIMIT.fullmatch(text):
        return _faster_or_slower(match[1], float(match[2]) * 1e9)
    if text == "starting":
        return _in_state(STATE_GROUPS[0])
    if text in set(Phase):
        return lambda vm, _: phase_of(vm.newest) is Phase(text)
    if text in set(VmState):
        return _in_state(frozenset({VmState(text)}))
    return lambda vm, _: text in _words(vm)


@dataclass(slots=True)
class View:
    """What the user chose to see; ``shown`` holds the ids that result, in order.

    ``fault`` says what is wrong with a filter that was refused; the one before it holds.
    """

    filter_text: str = ""
    fault: str = ""
    sort: Sort = Sort.ID
    descending: bool = False
    marked: set[int] = field(default_factory=set)
    shown: list[int] = field(default_factory=list)
    _test: Test = field(default_factory=lambda: parse_filter(""))

    def set_filter(self, text: str) -> None:
        """Show only VMs that match; an empty text shows all, one that is refused what was shown."""
        try:
            self._test = parse_filter(text)
        except FilterError as error:
            self.fault = error.message
        else:
            self.filter_text, self.fault = text.strip(), ""

    def step_sort(self, step: int) -> None:
        """Order by the next column, or the one before."""
        columns = list(Sort)
        self.sort = columns[(columns.index(self.sort) + step) % len(columns)]

    def sort_by(self, sort: Sort) -> None:
        """Order by this column; by the same one again turns the order around."""
        self.descending = not self.descending if sort is self.sort else False
        self.sort = sort

    @property
    def moves(self) -> bool:
        """Whether the order or the choice may change without any VM being added."""
        return bool(self.filter_text) or self.sort is not Sort.ID

    def toggle_mark(self, vm: int) -> None:
        """Mark a VM, or take its mark away."""
        self.marked ^= {vm}

    def toggle_all_marks(self) -> None:
        """Mark every VM shown, or, when all are, none."""
        shown = set(self.shown)
        self.marked = self.marked - shown if shown <= self.marked else self.marked | shown

    def refresh(self, fleet: Fleet, now_ns: int) -> bool:
        """Reckon anew what is shown; return whether it differs. VMs without a figure come last."""
        ids = self._ordered(
            [vm for _, vm in sorted(fleet.vms.items()) if self._test(vm, now_ns)], now_ns
        )
        if ids == self.shown:
            return False
        self.shown = ids
        return True

    def _ordered(self, vms: Iterable[Vm], now_ns: int) -> list[int]:
        if self.sort is Sort.ID:
            ids = [vm.id for vm in vms]
            return ids[::-1] if self.descending else ids
        key = _SORTS[self.sort]
        known, unknown = [], []
        for vm in vms:
            value = key(vm.newest, now_ns)
            if value is None:
                unknown.append(vm.id)
            else:
                known.append((value, vm.id))
        sign = -1 if self.descending else 1
        known.sort(key=lambda pair: (sign * pair[0], pair[1]))
        return [vm for _, vm in known] + unknown
