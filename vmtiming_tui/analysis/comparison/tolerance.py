"""How far two single storms of one setting may lie apart: a tolerance limit from past runs.

A single storm says nothing of its own spread. What says something is the runs that the history
keeps: storms of different runs, for the host drifts from run to run, and storms of one run are
alike. The limit is for the logarithm of the ratio of two storms' medians, and it is the wider of

- a normal tolerance limit: at least ``CONTENT`` of all such ratios lie within it, with confidence
  ``CONFIDENCE``. Howe, Two-Sided Tolerance Limits for Normal Populations (1969), without his term
  for the mean, which is known: of two runs of one setting either may be the slower;
- the range of all storms seen (order statistics, Wilks 1941), which assumes no distribution: two
  more runs of K like them differ by more with a chance of at most 2/(K + 2): of K + 2 values at
  most K + 1 pairs lie further apart than all the others do, and each of the (K + 2)(K + 1)/2 pairs
  is as likely to be the two that came last.

The first is the wider one where runs are few, the second where they are many.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

CONTENT = 0.99
CONFIDENCE = 0.95
FEWEST_RUNS = 6


@dataclass(frozen=True, slots=True)
class Setting:
    """What a storm was booted with.

    ``circumstances`` are those in which storms may be held against each other: the host, the
    accelerator, how many VMs of which size at once. ``request`` stands for all else that was asked
    for; only storms that have both in common are repeats of each other.
    """

    circumstances: str
    request: str


@dataclass(frozen=True, slots=True)
class KnownRun:
    """What the history keeps of a run's storms of one setting: their medians (s), in order."""

    run: str
    setting: Setting
    medians: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Storms of one setting differ by no more than ``ratio`` times, as ``runs`` past runs show."""

    ratio: float
    runs: int

    def __str__(self) -> str:
        return f"{self.ratio:.3g} times that storms like these differ by ({self.runs} past runs)"


def chi_square_cdf(value: float, freedom: int) -> float:
    """Return the chance that a chi-square variable is at most ``value``.

    The incomplete gamma function by its series (Abramowitz and Stegun, 6.5.29), of positive terms.
    """
    half, shape = value / 2, freedom / 2
    if half <= 0:
        return 0.0
    total, step = 0.0, 0
    while True:
        log_term = (shape + step) * math.log(half) - half - math.lgamma(shape + step + 1)
        term = math.exp(log_term)
        total += term
        step += 1
        if shape + step > half and term <= 1e-17 * total:
            return min(total, 1.0)


@lru_cache(maxsize=64)
def tolerance_factor(
    freedom: int, content: float = CONTENT, confidence: float = CONFIDENCE
) -> float:
    """Return how many estimated deviations around a known mean hold that content.

    ``z sqrt(f / q)``: z the normal quantile of (1 + content)/2, f the degrees of ``freedom`` of the
    estimate, q the chi-square quantile of 1 - confidence (Howe, 1969; exact for a known mean).
    """
    low, high = 0.0, float(freedom)
    while chi_square_cdf(high, freedom) < 1 - confidence:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        if chi_square_cdf(middle, freedom) < 1 - confidence:
            low = middle
        else:
            high = middle
    return NormalDist().inv_cdf((1 + content) / 2) * math.sqrt(freedom / high)


def tolerance(repeats: Iterable[Sequence[Sequence[float]]]) -> Tolerance | None:
    """Return how far storms differ that differ by chance; None where too few runs tell.

    ``repeats`` holds what was run again and again: of each its runs, of each run its storms'
    medians (s), the first storm first. The deviation is pooled over what was repeated, a run's
    first storm being its value, as that of a single storm is; the range is of all storms.
    """
    squares, freedom, widest, count = 0.0, 0, 0.0, 0
    for runs in repeats:
        if len(runs) < 2:
            continue
        logs = [[math.log(median) for median in storms] for storms in runs]
        firsts = [storms[0] for storms in logs]
        middle = math.fsum(firsts) / len(firsts)
        squares += math.fsum((value - middle) ** 2 for value in firsts)
        freedom += len(firsts) - 1
        widest = max(widest, max(map(max, logs)) - min(map(min, logs)))
        count += len(runs)
    if freedom < FEWEST_RUNS - 1:
        return None
    deviation = math.sqrt(2 * squares / freedom)
    return Tolerance(math.exp(max(widest, tolerance_factor(freedom) * deviation)), count)


def known_tolerance(
    known: Iterable[KnownRun], settings: Iterable[Setting | None], without: Collection[str]
) -> Tolerance | None:
    """Return how far storms of these settings differ by chance, as far as runs tell.

    None where their circumstances are not the same. ``without`` are the ids of the runs that are
    compared: they are no evidence in their own case.
    """
    where = {setting.circumstances if setting else None for setting in settings}
    if None in where or len(where) != 1:
        return None
    repeats: dict[str, list[Sequence[float]]] = {}
    for each in known:
        if each.setting.circumstances in where and each.run not in without:
            repeats.setdefault(each.setting.request, []).append(each.medians)
    return tolerance(repeats.values())
