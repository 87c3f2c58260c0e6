"""Runs made up for tests: streams of events with known times, the same every time.

``storm_events`` is one storm whose boots take what they are told to; ``run_events`` puts storms
together into a run; ``random_run`` draws the times from a seed.
"""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence

from vmtiming_tui import events as ev
from vmtiming_tui.config import RunConfig
from vmtiming_tui.fleet import Fleet
from vmtiming_tui.plan import RunPlan, Variant, plan_to_json

SECOND = 1_000_000_000
MS = 1_000_000

HOST: Mapping[str, object] = {
    "hostname": "bench1",
    "kernel": "6.1.0-18-amd64",
    "os": "Debian GNU/Linux 12 (bookworm)",
    "cpu_model": "Imaginary CPU @ 3.00GHz",
    "cores": 8,
    "governor": "performance",
    "virtualised": "",
    "memory_bytes": 16 << 30,
    "memory_available_bytes": 12 << 30,
    "load1": 0.1,
    "psi": {"cpu": 0.0, "io": 0.0, "memory": 0.0},
}

TIMED_OUT, FAILED, KILLED, PENDING = "timed out", "failed", "killed", "pending"
LIMIT_S = 30.0


def plan(number: int = 2, runs: int = 1, **config: object) -> RunPlan:
    settings = RunConfig(number=number, prefix="vm", kernel="/boot/vmlinuz", **config)
    return RunPlan(variants=(Variant(config=settings),), runs=runs)


def run_started(at_ns: int = 0, run: str = "run-1", **changes: object) -> ev.RunStarted:
    facts: dict[str, object] = {
        "number": 2,
        "plan": plan_to_json(plan()),
        "host": dict(HOST),
        "accel": "kvm",
        "accel_reason": "asked for",
        "qemu_version": "7.2.15",
        "tool_version": "0.1.0",
        "wall_ns": 1_700_000_000 * SECOND,
    } | changes
    return ev.RunStarted(at_ns=at_ns, run=run, **facts)


def argv(vm: int, accel: str = "kvm") -> tuple[str, ...]:
    return ("qemu-system-x86_64", "-accel", accel, "-kernel", "k", "-initrd", "i", "-name", f"{vm}")


def seconds_text(seconds: float) -> str:
    return f"{seconds:.3f}s" if seconds >= 1 else f"{seconds * 1000:.0f}ms"


def details(vm: int, attempt: int, at_ns: int, clock_us: int, lag_us: int = 20_000) -> ev.VmDetails:
    """A guest whose kernel took 20 %, initrd 30 % and userspace the rest of its own clock."""
    inside = clock_us - lag_us
    stamps = {
        "KernelTimestampMonotonic": 0,
        "InitRDTimestampMonotonic": inside * 2 // 10,
        "UserspaceTimestampMonotonic": inside * 5 // 10,
        "FinishTimestampMonotonic": inside,
    }
    return ev.VmDetails(
        at_ns=at_ns,
        vm=vm,
        attempt=attempt,
        clock_us=clock_us,
        timestamps_us=stamps,
        slowest=("1.200s dev-vda.device", "300ms systemd-udevd.service"),
        failed_units=(),
        critical_chain=("multi-user.target @2.0s",),
    )


def startup_text(clock_us: int, lag_us: int = 20_000) -> str:
    inside = (clock_us - lag_us) / 1e6
    kernel, initrd, userspace = inside * 0.2, inside * 0.3, inside * 0.5
    return (
        f"Startup finished in {seconds_text(kernel)} (kernel) + {seconds_text(initrd)} (initrd) "
        f"+ {seconds_text(userspace)} (userspace) = {seconds_text(inside)}"
    )


