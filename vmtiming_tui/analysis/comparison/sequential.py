"""Deciding while a run goes on: what the looks at it say, and whether that will do.

At each look (``looks``) the settings are compared as ever, at its level: the interval of the change
tells faster from slower, and two one-sided tests tell that there is no difference of so many
percent. Where all are decided at one look the run ends; what was decided at an earlier one is asked
again with the others, so that all verdicts of a run are those of one look.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vmtiming_tui.analysis.comparison import paired, ranks
from vmtiming_tui.analysis.comparison.compare import BOOT, matched
from vmtiming_tui.analysis.comparison.difference import (
    APART,
    IN_BLOCKS,
    NOTHING_LEFT,
    Difference,
    Verdict,
)
from vmtiming_tui.analysis.comparison.looks import FIRST_LOOK, level_at, looks_for
from vmtiming_tui.analysis.comparison.questions import Question, answers
from vmtiming_tui.analysis.comparison.samples import THIS_RUN, Sample, Side, side_of
from vmtiming_tui.analysis.comparison.strata import within_hosts
from vmtiming_tui.analysis.summary import settings_label
from vmtiming_tui.errors import ConfigError, Problem
from vmtiming_tui.model.decision import Decision, Standing, UntilDecided
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan

_MOST_TRIED = 1000


# What is held against what.


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The storms of one setting, and those it is held against: their medians (s), in order.

    ``is_paired``: they were booted in turn, so that each has its fellow.
    """

    parameters: Mapping[str, str]
    against: str
    first: tuple[float, ...]
    second: tuple[float, ...]
    is_paired: bool

    @property
    def storms(self) -> int:
        """How many there are of the setting, each with its fellow where they are paired."""
        return min(len(self.first), len(self.second)) if self.is_paired else len(self.second)

    def question(self, storms: int) -> Question:
        """Return what is asked of the first so many storms."""
        first = self.first[:storms] if self.is_paired else self.first
        method = IN_BLOCKS if self.is_paired else APART
        return Question(BOOT, first, self.second[:storms], method, known=None, is_asked=True)

    def can_tell(self, storms: int, alpha: float) -> bool:
        """Return whether so many storms could ever show a difference at a level.

        A single storm of an earlier run says nothing of how far its like differ. Of rounds it takes
        what signed ranks take, which decide where VMs were lost; blocks alone could tell sooner.
        """
        if self.is_paired:
            return storms >= paired.fewest_that_can_tell(alpha)
        return len(self.first) > 1 and ranks.can_tell(len(self.first), storms, alpha)


def pairs_of(plan: RunPlan, samples: Sequence[Sample], baseline: Side | None) -> list[Pair]:
    """Return what is held against what: every setting against the baseline's, or the first one.

    A setting that has no storm yet has an empty sample.
    """
    booted = {_key(each.parameters): each for each in samples}
    settings = [variant.parameters for variant in plan.variants]

    def sample(parameters: Mapping[str, str]) -> Sample:
        return booted.get(_key(parameters), Sample(parameters=parameters, storms=()))

    def pair(parameters: Mapping[str, str], against: str, first: Sample) -> Pair:
        one, other, _ = within_hosts(first, sample(parameters))
        return Pair(
            parameters=parameters,
            against=against,
            first=_medians(one),
            second=_medians(other),
            is_paired=baseline is None,
        )

    if baseline is None:
        name, first = settings_label(settings[0]), sample(settings[0])
        return [pair(each, name, first) for each in settings[1:]]
    return [
        pair(settings[place], baseline.identity.label, one)
        for one, place in matched(baseline, settings)
    ]


def _key(parameters: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(parameters.items()))


def _medians(sample: Sample) -> tuple[float, ...]:
    return tuple(storm.median for storm in sample.storms if storm.size)


# Before the start.


