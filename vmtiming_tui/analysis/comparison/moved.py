"""Which of many parts of a boot moved from one run to another: units, initcalls, what has names.

A part has one value a storm (s), as VMs of one storm are not independent. Each part is tested by
the ranks of its storms' values; that many are is made up for by Benjamini and Hochberg's procedure:
of the parts that are told to have moved, 5 % at most are to be expected not to have.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.comparison.multiple import benjamini_hochberg
from vmtiming_tui.analysis.comparison.paired import (
    SignedRank,
    fewest_that_can_tell,
    signed_rank,
)
from vmtiming_tui.analysis.comparison.ranks import ALPHA, RankTest, mann_whitney

FEWEST_STORMS = 8
_LEAST_S = 1e-6

Test: TypeAlias = Callable[[Sequence[float], Sequence[float]], RankTest | SignedRank | None]

Parts = Mapping[str, Sequence[float]]
"""One value (s) a storm of every part, for the storms that have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A part that moved: its medians (s) on both sides, and how far.

    ``shift_s`` is Hodges and Lehmann's estimate (1963), the median of all differences; ``q_value``
    the share of errors to be expected among all that are told with it. Of the second side's
    ``storms`` as many lie ``beyond`` the first side's median on the side it moved to.
    """

    name: str
    first_s: float
    second_s: float
    shift_s: float
    q_value: float
    beyond: int
    storms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What became of the parts from one side to the other; those that moved farthest are first.

    ``came`` and ``went`` are in every storm of one side and in none of the other. ``tested`` is how
    many parts could have been told to have moved; None where the storms are too few to tell.
    """

    moved: tuple[Moved, ...] = ()
    came: tuple[str, ...] = ()
    went: tuple[str, ...] = ()
    tested: int | None = None

    @property
    def can_tell(self) -> bool:
        """Whether both sides had storms enough."""
        return self.tested is not None


def movement(
    first: Parts,
    second: Parts,
    *,
    storms: tuple[int, int],
    floor_s: float,
    test: Test = mann_whitney,
) -> Movement:
    """Return what became of the parts of two sides of so many storms each.

    Where storms were booted in turn, ``test`` may compare them pair by pair.
    A part that moved by less than ``floor_s`` is no news.
    """
    if min(storms) < FEWEST_STORMS:
        return Movement()
    matter = long_enough(first, second, floor_s)
    tested = testable(first, second, floor_s)
    p_values = [_p_value(test, first[name], second[name]) for name in tested]
    found = [
        _moved(name, first[name], second[name], q_value)
        for name, q_value in zip(tested, benjamini_hochberg(p_values), strict=True)
        if q_value <= ALPHA
    ]
    far = (each for each in found if abs(each.shift_s) >= floor_s)
    return Movement(
        moved=tuple(sorted(far, key=lambda each: (-abs(each.shift_s), each.name))),
        came=_only_in(second, storms[1], first, matter),
        went=_only_in(first, storms[0], second, matter),
        tested=len(tested),
    )


def movement_by_round(first: Parts, second: Parts, *, rounds: int, floor_s: float) -> Movement:
    """Return the same of storms that were booted in turn, compared pair by pair.

    The values of a part that both sides have stand beside each other. Where the surest pairs could
    be would not outweigh how many parts are asked at once, the storms are compared as if they were
    none: a drift that both share only makes that more cautious.
    """
    asked = len(testable(first, second, floor_s))
    has_enough = rounds >= fewest_that_can_tell(ALPHA / max(asked, 1))
    test = _by_logarithms if has_enough else mann_whitney
    return movement(first, second, storms=(rounds, rounds), floor_s=floor_s, test=test)


def _by_logarithms(first: Sequence[float], second: Sequence[float]) -> SignedRank | None:
    """Compare pairs, of which one may be 0 as its clock goes by microseconds."""
    one, other = ([max(value, _LEAST_S) for value in side] for side in (first, second))
    return signed_rank(one, other)


def long_enough(first: Parts, second: Parts, floor_s: float) -> list[str]:
    """Return the parts that any storm took ``floor_s`` for, by name.

    The others are left out before the test, by both sides' largest value: that is blind to the
    side, so it costs no error rate, and gives these more power (Bourgon, Gentleman and Huber,
    2010).
    """
    return sorted(
        name
        for name in first.keys() | second.keys()
        if max((*first.get(name, ()), *second.get(name, ())), default=0.0) >= floor_s
    )


def testable(first: Parts, second: Parts, floor_s: float) -> list[str]:
    """Return those of them that both sides have values enough of."""
    return [
        name
        for name in long_enough(first, second, floor_s)
        if min(len(first.get(name, ())), len(second.get(name, ()))) >= FEWEST_STORMS
    ]


def _p_value(test: Test, first: Sequence[float], second: Sequence[float]) -> float:
    found = test(first, second)
    return 1.0 if found is None else found.p_value


def _moved(name: str, first: Sequence[float], second: Sequence[float], q_value: float) -> Moved:
    middle = stats.median(first)
    shift = stats.median([after - before for before in first for after in second])
    return Moved(
        name=name,
        first_s=middle,
        second_s=stats.median(second),
        shift_s=shift,
        q_value=q_value,
        beyond=sum((after - middle) * shift > 0 for after in second),
        storms=len(second),
    )


def _only_in(side: Parts, storms: int, other: Parts, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if not other.get(name) and len(side[name]) == storms)
