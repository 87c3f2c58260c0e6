"""Runs played through the engine's own turns in no time: each VM's fate is told, the rest follows.

``simulated_run`` gives the events that an engine would; ``troubled_fates`` draws fates from a seed.
"""

import asyncio
import random
import selectors
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from support.making import argv, run_started
from vmtiming_tui.engine.boot.leader import Alone, RoundSpec
from vmtiming_tui.engine.boot.rounds import OrderWish, Round
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.plan import RunPlan, StormKind

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to one VM, in seconds: ``boot_s`` from its go, None where it hangs.

    ``up_s`` is how long its QEMU takes till it is ready, ``late_s`` how late its limit strikes,
    ``off_s`` how long it takes till its QEMU is gone once it is decided.
    """

    boot_s: float | None = 5.0
    fails: bool = False
    up_s: float = 0.2
    late_s: float = 0.01
    off_s: float = 3.0


@dataclass(frozen=True, slots=True)
class Course:
    """How a run goes: the fates of each storm's VMs, and how long lies before each storm.

    ``again`` is a rerun after the plan: VMs and their fates. ``stop_s`` is how long after its
    start the last storm is stopped, if it is.
    """

    storms: Sequence[Sequence[Fate]]
    before_s: Sequence[float]
    again: dict[int, Fate] = field(default_factory=dict)
    stop_s: float | None = None


class _Leaping(selectors.DefaultSelector):
    """Waits for nothing: the time that would have passed has."""

    now_s = 1.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now_s += max(timeout or 0, 0)
        return super().select(0)


class _LeapingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now_s


def simulated_run(plan: RunPlan, course: Course) -> list[ev.Event]:
    """Return the events of a run, without its end."""
    with asyncio.Runner(loop_factory=_LeapingLoop) as runner:
        return runner.run(_Engine(plan).run(course))


class _Engine:
    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._events: list[ev.Event] = []
        self._attempts: dict[int, int] = {}
        self._storms = 0

    @property
    def _now_ns(self) -> int:
        return round(asyncio.get_running_loop().time() * _NS)

    async def run(self, course: Course) -> list[ev.Event]:
        started = {"number": self._plan.number, "plan": self._plan}
        self._events.append(run_started(at_ns=self._now_ns, **started))
        planned = list(self._plan.storms())
        for place, (storm, fates) in enumerate(zip(planned, course.storms, strict=True), start=1):
            await asyncio.sleep(course.before_s[place - 1])
            config, kind = storm.variant.config, storm.kind
            stop_s = course.stop_s if place == len(planned) else None
            booted = dict(enumerate(fates[: config.number]))
            await self._storm(config, kind, storm.variant.parameters, booted, stop_s)
        if course.again and course.stop_s is None:
            await asyncio.sleep(2)
            await self._storm(self._plan.config, StormKind.RERUN, {}, course.again)
        return self._events

    async def _storm(self, config, kind, parameters, fates, stop_s=None) -> None:
        self._storms += 1
        facts = {"storm": self._storms, "kind": kind, "parameters": parameters}
        planned = 1 if kind is StormKind.RERUN else len(self._plan)
        at_ns, vms = self._now_ns, tuple(fates)
        self._events.append(ev.StormStarted(at_ns=at_ns, vms=vms, planned=planned, **facts))
        for vm in vms:
            self._attempts[vm] = self._attempts.get(vm, 0) + 1
            self._say(ev.VmQueued, vm, storm=self._storms)
        attempts = {vm: self._attempts[vm] for vm in vms}
        spec = RoundSpec(storm=self._storms, number=1, rounds=1, config=config, attempts=attempts)
        its, stopped = Round(spec, Alone(), OrderWish(), lambda _: None), asyncio.Event()
        its.begin()
        async with asyncio.TaskGroup() as group:
            if stop_s is not None:
                asyncio.get_running_loop().call_later(stop_s, stopped.set)
            for vm, fate in fates.items():
                group.create_task(self._attempt(its, config, vm, fate, stopped))
        self._events.append(ev.StormEnded(at_ns=self._now_ns, storm=self._storms))

    def _say(self, kind: type, vm: int, **facts: object) -> None:
        event = kind(at_ns=self._now_ns, vm=vm, attempt=self._attempts[vm], **facts)
        self._events.append(event)

    async def _attempt(
        self, its: Round, config: RunConfig, vm: int, fate: Fate, stopped: asyncio.Event
    ) -> None:
        booting = asyncio.create_task(self._boot(its, config, vm, fate))
        stopping = asyncio.create_task(stopped.wait())
        await asyncio.wait([booting, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not booting.done():
            booting.cancel()
            self._say(ev.VmKilled, vm, why="stopped with the run")
        its.gone(vm)
        await asyncio.sleep(fate.off_s)
        self._say(ev.VmExited, vm, exit_code=0)

    async def _boot(self, its: Round, config: RunConfig, vm: int, fate: Fate) -> None:
        await its.enter(vm)
        await its.turns.begin_launch(vm)
        self._say(ev.VmLaunched, vm, pid=100 + vm, spawn_ns=self._now_ns, argv=argv(vm))
        await asyncio.sleep(fate.up_s)
        its.turns.end_launch(vm)
        self._say(ev.VmConnected, vm)
        await its.go(vm)
        self._say(ev.VmStarted, vm, go_ns=self._now_ns)
        if fate.boot_s is None or fate.boot_s > config.timeout_s:
            await asyncio.sleep(config.timeout_s + fate.late_s)
            self._say(ev.VmTimedOut, vm, limit_ns=round(config.timeout_s * _NS))
            return
        await asyncio.sleep(fate.boot_s)
        if fate.fails:
            self._say(ev.VmFailed, vm, why="the guest's kernel panicked")
        else:
            facts = {"report_ns": self._now_ns, "uncertainty_ns": 0, "text": "Startup finished"}
            self._say(ev.VmBooted, vm, **facts)


def troubled_fates(chance: random.Random, count: int, boot_s: float = 8.0) -> Iterator[Fate]:
    """Yield fates of VMs of which one in ten hangs, fails, or takes twice as long, each."""
    for _ in range(count):
        each_s = max(0.5, chance.gauss(boot_s, boot_s / 10))
        match chance.randrange(10):
            case 0:
                yield Fate(boot_s=None)
            case 1:
                yield Fate(boot_s=each_s / 3, fails=True)
            case 2:
                yield Fate(boot_s=2 * each_s)
            case _:
                yield Fate(boot_s=each_s)
