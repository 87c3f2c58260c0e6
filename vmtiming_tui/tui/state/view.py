"""Which VMs are shown, in which order, and which of them are marked; pure, no Textual."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from vmtiming_tui.analysis.stages import Stages, stages_of
from vmtiming_tui.analysis.stages_seen import seen_pieces
from vmtiming_tui.analysis.straggler import waited_share
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
    HOST = "host"
    STATE = "state"
    TIME = "host s"
    FIRMWARE = "firmware"
    LOADER = "loader"
    KERNEL = "kernel"
    INITRD = "initrd"
    USERSPACE = "userspace"
    LAG = "lag"
    RESIDUAL = "residual"
    WAITED = "waited"
    RSS = "RSS"
    DISK = "disk read"
    CPU = "CPU s"


STAGES: Mapping[Sort, Stage] = {
    Sort.FIRMWARE: Stage.FIRMWARE,
    Sort.LOADER: Stage.LOADER,
    Sort.KERNEL: Stage.KERNEL,
    Sort.INITRD: Stage.INITRD,
    Sort.USERSPACE: Stage.USERSPACE,
    Sort.LAG: Stage.LAG,
}
"""The orders that are a stage's time."""

_ORDER = {state: place for place, state in enumerate(VmState)}

STATE_GROUPS: tuple[frozenset[VmState], ...] = (
    frozenset({VmState.QUEUED, VmState.LAUNCHING}),
    frozenset({VmState.CONNECTED}),
    frozenset({VmState.BOOTED}),
    frozenset({VmState.FAILED}),
    frozenset({VmState.TIMED_OUT}),
    frozenset({VmState.KILLED}),
)


def stage_ns(attempt: Attempt, stages: Stages, stage: Stage, now_ns: int) -> int | None:
    """Return how long a stage took: as the guest tells it, else as far as the host saw it."""
    if stages.known:
        return stages.of(stage)
    return dict(seen_pieces(attempt, now_ns)).get(stage)


def _of_stage(stage: Stage) -> Sortable:
    return lambda attempt, now_ns: stage_ns(attempt, stages_of(attempt), stage, now_ns)


_SORTS: dict[Sort, Sortable] = {
    Sort.ID: lambda attempt, _: attempt.vm,
    Sort.STATE: lambda attempt, _: _ORDER[attempt.state],
    Sort.TIME: lambda attempt, now_ns: attempt.elapsed_ns(now_ns),
    **{sort: _of_stage(stage) for sort, stage in STAGES.items()},
    Sort.RESIDUAL: lambda attempt, _: stages_of(attempt).residual_ns,
    Sort.WAITED: lambda attempt, _: waited_share(attempt),
    Sort.RSS: lambda attempt, _: attempt.usage.rss_bytes if attempt.usage else None,
    Sort.DISK: lambda attempt, _: attempt.usage.disk_read_bytes if attempt.usage else None,
    Sort.CPU: lambda attempt, _: attempt.usage.cpu_ns if attempt.usage else None,
}


def _key(sort: Sort, fleet: Fleet) -> Sortable:
    """Return what VMs are ordered by; their hosts stand in the order they were told."""
    if sort is not Sort.HOST:
        return _SORTS[sort]
    places = {name: place for place, name in enumerate(fleet.hosts)}
    return lambda attempt, _: places.get(attempt.host)


MOST_FILTER = 200
OF_HOST = "host:"
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


def parse_filter(text: str, hosts: Collection[str] = ()) -> Test:
    """Return the test a filter text stands for; raise ``FilterError`` for one that is none.

    ``7`` is that VM, ``3-7`` a range, ``>20`` and ``<20`` host seconds, the name of a state or of
    a phase after the report that one; ``host:b`` is the VMs of host b, or of all of these ``hosts``
    whose names begin so where none has just this one. Anything else is looked for in state, failure
    and report. A leading ``!`` inverts.
    """
    text = text.strip().lower()
    if len(text) > MOST_FILTER:
        raise FilterError(f"it is longer than {MOST_FILTER} characters")
    if not text.isprintable():
        raise FilterError("it holds characters that cannot be seen")
    plain = text.lstrip("! ")
    test = _parse_plain(plain, hosts)
    if text[: len(text) - len(plain)].count("!") % 2:
        return lambda vm, now_ns: not test(vm, now_ns)
    return test


def _on_host(name: str, hosts: Collection[str]) -> Test:
    if not name:
        raise FilterError("a host's name, or how it begins, follows host:, such as host:b")
    if name in map(str.lower, hosts):
        return lambda vm, _: vm.newest.host.lower() == name
    return lambda vm, _: vm.newest.host.lower().startswith(name)


