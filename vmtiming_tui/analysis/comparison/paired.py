"""Comparing two samples value by value, as the rounds of a run pair them: a drift falls out.

The first value of one sample was taken beside the first of the other, and so on: what the host did
to both is in no difference of the two. Wilcoxon's signed ranks of the differences of the logarithms
and the interval of the ratio that inverts the test: Hollander and Wolfe, Nonparametric Statistical
Methods (1999), 3.1 to 3.3. Both rest on Walsh averages, the means of two differences or of one with
itself: the interval excludes 1 exactly where the p-value is at most its level, ties and all. Values
may be infinite, as in ``ranks``: against one that ended they make the largest difference of all,
and what two of them make of each other is not known.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement
from statistics import NormalDist

from vmtiming_tui.analysis.comparison.ranks import ALPHA, Ratio
from vmtiming_tui.analysis.stats import Interval

FEWEST_ROUNDS = 6
EXACT_LIMIT = 50
_WIDEST = 2000.0
_TIED = 1e-12
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class SignedRank:
    """Wilcoxon's test: ``t`` counts the Walsh averages by which the second sample is larger."""

    t: float
    p_value: float
    is_exact: bool


def fewest_that_can_tell(alpha: float = ALPHA) -> int:
    """Return the fewest rounds that can show a difference at ``alpha``: 6 at 0.05."""
    return math.ceil(1 - math.log2(alpha))


@lru_cache(maxsize=64)
def _t_counts(rounds: int) -> tuple[int, ...]:
    """Return in how many of the 2^rounds ways each T comes about: as sums of different ranks."""
    counts = [1] + [0] * _averages(rounds)
    for rank in range(1, rounds + 1):
        for t in range(len(counts) - 1, rank - 1, -1):
            counts[t] += counts[t - rank]
    return tuple(counts)


def _averages(rounds: int) -> int:
    return rounds * (rounds + 1) // 2


def _deviation(rounds: int) -> float:
    return math.sqrt(rounds * (rounds + 1) * (2 * rounds + 1) / 24)


def _chance_of_at_most(count: int, rounds: int) -> tuple[float, bool]:
    """Return how likely so few averages are of one sign where nothing differs, and if exactly."""
    if rounds <= EXACT_LIMIT:
        return sum(_t_counts(rounds)[: count + 1]) / 2**rounds, True
    return _NORMAL.cdf((count + 0.5 - _averages(rounds) / 2) / _deviation(rounds)), False


