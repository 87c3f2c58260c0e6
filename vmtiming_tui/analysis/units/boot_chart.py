"""What a boot chart shows, as rows on one axis: stages on top, and a row a unit as it begins.

Of many boots a unit's bar is its median, of one boot it has the states that ``systemd-analyze
plot`` tells apart. Times are in seconds from the VM's go.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.analysis.units.many_boots import UnitFigures, UnitsOfBoots
from vmtiming_tui.analysis.units.one_boot import booted_into, chain_places
from vmtiming_tui.analysis.units.ordering import Orderings
from vmtiming_tui.analysis.units.spans import Spans
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.guest_events import UnitOrder, UnitTimes, VmUnits
from vmtiming_tui.model.stage import Stage


class BarKind(StrEnum):
    """What a part of a unit's bar stands for."""

    ACTIVATING = "activating"
    ACTIVE = "active"
    DEACTIVATING = "deactivating"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a row: from when to when (s)."""

    kind: BarKind
    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class StageBar:
    """A stage: from when to when (s)."""

    stage: Stage
    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRow:
    """A unit: its bar in parts, and how it fared.

    ``took_s`` is how long it took to be up, None where it never was. ``reach`` is between which
    moments the middle half of the boots has it up. Of the ``boots`` that could tell of it, it was
    on the critical chain in ``on_chain``, began to start in ``ran``, and failed in ``failed``.
    """

    name: str
    bars: tuple[Bar, ...]
    took_s: float | None
    reach: tuple[float, float] | None = None
    boots: int = 1
    on_chain: int = 0
    ran: int = 1
    failed: int = 0

    @property
    def chain_share(self) -> float:
        """In which part of the boots it was on the critical chain, 0 to 1."""
        return self.on_chain / self.boots

    @property
    def ran_share(self) -> float:
        """In which part of the boots it ran, 0 to 1."""
        return self.ran / self.boots

    @property
    def begin_s(self) -> float:
        """When it began to start."""
        return self.bars[0].begin_s


@dataclass(frozen=True, slots=True, kw_only=True)
class BootChart:
    """A chart of ``boots`` boots; ``end_s`` is where its axis ends.

    ``from_kernel`` says that the axis begins with the guest's kernel, as it is not known when that
    was on the host's.
    """

    boots: int
    end_s: float
    stages: tuple[StageBar, ...]
    rows: tuple[UnitRow, ...]
    from_kernel: bool = False


def chart_of_boots(found: UnitsOfBoots, stage_medians_s: Mapping[Stage, float]) -> BootChart | None:
    """Return the chart of many boots, each unit at its median; None where no unit has a time.

    Units that usually begin only after the boot's end are left out, and those of types that only
    one boot in two or fewer tells of: they would stand where they were in those, beside the median
    of all.
    """
    stages = tuple(_one_after_the_other(stage_medians_s))
    end_s = stages[-1].end_s if stages else 0.0
    rows = [_median_row(unit) for unit in found.units if 2 * unit.told > found.boots]
    shown = tuple(row for row in rows if row is not None and row.begin_s <= end_s)
    if not shown:
        return None
    return BootChart(boots=found.boots, end_s=end_s, stages=stages, rows=shown)


def _one_after_the_other(
    stages_s: Mapping[Stage, float], begin_s: float = 0.0
) -> Iterator[StageBar]:
    for stage in Stage:
        if stage in stages_s:
            yield StageBar(stage, begin_s, begin_s + stages_s[stage])
            begin_s += stages_s[stage]


def _median_row(unit: UnitFigures) -> UnitRow | None:
    if unit.start is None:
        return None
    begin_s, took = unit.start.median, unit.took
    kind = BarKind.FAILED if 2 * unit.failed > unit.ran else BarKind.ACTIVATING
    return UnitRow(
        name=unit.name,
        bars=(Bar(kind, begin_s, begin_s + (took.median if took is not None else 0.0)),),
        took_s=took.median if took is not None else None,
        reach=(begin_s + took.low, begin_s + took.high) if took is not None else None,
        boots=unit.told,
        on_chain=unit.on_chain,
        ran=unit.ran,
        failed=unit.failed,
    )


def chart_of_boot(attempt: Attempt, order: UnitOrder | None) -> BootChart | None:
    """Return the chart of one boot; None where its guest told no unit, or not when it had booted.

    As ``systemd-analyze plot`` does, units are followed up to the end of the boot.
    """
    details, units = attempt.details, attempt.units
    if details is None or units is None:
        return None
    finish_us = details.timestamps_us.get("FinishTimestampMonotonic", 0) or details.clock_us
    if not finish_us:
        return None
    stages = stages_of(attempt)
    kernel_ns = stages.kernel_start_ns
    zero_s = (kernel_ns or 0) / 1e9
    known = {stage: ns / 1e9 for stage, ns in stages.known}
    end_s = sum(known.values()) if kernel_ns is not None else finish_us / 1e6
    rows = sorted(_rows(attempt, units, order, zero_s, finish_us), key=lambda row: row.begin_s)
    return BootChart(
        boots=1,
        end_s=end_s,
        stages=tuple(_one_after_the_other(known)) if kernel_ns is not None else (),
        rows=tuple(rows),
        from_kernel=kernel_ns is None,
    )


def _rows(
    attempt: Attempt, units: VmUnits, order: UnitOrder | None, zero_s: float, finish_us: int
) -> Iterator[UnitRow]:
    spans = Spans.of(units)
    chain = set[int]()
    if order is not None:
        ordering = Orderings(order).of(units.names)
        chain = set(chain_places(spans, ordering, booted_into(attempt)))
    for place, unit in enumerate(units.rows):
        if not 0 < unit.activating_us <= finish_us:
            continue
        up_us = spans.up_us[place]
        yield UnitRow(
            name=unit.name,
            bars=tuple(_bars(unit, up_us, zero_s, finish_us)),
            took_s=spans.took_us[place] / 1e6 if up_us else None,
            on_chain=int(place in chain),
            failed=int(unit.active == "failed"),
        )


def _bars(unit: UnitTimes, up_us: int, zero_s: float, finish_us: int) -> Iterator[Bar]:
    """Yield the states a unit was in up to the boot's end; one without an end lasts till then."""
    kinds, moments_us = [BarKind.ACTIVATING], [unit.activating_us, up_us or finish_us]
    if up_us and up_us == unit.active_us:
        went_us = unit.deactivating_us if unit.deactivating_us >= up_us else 0
        kinds.append(BarKind.ACTIVE)
        moments_us.append(went_us or finish_us)
        if went_us:
            kinds.append(BarKind.DEACTIVATING)
            moments_us.append(unit.inactive_us if unit.inactive_us >= went_us else finish_us)
    if unit.active == "failed":
        kinds[-1] = BarKind.FAILED
    within_s = [zero_s + min(moment, finish_us) / 1e6 for moment in moments_us]
    for place, (kind, (begin_s, end_s)) in enumerate(zip(kinds, pairwise(within_s), strict=True)):
        if place == 0 or end_s > begin_s:
            yield Bar(kind, begin_s, end_s)
