"""How boot times are spread, as upright bars; pure."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from vmtiming_tui.tui.drawing.scale_bars import QUARTERED, longest_of_most, nice_ceiling

LEAST_SPREAD = 0.1
"""Boots that are closer together than this share of what they take are not told apart further."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """So many boots in each step of ``step_ns`` from ``begin_ns`` on; ``beyond`` are after them."""

    begin_ns: int
    step_ns: int
    counts: tuple[int, ...]
    beyond: int = 0

    @property
    def end_ns(self) -> int:
        """Where the last step ends."""
        return self.begin_ns + self.step_ns * len(self.counts)


def histogram(boots_ns: Sequence[int], median_ns: int | None, most_steps: int) -> Histogram | None:
    """Return how rising boot times are spread, on an axis with round ends; None of none.

    Boots far beyond the median do not flatten the others: they are counted beyond the axis.
    """
    if not boots_ns or most_steps < 1:
        return None
    first_ns, last_ns = boots_ns[0], longest_of_most(boots_ns, median_ns)
    spread_s = max(last_ns - first_ns, first_ns * LEAST_SPREAD, 1e6) / 1e9
    unit_ns = round(nice_ceiling(spread_s / 4, QUARTERED) * 1e9)
    begin_ns = first_ns // unit_ns * unit_ns
    units = -(-(last_ns + 1 - begin_ns) // unit_ns)
    a_unit = max(most_steps // units, 1)
    step_ns = unit_ns // a_unit
    places = [bisect_left(boots_ns, begin_ns + step_ns * at) for at in range(units * a_unit + 1)]
    counts = tuple(after - before for before, after in pairwise(places))
    return Histogram(begin_ns, step_ns, counts, len(boots_ns) - places[-1])


def bar_rows(counts: Sequence[int], rows: int, blocks: str, *, wide: int) -> list[str]:
    """Return rows of upright bars, the topmost first; a count that is there is seen."""
    levels = len(blocks)
    top = max(counts, default=0) or 1
    heights = [max(count * rows * levels // top, 1) if count else 0 for count in counts]
    result = []
    for row in range(rows):
        base = (rows - 1 - row) * levels
        signs = (
            " " if height <= base else blocks[min(height - base, levels) - 1] for height in heights
        )
        result.append("".join(sign * wide for sign in signs))
    return result
