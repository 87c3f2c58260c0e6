"""Statistics of boot times: pure functions of numbers, each with the source of its formula.

Samples are seconds unless a name says otherwise. Where a sample is too small for a figure the
answer is None, so that a caller shows "none" instead of a made-up zero.
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

    @property
    def is_bounded(self) -> bool:
        """Whether both ends are known; an end hidden by lost values is infinite."""
        return math.isfinite(self.low) and math.isfinite(self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The usual figures of one sample with at least one known value, in the sample's unit.

    Of ``size`` values ``lost`` are only known to be the largest. Median, interval and p95 count
    them, and are None where they are hidden by them; the rest is of the known ones.
    """

    size: int
    lost: int = 0
    mean: float
    stddev: float | None
    median: float | None
    interval: Interval | None
    p95: float | None
    min: float
    max: float


def describe(sample: Sequence[float]) -> Figures | None:
    """Return the usual figures of a sample, infinite values being lost; None if none is known."""
    known = [value for value in sample if math.isfinite(value)]
    if not known:
        return None
    lost = len(sample) - len(known)
    interval = median_interval(known, lost=lost)
    return Figures(
        size=len(sample),
        lost=lost,
        mean=mean(known),
        stddev=stddev(known),
        median=worst_rank_percentile(known, lost, 50),
        interval=interval if interval is not None and interval.is_bounded else None,
        p95=worst_rank_percentile(known, lost, 95),
        min=min(known),
        max=max(known),
    )


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
    """Return the arithmetic mean, never outside the sample's range for rounding."""
    return min(max(math.fsum(sample) / len(sample), min(sample)), max(sample))


def stddev(sample: Sequence[float]) -> float | None:
    """Return the sample standard deviation (divisor n - 1); None for fewer than two values."""
    if len(sample) < 2:
        return None
    middle = math.fsum(sample) / len(sample)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in sample) / (len(sample) - 1))


def mad(sample: Sequence[float]) -> float:
    """Return the median absolute deviation from the median, unscaled (Hampel, 1974)."""
    middle = median(sample)
    return median([abs(value - middle) for value in sample])


def interval_ranks(size: int, confidence: float = 0.95) -> tuple[int, float] | None:
    """Return the rank j of the median's order-statistic interval and its true confidence.

    Conover, Practical Nonparametric Statistics (1999), 3.2: the j-th smallest and j-th largest of
    ``size`` values cover the median with probability 1 - 2 P(B < j), B binomial(size, 1/2); the
    largest j that keeps the confidence is taken. None where even the extremes do not reach it
    (fewer than 6 values at 95 %).
    """
    tail, best, covered = 0.0, 0, 0.0
    for rank in range(1, size // 2 + 1):
        tail += math.exp(_log_binomial(size, rank - 1) - size * math.log(2))
        if 1 - 2 * tail < confidence:
            break
        best, covered = rank, 1 - 2 * tail
    return (best, covered) if best else None


def _log_binomial(size: int, successes: int) -> float:
    return math.lgamma(size + 1) - math.lgamma(successes + 1) - math.lgamma(size - successes + 1)


def median_interval(
    sample: Sequence[float], confidence: float = 0.95, *, lost: int = 0
) -> Interval | None:
    """Return a distribution-free interval of the median from order statistics.

    ``lost`` more values are known only to be larger than all others: an end that falls among them
    is infinite. See ``interval_ranks``; None for fewer than 6 values at 95 %.
    """
    found = interval_ranks(len(sample) + lost, confidence)
    if found is None:
        return None
    rank, covered = found
    ordered = sorted(sample)
    low, high = rank - 1, len(sample) + lost - rank
    return Interval(
        ordered[low] if low < len(ordered) else math.inf,
        ordered[high] if high < len(ordered) else math.inf,
        covered,
    )


def levelled(sample: Sequence[float], groups: Sequence[str]) -> list[float]:
    """Return values less what the median of their group is from that of all.

    Values of one group are as they were. It takes out what a group has in common (hosts of unlike
    speed), so that what is left is each value's own (Hodges and Lehmann's alignment, 1962).
    """
    of_group: dict[str, list[float]] = {}
    for value, group in zip(sample, groups, strict=True):
        of_group.setdefault(group, []).append(value)
    if len(of_group) < 2:
        return list(sample)
    middle = median(sample)
    beyond = {group: median(values) - middle for group, values in of_group.items()}
    return [value - beyond[group] for value, group in zip(sample, groups, strict=True)]


def modified_z_outliers(sample: Sequence[float]) -> list[int]:
    """Return the indices of values more than 14.826 MADs away from the median.

    Iglewicz and Hoaglin (1993), modified z, with the limit hyperfine uses: 10 scaled MADs, 1.4826
    making the MAD an estimate of the deviation. As there, a MAD of 0 makes every value that
    differs from the median an outlier.
    """
    if len(sample) < 3:
        return []
    middle, reach = median(sample), MODIFIED_Z_LIMIT * mad(sample)
    return [index for index, value in enumerate(sample) if abs(value - middle) > reach]


def tukey_outliers(sample: Sequence[float]) -> list[int]:
    """Return the indices of values outside 1.5 interquartile ranges (Tukey, 1977)."""
    if len(sample) < 4:
        return []
    first, third = percentile(sample, 25), percentile(sample, 75)
    reach = TUKEY_FENCE * (third - first)
    return [
        index for index, value in enumerate(sample) if not first - reach <= value <= third + reach
    ]


def worst_rank_percentile(sample: Sequence[float], lost: int, percent: float) -> float | None:
    """Return a percentile of values of which ``lost`` more are only known to be the largest.

    What was lost ranks behind all that was not (Lachin, 1999), so this is ``percentile`` with
    ``lost`` infinite values; None where they hide it, or where nothing is known.
    """
    if not sample:
        return None
    ordered = sorted(sample)
    position = (len(ordered) + lost - 1) * percent / 100
    if lost and math.ceil(position) >= len(ordered):
        return None
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


@dataclass(frozen=True, slots=True)
class Spread:
    """How much of a spread lies between groups and how much within them, as deviations.

    ``shared`` is the share of the variance that is common to a group (intraclass correlation): near
    0 the values of one group are as good as independent, near 1 they say the same thing again.
    """

    between: float
    within: float

    @property
    def shared(self) -> float | None:
        """Return the intraclass correlation, 0 to 1; None where nothing varies."""
        total = self.between**2 + self.within**2
        return self.between**2 / total if total else None


def spread(groups: Sequence[Sequence[float]]) -> Spread | None:
    """Return the spread between and within groups; None for fewer than two groups of two.

    One-way random effects by analysis of variance, unbalanced: Searle, Casella and McCulloch,
    Variance Components (1992), 3.6. A negative estimate of the part between is set to 0.
    """
    groups = [group for group in groups if group]
    count, total = len(groups), sum(map(len, groups))
    if count < 2 or total <= count:
        return None
    means = [math.fsum(group) / len(group) for group in groups]
    grand = math.fsum(map(math.fsum, groups)) / total
    inside = math.fsum(
        (value - middle) ** 2
        for group, middle in zip(groups, means, strict=True)
        for value in group
    )
    outside = math.fsum(
        len(group) * (middle - grand) ** 2 for group, middle in zip(groups, means, strict=True)
    )
    within = inside / (total - count)
    even = (total - sum(len(group) ** 2 for group in groups) / total) / (count - 1)
    between = (outside / (count - 1) - within) / even
    return Spread(between=math.sqrt(max(between, 0.0)), within=math.sqrt(within))
