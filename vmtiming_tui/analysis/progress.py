"""How long a run has still to go: a bound that holds, an estimate beside it, or nothing.

Both are of the whole plan: what is left of the newest storm, and every storm to come. A VM that
hangs is not told from one that is slow until it is overdue, so the bound rests on what the engine
waits for at most, never on what boots have taken. The estimate rests on what this run has shown so
far, and goes as soon as a VM is overdue or has hung: then only the bound is left.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from statistics import NormalDist

from vmtiming_tui.model.attempt import Attempt, VmState
from vmtiming_tui.model.config import AfterReport, End, RunConfig
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan, StormKind, StormPlan
from vmtiming_tui.model.storm import Storm

SECOND_NS = 1_000_000_000

READY_NS = 60 * SECOND_NS
"""From a VM's turn to start up till it is let go; the engine gives up sooner."""

STARTING_AT_ONCE = 12
"""How many QEMUs may start up at once, at least: as many as the engine's gate lets on one CPU."""

LATE_NS = 7 * SECOND_NS
"""How long after its limit, counted from its go, a VM is decided at the latest."""

BETWEEN_NS = 180 * SECOND_NS
"""From a storm's last VM decided to the next storm: QEMUs seen off, images looked at.

A run that has shown a longer time between two storms gets that on top. What collecting and ending
VMs that wait for the end of the boots may take comes on top, too.
"""

COLLECTING_NS = 90 * SECOND_NS
"""How long one guest may take to tell its details; as many at once do as the host has cores."""

ENDING_NS = 20 * SECOND_NS
"""How long the end of a QEMU may take, beyond the limit of its guest's shutdown."""

MARGIN = 1.25
"""What takes longer than this many times the longest of its like so far is overdue."""

REACH = 2.0
"""Of a storm half booted, the rest follow within about this many times what they would take were
boots normally distributed; they have a longer tail.
"""

LEAST_REACH = 0.2
FEWEST = 3


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """How long till every VM of the plan is decided, in ns.

    ``at_most_ns`` holds whatever the VMs do, as long as nobody pauses one, and no storm to come
    goes in more rounds than those before have shown; ``about_ns`` is what it comes to where they go
    on as they did. Each is None where nothing tells.
    """

    about_ns: int | None = None
    at_most_ns: int | None = None


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
        self.longest_between_ns = max(
            (after.started_ns - _last_decided_ns(before) for before, after in pairwise(planned)),
            default=0,
        )

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


def _score(rank: int, count: int) -> float:
    """Return where the ``rank``-th of so many normal values lies, in standard deviations (Blom)."""
    return NormalDist().inv_cdf((rank - 0.375) / (count + 0.25))


def _boot_about_ns(attempts: Sequence[Attempt]) -> int | None:
    """Return how long a boot takes, told from a storm of which half has booted."""
    boots = sorted(attempt.boot_ns for attempt in attempts if attempt.boot_ns is not None)
    seen, count = len(boots), len(attempts)
    if seen < max(FEWEST, math.ceil(count / 2)):
        return None
    first, newest, last = (_score(rank, count) for rank in (1, seen, count))
    reach_ns = REACH * (last - newest) / (newest - first) * (boots[-1] - boots[0])
    return boots[-1] + round(max(reach_ns, LEAST_REACH * boots[-1]))


def _lead_ns(attempts: Sequence[Attempt]) -> int:
    """Return the longest time a VM took from its QEMU's start to being let go."""
    leads = (a.go_ns - a.spawn_ns for a in attempts if a.go_ns is not None and a.spawn_ns)
    return max(leads, default=0)


def _limit_ns(config: RunConfig) -> int:
    """Return within what time a VM that was let go is decided."""
    return round(config.timeout_s * SECOND_NS) + LATE_NS


def _turns_ns(config: RunConfig, count: int, boot_ns: int, ready_ns: int) -> int:
    """Return how long it takes to boot so many more VMs, each when its turn has come."""
    if not count:
        return 0
    at_once = config.at_once(count)
    return math.ceil(count / at_once) * (ready_ns + boot_ns) + _stagger_ns(config, count)


def _stagger_ns(config: RunConfig, count: int) -> int:
    return round(count * config.stagger_s * SECOND_NS)


def _ready_at_most_ns(config: RunConfig, count: int) -> int:
    """Return within what time all VMs whose turn it is are up; the gate lets so many start."""
    at_once = config.at_once(count)
    return math.ceil(at_once / STARTING_AT_ONCE) * READY_NS


def _at_most_ns(config: RunConfig, count: int) -> int:
    """Return within what time so many VMs, none let go yet, are decided."""
    return _turns_ns(config, count, _limit_ns(config), _ready_at_most_ns(config, count))