def _interval_rank(rounds: int, alpha: float) -> tuple[int, float] | None:
    """Return which Walsh average from either end bounds the interval, and its confidence."""
    if rounds <= EXACT_LIMIT:
        ways, tail, rank, covered = 2**rounds, 0, 0, 0.0
        for count in _t_counts(rounds)[: _averages(rounds) // 2 + 1]:
            tail += count
            if 2 * tail > alpha * ways:
                break
            rank, covered = rank + 1, 1 - 2 * tail / ways
        return (rank, covered) if rank else None
    z = _NORMAL.inv_cdf(1 - alpha / 2)
    rank = math.floor(_averages(rounds) / 2 + 0.5 - z * _deviation(rounds))
    return (rank, 1 - alpha) if rank > 0 else None


def _differences(first: Sequence[float], second: Sequence[float], lost: float) -> list[float]:
    """Return the sorted differences of the logarithms; ``lost`` where neither value ended."""

    def difference(base: float, value: float) -> float:
        if math.isinf(base):
            return lost if math.isinf(value) else -math.inf
        return math.log(value) - math.log(base)

    return sorted(map(difference, first, second))


def _up_to(differences: Sequence[float], limit: float) -> int:
    """Count the Walsh averages of at most ``limit``; one of both infinities counts."""
    ordered = sum(bisect_right(differences, 2 * limit - each) for each in differences)
    return (ordered + bisect_right(differences, limit)) // 2


@lru_cache(maxsize=4)
def _averages_of(differences: tuple[float, ...]) -> list[float]:
    """Return the Walsh averages of sorted differences, sorted; one of both infinities is low."""
    pairs = combinations_with_replacement(differences, 2)
    return sorted(-math.inf if a == -math.inf else (a + b) / 2 for a, b in pairs)


def _ranked(differences: Sequence[float], rank: int) -> float:
    """Return the ``rank``-th smallest Walsh average, from 1, to within 1e-12; 0 where tied."""
    if len(differences) <= EXACT_LIMIT:
        found = _averages_of(tuple(differences))[rank - 1]
        return 0.0 if abs(found) <= _TIED else found
    low, high = -_WIDEST, _WIDEST
    if _up_to(differences, low) >= rank:
        return -math.inf
    if _up_to(differences, high) < rank:
        return math.inf
    if _up_to(differences, -_TIED) < rank <= _up_to(differences, _TIED):
        return 0.0
    while high - low > _TIED:
        middle = (low + high) / 2
        low, high = (low, middle) if _up_to(differences, middle) >= rank else (middle, high)
    return high


def _median(differences: Sequence[float]) -> float:
    """Return the median of the Walsh averages (Hodges and Lehmann, 1963)."""
    count = _averages(len(differences))
    low, high = _ranked(differences, (count + 1) // 2), _ranked(differences, count // 2 + 1)
    return low if low == high else (low + high) / 2


def _negated(differences: Sequence[float]) -> list[float]:
    return [-each for each in reversed(differences)]


def _is_comparable(first: Sequence[float], second: Sequence[float]) -> bool:
    return len(first) > 0 and min(*first, *second) > 0


def signed_rank(first: Sequence[float], second: Sequence[float]) -> SignedRank | None:
    """Return the two-sided test that the second of two paired values tends to be larger.

    Exact up to 50 pairs, else the normal approximation with correction for continuity. Pairs that
    do not differ, and averages that are not known, count against a difference, as they do in the
    interval of ``paired_ratio``. None where there is no pair, or a value that is not positive.
    Raises ``ValueError`` for samples of different sizes.
    """
    if len(first) != len(second):
        raise ValueError("paired samples are of one size")
    if not _is_comparable(first, second):
        return None
    rounds = len(first)
    count = _averages(rounds)
    # What is not known is no larger for the one question, and no smaller for the other.
    above = count - _up_to(_differences(first, second, -math.inf), _TIED)
    below = count - _up_to(_negated(_differences(first, second, math.inf)), _TIED)
    tail, is_exact = _chance_of_at_most(count - max(above, below), rounds)
    return SignedRank(above + (count - above - below) / 2, min(1.0, 2 * tail), is_exact)


def paired_ratio(
    first: Sequence[float], second: Sequence[float], alpha: float = ALPHA
) -> Ratio | None:
    """Return how many times as large the second of two paired values is, with its interval.

    The median of the Walsh averages, and the interval that inverts ``signed_rank`` (Tukey's), both
    of the logarithms. None where ``signed_rank`` is; the interval is None where the rounds are too
    few for one: fewer than 6 at 0.05. Raises ``ValueError`` for samples of different sizes.
    """
    if len(first) != len(second):
        raise ValueError("paired samples are of one size")
    if not _is_comparable(first, second):
        return None
    found, interval = _interval_rank(len(first), alpha), None
    if found is not None:
        rank, covered = found
        low = _ranked(_differences(first, second, -math.inf), rank)
        high = -_ranked(_negated(_differences(first, second, math.inf)), rank)
        interval = Interval(math.exp(low), math.exp(high), covered)
    return Ratio(_estimate(_differences(first, second, 0.0)), interval)


def _estimate(differences: Sequence[float]) -> float:
    """Return the ratio; where averages are of both infinities, the middle of what it may be."""
    low, high = _median(differences), -_median(_negated(differences))
    return math.exp(low if low == high else 0.0 if math.isinf(low - high) else (low + high) / 2)
