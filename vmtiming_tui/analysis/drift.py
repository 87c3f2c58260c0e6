"""Whether a run's storms follow each other: a host that drifts while they are booted.

The rank von Neumann ratio (Bartels, The Rank Version of von Neumann's Ratio Test for Randomness,
1982): the squares of the differences of neighbours, as ranks, against those from their mean. Where
storms are booted on a host that stays as it is, every order of them is as likely; where it drifts,
or is in a mood for a while, neighbours are alike and the ratio is small.
"""

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from vmtiming_tui.analysis import stats

LEVEL = 0.02
_EXACT_UP_TO = 6
_DRAWN = 1999
_ENOUGH = 20


@dataclass(frozen=True, slots=True)
class Drift:
    """Storms that follow each other: how the last third's middle differs from the first's (%)."""

    percent: float
    p_value: float

    def __str__(self) -> str:
        took = f"{abs(self.percent):.1f} % {'less' if self.percent < 0 else 'longer'}"
        return (
            f"storms that follow each other are alike (the last third took {took} than the first; "
            f"p {self.p_value:.3f}): the host drifted"
        )


def drift(settings: Sequence[Sequence[tuple[int, float]]]) -> Drift | None:
    """Return the drift of a run, of each setting of which (place, median in s) of its storms.

    ``place`` tells in which order they were booted. Of several settings each storm is held against
    the middle of its own, so that one test is of them all. Medians may be infinite, where VMs that
    never booted hide them. None where none is to be seen at 2 %: 5 storms that rise from each to
    the next are the fewest that can show one.
    """
    placed = [
        (place, median / middle)
        for storms in settings
        if storms and 0 < (middle := stats.median([median for _, median in storms])) < math.inf
        for place, median in storms
    ]
    values = [value for _, value in sorted(placed, key=lambda each: each[0])]
    p_value = chance_of_order(values)
    if p_value > LEVEL:
        return None
    third = len(values) // 3
    first, last = stats.median(values[:third]), stats.median(values[-third:])
    return Drift((last / first - 1) * 100, p_value) if math.isfinite(first) else None


def chance_of_order(values: Sequence[float]) -> float:
    """Return how likely it is by chance that neighbours are as alike as these, or more.

    Of all orders up to 6 values. Else of drawn ones, always the same for the same ranks: as many as
    it takes to find 20 that are as smooth, or 1,999 (Besag and Clifford, Sequential Monte Carlo
    p-values, 1991).
    """
    return _chance(tuple(_ranks(values)))


def _ranks(values: Sequence[float]) -> list[float]:
    """Return each value's rank, from 1; values that are tied share the middle of theirs."""
    return [
        sum(each < value for each in values) + (sum(each == value for each in values) + 1) / 2
        for value in values
    ]


def _roughness(ranks: Sequence[float]) -> float:
    """Return the numerator of the ratio; its denominator is the same in every order."""
    return math.fsum((a - b) ** 2 for a, b in itertools.pairwise(ranks))


@lru_cache(maxsize=256)
def _chance(ranks: tuple[float, ...]) -> float:
    found, size = _roughness(ranks), len(ranks)
    if size <= _EXACT_UP_TO:
        orders = itertools.permutations(ranks)
        return sum(_roughness(order) <= found for order in orders) / math.factorial(size)
    chance, as_smooth = random.Random(size), 0  # noqa: S311  draws orders, guards nothing
    for drawn in range(1, _DRAWN + 1):
        as_smooth += _roughness(chance.sample(ranks, size)) <= found
        if as_smooth == _ENOUGH:
            return as_smooth / drawn
    return (as_smooth + 1) / (_DRAWN + 1)