@dataclass(frozen=True, slots=True)
class _Host:
    """What of the host tells how long storms take: its cores, and how many VMs it can hold.

    ``room`` is as storms that went in rounds have shown; None where all went in one. ``count`` is
    how many hosts it is, taken as one.
    """

    cores: int
    room: int | None
    count: int = 1

    def as_one(self, config: RunConfig) -> RunConfig:
        """Return the same with what each host counts for itself taken together."""
        if config.parallel is not None and config.parallel_per_host:
            config = replace(config, parallel=config.parallel * self.count)
        if config.stagger_per_host:
            config = replace(config, stagger_s=config.stagger_s / self.count)
        return config

    def aftermath_ns(self, config: RunConfig, count: int) -> int:
        """Return within what time so many VMs that have booted are collected and ended."""
        if not count or config.after_report is AfterReport.OFF:
            return 0  # each is under way already
        collecting_ns = math.ceil(count / self.cores) * COLLECTING_NS
        shutdown_ns = 0 if config.end is End.QUIT else round(config.shutdown_timeout_s * SECOND_NS)
        at_once = config.at_once(count)
        return collecting_ns + math.ceil(count / at_once) * (shutdown_ns + ENDING_NS)

    def rounds(self, count: int) -> list[int]:
        """Return how many VMs boot in each round of so many."""
        room = self.room or count
        return [min(room, count - at) for at in range(0, count, room)] if count else []

    def at_most_ns(self, config: RunConfig, count: int) -> int:
        """Return within what time so many VMs are decided, in as many rounds as it takes."""
        *before, last = self.rounds(count) or [0]
        between_ns = sum(self.aftermath_ns(config, size) for size in before)
        return between_ns + sum(_at_most_ns(config, size) for size in (*before, last))


def _host_of(fleet: Fleet) -> _Host:
    rooms = [room for storm in fleet.storms.values() if (room := storm.room) is not None]
    there = [host for host in fleet.hosts.values() if host.lost is None]
    cores = sum(host.facts.cores for host in there)
    return _Host(max(cores, 1), min(rooms, default=None), max(len(there), 1))


def _longest_gap_ns(attempts: Iterable[Attempt]) -> int | None:
    """Return the longest time from a round's last VM decided to the next one's first start."""
    decided_ns: dict[int, int] = {}
    begun_ns: dict[int, int] = {}
    for attempt in attempts:
        number, spawn_ns = attempt.round, attempt.spawn_ns
        decided_ns[number] = max(decided_ns.get(number, 0), attempt.decided_ns or 0)
        if spawn_ns is not None:
            begun_ns[number] = min(begun_ns.get(number, spawn_ns), spawn_ns)
    gaps = (begun_ns[at] - decided_ns[at - 1] for at in begun_ns if at - 1 in decided_ns)
    return max(gaps, default=None)


class _Storm:
    """The newest storm, as far as it has come."""

    def __init__(self, storm: Storm, config: RunConfig, now_ns: int, host: _Host) -> None:
        self._attempts = list(storm.attempts.values())
        waiting = [attempt for attempt in self._attempts if not attempt.state.is_decided]
        self._running_ns = [now_ns - a.go_ns for a in waiting if a.go_ns is not None]
        unqueued = len(set(storm.vms) - storm.attempts.keys())
        self._later = sum(attempt.round > storm.round for attempt in waiting)
        self._unstarted = len(waiting) - len(self._running_ns) + unqueued - self._later
        self._host = host
        self._was_paused = any(attempt.pauses for attempt in waiting)
        self._config = config
        self.age_ns = now_ns - storm.started_ns
        self.decided_for_ns = now_ns - _last_decided_ns(storm)
        self.is_decided = not waiting and not unqueued

    def _running_left_ns(self, boot_ns: int) -> int | None:
        """Return when all that were let go are decided; None where a VM has taken longer."""
        left = [boot_ns - passed_ns for passed_ns in self._running_ns]
        return None if min(left, default=0) < 0 else max(left, default=0)

    def at_most_ns(self) -> int | None:
        """Return when its limit has ended the last VM; a pause stops a VM's clock."""
        left_ns = self._running_left_ns(_limit_ns(self._config))
        if self._was_paused or left_ns is None:
            return None
        left_ns += _at_most_ns(self._config, self._unstarted)
        if not self._later:
            return left_ns
        between_ns = self._host.aftermath_ns(self._config, len(self._attempts) - self._later)
        return left_ns + between_ns + self._host.at_most_ns(self._config, self._later)

    def aftermath_at_most_ns(self) -> int:
        """Return within what time its last round is collected and ended, once it is decided."""
        *_, last = self._host.rounds(self._later) or [len(self._attempts)]
        return self._host.aftermath_ns(self._config, last)

    def about_ns(self, storm_ns: int | None, boot_ns: int | None) -> int | None:
        """Return about what is left; None where nothing tells, or a VM is overdue.

        ``storm_ns`` is about how long such a storm takes, ``boot_ns`` how long such a boot does.
        """
        if self.is_decided:
            return 0
        known: list[int] = []
        if storm_ns is not None:
            if storm_ns <= self.age_ns:
                return None
            known.append(storm_ns - self.age_ns)
        for each_ns in (boot_ns, _boot_about_ns(self._attempts)):
            if each_ns is None:
                continue
            left_ns = self._running_left_ns(each_ns)
            if left_ns is None:
                return None
            later_ns = self._later_about_ns(each_ns)
            if later_ns is not None:
                known.append(left_ns + self._turns_about_ns(self._unstarted, each_ns) + later_ns)
        return max(known, default=None)

    def _turns_about_ns(self, count: int, boot_ns: int) -> int:
        config = self._host.as_one(self._config)
        return _turns_ns(config, count, boot_ns, _lead_ns(self._attempts))

    def _later_about_ns(self, boot_ns: int) -> int | None:
        """Return about how long the rounds to come take; None till one shows what lies between."""
        if not self._later:
            return 0
        gap_ns = _longest_gap_ns(self._attempts)
        if gap_ns is None:
            return None
        sizes = self._host.rounds(self._later)
        return sum(gap_ns + self._turns_about_ns(size, boot_ns) for size in sizes)