def boot_events(
    vm: int,
    boot: float | str,
    *,
    attempt: int = 1,
    at_ns: int = 0,
    firmware_s: float = 0.4,
    with_details: bool = True,
    accel: str = "kvm",
    text: str | None = None,
) -> Iterator[ev.Event]:
    """One attempt after its queueing; ``boot`` is its seconds from go to report, or its fate."""
    who = {"vm": vm, "attempt": attempt}
    go_ns = at_ns + 100 * MS
    yield ev.VmLaunched(at_ns=at_ns, pid=1000 + vm, spawn_ns=at_ns, argv=argv(vm, accel), **who)
    yield ev.ReportConnected(at_ns=at_ns + 50 * MS, connection=4 + vm, **who)
    yield ev.VmConnected(at_ns=at_ns + 90 * MS, **who)
    yield ev.VmStarted(at_ns=go_ns, go_ns=go_ns, **who)
    if boot == PENDING:
        return
    if boot == TIMED_OUT:
        end_ns = go_ns + round(LIMIT_S * SECOND)
        yield ev.VmTimedOut(at_ns=end_ns, limit_ns=round(LIMIT_S * SECOND), **who)
    elif boot == FAILED:
        end_ns = go_ns + SECOND
        yield ev.VmFailed(
            at_ns=end_ns, why="the guest's kernel panicked", stderr="qemu: oh dear\n", **who
        )
    elif boot == KILLED:
        end_ns = go_ns + 2 * SECOND
        yield ev.VmKilled(at_ns=end_ns, why="killed on request", **who)
    else:
        end_ns = go_ns + round(float(boot) * SECOND)
        clock_us = round((float(boot) - firmware_s) * 1e6)
        yield ev.VmBooted(
            at_ns=end_ns,
            report_ns=end_ns,
            uncertainty_ns=MS,
            text=startup_text(clock_us) if text is None else text,
            **who,
        )
        if with_details:
            yield details(vm, attempt, end_ns + MS, clock_us)
    yield ev.VmExited(at_ns=end_ns + 3 * SECOND, exit_code=0, reason="guest-shutdown", **who)


def storm_events(
    boots: Mapping[int, float | str] | Sequence[float | str],
    *,
    storm: int = 1,
    at_ns: int = SECOND,
    kind: ev.StormKind = ev.StormKind.RUN,
    planned: int = 1,
    parameters: Mapping[str, str] | None = None,
    attempts: Mapping[int, int] | None = None,
    skew_s: float = 0.1,
    **each: object,
) -> list[ev.Event]:
    """One storm, its events in the order of their time; VM i starts ``i * skew_s`` later."""
    fates = dict(boots) if isinstance(boots, Mapping) else dict(enumerate(boots))
    number_of = attempts or {}
    opening: list[ev.Event] = [
        ev.StormStarted(
            at_ns=at_ns,
            storm=storm,
            kind=kind,
            vms=tuple(fates),
            parameters=parameters or {},
            planned=planned,
        )
    ]
    opening += [
        ev.VmQueued(at_ns=at_ns, vm=vm, attempt=number_of.get(vm, 1), storm=storm) for vm in fates
    ]
    middle: list[ev.Event] = []
    for place, (vm, fate) in enumerate(fates.items()):
        middle += boot_events(
            vm,
            fate,
            attempt=number_of.get(vm, 1),
            at_ns=at_ns + round(place * skew_s * SECOND),
            **each,
        )
    middle.sort(key=lambda event: event.at_ns)
    closing: list[ev.Event] = []
    if PENDING not in fates.values():
        last_ns = max((event.at_ns for event in middle), default=at_ns)
        closing.append(ev.StormEnded(at_ns=last_ns, storm=storm))
    return [*opening, *middle, *closing]


def run_events(
    storms: Iterable[Sequence[float | str]],
    *,
    parameters: Sequence[Mapping[str, str]] | None = None,
    kinds: Sequence[ev.StormKind] | None = None,
    outcome: ev.Outcome | None = ev.Outcome.FINISHED,
    run: str = "run-1",
    started: Mapping[str, object] | None = None,
    **each: object,
) -> list[ev.Event]:
    """A whole run of storms one after another; without ``outcome`` it just stops."""
    rows = list(storms)
    number = max((len(row) for row in rows), default=1)
    facts = {"number": number, "plan": plan_to_json(plan(number, len(rows)))} | dict(started or {})
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
            kind=kinds[index] if kinds else ev.StormKind.RUN,
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


def raw(events: Iterable[ev.Event]) -> bytes:
    """Return events as the engine writes them."""
    return b"".join(ev.encode(event).encode() + b"\n" for event in events)
