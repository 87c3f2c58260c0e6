"""A live run, written down step by step: all that an engine tells, for the dashboard.

The boots are those of ``making``, their times drawn from a seed; beside them stands what only a
live run has: what is seen of each boot while it goes on and when it is over, and how busy the host
is. Guests go on at once after their report and no phase is told, as by earlier versions; ``phased``
tells such a run in phases.
"""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from support.facts import MS, SECOND, plan, run_started
from support.making import FAILED, KILLED, TIMED_OUT, Fate, Guest, boot_events, opening_events
from support.sightings import sightings
from support.signs import signs
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.config import Accel
from vmtiming_tui.model.plan import RunPlan, StormKind

ZERO_NS = 5_000 * SECOND
WALL_NS = 1_735_725_600 * SECOND

GUEST = Guest(
    firmware_s=0.5, kernel=0.18, initrd=0.14, of_all=True, lag_s=0.04, off_s=0.38,
    uncertainty_ns=600_000,
)  # fmt: skip

ENGINE_LOST = ev.EngineFailed(
    at_ns=ZERO_NS + SECOND,
    why="the engine ended unexpectedly (killed by SIGKILL)",
    hint="every VM was ended with it; run again",
)


def plan_for(number: int, **changed: object) -> RunPlan:
    """The plan of a live run: one storm."""
    return plan(
        number,
        **{
            "memory_mib": 340,
            "prefix": "debian-12",
            "suffix": ".img",
            "vmdir": "vms",
            "kernel": "BFILES/vmlinuz",
            "initrd": "BFILES/initrd",
            "accel": Accel.KVM,
            "timeout_s": 60.0,
            **changed,
        },
    )


