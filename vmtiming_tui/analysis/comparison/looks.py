"""When a run that goes on until it is decided is looked at, and at which level.

A test at 5 % that is repeated at every look says "slower" of what is the same far more often than
in 5 % of the runs. So the 5 % are spent on the looks by a schedule that is fixed before the start:
Lan and DeMets, Discrete Sequential Boundaries for Clinical Trials (1983), with their function of
Pocock's kind, ``alpha ln(1 + (e - 1) t)``, where ``t`` is the share of the storms that there are at
most. Each look tests at what is added since the look before it. That the tests of several looks
hang together is not made use of: what is spent is a bound (Bonferroni's) that holds with exact
tests however they do; several settings share it by Holm's steps.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from vmtiming_tui.analysis.comparison.ranks import ALPHA
from vmtiming_tui.model.decision import UntilDecided

_LOOKS = (10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120)
FIRST_LOOK = 5
_APART = 1.5


def spent(storms: int, most: int) -> float:
    """Return what of the error is spent by the looks at up to so many storms of ``most``."""
    return ALPHA * math.log(1 + (math.e - 1) * min(storms / most, 1.0))


def levels(looks: Sequence[int]) -> list[float]:
    """Return the level to test at in each look; the last is at all the storms there may be."""
    if not looks:
        return []
    budget = [0.0, *(spent(storms, looks[-1]) for storms in looks)]
    return [after - before for before, after in pairwise(budget)]


def level_at(until: UntilDecided, storms: int) -> float:
    """Return the level of the look at so many storms; 0 where none is due then."""
    return dict(zip(until.looks, levels(until.looks), strict=True)).get(storms, 0.0)


def looks_for(most: int, first: int, can_tell: Callable[[int, float], bool]) -> tuple[int, ...]:
    """Return after how many storms to look: at ``first``, 10, 20, 40 ... and at ``most``.

    ``can_tell`` says whether so many storms could show any difference at a level: a look that could
    not spends nothing and is left out, as is one shortly before the last. Empty where none could.
    """
    kept: list[int] = []
    for storms in (*(each for each in (first, *_LOOKS) if each * _APART <= most), most):
        if storms == most:
            while kept and not can_tell(most, levels([*kept, most])[-1]):
                kept.pop()
        level = spent(storms, most) - (spent(kept[-1], most) if kept else 0.0)
        if can_tell(storms, level):
            kept.append(storms)
    return tuple(kept) if most in kept else ()
