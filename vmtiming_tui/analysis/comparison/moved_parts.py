"""Which parts of their boots moved between the samples of two sides, by what they tell of parts."""

from collections.abc import Sequence

from vmtiming_tui.analysis.comparison.moved import Movement, movement, movement_by_round
from vmtiming_tui.analysis.comparison.samples import Sample, StormSample
from vmtiming_tui.analysis.comparison.units_moved import units_moved

UNITS = "units"
INITCALLS = "initcalls"
INITCALL_FLOOR_S = 0.001


def moved_parts(first: Sample, second: Sample, *, by_round: bool = False) -> dict[str, Movement]:
    """Return what became of each kind of parts that storms of both sides tell of.

    ``by_round`` says that the storms were booted in turn and stand beside each other.
    """
    found = {}
    units = units_moved(first.storms, second.storms, by_round=by_round)
    if units is not None:
        found[UNITS] = units
    one, other = _telling_initcalls(first, second, by_round=by_round)
    if one and other:
        found[INITCALLS] = _initcalls(one, other, by_round=by_round)
    return found


def _telling_initcalls(
    first: Sample, second: Sample, *, by_round: bool
) -> tuple[list[StormSample], list[StormSample]]:
    """Return the storms that tell of initcalls; of rounds, those in which both sides do."""
    if not by_round:
        one, other = ([s for s in side.storms if s.initcalls] for side in (first, second))
        return one, other
    rounds = zip(first.storms, second.storms, strict=True)
    both = [(one, other) for one, other in rounds if one.initcalls and other.initcalls]
    return [one for one, _ in both], [other for _, other in both]


def _initcalls(
    first: Sequence[StormSample], second: Sequence[StormSample], *, by_round: bool
) -> Movement:
    """Compare the initcalls; one that a kernel does not name has taken no time that counts."""
    names = {name for storm in (*first, *second) for name in storm.initcalls}
    one, other = (
        {name: [storm.initcalls.get(name, 0.0) for storm in side] for name in names}
        for side in (first, second)
    )
    if by_round:
        return movement_by_round(one, other, rounds=len(first), floor_s=INITCALL_FLOOR_S)
    return movement(one, other, storms=(len(first), len(second)), floor_s=INITCALL_FLOOR_S)
