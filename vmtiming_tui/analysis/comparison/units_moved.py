"""Which units moved between two sides, by their own times: what a unit waited is not its doing."""

from collections.abc import Mapping, Sequence

from vmtiming_tui.analysis.comparison.moved import FEWEST_STORMS, Movement, movement, testable
from vmtiming_tui.analysis.comparison.paired import fewest_that_can_tell, signed_rank
from vmtiming_tui.analysis.comparison.ranks import ALPHA, mann_whitney
from vmtiming_tui.analysis.comparison.samples import StormSample

FLOOR_S = 0.01
_LEAST_S = 1e-6  # what systemd stamps by; pairs are compared by logarithms, which 0 has none of

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
    """Compare pair by pair; of a unit that both sides have, the rounds in which both ran it.

    Where the surest pairs could be would not outweigh how many units are asked at once, the storms
    are compared as if they were none: a drift that both share only makes that more cautious.
    """
    rounds = [pair for pair in zip(first, second, strict=True) if all(pair)]
    one, other = _values([before for before, _ in rounds]), _values([after for _, after in rounds])
    for name in one.keys() & other.keys():
        pairs = [(a[name], b[name]) for a, b in rounds if name in a and name in b]
        one[name] = [max(before, _LEAST_S) for before, _ in pairs]
        other[name] = [max(after, _LEAST_S) for _, after in pairs]
    asked = len(testable(one, other, FLOOR_S))
    has_enough = len(rounds) >= fewest_that_can_tell(ALPHA / max(asked, 1))
    test = signed_rank if has_enough else mann_whitney
    storms = len(rounds), len(rounds)
    return movement(one, other, storms=storms, floor_s=FLOOR_S, test=test)
