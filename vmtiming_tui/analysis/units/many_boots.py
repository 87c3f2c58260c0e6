"""The units of many boots: how often each ran, when it began, what it took, and what waited for it.

Times are in seconds, of the boots whose stages can be believed: a guest whose clock is wrong has no
true stamp. A unit's begin counts from the VM's go, on the host's axis, as the stages do
(``analysis.stages``). ``waiting`` has what is a unit's own time and what is not.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.counted import counted_by_storm
from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.analysis.units.one_boot import booted_into, chain_places, userspace_us
from vmtiming_tui.analysis.units.ordering import Orderings
from vmtiming_tui.analysis.units.spans import Spans
from vmtiming_tui.analysis.units.unit_sort import UnitSort
from vmtiming_tui.analysis.units.waiting import Shares, shares
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.guest_events import UnitOrder, VmUnits


@dataclass(frozen=True, slots=True)
class Quartiles:
    """The middle of a sample (s), and between which values its middle half lies."""

    median: float
    low: float
    high: float

    @classmethod
    def of_us(cls, sample: Sequence[float]) -> "Quartiles | None":
        """Return the quartiles of a sample (µs); None of an empty one."""
        if not sample:
            return None
        ordered = sorted(sample)
        low, middle, high = (stats.percentile(ordered, part) / 1e6 for part in (25, 50, 75))
        return cls(middle, low, high)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFigures:
    """One unit over many boots; times in seconds, None where no boot tells them.

    ``told`` is how many boots tell of units of its type: all units are told by one VM of a run, and
    by the others those that take time to start. Of these it began to start in ``ran``, failed in
    ``failed``, and was on the critical chain in ``on_chain``. ``start`` is when it began, from the
    go; ``took`` how long it took to be up; ``own``, ``waited`` and ``queued`` are what of its way
    was its own work, waiting for units that it is started after, and for its turn. Without an order
    the latter two are not known. ``spread`` is of ``own`` between storms and within them.
    """

    name: str
    told: int
    ran: int
    failed: int
    on_chain: int
    start: Quartiles | None
    took: Quartiles | None
    own: Quartiles | None
    waited: Quartiles | None
    queued: Quartiles | None
    spread: stats.Spread | None

    @property
    def kind(self) -> str:
        """Its type, which is its name's suffix: ``service``, ``mount``, ..."""
        return _kind(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsOfBoots:
    """The units of many boots, the first to begin first.

    ``boots`` is how many told of their units; of those ``doubtful`` are in no time. ``has_order``
    says whether it is known which unit waits for which.
    """

    boots: int
    doubtful: int
    has_order: bool
    units: tuple[UnitFigures, ...]


def _kind(name: str) -> str:
    return name.rpartition(".")[2]


@dataclass(slots=True)
class _Sample:
    """What all boots tell of one unit (µs); ``own`` is apart for each storm."""

    own: list[list[int]]
    ran: int = 0
    failed: int = 0
    on_chain: int = 0
    start: list[float] = field(default_factory=list)
    took: list[int] = field(default_factory=list)
    waited: list[int] = field(default_factory=list)
    queued: list[int] = field(default_factory=list)


class _Samples:
    """The samples of all units, filled boot by boot; most boots tell units of the same names."""

    def __init__(self, orderings: Orderings) -> None:
        self._orderings = orderings
        self._storms = 0
        self._by_names: dict[tuple[str, ...], list[_Sample]] = {}
        self.by_name: dict[str, _Sample] = {}
        self.boots: Counter[tuple[str, ...]] = Counter()
        self.doubtful = 0

    def add_storm(self, attempts: Iterable[Attempt]) -> None:
        self._storms += 1
        for sample in self.by_name.values():
            sample.own.append([])
        for attempt in attempts:
            if attempt.boot_ns is not None and attempt.units is not None:
                self._add(attempt, attempt.units)

    def told(self) -> Counter[str]:
        """Return how many boots tell of units of each type."""
        found: Counter[str] = Counter()
        for names, boots in self.boots.items():
            for kind in set(map(_kind, names)):
                found[kind] += boots
        return found

    def _add(self, attempt: Attempt, units: VmUnits) -> None:
        self.boots[units.names] += 1
        spans, ordering = Spans.of(units), self._orderings.of(units.names)
        samples = self._of(units.names)
        if self._orderings.is_known:
            for place in chain_places(spans, ordering, booted_into(attempt)):
                samples[place].on_chain += 1
        for sample, begun_us, active in zip(samples, spans.begun_us, units.active, strict=True):
            sample.ran += begun_us > 0
            sample.failed += active == "failed"
        zero_ns = stages_of(attempt).kernel_start_ns
        if zero_ns is None:
            self.doubtful += 1
            return
        self._time(samples, spans, shares(spans, ordering, userspace_us(attempt)), zero_ns / 1e3)

    def _time(
        self, samples: Sequence[_Sample], spans: Spans, parts: Shares, zero_us: float
    ) -> None:
        columns = zip(
            samples,
            spans.begun_us,
            spans.up_us,
            spans.took_us,
            parts.own_us,
            parts.waited_us,
            parts.queued_us,
            strict=True,
        )
        for sample, begun, up, took, own, waited, queued in columns:
            if begun:
                sample.start.append(zero_us + begun)
                sample.waited.append(waited)
                sample.queued.append(queued)
                if up:
                    sample.took.append(took)
                    sample.own[-1].append(own)

    def _of(self, names: tuple[str, ...]) -> list[_Sample]:
        found = self._by_names.get(names)
        if found is None:
            found = self._by_names[names] = [self._sample(name) for name in names]
        return found

    def _sample(self, name: str) -> _Sample:
        if name not in self.by_name:
            self.by_name[name] = _Sample(own=[[] for _ in range(self._storms)])
        return self.by_name[name]


def units_of_boots(storms: Iterable[Sequence[Attempt]], order: UnitOrder | None) -> UnitsOfBoots:
    """Return the figures of every unit that any boot of these storms tells of."""
    samples = _Samples(Orderings(order))
    for attempts in storms:
        samples.add_storm(attempts)
    told = samples.told()
    figures = [
        _figures(name, one, told[_kind(name)], has_order=order is not None)
        for name, one in samples.by_name.items()
    ]
    return UnitsOfBoots(
        boots=samples.boots.total(),
        doubtful=samples.doubtful,
        has_order=order is not None,
        units=tuple(sorted(figures, key=_by_start)),
    )


def units_of_run(fleet: Fleet, scope: Collection[int] | None = None) -> UnitsOfBoots:
    """Return the figures of the units over all boots that count; only of VMs of ``scope``."""
    return units_of_boots(counted_by_storm(fleet, scope).values(), fleet.unit_order)


def _by_start(unit: UnitFigures) -> tuple[bool, float, str]:
    start = unit.start
    return start is None, start.median if start else 0.0, unit.name


def _figures(name: str, sample: _Sample, told: int, *, has_order: bool) -> UnitFigures:
    return UnitFigures(
        name=name,
        told=told,
        ran=sample.ran,
        failed=sample.failed,
        on_chain=sample.on_chain,
        start=Quartiles.of_us(sample.start),
        took=Quartiles.of_us(sample.took),
        own=Quartiles.of_us([own for storm in sample.own for own in storm]),
        waited=Quartiles.of_us(sample.waited) if has_order else None,
        queued=Quartiles.of_us(sample.queued) if has_order else None,
        spread=stats.spread([[own / 1e6 for own in storm] for storm in sample.own]),
    )


def sorted_units(units: Iterable[UnitFigures], by: UnitSort) -> list[UnitFigures]:
    """Return units in an order; those that are alike in it stand by their own time."""
    if by is UnitSort.NAME:
        return sorted(units, key=lambda unit: unit.name)
    if by is UnitSort.START:
        return sorted(units, key=_by_start)
    weight = _WEIGHTS[by]
    return sorted(units, key=lambda unit: (-weight(unit), -_median(unit.own), unit.name))


def _median(quartiles: Quartiles | None) -> float:
    return quartiles.median if quartiles is not None else 0.0


_WEIGHTS: Mapping[UnitSort, Callable[[UnitFigures], float]] = {
    UnitSort.TIME: lambda unit: _median(unit.took),
    UnitSort.OWN: lambda unit: _median(unit.own),
    UnitSort.WAITED: lambda unit: _median(unit.waited),
    UnitSort.SHARE: lambda unit: unit.on_chain,
    UnitSort.SPREAD: lambda unit: unit.spread.between if unit.spread else 0.0,
    UnitSort.FAILED: lambda unit: unit.failed,
}
