"""Comparing two runs: which is slower, by how much, and whether the figures can say so at all.

VMs of one storm share a host and are not independent, so the storm is the unit: one median boot
time a storm is compared. There is one decision, for sentence, table and exit code alike: it is
decided if and only if the 95 % interval of the change excludes 0. What can be decided at all is
asked of the exact distribution of the ranks.

A single storm says nothing of the next one, so it carries no verdict, unless its boot differs by
more than storms in these circumstances do by chance, as far as the runs tell that the history keeps
(``tolerance``). VMs that were lost rank behind all that booted, and where one side lost more the
stages of the rest are not compared.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.comparison import ranks
from vmtiming_tui.analysis.comparison.samples import (
    AFTER_REPORT,
    PROTOCOL,
    QEMU,
    SHUTDOWN,
    Identity,
    Sample,
    Side,
    StormSample,
)
from vmtiming_tui.analysis.comparison.storms_needed import what_would_tell
from vmtiming_tui.analysis.comparison.tolerance import CONFIDENCE, Tolerance, known_tolerance
from vmtiming_tui.analysis.stages import Stage
from vmtiming_tui.escape import plural, were

MARGIN_PERCENT = 5.0
BOOT = "boot"
ALL_BOOTED_IN = "all booted in"
_TIMED_DIFFERENTLY = {
    AFTER_REPORT: "they were timed differently: where VMs that have reported go on (off), "
    "the boots after them take longer",
    PROTOCOL: "they were timed differently: from protocol 3 on a boot ends with the first byte of "
    "its report, before the guest gathers anything (some 0.3 s sooner under TCG)",
}
_NOTHING_LEFT = -100.0


class Verdict(StrEnum):
    """What the figures say of the second run against the first."""

    FASTER = "faster"
    SLOWER = "slower"
    THE_SAME = f"the same within {MARGIN_PERCENT:g} %"
    CANNOT_TELL = "cannot tell"
    NOT_COMPARED = "not compared"


class Gate(StrEnum):
    """Whether a run may pass that is to be no slower by more than some percent."""

    PASSED = "passed"
    TOO_SLOW = "too slow"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One figure of two runs, in seconds, one value a storm, and what its change is worth.

    ``percent`` is the second against the first; its interval ``percent_interval`` may be unbounded
    where VMs did not boot. ``is_single`` says that a side has one storm only: the interval is then
    what ``tolerance`` makes of it, and there only where even that excludes 0. ``advice`` is what
    would tell, where it cannot be told.
    """

    name: str
    first: stats.Figures | None
    second: stats.Figures | None
    percent: float | None
    percent_interval: stats.Interval | None
    p_value: float | None
    verdict: Verdict
    is_single: bool = False
    tolerance: Tolerance | None = None
    advice: str = ""

    @property
    def sentence(self) -> str:
        """The verdict in words, for people."""
        what = f"{self.name}: {self.verdict}"
        if self.verdict in (Verdict.FASTER, Verdict.SLOWER):
            return f"{what}{self._by()}{self._between()}"
        more = f"; {self.advice}" if self.advice else ""
        return f"{what}{self._between()}{more}"

    def _by(self) -> str:
        if self.percent is None:
            return ", as VMs that never booted rank behind all others"
        return f" by {abs(self.percent):.1f} %"

    def _between(self) -> str:
        interval = self.percent_interval
        if interval is None:
            return ""
        if not math.isfinite(interval.low) or interval.high == _NOTHING_LEFT:
            return ""
        if self.is_single and self.tolerance is not None:
            return f", beyond the {self.tolerance}"
        high = f"{signed(interval.high)} %" if math.isfinite(interval.high) else "unknown"
        return f" ({signed(interval.low)} % to {high})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """How many VMs booted on each side, and what the ranks of the storms' losses say of it."""

    first_booted: int
    first_number: int
    second_booted: int
    second_number: int
    p_value: float | None

    @property
    def differ(self) -> bool:
        """Whether one side lost a larger share than the other."""
        return self.first_booted * self.second_number != self.second_booted * self.first_number

    @property
    def sentence(self) -> str:
        """How many booted, in words; empty where none was lost."""
        if (self.first_booted, self.second_booted) == (self.first_number, self.second_number):
            return ""
        counts = (
            f"booted: {self.first_booted} of {self.first_number} against "
            f"{self.second_booted} of {self.second_number}"
        )
        if self.p_value is None or not self.differ:
            return counts
        is_more = self.p_value <= ranks.ALPHA
        what = "a difference beyond chance" if is_more else "which chance may have made"
        return f"{counts}, {what} (p {self.p_value:.3f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupComparison:
    """The differences of one setting: ``boot`` first, then all booted in, stages and shutdown."""

    parameters: Mapping[str, str]
    differences: tuple[Difference, ...]
    losses: Losses

    @property
    def boot(self) -> Difference:
        """The difference all of this is about."""
        return self.differences[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs compared, setting by setting; ``cautions`` say what makes it doubtful.

    ``first`` and ``second`` are how the two are called, ``against`` tells which run the first is.
    """

    first: str
    second: str
    against: Identity
    groups: tuple[GroupComparison, ...]
    cautions: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of the boot times' verdicts; it cannot tell where nothing was compared."""
        worst_first = (Verdict.SLOWER, Verdict.CANNOT_TELL, Verdict.THE_SAME, Verdict.FASTER)
        found = {group.boot.verdict for group in self.groups}
        return next((each for each in worst_first if each in found), Verdict.CANNOT_TELL)

    def gate(self, percent: float) -> Gate:
        """Return whether the second run is slower by more than that: by its whole interval, or not.

        One setting that is slower makes it too slow; it passes only if every one surely is not.
        """
        intervals = [group.boot.percent_interval for group in self.groups]
        if any(interval is not None and interval.low > percent for interval in intervals):
            return Gate.TOO_SLOW
        if intervals and all(each is not None and each.high < percent for each in intervals):
            return Gate.PASSED
        return Gate.CANNOT_TELL


def signed(percent: float) -> str:
    """Return a change in percent, its sign always shown, and no 0 made of what is none."""
    return f"{percent:+.2g}" if 0 < abs(percent) < 0.05 else f"{percent:+.1f}"


def _percent_interval(interval: stats.Interval | None) -> stats.Interval | None:
    if interval is None:
        return None
    return stats.Interval((interval.low - 1) * 100, (interval.high - 1) * 100, interval.confidence)


def _beyond_storms(change: ranks.Ratio, known: Tolerance | None) -> stats.Interval | None:
    """Return what a single storm's change can be where storms differ; None where it may be none.

    That VMs which never booted hide a median is beyond whatever is known.
    """
    if change.estimate in (0, math.inf):
        return stats.Interval(change.estimate, change.estimate, 1.0)
    if known is None:
        return None
    low, high = change.estimate / known.ratio, change.estimate * known.ratio
    return stats.Interval(low, high, CONFIDENCE) if low > 1 or high < 1 else None


def _decide(interval: stats.Interval | None) -> Verdict:
    """Return the one decision that all else follows."""
    if interval is None:
        return Verdict.CANNOT_TELL
    if interval.low > 0:
        return Verdict.SLOWER
    if interval.high < 0:
        return Verdict.FASTER
    if interval.low >= -MARGIN_PERCENT and interval.high <= MARGIN_PERCENT:
        return Verdict.THE_SAME
    return Verdict.CANNOT_TELL


def difference(
    name: str,
    first: Sequence[float],
    second: Sequence[float],
    known: Tolerance | None = None,
) -> Difference:
    """Return what two samples (s, one value a storm) say of each other.

    Infinite values are storms whose figure VMs hide that never booted. ``known`` is how far single
    storms differ by chance.
    """
    change, test = ranks.ratio(first, second), None
    is_single = min(len(first), len(second)) == 1
    found = None
    if change is not None:
        found = _beyond_storms(change, known) if is_single else change.interval
        test = None if is_single else ranks.mann_whitney(first, second)
    interval = _percent_interval(found)
    verdict = _decide(interval)
    percent = (change.estimate - 1) * 100 if change else None
    undecided = verdict is Verdict.CANNOT_TELL
    return Difference(
        name=name,
        first=stats.describe(first),
        second=stats.describe(second),
        percent=percent if percent not in (_NOTHING_LEFT, math.inf) else None,
        percent_interval=interval,
        p_value=test.p_value if test else None,
        verdict=verdict,
        is_single=is_single,
        tolerance=known if is_single else None,
        advice=what_would_tell(first, second, found, known, MARGIN_PERCENT) if undecided else "",
    )


def _values(storms: Sequence[StormSample], name: str) -> list[float]:
    """Return one value a storm; a storm none of whose VMs say it has none.

    A storm that lost a VM never had all booted.
    """
    if name == BOOT:
        return [storm.median for storm in storms if storm.size]
    if name == ALL_BOOTED_IN:
        known = [storm.all_booted_in for storm in storms if storm.size]
        return [math.inf if value is None else value for value in known]
    return [stats.median(storm.stages[name]) for storm in storms if name in storm.stages]


def _losses(first: Sample, second: Sample) -> Losses:
    shares = [
        [storm.lost_count / storm.size for storm in side.storms if storm.size]
        for side in (first, second)
    ]
    test = ranks.mann_whitney(*shares) if min(map(len, shares)) > 1 else None
    return Losses(
        first_booted=sum(len(storm.boots) for storm in first.storms),
        first_number=sum(storm.size for storm in first.storms),
        second_booted=sum(len(storm.boots) for storm in second.storms),
        second_number=sum(storm.size for storm in second.storms),
        p_value=test.p_value if test else None,
    )


def _not_compared(found: Difference) -> Difference:
    return Difference(
        name=found.name,
        first=found.first,
        second=found.second,
        percent=None,
        percent_interval=None,
        p_value=None,
        verdict=Verdict.NOT_COMPARED,
    )


def _tolerance(first: Side, one: Sample, second: Side, other: Sample) -> Tolerance | None:
    compared = (first.identity.run, second.identity.run)
    return known_tolerance(first.known or second.known, (one.setting, other.setting), compared)


def _compare_samples(first: Sample, second: Sample, known: Tolerance | None) -> GroupComparison:
    losses = _losses(first, second)
    found = []
    for name in (BOOT, ALL_BOOTED_IN, QEMU, *map(str, Stage), SHUTDOWN):
        one, other = _values(first.storms, name), _values(second.storms, name)
        is_stage = name not in (BOOT, ALL_BOOTED_IN)
        if is_stage and not (one and other):
            continue
        each = difference(name, one, other, known if name == BOOT else None)
        found.append(_not_compared(each) if is_stage and losses.differ else each)
    return GroupComparison(parameters=first.parameters, differences=tuple(found), losses=losses)


def _side_cautions(side: Side) -> list[str]:
    storms = [storm for sample in side.samples for storm in sample.storms]
    lost: dict[str, int] = {}
    for storm in storms:
        for state, count in storm.lost.items():
            lost[state] = lost.get(state, 0) + count
    found = []
    if lost:
        how = ", ".join(f"{count} {state}" for state, count in lost.items())
        number, count = sum(storm.size for storm in storms), sum(lost.values())
        found.append(
            f"{side.label}: {count} of {plural(number, 'boot')} {were(count)} lost ({how}); "
            "lost ones rank as slower than all"
        )
    if side.left_out:
        found.append(f"{side.label}: a storm that was cut short is left out")
    if doubtful := sum(storm.doubtful for storm in storms):
        boots = plural(doubtful, "boot")
        found.append(f"{side.label}: the stages of {boots} are doubtful and left out")
    return found


def _differs(name: str, first: str, second: str) -> str:
    meaning = f"; {_TIMED_DIFFERENTLY[name]}" if name in _TIMED_DIFFERENTLY else ""
    return f"{name} differs: {first or 'unknown'} against {second or 'unknown'}{meaning}"


def _cautions(first: Side, second: Side, compared: int) -> list[str]:
    found = [
        _differs(name, value, second.facts[name])
        for name, value in first.facts.items()
        if name in second.facts and value != second.facts[name]
    ]
    if first.identity.run and first.identity.run == second.identity.run:
        found.append("a run is compared with itself")
    found += [*_side_cautions(first), *_side_cautions(second)]
    left_out = max(len(first.samples), len(second.samples)) - compared
    if left_out:
        settings = f"{plural(left_out, 'setting')} {were(left_out)}"
        found.append(f"{settings} booted by one run only and left out")
    return found


def matched(first: Side, second: Sequence[Mapping[str, str]]) -> list[tuple[Sample, int]]:
    """Return the first run's settings beside the place of the second's that is the same.

    Single settings are compared as they are.
    """
    if len(first.samples) == len(second) == 1:
        return [(first.samples[0], 0)]
    places = {tuple(sorted(parameters.items())): at for at, parameters in enumerate(second)}
    return [
        (sample, places[key])
        for sample in first.samples
        if (key := tuple(sorted(sample.parameters.items()))) in places
    ]


def compare_sides(first: Side, second: Side) -> Comparison:
    """Return two runs compared, setting by setting."""
    settings = [sample.parameters for sample in second.samples]
    pairs = [(sample, second.samples[place]) for sample, place in matched(first, settings)]
    return Comparison(
        first=first.label,
        second=second.label,
        against=first.identity,
        groups=tuple(
            _compare_samples(one, other, _tolerance(first, one, second, other))
            for one, other in pairs
        ),
        cautions=tuple(_cautions(first, second, len(pairs))),
    )
