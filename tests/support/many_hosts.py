"""A run on several hosts, as the one stream that is made of what each of them tells.

``on_hosts`` retells a stream of one host, such as those of ``recording`` and ``phased``: who takes
part, how far a clock is off, how busy each host is, which VM boots where, and what becomes of the
VMs of a host that is lost.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from support.facts import SECOND, host
from support.recording import Recorder, plan_for
from support.shifting import shifted
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import StartMode
from vmtiming_tui.model.hosts import Hosts
from vmtiming_tui.model.plan import StormKind

HOSTS = ("a", "b", "c")
WORKER_KILLED = "its worker was killed"


def host_joined(name: str, at_ns: int = 0, **changes: object) -> ev.HostJoined:
    """Say that a host takes part; ``changes`` are of its facts, or of what it runs."""
    runs = {
        "address": f"tls://{name}:40001",
        "accel": "kvm",
        "accel_reason": "asked for",
        "qemu_version": "7.2.15",
        "tool_version": "0.1.0",
    }
    told = {key: changes.pop(key, value) for key, value in runs.items()}
    return ev.HostJoined(at_ns=at_ns, host=name, facts=host(hostname=name, **changes), **told)


def clock_measured(name: str, at_ns: int = 0, **changes: int) -> ev.ClockMeasured:
    """Say how far a host's clock is ahead; that of every host is another's day."""
    offset_ns = (sum(name.encode()) % 97 + 1) * 1_000 * SECOND
    told = {"offset_ns": offset_ns, "uncertainty_ns": 120_000, "applied_ns": offset_ns} | changes
    return ev.ClockMeasured(at_ns=at_ns, host=name, **told)


def spread_over(hosts: Sequence[str], vms: Sequence[int]) -> dict[int, str]:
    """Return which host each VM boots on: ranges of ids, as even as can be."""
    return {vm: hosts[place * len(hosts) // len(vms)] for place, vm in enumerate(vms)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosting:
    """On which hosts a run is told to have been made.

    ``placing`` tells where a VM boots; without it each host has a range. ``unlike`` holds what is
    particular to a host. A host of ``lost`` is lost so many seconds into the run, one of ``late``
    joins so many seconds into it. ``uncertainty_ns`` is of hosts' clocks. ``skew_ns``: the VMs of a
    host are all let go at one moment, so much after that of a storm (``--start together``).
    """

    hosts: Sequence[str] = HOSTS
    placing: Mapping[int, str] = field(default_factory=dict)
    unlike: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    lost: Mapping[str, float] = field(default_factory=dict)
    late: Mapping[str, float] = field(default_factory=dict)
    uncertainty_ns: Mapping[str, int] = field(default_factory=dict)
    skew_ns: Mapping[str, int] | None = None


def on_hosts(events: Iterable[ev.Event], hosting: Hosting = Hosting()) -> list[ev.Event]:
    """Return a run of one host as one of several."""
    return sorted(_Retold(hosting).events(list(events)), key=lambda event: event.at_ns)


def many_hosts_run(
    hosts: Sequence[str] = HOSTS,
    number: int = 9,
    storms: int = 1,
    *,
    lost: Mapping[str, float] | None = None,
    slow: Mapping[str, float] | None = None,
    rerun: Sequence[int] = (),
    how: Mapping[str, object] | None = None,
    **hosting: object,
) -> list[ev.Event]:
    """Return a run of so many storms on several hosts.

    A host of ``slow`` takes so many times as long. ``rerun`` are VMs that are booted again at the
    end. ``how`` is the ``Recorder``'s, ``hosting`` that of ``Hosting``.
    """
    where = Hosting(hosts=hosts, lost=lost or {}, **hosting)
    placing = where.placing or spread_over(hosts, range(number))
    plan = replace(plan_for(number), runs=storms)
    if where.skew_ns is not None:
        plan = replace(plan_for(number, start=StartMode.TOGETHER), runs=storms)
    recorder = Recorder(
        number,
        slow_by={vm: (slow or {}).get(name, 1.0) for vm, name in placing.items()},
        **{"started": {"plan": plan}, **(how or {})},
    )
    end = 0.1 - 1
    for _ in range(storms):
        end = recorder.storm(end + 1, range(number))
    if rerun:
        recorder.end(end)
        end = recorder.storm(end + 3, rerun, StormKind.RERUN)
    recorder.end(end)
    return on_hosts(recorder.ordered(), replace(where, placing=placing))


class _Retold:
    """Tells a run anew, on its hosts."""

    def __init__(self, hosting: Hosting) -> None:
        self._hosting = hosting
        self._zero_ns = 0
        self._of_attempt: dict[tuple[int, int], str] = {}
        self._storm_of: dict[tuple[int, int], int] = {}

    def events(self, told: list[ev.Event]) -> Iterator[ev.Event]:
        run = next(event for event in told if isinstance(event, ev.RunStarted))
        self._zero_ns = run.at_ns
        self._place(told)
        later_ns = self._later_ns(told)
        for event in told:
            match event:
                case ev.RunStarted():
                    yield from self._opening(event)
                case ev.VmQueued():
                    yield replace(event, host=self._of_attempt[event.vm, event.attempt])
                case ev.HostSample():
                    yield from self._samples(event)
                case _:
                    attempt = getattr(event, "vm", None), getattr(event, "attempt", None)
                    moved = shifted(event, later_ns.get(attempt, 0))
                    if not self._is_lost(self._of_attempt.get(attempt, ""), moved.at_ns):
                        yield moved
        yield from self._changes(told, later_ns)

    def _at_ns(self, seconds: float) -> int:
        return self._zero_ns + round(seconds * SECOND)

    def _is_lost(self, name: str, at_ns: int) -> bool:
        return name in self._hosting.lost and at_ns >= self._at_ns(self._hosting.lost[name])

    def _place(self, told: Iterable[ev.Event]) -> None:
        """Find out where each attempt boots: where its VM does, or on a host that is left."""
        hosting = self._hosting
        queued = [event for event in told if isinstance(event, ev.VmQueued)]
        placing = dict(hosting.placing) or spread_over(
            hosting.hosts, sorted({event.vm for event in queued})
        )
        for event in queued:
            if self._is_lost(placing[event.vm], event.at_ns):
                left = [each for each in hosting.hosts if not self._is_lost(each, event.at_ns)]
                here = [*left, *(each for each in hosting.late if self._has_joined(each, event))]
                placing[event.vm] = here[event.vm % len(here)]
            self._of_attempt[event.vm, event.attempt] = placing[event.vm]
            self._storm_of[event.vm, event.attempt] = event.storm

    def _has_joined(self, name: str, event: ev.Event) -> bool:
        return self._at_ns(self._hosting.late[name]) <= event.at_ns

    def _later_ns(self, told: Iterable[ev.Event]) -> dict[tuple[int | None, int | None], int]:
        """Return how much later each attempt comes where all of a storm are let go together."""
        if self._hosting.skew_ns is None:
            return {}
        went = {(e.vm, e.attempt): e.go_ns for e in told if isinstance(e, ev.VmStarted)}
        last: dict[int, int] = {}
        for attempt, go_ns in went.items():
            storm = self._storm_of[attempt]
            last[storm] = max(last.get(storm, 0), go_ns)
        skew_ns = self._hosting.skew_ns
        return {
            attempt: last[self._storm_of[attempt]]
            + skew_ns.get(self._of_attempt[attempt], 0)
            - go_ns
            for attempt, go_ns in went.items()
        }

    def _opening(self, run: ev.RunStarted) -> Iterator[ev.Event]:
        joined = [self._joined(name, run.at_ns) for name in self._hosting.hosts]
        hosts = Hosts()
        for each in joined:
            hosts.take(each)
        yield replace(
            run,
            host=hosts.facts,
            accel=", ".join(sorted({each.accel for each in joined})),
            qemu_version=", ".join(sorted({each.qemu_version for each in joined})),
        )
        for each in joined:
            yield each
            yield self._clock(each.host, run.at_ns)

    def _joined(self, name: str, at_ns: int) -> ev.HostJoined:
        return host_joined(name, at_ns, **self._hosting.unlike.get(name, {}))

    def _clock(self, name: str, at_ns: int) -> ev.ClockMeasured:
        known = self._hosting.uncertainty_ns
        return clock_measured(name, at_ns, uncertainty_ns=known.get(name, 120_000))

    def _samples(self, sample: ev.HostSample) -> Iterator[ev.HostSample]:
        for place, name in enumerate(self._hosting.hosts):
            if not self._is_lost(name, sample.at_ns):
                busy = max(0.0, sample.cpu_percent - 7 * place)
                yield replace(sample, host=name, cpu_percent=busy)

    def _changes(
        self, told: list[ev.Event], later_ns: Mapping[tuple[int | None, int | None], int]
    ) -> Iterator[ev.Event]:
        """Yield who joined late and who was lost, and what became of the VMs there."""
        for name, after_s in self._hosting.late.items():
            at_ns = self._at_ns(after_s)
            yield self._joined(name, at_ns)
            yield self._clock(name, at_ns)
            words = f"host {name} has joined: it takes part from the next start on"
            yield ev.Notice(at_ns=at_ns, level=ev.Level.INFO, text=words, host=name)
        for name, after_s in self._hosting.lost.items():
            yield ev.HostLost(
                at_ns=self._at_ns(after_s), host=name, why=WORKER_KILLED, hint="start it again"
            )
            why = f"host {name} was lost at {after_s:.1f} s: {WORKER_KILLED}"
            for vm, attempt in self._left_open(told, later_ns, name):
                who = {"at_ns": self._at_ns(after_s), "vm": vm, "attempt": attempt}
                yield ev.VmFailed(why=why, **who)
                yield ev.VmExited(**who)

    def _left_open(
        self,
        told: list[ev.Event],
        later_ns: Mapping[tuple[int | None, int | None], int],
        name: str,
    ) -> list[tuple[int, int]]:
        """Return the attempts that were on a host when it was lost."""
        here: dict[tuple[int, int], None] = {}
        for event in told:
            attempt = getattr(event, "vm", None), getattr(event, "attempt", None)
            if self._of_attempt.get(attempt) != name:
                continue
            if self._is_lost(name, event.at_ns + later_ns.get(attempt, 0)):
                continue
            if isinstance(event, ev.VmQueued):
                here[attempt] = None
            elif isinstance(event, ev.VmExited):
                here.pop(attempt, None)
        return list(here)
