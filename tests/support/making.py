"""Runs made up for tests: streams of events with known times, the same every time.

``boot_events`` is one boot, which takes what it is told to; ``storm_events`` is one storm of them,
``run_events`` puts storms together into a run, and ``random_run`` draws the times from a seed.
What else a live engine tells, and a run written down step by step, is in ``recording``.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from support.facts import MS, SECOND, argv, plan, run_started
from vmtiming_tui.analysis.thresholds import parse_threshold
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.sources.event_lines import Told


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a boot that does not report: where it ends, ``after_s`` its go.

    ``off_s`` after that its QEMU is gone.
    """

    state: VmState
    after_s: float = 0.0
    off_s: float = 3.0


TIMED_OUT = Fate(VmState.TIMED_OUT, 30.0)
FAILED = Fate(VmState.FAILED, 1.0)
KILLED = Fate(VmState.KILLED, 2.0)
PENDING = Fate(VmState.CONNECTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """What a guest does with the seconds of its boot.

    Its clock starts after the firmware, and it finishes ``lag_s`` before it reports. Of the time
    up to its finish (``of_all``: to its report), ``kernel`` and ``initrd`` are the shares of these
    stages; the rest is userspace's. ``off_s`` after its report its QEMU is gone.
    """

    firmware_s: float = 0.4
    kernel: float = 0.2
    initrd: float = 0.3
    of_all: bool = False
    lag_s: float = 0.02
    off_s: float = 3.0
    uncertainty_ns: int = MS

    def clock_us(self, boot_s: float) -> int:
        """What its clock says when it reports."""
        return round((boot_s - self.firmware_s) * 1e6)

    def stamps_us(self, boot_s: float) -> tuple[int, int, int]:
        """When its initrd and its userspace began, and when it had finished, by its clock."""
        clock = self.clock_us(boot_s)
        finish = clock - round(self.lag_s * 1e6)
        shared = clock if self.of_all else finish
        return round(shared * self.kernel), round(shared * (self.kernel + self.initrd)), finish

    def text(self, boot_s: float) -> str:
        """What systemd-analyze says of it."""
        initrd, userspace, finish = (us / 1e6 for us in self.stamps_us(boot_s))
        return (
            f"Startup finished in {initrd:.3f}s (kernel) + {userspace - initrd:.3f}s (initrd) "
            f"+ {finish - userspace:.3f}s (userspace) = {finish:.3f}s"
        )


def boot_events(
    vm: int,
    boot: float | Fate,
    *,
    attempt: int = 1,
    at_ns: int = 0,
    ready_ns: int = 100 * MS,
    guest: Guest = Guest(),
    with_details: bool = True,
    accel: str = "kvm",
    text: str | None = None,
) -> Iterator[ev.Event]:
    """One attempt after its queueing; ``boot`` is its seconds from go to report, or its fate."""
    who = {"vm": vm, "attempt": attempt}
    go_ns = at_ns + ready_ns
    yield ev.VmLaunched(
        at_ns=at_ns + 12 * MS, pid=4000 + vm, spawn_ns=at_ns, argv=argv(vm, accel), **who
    )
    yield ev.ReportConnected(at_ns=at_ns + 41 * MS, connection=4 + vm, **who)
    yield ev.VmConnected(at_ns=go_ns - 3 * MS, **who)
    yield ev.VmStarted(at_ns=go_ns, go_ns=go_ns, qemu_ns=go_ns, **who)
    if boot == PENDING:
        return
    if isinstance(boot, Fate):
        end_ns = go_ns + round(boot.after_s * SECOND)
        yield from _lost(boot, end_ns, who)
        return
    end_ns = go_ns + round(boot * SECOND)
    yield ev.VmBooted(
        at_ns=end_ns,
        report_ns=end_ns,
        uncertainty_ns=guest.uncertainty_ns,
        text=guest.text(boot) if text is None else text,
        **who,
    )
    if with_details:
        yield _details(guest, boot, end_ns + MS, who)
    off_ns = end_ns + round(guest.off_s * SECOND)
    yield ev.VmExited(at_ns=off_ns, exit_code=0, reason="guest-shutdown", **who)


def _lost(fate: Fate, at_ns: int, who: Mapping[str, int]) -> Iterator[ev.Event]:
    exit_code, reason = 0, "host-qmp-quit"
    match fate.state:
        case VmState.TIMED_OUT:
            yield ev.VmTimedOut(at_ns=at_ns, limit_ns=round(fate.after_s * SECOND), **who)
        case VmState.KILLED:
            yield ev.VmKilled(at_ns=at_ns, why="killed on request", **who)
            exit_code, reason = -9, "host-signal"
        case VmState.FAILED:
            why = "the guest's kernel panicked"
            yield ev.VmFailed(at_ns=at_ns, why=why, stderr="qemu: oh dear\n", **who)
            reason = "guest-panic"
    off_ns = at_ns + round(fate.off_s * SECOND)
    yield ev.VmExited(at_ns=off_ns, exit_code=exit_code, reason=reason, **who)


def _details(guest: Guest, boot_s: float, at_ns: int, who: Mapping[str, int]) -> ev.VmDetails:
    initrd, userspace, finish = guest.stamps_us(boot_s)
    return ev.VmDetails(
        at_ns=at_ns,
        clock_us=guest.clock_us(boot_s),
        timestamps_us={
            "KernelTimestampMonotonic": 0,
            "InitRDTimestampMonotonic": initrd,
            "UserspaceTimestampMonotonic": userspace,
            "FinishTimestampMonotonic": finish,
        },
        slowest=("1.200s dev-vda.device", "300ms systemd-udevd.service"),
        failed_units=(),
        critical_chain=("multi-user.target @2.0s",),
        **who,
    )


def opening_events(
    attempts: Mapping[int, int],
    *,
    storm: int = 1,
    at_ns: int = SECOND,
    kind: StormKind = StormKind.RUN,
    planned: int = 1,
    parameters: Mapping[str, str] | None = None,
) -> Iterator[ev.Event]:
    """A storm's begin, with the number of the attempt of each of its VMs."""
    yield ev.StormStarted(
        at_ns=at_ns,
        storm=storm,
        kind=kind,
        vms=tuple(attempts),
        parameters=parameters or {},
        planned=planned,
    )
    for vm, attempt in attempts.items():
        yield ev.VmQueued(at_ns=at_ns, vm=vm, attempt=attempt, storm=storm)
    yield ev.RoundStarted(at_ns=at_ns, storm=storm, round=1, rounds=1, vms=tuple(attempts))


def storm_events(
    boots: Mapping[int, float | Fate] | Sequence[float | Fate],
    *,
    storm: int = 1,
    at_ns: int = SECOND,
    kind: StormKind = StormKind.RUN,
    planned: int = 1,
    parameters: Mapping[str, str] | None = None,
    attempts: Mapping[int, int] | None = None,
    skew_s: float = 0.1,
    **each: object,
) -> list[ev.Event]:
    """One storm, its events in the order of their time; VM i starts ``i * skew_s`` later."""
    fates = dict(boots) if isinstance(boots, Mapping) else dict(enumerate(boots))
    number_of = {vm: (attempts or {}).get(vm, 1) for vm in fates}
    opening = opening_events(
        number_of, storm=storm, at_ns=at_ns, kind=kind, planned=planned, parameters=parameters
    )
    middle: list[ev.Event] = []
    for place, (vm, fate) in enumerate(fates.items()):
        begin_ns = at_ns + round(place * skew_s * SECOND)
        middle += boot_events(vm, fate, attempt=number_of[vm], at_ns=begin_ns, **each)
    middle.sort(key=lambda event: event.at_ns)
    closing: list[ev.Event] = []
    if PENDING not in fates.values():
        last_ns = max((event.at_ns for event in middle), default=at_ns)
        closing.append(ev.StormEnded(at_ns=last_ns, storm=storm))
    return [*opening, *middle, *closing]


def run_events(
    storms: Iterable[Sequence[float | Fate]],
    *,
    parameters: Sequence[Mapping[str, str]] | None = None,
    kinds: Sequence[StormKind] | None = None,
    outcome: ev.Outcome | None = ev.Outcome.FINISHED,
    run: str = "run-1",
    started: Mapping[str, object] | None = None,
    **each: object,
) -> list[ev.Event]:
    """A whole run of storms one after another; without ``outcome`` it just stops."""
    rows = list(storms)
    number = max((len(row) for row in rows), default=1)
    facts = {"number": number, "plan": plan(number, len(rows))} | dict(started or {})
    stream: list[ev.Event] = [run_started(run=run, **facts)]
    seen: dict[int, int] = {}
    at_ns = SECOND
    for index, row in enumerate(rows):
        for vm in range(len(row)):
            seen[vm] = seen.get(vm, 0) + 1
        stream += storm_events(
            row,
            storm=index + 1,
            at_ns=at_ns,
            kind=kinds[index] if kinds else StormKind.RUN,
            planned=len(rows),
            parameters=parameters[index] if parameters else {},
            attempts=dict(seen),
            **each,
        )
        at_ns = stream[-1].at_ns + SECOND
    if outcome is not None:
        stream.append(ev.RunEnded(at_ns=at_ns, outcome=outcome))
    return stream


def random_run(vms: int, storms: int, seed: int = 1, run: str = "run-1") -> list[ev.Event]:
    """A run whose boots take some 5 s, a little different in every storm."""
    chance = random.Random(seed)
    rows = []
    for _ in range(storms):
        middle = chance.gauss(5, 0.2)
        rows.append([max(1.0, chance.gauss(middle, 0.3)) for _ in range(vms)])
    return run_events(rows, run=run, skew_s=0.001)


def fleet_of(storms: Iterable[Sequence[float | str]], **options: object) -> Fleet:
    return Fleet(run_events(storms, **options))


def run_failing_for(*reasons: str) -> list[ev.Event]:
    """A storm in which each VM fails for one of these reasons."""
    why = iter(reasons)
    return [
        replace(event, why=next(why)) if isinstance(event, ev.VmFailed) else event
        for event in run_events([[FAILED] * len(reasons)])
    ]


def held_to(fleet: Fleet, *limits: str) -> Fleet:
    """Return the run as if it had been started with these limits (``--fail-over``)."""
    assert fleet.run is not None and fleet.plan is not None
    asked = replace(fleet.plan, thresholds=tuple(map(parse_threshold, limits)))
    fleet.run = replace(fleet.run, plan=asked)
    return fleet


def raw(events: Iterable[ev.Event]) -> bytes:
    """Return events as the engine writes them."""
    return b"".join(ev.encode(event).encode() + b"\n" for event in events)


def as_told(events: Iterable[ev.Event]) -> list[Told]:
    """Return events as a source hands them over, each with the line it came as."""
    return [Told(ev.encode(event).encode(), event) for event in events]


def lines_into(file: BinaryIO) -> Callable[[Sequence[Told]], None]:
    """Return what writes a stream's lines to a file, as they came."""
    return lambda told: file.writelines(each.line + b"\n" for each in told)