def with_looks(plan: RunPlan, baseline: Side | None) -> RunPlan:
    """Return a plan that knows when it is to be looked at; its ``runs`` are the most storms.

    Raises ``ConfigError``, with what to do, where no look could tell anything.
    """
    until = plan.until_decided
    if until is None:
        return plan
    pairs = pairs_of(plan, (), baseline)
    if not pairs:
        raise _undecidable(
            "the baseline has booted none of these settings"
            if baseline
            else "there is nothing to decide between; give -L VAR A,B, or --baseline RUN"
        )

    def can_tell(storms: int, alpha: float) -> bool:
        return all(pair.can_tell(storms, alpha / len(pairs)) for pair in pairs)

    def looks(most: int) -> tuple[int, ...]:
        first = paired.FEWEST_ROUNDS if baseline is None else FIRST_LOOK
        return looks_for(most, first, can_tell)

    if found := looks(plan.runs):
        return replace(plan, until_decided=replace(until, looks=found))
    enough = next((most for most in range(plan.runs + 1, _MOST_TRIED) if looks(most)), None)
    if enough is None:
        raise _undecidable("the baseline has too few storms; boot one with 6 or more (-r 6)")
    raise _undecidable(f"{plan.runs} storms can tell nothing; give --max-runs {enough} or more")


def _undecidable(why: str) -> ConfigError:
    return ConfigError([Problem("until_decided", f"--until-decided: {why}")])


# While it runs.


def decisions(fleet: Fleet, baseline: Side | None) -> tuple[Decision, ...]:
    """Return what the newest look says of each setting; nothing before the first."""
    plan = fleet.plan
    if plan is None or plan.until_decided is None:
        return ()
    pairs = pairs_of(plan, side_of(fleet, THIS_RUN).samples, baseline)
    storms = min((pair.storms for pair in pairs), default=0)
    reached = [look for look in plan.until_decided.looks if look <= storms]
    return at_look(pairs, plan.until_decided, reached[-1]) if reached else ()


def at_look(pairs: Sequence[Pair], until: UntilDecided, storms: int) -> tuple[Decision, ...]:
    """Return what is said of each pair where each has had so many storms, at one of the looks."""
    level = level_at(until, storms)
    found = answers([pair.question(storms) for pair in pairs], level)
    return tuple(
        _decision(pair, storms, each, until.percent)
        for pair, each in zip(pairs, found, strict=True)
    )


def _decision(pair: Pair, storms: int, found: Difference, percent: float) -> Decision:
    standing, interval, same = Standing.OPEN, found.percent_interval, found.same_interval
    if found.is_decided:
        standing = Standing.SLOWER if found.verdict is Verdict.SLOWER else Standing.FASTER
    elif same is not None and -percent <= same.low and same.high <= percent:
        standing, interval = Standing.NO_DIFFERENCE, same
    return Decision(
        parameters=pair.parameters,
        against=pair.against,
        standing=standing,
        storms=storms,
        percent=found.percent,
        low_percent=_known(interval.low) if interval else None,
        high_percent=_known(interval.high) if interval else None,
    )


def _known(percent: float) -> float | None:
    return percent if NOTHING_LEFT < percent < math.inf else None


def so_far(fleet: Fleet, baseline: Side | None) -> tuple[Decision, ...]:
    """Return by how much each setting differs so far, for a run that ended before it was decided.

    No look was due, so nothing is claimed: all stand open, and have no interval.
    """
    plan = fleet.plan
    if plan is None or plan.until_decided is None:
        return ()
    pairs = pairs_of(plan, side_of(fleet, THIS_RUN).samples, baseline)
    return tuple(
        Decision(
            parameters=pair.parameters,
            against=pair.against,
            standing=Standing.OPEN,
            storms=pair.storms,
            percent=pair.question(pair.storms).answer(ranks.ALPHA).percent,
        )
        for pair in pairs
    )


def told(fleet: Fleet, baseline: Side | None) -> tuple[Decision, ...]:
    """Return what is to be said of a run that was to go on until it was decided."""
    return fleet.concluded.decisions if fleet.concluded else so_far(fleet, baseline)


def is_over(found: Sequence[Decision], until: UntilDecided, storms: int) -> bool:
    """Return whether a look at so many storms is the last: all is decided, or there are no more."""
    is_open = any(each.standing is Standing.OPEN for each in found)
    return not is_open or storms >= until.looks[-1]
