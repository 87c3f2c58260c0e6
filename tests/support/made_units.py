"""Runs made up whose guests tell their units: each starts after others, and takes its time.

``some_units`` makes as many as are wanted in the layers of a real boot; ``run_with_units`` boots
storms of guests with them, so that userspace lasts as long as its units do.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from support.making import Guest, run_events
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet

GUEST = Guest()
INTO = "multi-user.target"
_WORDS = (
    "system network manager wait online bus seat settle journal flush tmpfiles setup root remount "
    "random seed modules load sysctl user session login console cron daily upgrade agent cloud "
    "config final policy time sync resolve storage scan volume monitor power firmware update"
)


@dataclass(frozen=True, slots=True)
class MadeUnit:
    """A unit that is started after others, and then takes ``own_ms``, ``queued_ms`` later.

    ``share`` is in how many boots it is there at all, ``fails`` in how many of those it fails.
    """

    name: str
    own_ms: float = 0.0
    after: tuple[str, ...] = ()
    queued_ms: float = 1.0
    share: float = 1.0
    fails: float = 0.0


def some_units(count: int, seed: int = 1) -> tuple[MadeUnit, ...]:
    """Return so many units, from devices and mounts over sockets and services to targets."""
    draw = random.Random(seed)
    few = max(1, count // 10)
    names = _names(draw)
    devices = [MadeUnit(f"dev-disk-{at:02}.device", 0, (), 40 + 9 * at) for at in range(2 * few)]
    mounts = [
        MadeUnit(f"mnt-{next(names)}.mount", draw.uniform(5, 60), (draw.choice(devices).name,))
        for _ in range(few)
    ]
    early = [
        MadeUnit(f"{next(names)}.service", draw.lognormvariate(3.5, 1), _some(draw, devices, 1))
        for _ in range(2 * few)
    ]
    ready = MadeUnit("sysinit.target", 0, tuple(unit.name for unit in (*mounts, *early)))
    sockets = [MadeUnit(f"{next(names)}.socket", 0, (ready.name,)) for _ in range(few)]
    basic = MadeUnit("basic.target", 0, (ready.name, *(unit.name for unit in sockets)))
    late: list[MadeUnit] = []
    for _ in range(max(count - 6 * few - 3, 1)):
        after = (basic.name, *_some(draw, late, 2))
        late.append(
            MadeUnit(
                f"{next(names)}.service", draw.lognormvariate(4, 1.2), after, draw.uniform(0, 9)
            )
        )
    into = MadeUnit(INTO, 0, (basic.name, *(unit.name for unit in late)))
    return (*devices, *mounts, *early, ready, *sockets, basic, *late, into)


def _names(draw: random.Random) -> Iterable[str]:
    seen = set[str]()
    while True:
        name = "-".join(draw.sample(_WORDS.split(), 3))
        if name not in seen:
            seen.add(name)
            yield name


def _some(draw: random.Random, units: Sequence[MadeUnit], most: int) -> tuple[str, ...]:
    return tuple(unit.name for unit in draw.sample(units, min(most, len(units))))


def order_of(units: Iterable[MadeUnit]) -> ev.UnitOrder:
    """Return which of them waits for which."""
    after = {unit.name: unit.after for unit in units}
    return ev.UnitOrder(at_ns=1, vm=0, attempt=1, after=after)


def run_with_units(
    units: Sequence[MadeUnit],
    storms: int,
    vms: int,
    *,
    seed: int = 1,
    noise: float = 0.05,
    storm_noise: float = 0.03,
    drift: float = 0.0,
    added_ms: Mapping[str, float] | None = None,
    added_in: Mapping[int, Mapping[str, float]] | None = None,
    run: str = "run-1",
    **each: object,
) -> list[ev.Event]:
    """Return a run whose VMs' units vary by ``noise``, those of a storm together by another.

    Each storm is slower than the one before by the ``drift``. ``added_ms`` makes units slower, and
    ``added_in`` those of a VM.
    """
    draw = random.Random(seed)
    boots: dict[tuple[int, int], list[ev.UnitTimes]] = {}
    rows: list[list[float]] = []
    for attempt in range(1, storms + 1):
        pace = draw.gauss(1, storm_noise) * (1 + drift * (attempt - 1))
        row = []
        for vm in range(vms):
            added = {**(added_ms or {}), **(added_in or {}).get(vm, {})}
            ways = _ways_ms(units, draw, pace, noise, added)
            lasted_ms = max(up for _, up, _ in ways.values())
            # Half of what the guest's clock says till its finish is userspace's.
            boots[vm, attempt] = [_times(name, way, lasted_ms) for name, way in ways.items()]
            row.append(GUEST.firmware_s + GUEST.lag_s + 2 * lasted_ms / 1e3)
        rows.append(row)
    stream: list[ev.Event] = []
    for event in run_events(rows, run=run, **each):
        stream.append(event)
        if isinstance(event, ev.VmDetails):
            who = {"at_ns": event.at_ns, "vm": event.vm, "attempt": event.attempt}
            stream[-1] = ev.VmDetails(
                **who,
                clock_us=event.clock_us,
                timestamps_us=event.timestamps_us,
                properties={"default_unit": INTO},
            )
            stream.append(ev.VmUnits.of(boots[event.vm, event.attempt], **who))
            if event.vm == 0 and event.attempt == 1:
                stream.append(order_of(units))
    return stream


def fleet_with_units(*args: object, **kwargs: object) -> Fleet:
    return Fleet(run_with_units(*args, **kwargs))


def _ways_ms(
    units: Iterable[MadeUnit],
    draw: random.Random,
    pace: float,
    noise: float,
    added_ms: Mapping[str, float],
) -> dict[str, tuple[float, float, bool]]:
    """Return when each unit begins and is up, from the start of userspace, and if it failed."""
    ways: dict[str, tuple[float, float, bool]] = {}
    for unit in units:
        if draw.random() >= unit.share:
            continue
        ready = max((ways[name][1] for name in unit.after if name in ways), default=0.0)
        begin = ready + unit.queued_ms * pace * draw.uniform(0.8, 1.2)
        own = unit.own_ms * pace * max(draw.gauss(1, noise), 0.1) + added_ms.get(unit.name, 0)
        ways[unit.name] = begin, begin + own, draw.random() < unit.fails
    return ways


def _times(name: str, way: tuple[float, float, bool], lasted_ms: float) -> ev.UnitTimes:
    begun_us, up_us = (round((lasted_ms + at) * 1e3) for at in way[:2])
    if way[2]:
        return ev.UnitTimes(name, "failed", "failed", "exit-code", begun_us, inactive_us=up_us)
    return ev.UnitTimes(name, "active", "active", "success", begun_us, up_us)
