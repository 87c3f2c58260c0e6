"""The hosts of a run: what each booted, how busy it was, and how together they let VMs go.

What is said here of one host rests on its own clock alone; only what lies between two hosts carries
what their clocks are off by.
"""

import itertools
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.counted import counted_attempts, counted_by_storm
from vmtiming_tui.analysis.summary import boots_s, lost_of
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.config import StartMode
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.hosts import Host, Hosts

_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFigures:
    """What one of several hosts came to in the boots that count.

    ``boot`` is of their times (s), lost ones ranking last; None where none booted. CPU use and
    pressure are in percent, ``cpu_percent`` the mean and the others the most that was sampled;
    ``memory_least_bytes`` is what was free at the least. None where nothing tells. ``lost_at_ns``
    is since the run's start.
    """

    host: Host
    number: int
    booted: int
    lost: int
    boot: stats.Figures | None
    cpu_percent: float | None = None
    psi_cpu: float | None = None
    psi_io: float | None = None
    psi_memory: float | None = None
    memory_least_bytes: int | None = None
    lost_at_ns: int | None = None

    @property
    def name(self) -> str:
        """What the host is called."""
        return self.host.name

    @property
    def pressure(self) -> float | None:
        """The most that anything waited for a resource, whichever it was."""
        return _most((self.psi_cpu, self.psi_io, self.psi_memory))


@dataclass(frozen=True, slots=True, kw_only=True)
class GoSkew:
    """How far apart hosts let the first of their VMs go, in one round of a storm.

    ``first`` and ``last`` are the hosts that did so first and last; ``uncertainty_ns`` is what
    their two clocks may be off by together.
    """

    storm: int
    round: int
    first: str
    last: str
    skew_ns: int
    uncertainty_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHosts:
    """What the hosts of a run came to, each for itself, and what lies between them.

    ``whole_uncertainty_ns`` is what the time until all had booted may be off by for their clocks;
    of several storms the most.
    """

    figures: tuple[HostFigures, ...]
    skews: tuple[GoSkew, ...]
    whole_uncertainty_ns: int


def run_hosts(fleet: Fleet, scope: Collection[int] | None = None) -> RunHosts | None:
    """Return what several hosts came to; None of a run on one. ``scope`` keeps only these VMs."""
    if not fleet.hosts.are_many:
        return None
    storms = counted_by_storm(fleet, scope).values()
    return RunHosts(
        figures=tuple(host_figures(fleet, scope)),
        skews=tuple(skew for storm in storms for skew in go_skews(fleet, storm)),
        whole_uncertainty_ns=max((whole_uncertainty_ns(fleet, each) for each in storms), default=0),
    )


def host_figures(fleet: Fleet, scope: Collection[int] | None = None) -> list[HostFigures]:
    """Return what each of several hosts came to; nothing of a run on one, whose figures they are.

    ``scope`` keeps only these VMs.
    """
    if not fleet.hosts.are_many:
        return []
    here = by_host(counted_attempts(fleet, scope))
    zero_ns = fleet.run.at_ns if fleet.run else 0
    return [_figures(host, here.get(host.name, []), zero_ns) for host in fleet.hosts.values()]


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _figures(host: Host, attempts: Sequence[Attempt], zero_ns: int) -> HostFigures:
    times, lost, samples = boots_s(attempts), lost_of(attempts), host.samples
    free = [each.memory_available_bytes for each in samples if each.memory_available_bytes]
    return HostFigures(
        host=host,
        number=len(attempts),
        booted=len(times),
        lost=lost,
        boot=stats.describe([*times, *[math.inf] * lost]),
        cpu_percent=stats.mean([each.cpu_percent for each in samples]) if samples else None,
        psi_cpu=_most(each.psi_cpu for each in samples),
        psi_io=_most(each.psi_io for each in samples),
        psi_memory=_most(each.psi_memory for each in samples),
        memory_least_bytes=min(free, default=None),
        lost_at_ns=host.losses[-1].at_ns - zero_ns if host.losses else None,
    )


def go_skews(fleet: Fleet, attempts: Iterable[Attempt]) -> list[GoSkew]:
    """Return how far apart the hosts of each round were that were to let their VMs go together.

    Nothing where VMs do not start together, and of rounds in which one host alone let any go.
    """
    if fleet.plan is None or not fleet.hosts.are_many:
        return []
    rounds: dict[tuple[int, int], dict[str, int]] = {}
    for attempt in attempts:
        storm = fleet.storms.get(attempt.storm)
        config = fleet.plan.config_of(storm.parameters if storm else {})
        if attempt.go_ns is not None and config.start is StartMode.TOGETHER:
            first = rounds.setdefault((attempt.storm, attempt.round), {})
            first[attempt.host] = min(first.get(attempt.host, attempt.go_ns), attempt.go_ns)
    return [
        _skew(fleet, storm, number, went)
        for (storm, number), went in sorted(rounds.items())
        if len(went) > 1
    ]


