"""Comparing two samples by their ranks: the test, the shift, and how many values it would take.

Values may be infinite: a VM that timed out ranks behind every one that booted (the worst-rank
score of Lachin, 1999), whatever its limit was.
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

from vmtiming_tui.stats import Interval

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


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> RankTest | None:
    """Return the two-sided test that one of two samples tends to larger values.

    Mann and Whitney (1947). Exact where neither sample exceeds 25 values and none are tied; else
    the normal approximation with corrections for ties and continuity (Hollander and Wolfe,
    Nonparametric Statistical Methods, 1999, 4.1). None where a sample is empty.
    """
    if not first or not second:
        return None
    ordered = sorted(second)
    u = sum((bisect_left(ordered, value) + bisect_right(ordered, value)) / 2 for value in first)
    pairs, size = len(first) * len(second), len(first) + len(second)
    ties = [count for count in Counter([*first, *second]).values() if count > 1]
    if not ties and max(len(first), len(second)) <= EXACT_LIMIT:
        counts = _u_counts(len(first), len(second))
        tail = sum(counts[: int(min(u, pairs - u)) + 1]) / math.comb(size, len(first))
        return RankTest(u, min(1.0, 2 * tail), is_exact=True)
    tied = sum(count**3 - count for count in ties)
    variance = pairs / 12 * (size + 1 - tied / (size * (size - 1)))
    if variance <= 0:
        return RankTest(u, 1.0, is_exact=False)
    z = max(abs(u - pairs / 2) - 0.5, 0.0) / math.sqrt(variance)
    return RankTest(u, min(1.0, math.erfc(z / math.sqrt(2))), is_exact=False)


def can_tell(first: int, second: int, alpha: float = 0.05) -> bool:
    """Return whether samples of these sizes could ever show a difference at ``alpha``."""
    return first > 0 and second > 0 and 2 / math.comb(first + second, first) <= alpha


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
    rank = math.floor(pairs / 2 - z * math.sqrt(pairs * (first + second + 1) / 12))
    return (rank, 1 - alpha) if rank > 0 else None


def _quotient(value: float, base: float) -> float:
    if math.isinf(base):
        return 1.0 if math.isinf(value) else 0.0
    return value / base


class _Ratios:
    """All pairwise ratios of two samples, found by rank without holding them all if many."""

    def __init__(self, base: Sequence[float], other: Sequence[float]) -> None:
        self._base, self._other = sorted(base), sorted(other)
        self.pairs = len(base) * len(other)
        self._all = (
            sorted(_quotient(b, a) for a in self._base for b in self._other)
            if self.pairs <= _ALL_PAIRS
            else None
        )

    def _up_to(self, ratio: float) -> int:
        """Count the pairs with a ratio of at most ``ratio``, in one walk through both."""
        count = reach = 0
        for base in self._base:
            while reach < len(self._other) and _quotient(self._other[reach], base) <= ratio:
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


def ratio(base: Sequence[float], other: Sequence[float], alpha: float = 0.05) -> Ratio | None:
    """Return the median of all ratios other/base, with Moses' interval.

    Hodges and Lehmann's estimate (1963) and the interval that inverts the rank test (Hollander and
    Wolfe, 1999, 4.2 and 4.3), of the logarithms: a ratio of boot times says what a difference of
    them cannot, and the logarithm keeps every rank. None where a sample is empty or ``base`` has a
    value that is not positive; the interval is None where the samples are too small for one.
    """
    if not base or not other or min(base) <= 0 or min(other) < 0:
        return None
    ratios = _Ratios(base, other)
    found = _interval_rank(len(base), len(other), alpha)
    interval = None
    if found is not None:
        rank, covered = found
        interval = Interval(ratios.ranked(rank), ratios.ranked(ratios.pairs + 1 - rank), covered)
    return Ratio(ratios.median(), interval)


def needed_size(
    change: float, deviation: float, *, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """Return how many values a side the rank test needs to show a shift of ``change``.

    Noether (1987): N = (z_alpha/2 + z_beta)² / (12 c (1 - c) (p - 1/2)²) in all, here with equal
    sides (c = 1/2) and p = P(X < Y) of two normal samples of that ``deviation``. At least 4, the
    fewest that can show anything; None where there is no change to look for.
    """
    if change <= 0:
        return None
    if deviation <= 0:
        return 4
    chance = _NORMAL.cdf(change / (deviation * math.sqrt(2)))
    reach = _NORMAL.inv_cdf(1 - alpha / 2) + _NORMAL.inv_cdf(power)
    return max(4, math.ceil(reach**2 / (3 * (chance - 0.5) ** 2) / 2))
