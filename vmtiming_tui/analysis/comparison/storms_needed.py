"""How many storms it takes to tell two runs apart, and what to do where these were too few."""

import math
from collections.abc import Sequence

from vmtiming_tui.analysis.comparison import ranks
from vmtiming_tui.analysis.comparison.tolerance import FEWEST_RUNS, Tolerance
from vmtiming_tui.analysis.stats import Interval

FEWEST_FOR_ADVICE = 6
MOST_ADVISED = 100


def cannot_tell_yet(first: int, second: int, known: Tolerance | None = None) -> str:
    """Return why so many storms on each side can show no difference, or none but large ones.

    Empty where they can. ``known`` is how far single storms differ by chance.
    """
    enough = f"{FEWEST_FOR_ADVICE} or more a side (-r {FEWEST_FOR_ADVICE}) can tell"
    if min(first, second) == 1:
        few = f"where the history keeps fewer than {FEWEST_RUNS} other runs like it"
        why = few if known is None else f"within the {known}"
        return f"a single storm carries no verdict {why}; {enough}"
    if ranks.can_tell(first, second):
        return ""
    needed = ranks.fewest_that_can_tell(first)
    against = f"{first} against {needed} could, " if needed else ""
    even = ranks.fewest_that_can_tell()
    return (
        f"{first} against {second} storms cannot reach {ranks.ALPHA}, however far apart they are; "
        f"{against}{even} against {even} could, and {enough} small changes better"
    )


def what_would_tell(
    first: Sequence[float],
    second: Sequence[float],
    interval: Interval | None,
    known: Tolerance | None,
    change_percent: float,
) -> str:
    """Return what it would take to tell a change of so many percent, where two samples cannot.

    The samples hold one value a storm (s), infinite where VMs that never booted hide it;
    ``interval`` is what they say of the ratio of the second to the first.
    """
    if not any(map(math.isfinite, first)) or not any(map(math.isfinite, second)):
        return "one side has no figure"
    if impossible := cannot_tell_yet(len(first), len(second), known):
        return impossible
    size = min(len(first), len(second))
    if size < FEWEST_FOR_ADVICE or interval is None:
        return f"{FEWEST_FOR_ADVICE} storms or more a side would tell more"
    needed = ranks.needed_size(size, interval, 1 + change_percent / 100)
    if needed is None or needed > MOST_ADVISED:
        return (
            f"more than {MOST_ADVISED} storms a side would be needed to tell {change_percent:g} %"
        )
    return f"some {max(needed, size + 1)} storms a side would tell {change_percent:g} %"
