"""What the screen of units shows: a boot chart, and what is usual for each unit in other boots."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from vmtiming_tui.analysis.summary import summarise
from vmtiming_tui.analysis.units.boot_chart import (
    BootChart,
    UnitRow,
    chart_of_boot,
    chart_of_boots,
)
from vmtiming_tui.analysis.units.many_boots import UnitFigures, units_of_boots
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.guest_events import UnitOrder


class UnitOrdering(StrEnum):
    """In which order units stand, as a heading says it."""

    BEGIN = "as they begin"
    TIME = "slowest first"
    OVER = "most over usual first"
    CHAIN = "critical chain first"
    NAME = "by name"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitView:
    """A chart of all boots, or of one VM's, with ``usual``: the figures of all boots by unit."""

    chart: BootChart
    usual: Mapping[str, UnitFigures] = field(default_factory=dict)

    @property
    def orderings(self) -> tuple[UnitOrdering, ...]:
        """The orders that say something here: nothing is over what is usual in all boots."""
        return tuple(each for each in UnitOrdering if self.usual or each is not UnitOrdering.OVER)

    def over_s(self, row: UnitRow) -> float | None:
        """Return how much longer than usual a unit took (s); None where it is not known."""
        figures = self.usual.get(row.name)
        if figures is None or figures.took is None or row.took_s is None:
            return None
        return row.took_s - figures.took.median

    def rows(self, by: UnitOrdering) -> list[UnitRow]:
        """Return the units in an order; those that are alike in it stand as they begin."""
        keys: Mapping[UnitOrdering, Callable[[UnitRow], float | str]] = {
            UnitOrdering.BEGIN: lambda row: row.begin_s,
            UnitOrdering.TIME: lambda row: -(row.took_s or 0.0),
            UnitOrdering.OVER: lambda row: -(self.over_s(row) or 0.0),
            UnitOrdering.CHAIN: lambda row: -row.chain_share,
            UnitOrdering.NAME: lambda row: row.name,
        }
        return sorted(self.chart.rows, key=keys[by])


def view_of_boots(storms: Sequence[Sequence[Attempt]], order: UnitOrder | None) -> UnitView | None:
    """Return the chart of all boots of these storms; None where none told of its units."""
    summary = summarise([attempt for storm in storms for attempt in storm])
    chart = chart_of_boots(units_of_boots(storms, order), summary.stage_medians_s)
    return UnitView(chart=chart) if chart is not None else None


def view_of_boot(
    attempt: Attempt, storms: Sequence[Sequence[Attempt]], order: UnitOrder | None
) -> UnitView | None:
    """Return the chart of one boot beside all; None where it told of no unit."""
    chart = chart_of_boot(attempt, order)
    if chart is None:
        return None
    found = units_of_boots(storms, order)
    return UnitView(chart=chart, usual={unit.name: unit for unit in found.units})
