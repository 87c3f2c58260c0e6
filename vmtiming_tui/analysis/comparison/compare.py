"""Comparing runs: which is slower, by how much, and whether the figures can say so at all.

VMs of one storm share a host and are not independent, so the storm is the unit: one median boot
time a storm is compared. There is one decision a line, for sentence, table and exit code alike
(``difference``). Two variants of one run were booted in turn and are compared round by round, two
rounds a block: a drift of the host is in both. Two runs are not, and their comparison says so.

A single storm says nothing of the next one, so it carries no verdict, unless its boot differs by
more than storms in these circumstances do by chance, as far as the runs tell that the history keeps
(``tolerance``). VMs that were lost rank behind all that booted, and where one side lost more the
stages of the rest are not compared.

Many lines are asked at once, and by chance one of many would seem to differ. The boot times are
what all is about: where there is one it is asked at 0.05, where there are several (settings of a
sweep, runs held against one) they share it by Holm's steps. So do all other lines together.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.comparison import ranks
from vmtiming_tui.analysis.comparison.difference import (
    APART,
    BY_ROUND,
    IN_BLOCKS,
    Difference,
    Method,
    Verdict,
)
from vmtiming_tui.analysis.comparison.doubts import comparison_cautions, is_by_round
from vmtiming_tui.analysis.comparison.moved import Movement
from vmtiming_tui.analysis.comparison.moved_parts import moved_parts
from vmtiming_tui.analysis.comparison.questions import Question, answers
from vmtiming_tui.analysis.comparison.samples import (
    QEMU,
    SHUTDOWN,
    Identity,
    Sample,
    Side,
    StormSample,
)
from vmtiming_tui.analysis.comparison.strata import AS_WHOLES, Strata, within_hosts
from vmtiming_tui.analysis.comparison.tolerance import Tolerance, known_tolerance
from vmtiming_tui.escape import plural, were
from vmtiming_tui.model.stage import Stage

BOOT = "boot"
ALL_BOOTED_IN = "all booted in"


class Gate(StrEnum):
    """Whether a run may pass that is to be no slower by more than some percent."""

    PASSED = "passed"
    TOO_SLOW = "too slow"
    CANNOT_TELL = "cannot tell"


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
        p = "below 0.001" if self.p_value < 0.001 else f"{self.p_value:.3f}"
        return f"{counts}, {what} (p {p})"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupComparison:
    """The differences of one setting: ``boot`` first, then all booted in, stages and shutdown.

    ``unpaired`` counts the storms that are left out, as the other side has none in their round.
    ``parts`` says which of the smaller parts moved, by their kind. ``strata`` are the hosts that
    it is compared within.
    """

    parameters: Mapping[str, str]
    differences: tuple[Difference, ...]
    losses: Losses
    unpaired: int = 0
    parts: Mapping[str, Movement] = field(default_factory=dict)
    strata: Strata = AS_WHOLES

    @property
    def boot(self) -> Difference:
        """The difference all of this is about."""
        return self.differences[0]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is to be said of it: the verdict, and what it leaves out or hides."""
        return (self.boot.sentence, *self._besides, *self.strata.sentences)

    @property
    def words(self) -> str:
        """The same in one line, without the boot's name."""
        return "; ".join((self.boot.words, *self._besides, *self.strata.left_out))

    @property
    def _besides(self) -> list[str]:
        left_out = f"{plural(self.unpaired, 'storm')} without a partner in the round"
        unpaired = f"{left_out} {were(self.unpaired)} left out" if self.unpaired else ""
        return [sentence for sentence in (self.losses.sentence, unpaired) if sentence]


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


@dataclass(frozen=True, slots=True)
class _Draft:
    """The questions of two samples, that of the boot first, and what else is told of them."""

    parameters: Mapping[str, str]
    questions: tuple[Question, ...]
    losses: Losses
    parts: Mapping[str, Movement]
    strata: Strata
    unpaired: int = 0


def _settled(drafts: Sequence[_Draft], alpha: float) -> Iterator[GroupComparison]:
    """Yield what drafts come to: their boots are asked together, and so are all other lines."""
    boots = answers([draft.questions[0] for draft in drafts], alpha)
    rest = iter(answers([each for draft in drafts for each in draft.questions[1:]], alpha))
    for draft, boot in zip(drafts, boots, strict=True):
        yield GroupComparison(
            parameters=draft.parameters,
            differences=(boot, *islice(rest, len(draft.questions) - 1)),
            losses=draft.losses,
            unpaired=draft.unpaired,
            parts=draft.parts,
            strata=draft.strata,
        )


