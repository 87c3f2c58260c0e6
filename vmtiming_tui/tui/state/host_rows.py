"""The hosts of a run as the dashboard shows them: what each is at, in an order, some of them; pure.

A run on one host has no rows.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.summary import boots_s, lost_of
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.events import HostSample
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.hosts import Host


class HostState(StrEnum):
    """What a host is at, worst first: ``idle`` is one that none of the VMs is on."""

    LOST = "lost"
    BOOTING = "booting"
    DONE = "done"
    IDLE = "idle"


class HostSort(StrEnum):
    """What hosts are ordered by; also the columns, in their order."""

    HOST = "host"
    STATE = "state"
    BOOTED = "booted"
    FAILED = "failed"
    MEDIAN = "median s"
    CPU = "CPU"
    PRESSURE = "pressure"
    FREE = "free"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class HostBoots:
    """What became of the VMs that are on a host: of each its newest attempt.

    ``failed`` are all that were lost, whatever the reason. ``median_ns`` is of the host's boots
    that count, where those that were lost rank behind all others.
    """

    vms: int = 0
    booted: int = 0
    failed: int = 0
    median_ns: int | None = None


@dataclass(frozen=True, slots=True)
class HostRow:
    """One host, what became of its VMs, and its ``place`` among all as they were told."""

    host: Host
    boots: HostBoots
    place: int

    @property
    def name(self) -> str:
        """What it is called, as it may be told from others by."""
        return self.host.name

    @property
    def state(self) -> HostState:
        """What it is at."""
        if self.host.lost is not None:
            return HostState.LOST
        if not self.boots.vms:
            return HostState.IDLE
        is_over = self.boots.booted + self.boots.failed >= self.boots.vms
        return HostState.DONE if is_over else HostState.BOOTING

    @property
    def clock_error_ns(self) -> int | None:
        """What its clock is off by at the most against others; None before it was measured."""
        return self.host.clock_error_ns if self.host.clock is not None else None

    @property
    def pressure(self) -> tuple[str, float] | None:
        """What its tasks wait for most, and for how much of the time (percent); None if untold."""
        if (sample := self.host.sample) is None:
            return None
        told = {"CPU": sample.psi_cpu, "io": sample.psi_io, "memory": sample.psi_memory}
        known = {name: percent for name, percent in told.items() if percent is not None}
        return max(known.items(), key=lambda pair: pair[1], default=None)


def boots_by_host(fleet: Fleet, counted: Iterable[Attempt]) -> dict[str, HostBoots]:
    """Return what became of VMs by their host, of several; ``counted`` are the boots that count."""
    if not fleet.hosts.are_many:
        return {}
    vms: Counter[str] = Counter()
    decided: dict[str, list[Attempt]] = {}
    for vm in fleet.vms.values():
        newest = vm.attempts[-1]
        vms[newest.host] += 1
        if newest.decided_ns is not None:
            decided.setdefault(newest.host, []).append(newest)
    of_figures: dict[str, list[Attempt]] = {}
    for attempt in counted:
        if attempt.decided_ns is not None:
            of_figures.setdefault(attempt.host, []).append(attempt)
    return {
        name: HostBoots(
            vms=vms[name],
            booted=sum(attempt.state.is_booted for attempt in decided.get(name, ())),
            failed=lost_of(decided.get(name, ())),
            median_ns=_median_ns(of_figures.get(name, ())),
        )
        for name in {**vms, **of_figures}
    }


def _median_ns(attempts: Sequence[Attempt]) -> int | None:
    times = sorted(boots_s(attempts))
    median_s = stats.worst_rank_percentile(times, lost_of(attempts), 50)
    return None if median_s is None else round(median_s * 1e9)


def host_rows(fleet: Fleet, boots: Mapping[str, HostBoots]) -> list[HostRow]:
    """Return a row for each of several hosts, in the order they were told."""
    if not fleet.hosts.are_many:
        return []
    return [
        HostRow(host, boots.get(name, HostBoots()), place)
        for place, (name, host) in enumerate(fleet.hosts.items())
    ]


def idlest_and_busiest(hosts: Iterable[Host]) -> tuple[HostSample, HostSample] | None:
    """Return how busy the least and the most busy of hosts are that are there, if any tells."""
    samples = [host.samples[-1] for host in hosts if host.samples and host.lost is None]
    if not samples:
        return None
    by_cpu = attrgetter("cpu_percent")
    return min(samples, key=by_cpu), max(samples, key=by_cpu)


_STATES = {state: place for place, state in enumerate(HostState)}


def _badness(row: HostRow) -> tuple[float, ...]:
    """Return what orders hosts by their states; within one that comes first which lags most."""
    boots = row.boots
    share = boots.booted / max(boots.vms, 1)
    return _STATES[row.state], -boots.failed, share, -(boots.median_ns or 0)


def _cpu(row: HostRow) -> float | None:
    return row.host.sample.cpu_percent if row.host.sample else None


def _free(row: HostRow) -> float | None:
    return row.host.sample.memory_available_bytes if row.host.sample else None


_KEYS: Mapping[HostSort, Callable[[HostRow], float | None]] = {
    HostSort.HOST: lambda row: row.place,
    HostSort.BOOTED: lambda row: row.boots.booted,
    HostSort.FAILED: lambda row: row.boots.failed,
    HostSort.MEDIAN: lambda row: row.boots.median_ns,
    HostSort.CPU: _cpu,
    HostSort.PRESSURE: lambda row: row.pressure[1] if row.pressure else None,
    HostSort.FREE: _free,
    HostSort.CLOCK: lambda row: row.clock_error_ns,
}


def ordered(
    rows: Iterable[HostRow], by: HostSort = HostSort.STATE, *, descending: bool = False
) -> list[HostRow]:
    """Return hosts in an order, by their states the worst first; what is not known comes last."""
    if by is HostSort.STATE:
        return sorted(rows, key=_badness, reverse=descending)
    key, sign = _KEYS[by], -1 if descending else 1
    known, unknown = [], []
    for row in rows:
        value = key(row)
        if value is None:
            unknown.append(row)
        else:
            known.append((sign * value, row))
    return [row for _, row in sorted(known, key=lambda pair: pair[0])] + unknown


@dataclass(slots=True)
class HostView:
    """Which hosts are shown, and in which order; at first all of them, the worst first."""

    filter_text: str = ""
    sort: HostSort = HostSort.STATE
    descending: bool = False
    shown: list[HostRow] = field(default_factory=list)

    def matches(self, row: HostRow) -> bool:
        """Return whether the filter's text is in a host's name, state or address; ``!`` inverts."""
        text = self.filter_text.strip().lower()
        plain = text.lstrip("! ")
        words = f"{row.name} {row.state} {row.host.address}".lower()
        return (plain in words) is not bool(text[: len(text) - len(plain)].count("!") % 2)

    def step_sort(self, step: int, among: Sequence[HostSort]) -> None:
        """Order by the next of these, or the one before."""
        at = among.index(self.sort) if self.sort in among else 0
        self.sort = among[(at + step) % len(among)]

    def sort_by(self, sort: HostSort) -> None:
        """Order by this column; by the same one again turns the order around."""
        self.descending = not self.descending if sort is self.sort else False
        self.sort = sort

    def refresh(self, rows: Iterable[HostRow]) -> None:
        """Reckon anew what is shown of these."""
        self.shown = ordered(filter(self.matches, rows), self.sort, descending=self.descending)
