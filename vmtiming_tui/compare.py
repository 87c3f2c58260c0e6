"""Comparing two runs: which is slower, by how much, and whether the figures can say so at all.

VMs of one storm share a host and are not independent, so where both runs repeat their storms the
storm is the unit: one median boot time a storm is compared. With single storms the VMs themselves
are compared, and the answer holds for these two storms only.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from vmtiming_tui import ranks, stats
from vmtiming_tui.fleet import Fleet
from vmtiming_tui.sides import QEMU, Sample, Side, StormSample, side_of
from vmtiming_tui.stages import Stage

ALPHA = 0.05
FEWEST = 4
MARGIN_PERCENT = 5.0
BOOT = "boot"
CLUSTER = "cluster"


class Verdict(StrEnum):
    """What the figures say of the second run against the first."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_DIFFERENCE = "no difference shown"
    INCONCLUSIVE = "inconclusive"


class Unit(StrEnum):
    """What one value of a sample stands for."""

    VM = "VM"
    STORM = "storm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One figure of two runs, in seconds, and what its change is worth.

    ``percent`` is the second against the first, its interval ``percent_interval`` may be unbounded
    where VMs did not boot. ``needed`` is how many values more on each side it would take, where
    the verdict is inconclusive and that can be told.
    """

    name: str
    unit: Unit
    first: stats.Figures | None
    second: stats.Figures | None
    percent: float | None
    percent_interval: stats.Interval | None
    p_value: float | None
    verdict: Verdict
    needed: int | None = None

    @property
    def sentence(self) -> str:
        """The verdict in words, for people."""
        what = f"{self.name}: "
        if self.verdict in (Verdict.FASTER, Verdict.SLOWER) and self.percent is not None:
            return f"{what}{self.verdict} by {_percent(abs(self.percent))}{self._between()}"
        if self.verdict is Verdict.INCONCLUSIVE:
            return f"{what}{self.verdict}{self._between()}; {self._more()}"
        return f"{what}{self.verdict}{self._between()}"

    def _between(self) -> str:
        interval = self.percent_interval
        if interval is None:
            return ""
        high = f"{interval.high:+.1f} %" if math.isfinite(interval.high) else "unknown"
        return f" ({interval.low:+.1f} % to {high})"

    def _more(self) -> str:
        if self.first is None or self.second is None:
            return "one side has no figure"
        units = "storms" if self.unit is Unit.STORM else "VMs"
        if self.needed is None:
            return f"more {units} are needed"
        return f"some {self.needed} more {units} a side would tell {MARGIN_PERCENT:g} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupComparison:
    """The differences of one setting: ``boot`` first, then the cluster's time and the stages'."""

    parameters: Mapping[str, str]
    differences: tuple[Difference, ...]

    @property
    def boot(self) -> Difference:
        """The difference all of this is about."""
        return self.differences[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs compared, setting by setting; ``cautions`` say what makes it doubtful."""

    first: str
    second: str
    groups: tuple[GroupComparison, ...]
    cautions: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of the boot times' verdicts; inconclusive where nothing could be compared."""
        worst_first = (Verdict.SLOWER, Verdict.INCONCLUSIVE, Verdict.NO_DIFFERENCE, Verdict.FASTER)
        found = {group.boot.verdict for group in self.groups}
        return next((each for each in worst_first if each in found), Verdict.INCONCLUSIVE)

    def is_slower_than(self, percent: float) -> bool:
        """Return whether a boot time is slower by more than that for sure.

        Only where the whole interval lies beyond it, so that noise never fails a build.
        """
        return any(
            group.boot.percent_interval is not None and group.boot.percent_interval.low > percent
            for group in self.groups
        )


def _percent(value: float) -> str:
    return f"{value:.1f} %" if math.isfinite(value) else "more than can be told"


def _finite(sample: Sequence[float]) -> stats.Figures | None:
    return stats.describe([value for value in sample if math.isfinite(value)])


def _percent_interval(interval: stats.Interval | None) -> stats.Interval | None:
    if interval is None:
        return None
    return stats.Interval((interval.low - 1) * 100, (interval.high - 1) * 100, interval.confidence)


def difference(
    name: str, unit: Unit, first: Sequence[float], second: Sequence[float]
) -> Difference:
    """Return what two samples (s) say of each other; infinite values are VMs that never booted.

    Mann and Whitney's test at 0.05 decides between faster and slower; without a decision the
    samples are called not different only if the interval of the change stays within 5 percent,
    else they are too few to say.
    """
    test, change = ranks.mann_whitney(first, second), ranks.ratio(first, second, ALPHA)
    interval = _percent_interval(change.interval) if change else None
    percent = (change.estimate - 1) * 100 if change else None
    verdict = Verdict.INCONCLUSIVE
    if test is not None and min(len(first), len(second)) >= FEWEST:
        if test.p_value < ALPHA:
            is_slower = test.u < len(first) * len(second) / 2
            verdict = Verdict.SLOWER if is_slower else Verdict.FASTER
        elif (
            interval is not None
            and interval.low >= -MARGIN_PERCENT
            and interval.high <= MARGIN_PERCENT
        ):
            verdict = Verdict.NO_DIFFERENCE
    return Difference(
        name=name,
        unit=unit,
        first=_finite(first),
        second=_finite(second),
        percent=percent if percent is None or math.isfinite(percent) else None,
        percent_interval=interval if interval is None or math.isfinite(interval.low) else None,
        p_value=test.p_value if test else None,
        verdict=verdict,
        needed=_needed(first, second) if verdict is Verdict.INCONCLUSIVE else None,
    )


