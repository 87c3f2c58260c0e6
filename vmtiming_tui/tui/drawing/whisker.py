"""A figure and its interval as marks on an axis that all of them share; pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from vmtiming_tui.analysis.stats import Interval


@dataclass(frozen=True, slots=True)
class Axis:
    """From ``low`` to ``high`` in so many cells."""

    low: float
    high: float
    cells: int

    @classmethod
    def around(
        cls, figures: Iterable[tuple[float | None, Interval | None]], cells: int
    ) -> "Axis | None":
        """Return the axis that has room for all figures and intervals; None without a figure."""
        known = [
            value
            for figure, interval in figures
            if figure is not None
            for value in (figure, *((interval.low, interval.high) if interval else ()))
        ]
        return cls(min(known), max(known), cells) if known and cells > 2 else None

    def _cell(self, value: float) -> int:
        span = self.high - self.low
        share = (value - self.low) / span if span > 0 else 0.5
        return max(0, min(round(share * (self.cells - 1)), self.cells - 1))

    def whisker(self, figure: float | None, interval: Interval | None, *, ascii_only: bool) -> str:
        """Return a figure as a point, its interval as a line through it; blank where unknown."""
        if figure is None:
            return ""
        left, line, right, point = "|-|*" if ascii_only else "├─┤●"
        cells = [" "] * self.cells
        if interval is not None:
            first, last = self._cell(interval.low), self._cell(interval.high)
            cells[first : last + 1] = [line] * (last - first + 1)
            cells[first], cells[last] = left, right
        cells[self._cell(figure)] = point
        return "".join(cells).rstrip()
