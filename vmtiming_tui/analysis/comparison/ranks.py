"""Comparing two samples by their ranks: the test, the shift, and how many values it would take.

Test and interval are one method: the interval of the ratio excludes 1 exactly where the test's
p-value is at most its level, ties and all. Values may be infinite: a VM that never booted ranks
behind every one that did (the worst-rank score of Lachin, 1999), whatever its limit was.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

from vmtiming_tui.analysis.stats import Interval

ALPHA = 0.05
EXACT_LIMIT = 25
_ALL_PAIRS = 40_000
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class RankTest:
    """Mann and Whitney's test: ``u`` counts the pairs in which the first sample is larger."""

    u: float
    p_value: float
    is_exact: bool


@lru_cache(maxsize=64)
def _u_counts(first: int, second: int) -> tuple[int, ...]:
    """Return in how many ways each U can come about: the Gaussian binomial's coefficients."""
    counts = [1] + [0] * (first * second)
    for factor in range(1, first + 1):
        for u in range(len(counts) - 1, second + factor - 1, -1):
            counts[u] -= counts[u - second - factor]
        for u in range(factor, len(counts)):
            counts[u] += counts[u - factor]
    return tuple(counts)


def _chance_of_at_most(count: int, first: int, second: int) -> tuple[float, bool]:
    """Return how likely so few pairs are of one order where nothing differs, and if exactly so."""
    if max(first, second) <= EXACT_LIMIT:
        counts = _u_counts(first, second)
        return sum(counts[: count + 1]) / math.comb(first + second, first), True
    z = (first * second / 2 - count - 0.5) / _deviation(first, second)
    return _NORMAL.cdf(-z), False


def _deviation(first: int, second: int) -> float:
    return math.sqrt(first * second * (first + second + 1) / 12)


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> RankTest | None:
    """Return the two-sided test that one of two samples tends to larger values.

    Mann and Whitney (1947). Exact up to 25 values a side, else the normal approximation with
    correction for continuity (Hollander and Wolfe, Nonparametric Statistical Methods, 1999, 4.1).
    Tied pairs count against a difference, as they do in the interval of ``ratio``. None where a
    sample is empty.
    """
    if not first or not second:
        return None
    ordered = sorted(second)
    below = sum(bisect_left(ordered, value) for value in first)
    tied = sum(bisect_right(ordered, value) for value in first) - below
    above = len(first) * len(second) - below - tied
    tail, is_exact = _chance_of_at_most(min(below, above) + tied, len(first), len(second))
    return RankTest(below + tied / 2, min(1.0, 2 * tail), is_exact)


def can_tell(first: int, second: int, alpha: float = ALPHA) -> bool:
    """Return whether samples of these sizes could ever show a difference at ``alpha``."""
    return first > 0 and second > 0 and 2 / math.comb(first + second, first) <= alpha


def fewest_that_can_tell(other: int | None = None, alpha: float = ALPHA) -> int | None:
    """Return the fewest values that can show a difference against ``other`` values.

    Without ``other`` both sides have as many; None where no number up to 1000 will do.
    """
    sizes = range(2, 1000)
    return next((size for size in sizes if can_tell(size, other or size, alpha)), None)


