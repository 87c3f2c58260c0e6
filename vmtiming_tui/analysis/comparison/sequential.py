"""Deciding while a run goes on: looked at several times, without more false alarms than at one.

A test at 5 % that is repeated at every look says "slower" of what is the same far more often than
in 5 % of the runs. So the 5 % are spent on the looks by a schedule that is fixed before the start:
Lan and DeMets, Discrete Sequential Boundaries for Clinical Trials (Biometrika, 1983), with their
function of Pocock's kind, ``alpha ln(1 + (e - 1) t)``, where ``t`` is the share of the storms that
there are at most. Each look tests at what is added since the look before it. That the tests of
several looks hang together is not made use of: what is spent is a bound (Bonferroni's) that holds
with exact tests however they do, also of several settings, which share it.

At each look the interval of the change at that level tells faster from slower; where it includes
none, two one-sided tests tell that there is no difference of so many percent (Schuirmann, 1987),
their errors spent likewise. What was decided at one look stays decided.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from vmtiming_tui.analysis.comparison import paired, ranks
from vmtiming_tui.analysis.comparison.compare import matched
from vmtiming_tui.analysis.comparison.samples import THIS_RUN, Sample, Side, side_of
from vmtiming_tui.analysis.summary import settings_label
from vmtiming_tui.errors import ConfigError, Problem
from vmtiming_tui.model.decision import Decision, Standing, UntilDecided
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan

_LOOKS = (10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120)
_FIRST_LOOK = 5
_APART = 1.5
_MOST_TRIED = 1000


# The schedule.


def spent(storms: int, most: int, alpha: float = ranks.ALPHA) -> float:
    """Return what of ``alpha`` is spent by the looks at up to so many storms of ``most``."""
    return alpha * math.log(1 + (math.e - 1) * min(storms / most, 1.0))


def levels(looks: Sequence[int], alpha: float = ranks.ALPHA) -> list[float]:
    """Return the level to test at in each look; the last is at all the storms there may be."""
    budget = [0.0, *(spent(storms, looks[-1], alpha) for storms in looks)]
    return [after - before for before, after in pairwise(budget)]


def looks_for(
    most: int, first: int, can_tell: Callable[[int, float], bool], alpha: float = ranks.ALPHA
) -> tuple[int, ...]:
    """Return after how many storms to look: at ``first``, 10, 20, 40 ... and at ``most``.

    ``can_tell`` says whether so many storms could show any difference at a level: a look that could
    not spends nothing and is left out, as is one shortly before the last. Empty where none could.
    """
    kept: list[int] = []
    for storms in (*(each for each in (first, *_LOOKS) if each * _APART <= most), most):
        if storms == most:
            while kept and not can_tell(most, levels([*kept, most], alpha)[-1]):
                kept.pop()
        level = spent(storms, most, alpha) - (spent(kept[-1], most, alpha) if kept else 0.0)
        if can_tell(storms, level):
            kept.append(storms)
    return tuple(kept) if most in kept else ()


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

    def ratio(self, storms: int, alpha: float) -> ranks.Ratio | None:
        """Return how many times as long the first so many storms took, with its interval."""
        if self.is_paired:
            return paired.paired_ratio(self.first[:storms], self.second[:storms], alpha)
        return ranks.ratio(self.first, self.second[:storms], alpha)

    def can_tell(self, storms: int, alpha: float) -> bool:
        """Return whether so many storms could ever show a difference at a level.

        A single storm of an earlier run says nothing of how far its like differ.
        """
        if self.is_paired:
            return storms >= paired.fewest_that_can_tell(alpha)
        return len(self.first) > 1 and ranks.can_tell(len(self.first), storms, alpha)


def pairs_of(plan: RunPlan, samples: Sequence[Sample], baseline: Side | None) -> list[Pair]:
    """Return what is held against what: every setting against the baseline's, or the first one.

    A setting that has no storm yet has an empty sample.
    """
    medians = {_key(each.parameters): _medians(each) for each in samples}
    settings = [variant.parameters for variant in plan.variants]

    def pair(parameters: Mapping[str, str], against: str, first: tuple[float, ...]) -> Pair:
        return Pair(
            parameters=parameters,
            against=against,
            first=first,
            second=medians.get(_key(parameters), ()),
            is_paired=baseline is None,
        )

    if baseline is None:
        name, first = settings_label(settings[0]), medians.get(_key(settings[0]), ())
        return [pair(each, name, first) for each in settings[1:]]
    return [
        pair(settings[place], baseline.identity.label, _medians(one))
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
        return all(pair.can_tell(storms, alpha) for pair in pairs)

    def looks(most: int) -> tuple[int, ...]:
        first = paired.FEWEST_ROUNDS if baseline is None else _FIRST_LOOK
        return looks_for(most, first, can_tell, ranks.ALPHA / len(pairs))

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
    """Return what the looks at a run so far have said of each setting."""
    plan = fleet.plan
    if plan is None or plan.until_decided is None:
        return ()
    pairs = pairs_of(plan, side_of(fleet, THIS_RUN).samples, baseline)
    alpha = ranks.ALPHA / max(len(pairs), 1)
    return tuple(decide(pair, plan.until_decided, alpha) for pair in pairs)


def decide(pair: Pair, until: UntilDecided, alpha: float) -> Decision:
    """Return what the first look said that could say something, or else the last one there was.

    ``alpha`` is what may be spent on this pair.
    """
    found = Decision(
        parameters=pair.parameters, against=pair.against, standing=Standing.OPEN, storms=0
    )
    for storms, level in zip(until.looks, levels(until.looks, alpha), strict=True):
        if storms > pair.storms:
            break
        standing, told = _at_look(pair, storms, level, until.percent)
        found = _told(replace(found, standing=standing, storms=storms), told)
        if standing is not Standing.OPEN:
            break
    return found


def _at_look(
    pair: Pair, storms: int, level: float, percent: float
) -> tuple[Standing, ranks.Ratio | None]:
    change = pair.ratio(storms, level)
    if change is None or change.interval is None:
        return Standing.OPEN, change
    if change.interval.low > 1:
        return Standing.SLOWER, change
    if change.interval.high < 1:
        return Standing.FASTER, change
    narrow = pair.ratio(storms, 2 * level)
    if narrow is not None and narrow.interval is not None:
        low, high = narrow.interval.low, narrow.interval.high
        if 1 - percent / 100 <= low and high <= 1 + percent / 100:
            return Standing.NO_DIFFERENCE, narrow
    return Standing.OPEN, change


def _told(decision: Decision, change: ranks.Ratio | None) -> Decision:
    if change is None:
        return decision
    interval = change.interval
    return replace(
        decision,
        percent=_percent(change.estimate),
        low_percent=_percent(interval.low) if interval else None,
        high_percent=_percent(interval.high) if interval else None,
    )


def _percent(ratio: float) -> float | None:
    return (ratio - 1) * 100 if 0 < ratio < math.inf else None


def so_far(fleet: Fleet, baseline: Side | None) -> tuple[Decision, ...]:
    """Return by how much each setting differs so far, for a run that ended before it was decided.

    No look was due, so nothing is claimed: all stand open, and have no interval.
    """
    plan = fleet.plan
    if plan is None or plan.until_decided is None:
        return ()
    found = []
    for pair in pairs_of(plan, side_of(fleet, THIS_RUN).samples, baseline):
        change = pair.ratio(pair.storms, ranks.ALPHA) if pair.storms else None
        found.append(
            Decision(
                parameters=pair.parameters,
                against=pair.against,
                standing=Standing.OPEN,
                storms=pair.storms,
                percent=_percent(change.estimate) if change else None,
            )
        )
    return tuple(found)


def told(fleet: Fleet, baseline: Side | None) -> tuple[Decision, ...]:
    """Return what is to be said of a run that was to go on until it was decided."""
    return fleet.concluded.decisions if fleet.concluded else so_far(fleet, baseline)


def is_over(found: Sequence[Decision], until: UntilDecided, storms: int) -> bool:
    """Return whether a look at so many storms is the last: all is decided, or there are no more."""
    is_open = any(each.standing is Standing.OPEN for each in found)
    return not is_open or storms >= until.looks[-1]
