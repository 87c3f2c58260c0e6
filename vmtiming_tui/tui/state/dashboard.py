"""What the dashboard holds: the fleet as folded so far, the view of it, and its live figures.

Events come in as they are read and are folded on the dashboard's timer. While the picture is
frozen they wait; nothing is lost and the engine never notices. Pure of Textual.
"""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

from vmtiming_tui.analysis.comparison.samples import THIS_RUN, Side
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.attempt import Attempt, Vm, VmState
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.model.storm import StormPhase
from vmtiming_tui.tui.state.host_rows import HostRow, boots_by_host, host_rows
from vmtiming_tui.tui.state.keymap import LIVE, Need
from vmtiming_tui.tui.state.live_figures import LiveFigures, ns_of, reckon, shown_storm
from vmtiming_tui.tui.state.outcome import Outcome
from vmtiming_tui.tui.state.view import Sort, View

MUCH = 0.2
"""A rerun differs by much from the boot before it when it is this share slower or faster."""

_FOLD_BUDGET_S = 0.008
_CATCH_UP_BUDGET_S = 0.05
_BACKLOG = 20_000
"""So many events that wait are folded faster, at the price of a picture that moves in jerks."""
_LEAST_PAUSE_NS = 500_000_000
_LEFT_EVERY_NS = 1_500_000_000
_COST_SHARE = 100
_HOST_SAMPLES = 60
_REFINING = frozenset(
    {ev.VmUsage, ev.HostSample, ev.QmpSeen, ev.VmConsole, ev.ConsoleLine, ev.StageSeen}
)
_NEWS = frozenset(
    {ev.VmBooted, ev.VmFailed, ev.VmTimedOut, ev.VmKilled, ev.HostLost, ev.EngineFailed}
)
_ANSWERS = (ev.RunStarted, ev.RunEnded, ev.EngineFailed)
_UNDECIDED = tuple(state for state in VmState if not state.is_decided)
_RUNNING = frozenset({VmState.QUEUED, VmState.LAUNCHING, VmState.CONNECTED, VmState.BOOTED})


@dataclass(frozen=True, slots=True)
class Change:
    """What one turn of the timer brought, or news that came between two (``between``).

    What only the clock moves is not drawn for news.
    """

    vms: frozenset[int] = frozenset()
    new_run: bool = False
    order: bool = False
    figures: bool = False
    between: bool = False


def is_running(vm: Vm) -> bool:
    """Return whether a VM's QEMU may still be there, or is about to be."""
    newest = vm.newest
    return newest.exited_ns is None and newest.state in _RUNNING


def differs(vm: Vm) -> int:
    """Return 1 if the newest boot took much longer than the one before it, -1 if much less."""
    if len(vm.attempts) < 2 or (newest := vm.newest.boot_ns) is None:
        return 0
    earlier = next((a.boot_ns for a in vm.attempts[-2::-1] if a.boot_ns), None)
    if earlier is None or abs(newest - earlier) <= MUCH * earlier:
        return 0
    return 1 if newest > earlier else -1


