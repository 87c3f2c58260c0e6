"""Statistics of boot times: pure functions of numbers, each with the source of its formula.

Samples are seconds unless a name says otherwise. An empty sample gives None where a figure needs
data, so that a caller shows "none" instead of a made-up zero.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

MODIFIED_Z_LIMIT = 14.826
TUKEY_FENCE = 1.5


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, its ends included, and the confidence it really has."""

    low: float
    high: float
    confidence: float


def percentile(sample: Sequence[float], percent: float) -> float:
    """Return a percentile by linear interpolation between order statistics.

    Hyndman and Fan (1996), definition 7: the default of numpy and R. Raises ``ValueError`` for an
    empty sample.
    """
    if not sample:
        raise ValueError("a percentile needs at least one value")
    ordered = sorted(sample)
    position = (len(ordered) - 1) * percent / 100
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    # This form is exact at both ends and monotonic between them.
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def median(sample: Sequence[float]) -> float:
    """Return the middle value, or the mean of the two middle ones."""
    return statistics.median(sample)


def mean(sample: Sequence[float]) -> float:
    """Return the arithmetic mean."""
    return math.fsum(sample) / len(sample)


def stddev(sample: Sequence[float]) -> float | None:
    """Return the sample standard deviation (divisor n - 1); None for fewer than two values."""
    return statistics.stdev(sample) if len(sample) > 1 else None


def mad(sample: Sequence[float]) -> float:
    """Return the median absolute deviation from the median, unscaled (Hampel, 1974)."""
    middle = median(sample)
    return median([abs(value - middle) for value in sample])


def median_interval(sample: Sequence[float], confidence: float = 0.95) -> Interval | None:
    """Return a distribution-free interval of the median from order statistics.

    Conover, Practical Nonparametric Statistics (1999), 3.2: the j-th smallest and j-th largest
    values cover the median with probability 1 - 2 P(B < j), B binomial(n, 1/2); the largest j that
    keeps the confidence is taken. None where even the extremes do not reach it (n < 6 at 95 %).
    """
    ordered, size = sorted(sample), len(sample)
    tail, best = 0.0, 0
    covered = 0.0
    for rank in range(1, size // 2 + 1):
        tail += math.comb(size, rank - 1) * 0.5**size if size < 1000 else _binomial(size, rank - 1)
        if 1 - 2 * tail < confidence:
            break
        best, covered = rank, 1 - 2 * tail
    if not best:
        return None
    return Interval(ordered[best - 1], ordered[-best], covered)


def _binomial(size: int, successes: int) -> float:
    log = math.lgamma(size + 1) - math.lgamma(successes + 1) - math.lgamma(size - successes + 1)
    return math.exp(log - size * math.log(2))


def modified_z_outliers(sample: Sequence[float]) -> list[int]:
    """Return the indices of values more than 14.826 MADs away from the median.

    Iglewicz and Hoaglin's modified z with the limit hyperfine uses (10 after scaling by 1.4826).
    """
    if len(sample) < 3 or not (spread := mad(sample)):
        return []
    middle = median(sample)
    return [
        index
        for index, value in enumerate(sample)
        if abs(value - middle) / spread > MODIFIED_Z_LIMIT
    ]


def tukey_outliers(sample: Sequence[float]) -> list[int]:
    """Return the indices of values outside 1.5 interquartile ranges (Tukey, 1977)."""
    if len(sample) < 4:
        return []
    first, third = percentile(sample, 25), percentile(sample, 75)
    reach = TUKEY_FENCE * (third - first)
    return [
        index for index, value in enumerate(sample) if not first - reach <= value <= third + reach
    ]


def censored_quantile(
    sample: Sequence[float], censored: Sequence[float], percent: float
) -> float | None:
    """Return a quantile where some values are only known to be larger than a limit.

    The Kaplan-Meier estimate (1958): the smallest time by which the estimated share still waiting
    has fallen to 1 - percent/100. None where the censored values hide it.
    """
    waiting, share = len(sample) + len(censored), 1.0
    target = 1 - percent / 100
    events = sorted([(value, 0) for value in sample] + [(value, 1) for value in censored])
    for value, is_censored in events:
        if not is_censored:
            share *= 1 - 1 / waiting
            if share <= target + 1e-12:
                return value
        waiting -= 1
    return None
