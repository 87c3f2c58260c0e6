"""How long a run has still to go: a bound that holds, or nothing.

The bound is of the whole plan: what is left of the newest storm, and every storm to come. It rests
on what this run has shown so far and is wide on purpose; where there is nothing to rest it on, such
as a sweep's setting that no storm has booted yet, there is none. A VM that hangs is not told from
one that is slow until it is overdue; then only the limit of a boot is left to go by.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import islice, pairwise

from vmtiming_tui.config import RunConfig
from vmtiming_tui.events import StormKind
from vmtiming_tui.fleet import Attempt, Fleet, Storm
from vmtiming_tui.plan import RunPlan, StormPlan

MARGIN = 1.25
LAST_MARGIN = 1.5
"""A storm takes no longer than this many times the longest of its like so far.

The last one gets more, having no other beside it to make up for.
"""

REACH = 4.0
"""Of a storm half booted, the rest follow within this many times the spread seen so far."""

LEAST_REACH = 0.2
FEWEST = 3


def _last_decided_ns(storm: Storm) -> int:
    return max((attempt.decided_ns or 0 for attempt in storm.attempts.values()), default=0)


class _Past:
    """What the storms of a run that are over have shown, by what a sweep varied."""

    def __init__(self, fleet: Fleet) -> None:
        planned = [s for s in fleet.storms.values() if s.kind is not StormKind.RERUN]
        self._over = [storm for storm in planned if storm.ended_ns is not None]
        self._gaps_ns = [
            after.started_ns - (before.ended_ns or after.started_ns)
            for before, after in pairwise(planned)
        ]

    def _like(self, parameters: Iterable[tuple[str, str]]) -> list[Storm]:
        wanted = dict(parameters)
        return [storm for storm in self._over if dict(storm.parameters) == wanted]

    def booted_ns(self, parameters: Iterable[tuple[str, str]]) -> int | None:
        """Return the longest time from a storm's start to its last VM decided."""
        like = self._like(parameters)
        return max((_last_decided_ns(storm) - storm.started_ns for storm in like), default=None)

    def whole_ns(self, parameters: Iterable[tuple[str, str]]) -> int | None:
        """Return the longest time from a storm's start to its end, all VMs off."""
        like = self._like(parameters)
        return max(((s.ended_ns or 0) - s.started_ns for s in like), default=None)

    def gap_ns(self, plan: RunPlan) -> int | None:
        """Return the longest time between two storms; None where it is not known and may matter."""
        if self._gaps_ns:
            return max(self._gaps_ns)
        return None if plan.prepare or plan.drop_caches else 0

    def slowest_boot_ns(self) -> int | None:
        """Return the longest boot of all storms that are over."""
        boots = (a.boot_ns for storm in self._over for a in storm.attempts.values())
        return max((boot for boot in boots if boot is not None), default=None)


def _boot_bound_ns(attempts: Sequence[Attempt]) -> int | None:
    """Return how long a boot takes at most, told from a storm of which half has booted."""
    boots = sorted(attempt.boot_ns for attempt in attempts if attempt.boot_ns is not None)
    if len(boots) < max(FEWEST, math.ceil(len(attempts) / 2)):
        return None
    return boots[-1] + round(max(REACH * (boots[-1] - boots[0]), LEAST_REACH * boots[-1]))


def _lead_ns(attempts: Sequence[Attempt]) -> int:
    """Return the longest time a VM took from its QEMU's start to being let go."""
    leads = (a.go_ns - a.spawn_ns for a in attempts if a.go_ns is not None and a.spawn_ns)
    return max(leads, default=0)