def _ahead_about_ns(past: _Past, plan: RunPlan, ahead: Sequence[StormPlan]) -> int | None:
    """Return about how long the storms to come take, the last one till its VMs are decided."""
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
        total_ns += each_ns + gap_ns
    return total_ns


def _about_ns(
    past: _Past, plan: RunPlan, storm: Storm, current: _Storm, ahead: Sequence[StormPlan]
) -> int | None:
    if storm.kind is StormKind.RERUN:
        slowest_ns = past.slowest_boot_ns()
        boot_ns = None if slowest_ns is None else round(MARGIN * slowest_ns)
        return current.about_ns(None, boot_ns)
    parameters = storm.parameters.items()
    whole_ns, booted_ns = past.whole_ns(parameters), past.booted_ns(parameters)
    about_ns = current.about_ns(None if booted_ns is None else round(MARGIN * booted_ns), None)
    if not ahead or about_ns is None:
        return about_ns
    after_ns, ending_ns = _ahead_about_ns(past, plan, ahead), 0
    if storm.ended_ns is None:
        if whole_ns is None or booted_ns is None:
            return None
        ending_ns = whole_ns - booted_ns
        if current.is_decided:
            ending_ns = max(ending_ns - current.decided_for_ns, 0)
    return None if after_ns is None else about_ns + ending_ns + after_ns


def _whole_at_most_ns(
    past: _Past, plan: RunPlan, current: _Storm, ahead: Sequence[StormPlan], host: _Host
) -> int | None:
    """Return the bound of the whole plan; None where a storm's preparation has none."""
    storm_ns = current.at_most_ns()
    if not ahead or storm_ns is None:
        return storm_ns
    between_ns = BETWEEN_NS + past.longest_between_ns
    ending_ns = between_ns + current.aftermath_at_most_ns()
    passed_ns = current.decided_for_ns if current.is_decided else 0
    if plan.prepare or plan.drop_caches or passed_ns > ending_ns:
        return None
    ahead_ns = 0
    for config in (each.variant.config for each in ahead):
        ahead_ns += ending_ns + host.at_most_ns(config, config.number)
        ending_ns = between_ns + host.aftermath_ns(config, host.rounds(config.number)[-1])
    return storm_ns - passed_ns + ahead_ns


def _ahead(fleet: Fleet, plan: RunPlan, storm: Storm) -> list[StormPlan]:
    """Return the storms to come; after a rerun none does."""
    match storm.kind:
        case StormKind.RERUN:
            return []
        case StormKind.DETAIL:
            begun = sum(each.kind is StormKind.DETAIL for each in fleet.storms.values())
            return list(islice(plan.detail_storms(), begun, None))
    of_plan = islice(plan.storms(), len(fleet.storms), None) if fleet.concluded is None else ()
    return [*of_plan, *plan.detail_storms()]


def time_left(fleet: Fleet, plan: RunPlan, now_ns: int) -> TimeLeft:
    """Return how long it takes till every VM of the plan is decided."""
    storm = fleet.storm
    if storm is None:
        return TimeLeft()
    past, host = _Past(fleet), _host_of(fleet)
    current = _Storm(storm, plan.config_of(storm.parameters), now_ns, host)
    ahead = _ahead(fleet, plan, storm)
    at_most_ns = _whole_at_most_ns(past, plan, current, ahead, host)
    has_hung = any(attempt.state is VmState.TIMED_OUT for attempt in fleet.attempts)
    if current.is_decided and not ahead:
        return TimeLeft(0, 0)
    may_end_sooner = plan.until_decided is not None and bool(ahead)
    about_ns = None if has_hung or may_end_sooner else _about_ns(past, plan, storm, current, ahead)
    if about_ns is None or at_most_ns is None:
        return TimeLeft(about_ns, at_most_ns)
    return TimeLeft(min(about_ns, at_most_ns), at_most_ns)