class Model:
    """The one place the widgets read from.

    ``plan`` is that of the run that is shown; ``asked`` the one last asked for, which may have been
    refused, or of which, while ``is_beginning``, nothing was heard yet. ``baseline``
    is the run that all of them are compared with, if any. ``outcome`` is what the boots came to
    when that was last looked at. ``there`` is what there is for keys that need something, and
    ``called`` what the run is called among others.
    """

    def __init__(
        self,
        plan: RunPlan,
        clock: Callable[[], int],
        baseline: Side | None = None,
        there: frozenset[Need] = LIVE,
    ) -> None:
        self.baseline = baseline
        self.there = there
        self.called = THIS_RUN
        self.plan = self.asked = plan
        self.fleet = Fleet()
        self.view = View()
        self.figures = LiveFigures()
        self.outcome: Outcome | None = None
        self.stream_over = False
        self.is_beginning = False
        self._clock = clock
        self._waiting: deque[ev.Event] = deque()
        self._frozen_ns: int | None = None
        self._thinned = 0
        self._holds = 0
        self._stale_figures = True
        self._figures_due_ns = self._order_due_ns = 0

    # The picture and the clock.

    @property
    def now_ns(self) -> int:
        """Now, on the engine's clock; stands still while the picture is frozen."""
        return self._clock() if self._frozen_ns is None else self._frozen_ns

    @property
    def is_frozen(self) -> bool:
        """Whether the picture is held still."""
        return self._frozen_ns is not None

    @property
    def waiting(self) -> int:
        """How many events wait to be folded."""
        return len(self._waiting)

    def freeze(self, on: bool) -> None:
        """Hold the picture still, or let it catch up."""
        self._frozen_ns = self._clock() if on else None

    @property
    def elapsed_ns(self) -> int | None:
        """Since the run began, or a storm beside it that is under way; None before it.

        It stands while no boot is timed: from a storm's decision to the next boots.
        """
        fleet = self.fleet
        if fleet.run is None:
            return None
        storm = shown_storm(fleet)
        apart = storm if storm is not None and storm.kind.is_beside else None
        began = apart.started_ns if apart is not None else fleet.run.at_ns
        ended = fleet.ended_ns
        if storm is not None and storm.knows_phases and storm.phase is not StormPhase.BOOT:
            ended = storm.decided_ns
        elif storm is not fleet.storm and storm is not None:
            ended = storm.ended_ns
        return max((ended or self.now_ns) - began, 0)

    @property
    def config(self) -> RunConfig:
        """The settings of what runs now: those of the newest storm."""
        storm = self.fleet.storm
        return self.plan.config if storm is None else self.plan.config_of(storm.parameters)

    @property
    def running(self) -> list[int]:
        """The VMs whose QEMU may be running."""
        return [vm.id for vm in self.fleet.vms.values() if is_running(vm)]

    @property
    def hosts(self) -> list[HostRow]:
        """A row for each of several hosts, as they were told; none where there is only one."""
        boots = self.figures.hosts or boots_by_host(self.fleet, ())  # before any is reckoned
        return host_rows(self.fleet, boots)

    @property
    def is_by_host(self) -> bool:
        """Whether the VMs stand by their hosts."""
        return self.view.order.sort is Sort.HOST and self.fleet.hosts.are_many

    @property
    def host_blocks(self) -> list[range]:
        """Where in the order shown each host's VMs stand; none where they do not so."""
        if not self.is_by_host:
            return []
        vms, ends, at = self.fleet.vms, [0], 0
        for _, block in groupby(vms[vm].newest.host for vm in self.view.shown):
            at += sum(1 for _ in block)
            ends.append(at)
        return [range(*pair) for pair in pairwise(ends)]

    @property
    def held_bytes(self) -> int:
        """The memory that running VMs hold, as far as it is known."""
        usages = (self.fleet.vms[vm].newest.usage for vm in self.running)
        return sum(usage.rss_bytes for usage in usages if usage is not None)

    @property
    def live(self) -> bool:
        """Whether there is, or was, an engine that obeys."""
        return Need.ENGINE in self.there

    @property
    def goes_on(self) -> bool:
        """Whether this is not all of the run yet."""
        return not self.stream_over and (self.is_beginning or not self.fleet.ran_to_end)

    @property
    def is_decided(self) -> bool:
        """Whether every boot that was started is decided."""
        fleet, storm = self.fleet, self.fleet.storm
        if storm is None or fleet.ran_to_end:
            return fleet.ran_to_end
        is_begun = len(storm.attempts) >= len(storm.vms)
        return is_begun and not any(fleet.counts[state] for state in _UNDECIDED)

    @property
    def is_busy(self) -> bool:
        """Whether leaving now would end something that runs or is about to."""
        return self.live and self.goes_on

    @property
    def engine_is_lost(self) -> bool:
        """Whether the engine has ended, and not as it should."""
        return self.live and self.stream_over and self.fleet.failure is not None

    @property
    def lost(self) -> list[int]:
        """The VMs that will never report."""
        return [vm.id for vm in self.fleet.vms.values() if vm.state.is_lost]

    # Events in.

    def take(self, batch: Sequence[ev.Event]) -> bool:
        """Put events in line for the next turn; return whether one is news: the end of a boot."""
        self._waiting.extend(batch)
        if self.is_frozen and len(self._waiting) > 2 * self._thinned + 10_000:
            self._thin_out()
        return any(type(event) in _NEWS for event in batch)

    def _thin_out(self) -> None:
        """Of events that only refine a figure keep each VM's last, so that a freeze is cheap."""
        seen: set[Any] = set()
        kept: list[ev.Event] = []
        for event in reversed(self._waiting):
            if isinstance(event, (ev.VmUsage, ev.VmConsole, ev.ConsoleLine)):
                who = (type(event), event.vm, event.attempt)
                if who in seen:
                    continue
                seen.add(who)
            kept.append(event)
        self._waiting = deque(reversed(kept))
        self._thinned = len(kept)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Leave the fleet as it is, for a thread that reads it; events wait till it is done."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1

    def turn(self, *, everything: bool = False, between: bool = False) -> Change:
        """Fold what waits, for a few milliseconds unless ``everything``; say what changed."""
        if self._holds or (self.is_frozen and not everything):
            return Change(between=between)
        new_run = telling = False
        is_behind = len(self._waiting) > _BACKLOG
        deadline = time.perf_counter() + (_CATCH_UP_BUDGET_S if is_behind else _FOLD_BUDGET_S)
        count = 0
        while self._waiting:
            event = self._waiting.popleft()
            if isinstance(event, ev.RunStarted):
                new_run |= self._begin(event)
            self.fleet.fold(event)
            self.is_beginning &= not isinstance(event, _ANSWERS)
            count += 1
            telling |= type(event) not in _REFINING
            if not everything and not count % 32 and time.perf_counter() > deadline:
                break
        changed = frozenset(self.fleet.take_changed())
        if telling:
            self._stale_figures = True
        return Change(changed, new_run, self.reorder(), self._reckon(), between)

    def _begin(self, event: ev.RunStarted) -> bool:
        if event.plan is not None:  # one of another version is only for the title
            self.plan = self.asked = event.plan
        if self.fleet.run is None:
            return False
        self.fleet = Fleet()
        self.view.marked.clear()
        self.view.shown = []
        self.figures = LiveFigures()
        self.outcome = None
        return True

    # Figures and order, no more often than they can be afforded.

    def reorder(self, *, now: bool = False) -> bool:
        """Reckon anew what is shown if it may have changed; return whether it did."""
        if not now:
            if not self.view.moves and len(self.view.shown) == len(self.fleet.vms):
                return False
            if time.perf_counter_ns() < self._order_due_ns:
                return False
        began = time.perf_counter()
        changed = self.view.refresh(self.fleet, self.now_ns)
        cost_ns = ns_of(time.perf_counter() - began)
        self._order_due_ns = time.perf_counter_ns() + _COST_SHARE * cost_ns
        return changed

    def _reckon(self) -> bool:
        late_ns = time.perf_counter_ns() - self._figures_due_ns
        if late_ns < 0 or not (self._stale_figures or (late_ns > _LEFT_EVERY_NS and self.goes_on)):
            return False
        began = time.perf_counter()
        self.figures = reckon(self.fleet, self.plan, self.now_ns, self.baseline)
        cost_ns = ns_of(time.perf_counter() - began)
        self._figures_due_ns = time.perf_counter_ns() + max(_LEAST_PAUSE_NS, _COST_SHARE * cost_ns)
        self._stale_figures = False
        return True

    def catch_up(self) -> None:
        """Fold everything there is, and reckon nothing."""
        self.freeze(on=False)
        while self._waiting:
            self.fleet.fold(self._waiting.popleft())

    def settle(self) -> None:
        """Fold everything there is and reckon from all of it: for the end, and for exports."""
        self.turn(everything=True)
        self.figures = reckon(self.fleet, self.plan, self.now_ns, self.baseline)

    # What the user means.

    def chosen(self, cursor: int | None) -> tuple[int, ...]:
        """Return the marked VMs, or the one under the cursor."""
        if self.view.marked:
            return tuple(sorted(self.view.marked))
        return () if cursor is None else (cursor,)

    def attempt_of(self, vm: int) -> Attempt | None:
        """Return a VM's newest attempt."""
        known = self.fleet.vms.get(vm)
        return known.newest if known else None

    def host_cpu(self) -> list[float]:
        """Return the host's CPU percentages, oldest first, of the last minute or so."""
        return [sample.cpu_percent for sample in self.fleet.host_samples[-_HOST_SAMPLES:]]