class _Storm:
    """The newest storm, as far as it has come."""

    def __init__(self, storm: Storm, config: RunConfig, now_ns: int) -> None:
        self._attempts = list(storm.attempts.values())
        waiting = [attempt for attempt in self._attempts if not attempt.state.is_decided]
        self._running_ns = [now_ns - a.go_ns for a in waiting if a.go_ns is not None]
        unqueued = len(set(storm.vms) - storm.attempts.keys())
        self._unstarted = len(waiting) - len(self._running_ns) + unqueued
        self._was_paused = any(attempt.pauses for attempt in waiting)
        self._config = config
        self.age_ns = now_ns - storm.started_ns
        self.is_decided = not waiting and not unqueued

    def _left_ns(self, boot_ns: int) -> int | None:
        """Return what is left where no boot takes longer; None where a VM already has."""
        left = [boot_ns - passed_ns for passed_ns in self._running_ns]
        if min(left, default=0) < 0:
            return None
        at_once = self._config.parallel or self._unstarted or 1
        turns = math.ceil(self._unstarted / at_once)
        stagger_ns = round(self._unstarted * self._config.stagger_s * 1e9)
        return max(left, default=0) + turns * (boot_ns + _lead_ns(self._attempts)) + stagger_ns

    def limit_ns(self) -> int | None:
        """Return when the limit of a boot has ended all; a pause stops a VM's clock."""
        if self._was_paused:
            return None
        return self._left_ns(round(self._config.timeout_s * 1e9))

    def bound_ns(self, storm_ns: int | None, boot_ns: int | None) -> int | None:
        """Return what is left at most; None where nothing tells.

        ``storm_ns`` is how long such a storm takes at most, ``boot_ns`` how long such a boot does.
        """
        if self.is_decided:
            return 0
        known: list[int | None] = []
        if storm_ns is not None:
            left_ns = storm_ns - self.age_ns
            known.append(left_ns if left_ns > 0 else None)
        for each_ns in (boot_ns, _boot_bound_ns(self._attempts)):
            if each_ns is not None:
                known.append(self._left_ns(each_ns))
        if not known:
            return None
        held = [left for left in known if left is not None]
        limit_ns = self.limit_ns()
        if len(held) < len(known):  # a VM is overdue, so what the others took is no guide
            return limit_ns
        return max(held) if limit_ns is None else min(max(held), limit_ns)


def _ahead_ns(past: _Past, plan: RunPlan, ahead: Sequence[StormPlan]) -> int | None:
    """Return how long the storms to come take at most, the last one till its VMs are decided."""
    gap_ns = past.gap_ns(plan)
    if gap_ns is None:
        return None
    total_ns = 0
    for place, storm in enumerate(ahead, start=1):
        parameters = storm.variant.parameters.items()
        is_last = place == len(ahead)
        each_ns = past.booted_ns(parameters) if is_last else past.whole_ns(parameters)
        if each_ns is None:
            return None
        total_ns += round((LAST_MARGIN if is_last else MARGIN) * (each_ns + gap_ns))
    return total_ns


def _config_of(plan: RunPlan, storm: Storm) -> RunConfig:
    wanted = dict(storm.parameters)
    like = (each.config for each in plan.variants if dict(each.parameters) == wanted)
    return next(like, plan.config)


def time_left_ns(fleet: Fleet, plan: RunPlan, now_ns: int) -> int | None:
    """Return the longest that may pass till every VM of the plan is decided; None: not known."""
    storm = fleet.storm
    if storm is None:
        return None
    past, current = _Past(fleet), _Storm(storm, _config_of(plan, storm), now_ns)
    if storm.kind is StormKind.RERUN:
        slowest_ns = past.slowest_boot_ns()
        boot_ns = None if slowest_ns is None else round(LAST_MARGIN * slowest_ns)
        return current.bound_ns(None, boot_ns)
    parameters = storm.parameters.items()
    whole_ns, booted_ns = past.whole_ns(parameters), past.booted_ns(parameters)
    ahead = list(islice(plan.storms(), len(fleet.storms), None))
    margin = MARGIN if ahead else LAST_MARGIN
    bound_ns = current.bound_ns(None if booted_ns is None else round(margin * booted_ns), None)
    if not ahead or bound_ns is None:
        return bound_ns
    after_ns, ending_ns = _ahead_ns(past, plan, ahead), 0
    if storm.ended_ns is None:
        if whole_ns is None or booted_ns is None:
            return None
        ending_ns = round(MARGIN * (whole_ns - booted_ns))
        if current.is_decided:
            ending_ns = max(ending_ns - (now_ns - _last_decided_ns(storm)), 0)
    return None if after_ns is None else bound_ns + ending_ns + after_ns