@dataclass
class Recorder:
    """Writes one run; ``at`` everywhere is seconds since its begin."""

    number: int
    seed: int = 7
    mean_s: float = 6.0
    stagger_s: float = 0.05
    failing: frozenset[int] = frozenset()
    hanging: frozenset[int] = frozenset()
    killed: frozenset[int] = frozenset()
    hang_s: float = 20.0
    usage: bool = True
    signs: bool = True
    slow_by: Mapping[int, float] = field(default_factory=dict)
    started: Mapping[str, object] = field(default_factory=dict)
    events: list[ev.Event] = field(default_factory=list)
    attempts: dict[int, int] = field(default_factory=dict)
    storms: int = 0

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        facts = {"run": "r1", "wall_ns": WALL_NS, "plan": plan_for(self.number)}
        self.events.append(run_started(ZERO_NS, number=self.number, **facts | self.started))

    def storm(
        self,
        at: float,
        vms: Iterable[int],
        kind: StormKind = StormKind.RUN,
        slow: float = 1.0,
    ) -> float:
        """Boot these VMs together; return when all are decided."""
        self.storms += 1
        begin_ns = ZERO_NS + int(at * SECOND)
        again = {vm: self.attempts.get(vm, 0) + 1 for vm in vms}
        self.attempts |= again
        self.events += opening_events(again, storm=self.storms, at_ns=begin_ns, kind=kind)
        end_ns = begin_ns
        for place, vm in enumerate(again):
            at_ns = begin_ns + int((0.02 + place * self.stagger_s) * SECOND)
            *life, end = self._boot(vm, at_ns, slow)
            self.events += [*life, end]
            end_ns = max(end_ns, end.at_ns)
        self.events += self._host(begin_ns, end_ns)
        self.events.append(ev.StormEnded(at_ns=end_ns + 1, storm=self.storms))
        return (end_ns - ZERO_NS) / SECOND

    def _boot(self, vm: int, at_ns: int, slow: float) -> Iterator[ev.Event]:
        ready_ns = 85 * MS + self._dice.randrange(20 * MS)
        length_s = self._length_s(vm, slow)
        boot = self._fate(vm, length_s)
        attempt, go_ns = self.attempts[vm], at_ns + ready_ns
        life = boot_events(vm, boot, attempt=attempt, at_ns=at_ns, ready_ns=ready_ns, guest=GUEST)
        if self.signs:
            yield from self._signs(vm, boot, length_s, go_ns)
        yield from sightings(life, self.usage)

    def _signs(
        self, vm: int, boot: float | Fate, length_s: float, go_ns: int
    ) -> Iterator[ev.Event]:
        is_lost = isinstance(boot, Fate)
        end_ns = go_ns + round(boot.after_s * SECOND) if is_lost else None
        return signs(
            vm, self.attempts[vm], GUEST, go_ns=go_ns, boot_s=length_s,
            is_stuck=is_lost and boot.state is VmState.TIMED_OUT, until_ns=end_ns,
        )  # fmt: skip

    def _length_s(self, vm: int, slow: float) -> float:
        slow *= self.slow_by.get(vm, 1.0)
        length_s = self.mean_s * slow * max(0.55, self._dice.gauss(1, 0.12))
        return length_s * 1.45 if vm % 17 == 5 else length_s

    def _fate(self, vm: int, length_s: float) -> float | Fate:
        if self.attempts[vm] > 1:
            return length_s
        if vm in self.failing:
            return replace(FAILED, after_s=min(length_s, 2.2), off_s=0.06)
        if vm in self.hanging:
            return replace(TIMED_OUT, after_s=self.hang_s, off_s=0.2)
        if vm in self.killed:
            return replace(KILLED, after_s=length_s / 2, off_s=0.1)
        return length_s

    def _host(self, begin_ns: int, end_ns: int) -> Iterator[ev.HostSample]:
        for at_ns in range(begin_ns, end_ns, SECOND // 2):
            share = (at_ns - begin_ns) / max(end_ns - begin_ns, SECOND)
            busy = 97 - 60 * share**3 + self._dice.uniform(-4, 3)
            yield ev.HostSample(
                at_ns=at_ns,
                cpu_percent=max(4.0, min(busy, 100.0)),
                load1=1 + 14 * share,
                psi_cpu=max(0.0, busy / 3),
                psi_io=2.0,
                psi_memory=0.0,
                memory_available_bytes=40 << 30,
            )

    def end(self, at: float, outcome: ev.Outcome = ev.Outcome.FINISHED) -> None:
        """Say that the run is over."""
        self.events.append(ev.RunEnded(at_ns=ZERO_NS + int(at * SECOND) + 2, outcome=outcome))

    def ordered(self) -> list[ev.Event]:
        """Return the events in the order they became known."""
        told = [event for event in self.events if not isinstance(event, ev.RoundStarted)]
        return sorted(told, key=lambda event: event.at_ns)


def smooth_run(number: int, **how: object) -> list[ev.Event]:
    """Return a run in which every VM boots."""
    recorder = Recorder(number, **how)
    recorder.end(recorder.storm(0.1, range(number)))
    return recorder.ordered()


def troubled_run(number: int) -> list[ev.Event]:
    """Return a run with panics, time-outs and kills, and a rerun of two VMs."""
    recorder = Recorder(
        number,
        failing=frozenset(vm for vm in range(number) if vm % 13 == 4),
        hanging=frozenset(vm for vm in range(number) if vm % 29 == 6),
        killed=frozenset(vm for vm in range(number) if vm % 37 == 7),
    )
    end = recorder.storm(0.1, range(number))
    recorder.end(end)
    again = recorder.storm(end + 3, [2, 5], StormKind.RERUN, slow=1.6)
    recorder.end(again)
    return recorder.ordered()


def repeated_run(number: int, *, warmup: int = 0, runs: int) -> list[ev.Event]:
    """Return a run of several storms, a second after each other."""
    plan = replace(plan_for(number), warmup=warmup, runs=runs)
    recorder = Recorder(number, started={"plan": plan})
    end = 0.1 - 1
    for kind in [StormKind.WARMUP] * warmup + [StormKind.RUN] * runs:
        end = recorder.storm(end + 1, range(number), kind)
    recorder.end(end)
    return recorder.ordered()


def stuck_run(number: int, stuck: int = 17) -> list[ev.Event]:
    """Return a run in which every VM boots but one, which hangs for ten times as long."""
    recorder = Recorder(
        number, hanging=frozenset({stuck}), hang_s=58.0, stagger_s=2.0 / number, usage=number <= 300
    )
    recorder.end(recorder.storm(0.1, range(number)))
    return recorder.ordered()


def until(events: list[ev.Event], at: float) -> list[ev.Event]:
    """Return what was known ``at`` seconds into the run."""
    limit = ZERO_NS + int(at * SECOND)
    return [event for event in events if event.at_ns <= limit]
