"""Comparing two samples of storms that were booted in turn, in blocks of two rounds (A B B A).

Every second round goes backwards, so a steady drift of the host falls alike on both sides of two
rounds: a block of four storms, where a last odd round is one of two. The logarithms are aligned,
each less its block's mean, and ranked together: Hodges and Lehmann, Rank Methods for Combination of
Independent Experiments in Analysis of Variance (1962). Where nothing differs, each way to deal the
ranks of a block to its two sides is as likely as any other: 6 ways, where two pairs have 4.

The interval inverts the test: only where a difference of two aligned values lies does anything
change. It is sought from 1 on, so it excludes 1 exactly where the p-value is at most its level.
Where a value is infinite its block has no mean, and the signed ranks of ``paired`` decide.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, median

from vmtiming_tui.analysis.comparison import paired
from vmtiming_tui.analysis.comparison.ranks import ALPHA, Ratio
from vmtiming_tui.analysis.stats import Interval

EXACT_LIMIT = 25
_BLOCK = 2
_UNITS = 10**12
_ALIGNED = 2 * _BLOCK * _UNITS
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class AlignedRank:
    """The two-sided test: how likely ranks so far apart are where nothing differs."""

    p_value: float
    is_exact: bool


def _aligned(first: Sequence[float], second: Sequence[float]) -> tuple[list[int], list[int]]:
    """Return the logarithms less their blocks' means, as whole numbers, so that ties are ties."""
    one, other = ([round(math.log(value) * _UNITS) for value in side] for side in (first, second))
    aligned: tuple[list[int], list[int]] = ([], [])
    for at in range(0, len(one), _BLOCK):
        here = one[at : at + _BLOCK], other[at : at + _BLOCK]
        total = sum(map(sum, here)) * _BLOCK // len(here[0])
        for side, logs in zip(aligned, here, strict=True):
            side += [2 * _BLOCK * log - total for log in logs]
    return aligned


def _ranks(first: Sequence[int], second: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return twice the rank of each value among all; of a tie of both sides the second is lower.

    Ties of one side have the mean of their ranks.
    """
    one, other = sorted(first), sorted(second)
    return (
        [
            bisect_left(one, value) + bisect_right(one, value) + 1 + 2 * bisect_right(other, value)
            for value in first
        ],
        [
            bisect_left(other, value) + bisect_right(other, value) + 1 + 2 * bisect_left(one, value)
            for value in second
        ],
    )


def _chance_of_larger(first: Sequence[int], second: Sequence[int]) -> float:
    """Return how likely the second's ranks sum up to as much where nothing differs.

    Ties of both sides count against a difference.
    """
    one, other = _ranks(first, second)
    blocks = [(one[at : at + _BLOCK], other[at : at + _BLOCK]) for at in range(0, len(one), _BLOCK)]
    if len(blocks) <= EXACT_LIMIT:
        return _exact_tail(blocks, sum(other))
    variance = sum(map(_variance, blocks))
    return _NORMAL.cdf((sum(one) - sum(other) + 2) / (2 * math.sqrt(variance)))


def _variance(block: tuple[list[int], list[int]]) -> float:
    """Return the variance of the sum of half of a block's ranks, drawn without replacement."""
    ranks = [*block[0], *block[1]]
    middle = sum(ranks) / len(ranks)
    return sum((rank - middle) ** 2 for rank in ranks) / (4 * (1 - 1 / len(ranks)))


def _exact_tail(blocks: Sequence[tuple[list[int], list[int]]], total: int) -> float:
    """Return the share of all ways to deal the ranks in which they sum up to at least ``total``.

    The ways to each sum are the digits of one long number, in which a rank is a shift.
    """
    ways = math.prod(math.comb(2 * len(one), len(one)) for one, _ in blocks)
    digit = ways.bit_length() + 1
    sums = [_sums(*block) for block in blocks]
    least = sum(map(min, sums))
    beyond = [[each - min(block) for each in block] for block in sums]
    step = math.gcd(*(each for block in beyond for each in block)) or 1
    dealt = 1
    for block in beyond:
        dealt = sum(dealt << digit * (each // step) for each in block)
    # A number and the sum of its digits leave the same when divided by the largest digit.
    return (dealt >> digit * ((total - least) // step)) % ((1 << digit) - 1) / ways


def _sums(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """Return what half of a block's ranks can sum up to, each way to draw them once."""
    ranks = [*one, *other]
    if len(one) == 1:
        return ranks
    return [ranks[a] + ranks[b] for a in range(len(ranks)) for b in range(a)]


def _fits(first: Sequence[float], second: Sequence[float]) -> bool:
    if len(first) != len(second):
        raise ValueError("paired samples are of one size")
    return len(first) > 0 and min(*first, *second) > 0 and math.isfinite(max(*first, *second))


def aligned_rank(
    first: Sequence[float], second: Sequence[float]
) -> AlignedRank | paired.SignedRank | None:
    """Return the two-sided test that the second of two samples of rounds tends to be larger.

    Exact up to 25 blocks, 50 rounds, else the normal approximation with correction for continuity.
    The samples are in the order of their rounds, of which none is missing; where a value is
    infinite it is ``paired.signed_rank``. None where there is no round, or a value that is not
    positive. Raises ``ValueError`` for samples of different sizes.
    """
    if not _fits(first, second):
        return paired.signed_rank(first, second)
    one, other = _aligned(first, second)
    tail = min(_chance_of_larger(one, other), _chance_of_larger(other, one))
    return AlignedRank(min(1.0, 2 * tail), len(one) <= _BLOCK * EXACT_LIMIT)


def aligned_ratio(
    first: Sequence[float], second: Sequence[float], alpha: float = ALPHA
) -> Ratio | None:
    """Return how many times as large the second of two samples of rounds is, with its interval.

    The median of all differences of aligned values of the second and of the first, and the interval
    that inverts ``aligned_rank``, both of the logarithms. The interval is None where the rounds are
    too few for one: fewer than 5 at 0.05. Else as ``aligned_rank``.
    """
    if not _fits(first, second):
        return paired.paired_ratio(first, second, alpha)
    one, other = _aligned(first, second)
    low, high = _least_shift(one, other, alpha), _least_shift(other, one, alpha)
    interval = None
    if low is not None and high is not None:
        interval = Interval(_ratio(low), _ratio(-high), 1 - alpha)
    return Ratio(_ratio(median(b - a for a in one for b in other)), interval)


def _ratio(shift: float) -> float:
    return math.exp(shift / _ALIGNED)


def _least_shift(first: Sequence[int], second: Sequence[int], alpha: float) -> int | None:
    """Return the least shift of the second that is not rejected as too small; None: any is."""

    def is_possible(shift: int) -> bool:
        return 2 * _chance_of_larger(first, [value - shift for value in second]) > alpha

    shifts = sorted({b - a for a in first for b in second})
    if not is_possible(0):
        return shifts[bisect_left(shifts, True, bisect_right(shifts, 0), key=is_possible)]
    if is_possible(shifts[0] - 1):
        return None
    return shifts[bisect_left(shifts, True, 0, bisect_right(shifts, 0) - 1, key=is_possible)]
