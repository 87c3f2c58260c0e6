"""Which units moved between two sides, by their own times: what a unit waited is not its doing."""

from collections.abc import Mapping, Sequence

from vmtiming_tui.analysis.comparison.moved import (
    FEWEST_STORMS,
    Movement,
    movement,
    movement_by_round,
)
from vmtiming_tui.analysis.comparison.samples import StormSample

FLOOR_S = 0.01

_Times = Sequence[Mapping[str, float]]
_Values = dict[str, list[float]]


def units_moved(
    first: Sequence[StormSample], second: Sequence[StormSample], *, by_round: bool
) -> Movement | None:
    """Return which units moved, came and went; None where a side tells of no unit.

    Storms that were booted in turn (``by_round``) stand beside each other, and are compared so.
    """
    if not all(any(storm.units.are_told for storm in side) for side in (first, second)):
        return None
    if min(len(first), len(second)) < FEWEST_STORMS:
        return Movement()
    one, other = ([storm.units.medians_s for storm in side] for side in (first, second))
    if by_round:
        return _by_round(one, other)
    told = [[storm for storm in side if storm] for side in (one, other)]
    storms = len(told[0]), len(told[1])
    return movement(_values(told[0]), _values(told[1]), storms=storms, floor_s=FLOOR_S)


def _values(storms: _Times) -> _Values:
    found: _Values = {}
    for storm in storms:
        for name, own_s in storm.items():
            found.setdefault(name, []).append(own_s)
    return found


def _by_round(first: _Times, second: _Times) -> Movement:
    """Compare pair by pair; of a unit that both sides have, the rounds in which both ran it."""
    rounds = [pair for pair in zip(first, second, strict=True) if all(pair)]
    one, other = _values([before for before, _ in rounds]), _values([after for _, after in rounds])
    for name in one.keys() & other.keys():
        pairs = [(a[name], b[name]) for a, b in rounds if name in a and name in b]
        one[name] = [before for before, _ in pairs]
        other[name] = [after for _, after in pairs]
    return movement_by_round(one, other, rounds=len(rounds), floor_s=FLOOR_S)