def _parse_plain(text: str, hosts: Collection[str]) -> Test:
    if not text:
        return lambda vm, now_ns: True
    if text.isdecimal():
        wanted = int(text)
        return lambda vm, _: vm.id == wanted
    if match := _RANGE.fullmatch(text):
        low, high = int(match[1]), int(match[2])
        if low > high:
            raise FilterError(f"a range begins with the smaller one, such as {high}-{low}")
        return lambda vm, _: low <= vm.id <= high
    if match := _LIMIT.fullmatch(text):
        return _faster_or_slower(match[1], float(match[2]) * 1e9)
    if text[0] in "<>":
        raise FilterError(f"a number of seconds follows {text[0]}, such as {text[0]}20")
    if text.startswith(OF_HOST):
        return _on_host(text.removeprefix(OF_HOST).strip(), hosts)
    if text == "starting":
        return _in_state(STATE_GROUPS[0])
    if text in set(Phase):
        return lambda vm, _: phase_of(vm.newest) is Phase(text)
    if text in set(VmState):
        return _in_state(frozenset({VmState(text)}))
    return lambda vm, _: text in _words(vm)


@dataclass(slots=True)
class Order:
    """By what the VMs are ordered, and which way."""

    sort: Sort = Sort.ID
    descending: bool = False


@dataclass(slots=True)
class View:
    """What the user chose to see; ``shown`` holds the ids that result, in order.

    Grid and list have an order each; ``order`` is that of what is seen. ``fault`` says what is
    wrong with a filter that was refused; the one before it holds.
    """

    filter_text: str = ""
    fault: str = ""
    is_list: bool = False
    marked: set[int] = field(default_factory=set)
    shown: list[int] = field(default_factory=list)
    _test: Test = field(default_factory=lambda: parse_filter(""))
    _of_grid: Order = field(default_factory=Order)
    _of_list: Order = field(default_factory=Order)

    @property
    def order(self) -> Order:
        """The order of what is seen."""
        return self._of_list if self.is_list else self._of_grid

    def set_filter(self, text: str, hosts: Collection[str] = ()) -> None:
        """Show only VMs that match; an empty text shows all, one that is refused what was shown.

        ``hosts`` are those of the run.
        """
        try:
            self._test = parse_filter(text, hosts)
        except FilterError as error:
            self.fault = error.message
        else:
            self.filter_text, self.fault = text.strip(), ""

    def drop_fault(self) -> str:
        """Forget a filter that was refused; return why it was, empty where none was."""
        fault, self.fault = self.fault, ""
        return fault

    def step_sort(self, step: int, among: Sequence[Sort]) -> None:
        """Order by the next of these, or the one before."""
        order = self.order
        at = among.index(order.sort) if order.sort in among else 0
        order.sort = among[(at + step) % len(among)]

    def sort_by(self, sort: Sort) -> None:
        """Order by this column; by the same one again turns the order around."""
        order = self.order
        order.descending = not order.descending if sort is order.sort else False
        order.sort = sort

    @property
    def moves(self) -> bool:
        """Whether the order or the choice may change without any VM being added."""
        return bool(self.filter_text) or self.order.sort is not Sort.ID

    def toggle_mark(self, vm: int) -> None:
        """Mark a VM, or take its mark away."""
        self.marked ^= {vm}

    def toggle_all_marks(self) -> None:
        """Mark every VM shown, or, when all are, none."""
        shown = set(self.shown)
        self.marked = self.marked - shown if shown <= self.marked else self.marked | shown

    def refresh(self, fleet: Fleet, now_ns: int) -> bool:
        """Reckon anew what is shown; return whether it differs. VMs without a figure come last."""
        vms = [vm for _, vm in sorted(fleet.vms.items()) if self._test(vm, now_ns)]
        ids = self._ordered(vms, now_ns, _key(self.order.sort, fleet))
        if ids == self.shown:
            return False
        self.shown = ids
        return True

    def _ordered(self, vms: Iterable[Vm], now_ns: int, key: Sortable) -> list[int]:
        if self.order.sort is Sort.ID:
            ids = [vm.id for vm in vms]
            return ids[::-1] if self.order.descending else ids
        known, unknown = [], []
        for vm in vms:
            value = key(vm.newest, now_ns)
            if value is None:
                unknown.append(vm.id)
            else:
                known.append((value, vm.id))
        sign = -1 if self.order.descending else 1
        known.sort(key=lambda pair: (sign * pair[0], pair[1]))
        return [vm for _, vm in known] + unknown