def _interval_rank(first: int, second: int, alpha: float) -> tuple[int, float] | None:
    """Return which pairwise figure from either end bounds the interval, and its confidence."""
    pairs = first * second
    if max(first, second) <= EXACT_LIMIT:
        counts, ways = _u_counts(first, second), math.comb(first + second, first)
        tail, rank, covered = 0, 0, 0.0
        for count in counts[: pairs // 2 + 1]:
            tail += count
            if 2 * tail > alpha * ways:
                break
            rank, covered = rank + 1, 1 - 2 * tail / ways
        return (rank, covered) if rank else None
    z = _NORMAL.inv_cdf(1 - alpha / 2)
    rank = math.floor(pairs / 2 + 0.5 - z * _deviation(first, second))
    return (rank, 1 - alpha) if rank > 0 else None


def _quotient(value: float, base: float, lost: float) -> float:
    """Return value/base; ``lost`` is what two that never ended make of each other."""
    if math.isinf(base):
        return lost if math.isinf(value) else 0.0
    return value / base


class _Ratios:
    """All pairwise ratios of two samples, found by rank without holding them all if many."""

    def __init__(self, base: Sequence[float], other: Sequence[float], lost: float) -> None:
        self._base, self._other = sorted(base), sorted(other)
        self._lost = lost
        self.pairs = len(base) * len(other)
        self._all = (
            sorted(_quotient(b, a, lost) for a in self._base for b in self._other)
            if self.pairs <= _ALL_PAIRS
            else None
        )

    def _up_to(self, ratio: float) -> int:
        """Count the pairs with a ratio of at most ``ratio``, in one walk through both."""
        count = reach = 0
        ends = [value for value in self._other if math.isfinite(value)]
        for base in self._base:
            if math.isinf(base):
                count += len(ends) + (self._lost <= ratio) * (len(self._other) - len(ends))
                continue
            while reach < len(ends) and ends[reach] / base <= ratio:
                reach += 1
            count += reach
        return count

    def ranked(self, rank: int) -> float:
        """Return the ``rank``-th smallest ratio, from 1; to 1e-12 of itself where they are many."""
        if self._all is not None:
            return self._all[rank - 1]
        low, high = 0.0, 1.0
        while self._up_to(high) < rank:
            high *= 2
            if math.isinf(high):
                return math.inf
        while high - low > 1e-12 * high:
            middle = (low + high) / 2
            low, high = (low, middle) if self._up_to(middle) >= rank else (middle, high)
        return high

    def median(self) -> float:
        half = self.pairs // 2
        if self.pairs % 2:
            return self.ranked(half + 1)
        return (self.ranked(half) + self.ranked(half + 1)) / 2


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as large the second sample's values are, and an interval for that."""

    estimate: float
    interval: Interval | None


def ratio(base: Sequence[float], other: Sequence[float], alpha: float = ALPHA) -> Ratio | None:
    """Return the median of all ratios other/base, with Moses' interval.

    Hodges and Lehmann's estimate (1963) and the interval that inverts the rank test (Hollander and
    Wolfe, 1999, 4.2 and 4.3), of the logarithms: a ratio of boot times says what a difference of
    them cannot, and the logarithm keeps every rank. What two infinite values make of each other is
    not known: nothing at the interval's lower end, infinitely much at its upper. None where a
    sample is empty or has a value that is not positive; the interval is None where the samples are
    too small for one.
    """
    if not base or not other or min(base) <= 0 or min(other) <= 0:
        return None
    found = _interval_rank(len(base), len(other), alpha)
    interval, middle = None, _Ratios(base, other, 1.0)
    if found is not None:
        rank, covered = found
        both_lost = math.isinf(max(base)) and math.isinf(max(other))
        low = _Ratios(base, other, 0.0) if both_lost else middle
        high = _Ratios(base, other, math.inf) if both_lost else middle
        interval = Interval(low.ranked(rank), high.ranked(high.pairs + 1 - rank), covered)
    return Ratio(middle.median(), interval)


def needed_size(
    size: int, interval: Interval, change: float, alpha: float = ALPHA, power: float = 0.8
) -> int | None:
    """Return how many values a side would likely show a ratio of ``change``.

    An interval that ``size`` values made is as wide as ``z`` deviations of its estimate to each
    side, and narrows with the root of their number; a change is shown with that power where it is
    ``z_alpha/2 + z_power`` deviations: hence N = size (1.43 W / ln change)², W half the width on
    the log scale. None where the interval is open or has no width.
    """
    if interval.low <= 0 or not math.isfinite(interval.high) or interval.high <= interval.low:
        return None
    half = (math.log(interval.high) - math.log(interval.low)) / 2
    z = _NORMAL.inv_cdf(1 - alpha / 2)
    reach = (z + _NORMAL.inv_cdf(power)) / z
    return math.ceil(size * (reach * half / math.log(change)) ** 2)