def _skew(fleet: Fleet, storm: int, number: int, went_ns: dict[str, int]) -> GoSkew:
    first, last = min(went_ns, key=went_ns.__getitem__), max(went_ns, key=went_ns.__getitem__)
    if first == last:
        first, last = list(went_ns)[:2]  # at one moment
    return GoSkew(
        storm=storm,
        round=number,
        first=first,
        last=last,
        skew_ns=went_ns[last] - went_ns[first],
        uncertainty_ns=_between_ns(fleet, first, last),
    )


def _between_ns(fleet: Fleet, one: str, other: str) -> int:
    """Return what a time may be off by that begins on one host's clock and ends on another's."""
    if one == other:
        return 0
    return sum(fleet.hosts[name].clock_error_ns for name in (one, other) if name in fleet.hosts)


def whole_uncertainty_ns(fleet: Fleet, attempts: Iterable[Attempt]) -> int:
    """Return what the time until all of a storm had booted may be off by for its hosts' clocks.

    It ends on the clock of another host than it began on, or it is exact: 0.
    """
    rounds: dict[int, list[Attempt]] = {}
    for attempt in attempts:
        if attempt.go_ns is not None:
            rounds.setdefault(attempt.round, []).append(attempt)
    return sum(
        _between_ns(
            fleet,
            min(here, key=lambda each: each.go_ns or 0).host,
            max(here, key=lambda each: each.report_ns or 0).host,
        )
        for here in rounds.values()
    )


def named_hosts(names: Iterable[str]) -> str:
    """Return hosts by name in words: ``host b``, ``hosts a, b and c``."""
    found = list(names)
    if len(found) == 1:
        return f"host {found[0]}"
    more = len(found) - _NAMED
    *first, last = [*found[:_NAMED], f"{more} more"] if more > 1 else found
    return f"hosts {', '.join(first)} and {last}"


def by_host(attempts: Iterable[Attempt]) -> dict[str, list[Attempt]]:
    """Return attempts by their host; a run on one has them all under an empty name."""
    found: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        found.setdefault(attempt.host, []).append(attempt)
    return found


def was_lost_with_host(fleet: Fleet, attempt: Attempt) -> bool:
    """Return whether an attempt did not boot as its host was lost: that says nothing of its boot.

    What ended on a host before that ended by itself.
    """
    host = fleet.hosts.get(attempt.host)
    decided_ns = attempt.decided_ns
    if host is None or decided_ns is None or not attempt.state.is_lost:
        return False
    return any(attempt.queued_ns <= lost.at_ns <= decided_ns for lost in host.losses)


def levels_s(fleet: Fleet, storms: Sequence[Sequence[Attempt]]) -> list[float | None]:
    """Return the median boot time of each storm (s), as if its hosts were alike and none was lost.

    Of one host it is the storm's median; None where VMs that never booted hide it.
    """
    kept = [
        [attempt for attempt in storm if not was_lost_with_host(fleet, attempt)] for storm in storms
    ]
    booted = [[attempt for attempt in storm if attempt.boot_ns is not None] for storm in kept]
    everyone = [attempt for storm in booted for attempt in storm]
    own = iter(stats.levelled(boots_s(everyone), [attempt.host for attempt in everyone]))
    return [
        stats.worst_rank_percentile(list(itertools.islice(own, len(here))), lost_of(storm), 50)
        for here, storm in zip(booted, kept, strict=True)
    ]


def alike(hosts: Iterable[Host], fact: Callable[[Host], str]) -> dict[str, list[str]]:
    """Return the names of hosts by a fact of theirs; where it is not known they are left out."""
    found: dict[str, list[str]] = {}
    for host in hosts:
        if told := fact(host):
            found.setdefault(told, []).append(host.name)
    return found


def alike_words(hosts: Hosts, fact: Callable[[Host], str]) -> str:
    """Return a fact of hosts in words: once where they are alike, else by host."""
    found = alike(hosts.values(), fact)
    if len(found) < 2:
        return next(iter(found), "")
    return "; ".join(f"{told} ({', '.join(names)})" for told, names in found.items())


def alike_in_short(hosts: Hosts, fact: Callable[[Host], str]) -> str:
    """Return the same of hosts that may be many: what most have first, and the first few names."""
    found = sorted(alike(hosts.values(), fact).items(), key=lambda item: -len(item[1]))
    if len(found) < 2:
        return found[0][0] if found else ""
    words = [f"{told} ({named_hosts(names)})" for told, names in found[:_NAMED]]
    more = len(found) - _NAMED
    return "; ".join([*words, *([f"{more} more"] if more > 0 else [])])
