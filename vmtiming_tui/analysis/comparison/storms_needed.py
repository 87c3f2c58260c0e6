"""How many storms it takes to tell two runs apart, and what to do where these were too few."""

import math
from collections.abc import Sequence

from vmtiming_tui.analysis.comparison import paired, ranks
from vmtiming_tui.analysis.comparison.ranks import ALPHA
from vmtiming_tui.analysis.comparison.tolerance import FEWEST_RUNS, Tolerance
from vmtiming_tui.analysis.stats import Interval

FEWEST_FOR_ADVICE = 6
MOST_ADVISED = 100


def cannot_tell_yet(
    first: int, second: int, known: Tolerance | None = None, alpha: float = ALPHA
) -> str:
    """Return why so many storms on each side can show no difference, or none but large ones.

    Empty where they can. ``known`` is how far single storms differ by chance.
    """
    enough = f"{FEWEST_FOR_ADVICE} or more a side (-r {FEWEST_FOR_ADVICE}) can tell"
    if min(first, second) == 1:
        few = f"where the history keeps fewer than {FEWEST_RUNS} other runs like it"
        why = few if known is None else f"within the {known}"
        return f"a single storm carries no verdict {why}; {enough}"
    if ranks.can_tell(first, second, alpha):
        return ""
    needed = ranks.fewest_that_can_tell(first, alpha)
    against = f"{first} against {needed} could, " if needed else ""
    even = ranks.fewest_that_can_tell(alpha=alpha)
    return (
        f"{first} against {second} storms cannot reach {alpha:.2g}, however far apart they are; "
        f"{against}{even} against {even} could, and {enough} small changes better"
    )


def storms_would_tell(
    first: Sequence[float],
    second: Sequence[float],
    interval: Interval | None,
    *,
    known: Tolerance | None,
    change_percent: float,
    alpha: float = ALPHA,
) -> str:
    """Return what it would take to tell a change of so many percent, where two samples cannot.

    The samples hold one value a storm (s), infinite where VMs that never booted hide it;
    ``interval`` is what they say of the ratio of the second to the first.
    """
    if _has_no_figure(first, second):
        return _NO_FIGURE
    if impossible := cannot_tell_yet(len(first), len(second), known, alpha):
        return impossible
    size = min(len(first), len(second))
    if size < FEWEST_FOR_ADVICE or interval is None:
        return f"{FEWEST_FOR_ADVICE} storms or more a side would tell more"
    return _would_tell(size, "storms a side", interval, change_percent, alpha)


def rounds_would_tell(
    first: Sequence[float],
    second: Sequence[float],
    interval: Interval | None,
    *,
    known: Tolerance | None,
    change_percent: float,
    alpha: float = ALPHA,
) -> str:
    """Return what it would take where the storms of two samples are paired by round."""
    del known  # how far storms of different runs lie apart says nothing of one round's
    if _has_no_figure(first, second):
        return _NO_FIGURE
    fewest = max(paired.FEWEST_ROUNDS, paired.fewest_that_can_tell(alpha))
    if len(first) < fewest or interval is None:
        return f"{fewest} rounds or more (-r {fewest}) can tell"
    return _would_tell(len(first), "rounds", interval, change_percent, alpha)


_NO_FIGURE = "one side has no figure"


def _has_no_figure(first: Sequence[float], second: Sequence[float]) -> bool:
    return not any(map(math.isfinite, first)) or not any(map(math.isfinite, second))


def _would_tell(
    size: int, what: str, interval: Interval, change_percent: float, alpha: float
) -> str:
    needed = ranks.needed_size(size, interval, 1 + change_percent / 100, alpha)
    if needed is None or needed > MOST_ADVISED:
        return f"more than {MOST_ADVISED} {what} would be needed to tell {change_percent:g} %"
    return f"some {max(needed, size + 1)} {what} would tell {change_percent:g} %"