def _value(storm: StormSample, name: str) -> float | None:
    """Return a storm's value; None where none of its VMs tells one.

    A storm that lost a VM never had all booted.
    """
    if name == BOOT:
        return storm.median if storm.size else None
    return storm.over_hosts(lambda share: _value_of(share, name))


def _value_of(storm: StormSample, name: str) -> float | None:
    if name == ALL_BOOTED_IN:
        known = storm.all_booted_in
        return (math.inf if known is None else known) if storm.size else None
    return stats.median(storm.stages[name]) if name in storm.stages else None


def _values(
    first: Sample, second: Sample, name: str, method: Method
) -> tuple[list[float], list[float]]:
    """Return one value a storm; by round those alone of which both storms have one."""
    one, other = ([_value(storm, name) for storm in side.storms] for side in (first, second))
    if method.is_by_round:
        pairs = [(a, b) for a, b in zip(one, other, strict=True) if None not in (a, b)]
        one, other = [a for a, _ in pairs], [b for _, b in pairs]
    return [each for each in one if each is not None], [each for each in other if each is not None]


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


def _tolerance(first: Side, one: Sample, second: Side, other: Sample) -> Tolerance | None:
    compared = (first.identity.run, second.identity.run)
    return known_tolerance(first.known or second.known, (one.setting, other.setting), compared)


def _draft(
    first: Sample,
    second: Sample,
    *,
    method: Method = APART,
    known: Tolerance | None = None,
) -> _Draft:
    first, second, strata = within_hosts(first, second)
    losses = _losses(first, second)
    questions = []
    for name in (BOOT, ALL_BOOTED_IN, QEMU, *map(str, Stage), SHUTDOWN):
        one, other = _values(first, second, name, method)
        is_stage = name not in (BOOT, ALL_BOOTED_IN)
        if is_stage and not (one and other):
            continue
        is_asked = not (is_stage and losses.differ)
        if name == ALL_BOOTED_IN and strata.uneven:
            is_asked = False  # a host takes the longer the more VMs it boots
        # What is known is of storms on all of their hosts.
        told = known if name == BOOT and not strata.apart else None
        # A round without the figure leaves a block that is not whole.
        asked_by = BY_ROUND if method is IN_BLOCKS and len(one) < len(first.storms) else method
        questions.append(Question(name, one, other, asked_by, told, is_asked))
    parts = {} if losses.differ else moved_parts(first, second, by_round=method.is_by_round)
    return _Draft(first.parameters, tuple(questions), losses, parts, strata)


def _draft_by_round(first: Sample, second: Sample) -> _Draft:
    """Return the questions of two samples of one run, of the rounds in which both have a storm."""
    both = {storm.turn for storm in first.storms} & {storm.turn for storm in second.storms}
    one, other = (
        replace(side, storms=tuple(storm for storm in side.storms if storm.turn in both))
        for side in (first, second)
    )
    unpaired = len(first.storms) + len(second.storms) - 2 * len(both)
    is_whole = not both or max(both) - min(both) + 1 == len(both)
    method = IN_BLOCKS if is_whole else BY_ROUND
    return replace(_draft(one, other, method=method), unpaired=unpaired)


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
    return compare_all(first, [second])[0]


def compare_all(first: Side, others: Sequence[Side]) -> tuple[Comparison, ...]:
    """Return each of the others held against the first, all of them asked at once."""
    paired_up = [_pairs(first, other) for other in others]
    drafts = []
    for other, pairs in zip(others, paired_up, strict=True):
        for one, two in pairs:
            if is_by_round(first, other):
                drafts.append(_draft_by_round(one, two))
            else:
                drafts.append(_draft(one, two, known=_tolerance(first, one, other, two)))
    groups = _settled(drafts, min(side.level for side in (first, *others)))
    return tuple(
        Comparison(
            first=first.label,
            second=other.label,
            against=first.identity,
            groups=tuple(islice(groups, len(pairs))),
            cautions=tuple(comparison_cautions(first, other, pairs)),
        )
        for other, pairs in zip(others, paired_up, strict=True)
    )


def _pairs(first: Side, second: Side) -> list[tuple[Sample, Sample]]:
    settings = [sample.parameters for sample in second.samples]
    return [(sample, second.samples[place]) for sample, place in matched(first, settings)]


def compare_variants(
    samples: Sequence[Sample], alpha: float = ranks.ALPHA
) -> tuple[GroupComparison, ...]:
    """Return each variant of one run held against the first of them, round by round.

    Where there are several they are asked at once; ``alpha`` is what may be spent on them.
    """
    drafts = [
        replace(_draft_by_round(samples[0], other), parameters=other.parameters)
        for other in samples[1:]
    ]
    return tuple(_settled(drafts, alpha))