def _needed(first: Sequence[float], second: Sequence[float]) -> int | None:
    """Return how many more values a side would show a change of the margin."""
    have = min(len(first), len(second))
    one, other = _finite(first), _finite(second)
    if one is None or other is None:
        return None
    deviations = [
        (figures.stddev, figures.size - 1) for figures in (one, other) if figures.stddev is not None
    ]
    if not deviations:
        return FEWEST - have if have < FEWEST else None
    pooled = math.sqrt(
        math.fsum(sd**2 * size for sd, size in deviations) / sum(size for _, size in deviations)
    )
    needed = ranks.needed_size(one.median * MARGIN_PERCENT / 100, pooled, alpha=ALPHA)
    return max(needed - have, 1) if needed is not None else None


def _per_storm(storms: Sequence[StormSample], name: str) -> list[float]:
    """Return one value a storm; a storm none of whose VMs say it has none."""
    if name == BOOT:
        return [storm.median for storm in storms if storm.boots or storm.censored]
    if name == CLUSTER:
        return [storm.cluster for storm in storms if storm.cluster is not None]
    return [stats.median(storm.stages[name]) for storm in storms if name in storm.stages]


def _per_vm(storms: Sequence[StormSample], name: str) -> list[float]:
    if name == BOOT:
        return [value for storm in storms for value in (*storm.boots, *[math.inf] * storm.censored)]
    return [value for storm in storms for value in storm.stages.get(name, ())]


def _compare_samples(first: Sample, second: Sample) -> GroupComparison:
    repeated = min(len(first.storms), len(second.storms)) > 1
    unit, values = (Unit.STORM, _per_storm) if repeated else (Unit.VM, _per_vm)
    found = [difference(BOOT, unit, values(first.storms, BOOT), values(second.storms, BOOT))]
    found.append(
        difference(
            CLUSTER,
            Unit.STORM,
            _per_storm(first.storms, CLUSTER),
            _per_storm(second.storms, CLUSTER),
        )
    )
    for name in (QEMU, *map(str, Stage)):
        one, other = values(first.storms, name), values(second.storms, name)
        if one and other:
            found.append(difference(name, unit, one, other))
    return GroupComparison(parameters=first.parameters, differences=tuple(found))


def _cautions(first: Side, second: Side, compared: int) -> list[str]:
    found = [
        f"{name} differs: {value or 'unknown'} against {second.facts[name] or 'unknown'}"
        for name, value in first.facts.items()
        if name in second.facts and value != second.facts[name]
    ]
    for side in (first, second):
        storms = [storm for sample in side.samples for storm in sample.storms]
        lost = sum(storm.censored for storm in storms)
        failed = sum(storm.failed for storm in storms)
        if lost:
            found.append(f"{side.label}: {lost} boots never ended; they rank as slower than all")
        if failed:
            found.append(f"{side.label}: {failed} boots failed; they have no time to compare")
    if any(len(sample.storms) == 1 for side in (first, second) for sample in side.samples):
        found.append(
            "single storms are compared: VMs of one storm are not independent; "
            "repeat them (--runs 10) for an answer that lasts"
        )
    left_out = max(len(first.samples), len(second.samples)) - compared
    if left_out:
        found.append(f"{left_out} settings were booted by one run only and are left out")
    return found


def compare_sides(first: Side, second: Side) -> Comparison:
    """Return two runs compared, setting by setting; single settings are compared as they are."""
    if len(first.samples) == len(second.samples) == 1:
        pairs = [(first.samples[0], second.samples[0])]
    else:
        others = {tuple(sorted(sample.parameters.items())): sample for sample in second.samples}
        pairs = [
            (sample, others[key])
            for sample in first.samples
            if (key := tuple(sorted(sample.parameters.items()))) in others
        ]
    return Comparison(
        first=first.label,
        second=second.label,
        groups=tuple(_compare_samples(one, other) for one, other in pairs),
        cautions=tuple(_cautions(first, second, len(pairs))),
    )


def compare(first: Fleet, second: Fleet, *, labels: tuple[str, str] = ("", "")) -> Comparison:
    """Return two runs compared; ``labels`` are how their cautions call them."""
    return compare_sides(side_of(first, labels[0]), side_of(second, labels[1]))
