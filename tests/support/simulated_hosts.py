"""Hosts that are made up: engines that are led, whose VMs boot as their fates say, in no process.

``LedEngine`` tells what an engine that is led would, by a clock and a timer that it is given: those
of a test that lets time leap, or of an event loop. ``SimulatedLink`` is the way to one.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from support.facts import MS, SECOND, argv, host as host_facts, run_started
from vmtiming_tui.cluster.host_link import Lines
from vmtiming_tui.errors import HostError
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.commands import Boot, Command
from vmtiming_tui.model.config import RunConfig, StartMode


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to a VM, in ns: ``boot_ns`` from its go, None where it hangs."""

    boot_ns: int | None = 5 * SECOND
    fails: bool = False
    up_ns: int = 200 * MS
    off_ns: int = SECOND

    def faster(self, factor: float) -> "Fate":
        """The same in so much less time."""
        boot_ns = None if self.boot_ns is None else round(self.boot_ns / factor)
        up_ns, off_ns = round(self.up_ns / factor), round(self.off_ns / factor)
        return replace(self, boot_ns=boot_ns, up_ns=up_ns, off_ns=off_ns)


def fates(seed: int, *, trouble: float = 0.1) -> Iterator[Fate]:
    """Yield fates without end; a share of them fails or hangs."""
    chance = random.Random(seed)
    while True:
        boot_ns = max(SECOND, round(chance.gauss(8, 0.8) * SECOND))
        match chance.random() / trouble if trouble else 1:
            case place if place < 0.5:
                yield Fate(boot_ns=None)
            case place if place < 1:
                yield Fate(boot_ns=boot_ns // 3, fails=True)
            case _:
                yield Fate(boot_ns=boot_ns)


@dataclass(slots=True)
class _Vm:
    id: int
    attempt: int
    fate: Fate
    config: RunConfig
    is_ready: bool = False
    is_decided: bool = False
    is_gone: bool = False
    is_collected: bool = False
    is_let_go: bool = False


@dataclass(slots=True)
class _Storm:
    boot: Boot
    vms: dict[int, _Vm]
    rounds: list[tuple[int, ...]]
    round: int = 0
    at: ev.Step | None = None
    has_reached: set[tuple[int, ev.Step]] = field(default_factory=set)
    is_stopped: bool = False

    @property
    def here(self) -> list[_Vm]:
        """The VMs of the round that is under way."""
        return [self.vms[vm] for vm in self.rounds[self.round - 1]]


class LedEngine:
    """Boots what it is told to; ``room`` VMs at once, each with the next of ``lots``.

    It cannot begin the first ``refusals`` runs.
    ``now_ns`` is the host's clock, ``later`` calls something after so many ns, and ``emit`` takes
    what it tells.
    """

    def __init__(
        self,
        emit: Callable[[ev.Event], None],
        now_ns: Callable[[], int],
        later: Callable[[int, Callable[[], None]], object],
        lots: Iterator[Fate] | None = None,
        *,
        room: int = 1 << 30,
        facts: dict[str, object] | None = None,
        refusals: int = 0,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._emit, self._now_ns, self._later = emit, now_ns, later
        self._lots = lots or itertools.repeat(Fate())
        self._room = room
        self._facts = facts or {}
        self._refusals = refusals
        self._on_end = on_end
        self._runs = 0
        self._boots: list[Boot] = []
        self._storm: _Storm | None = None
        self._newest: dict[int, _Vm] = {}

    def obey(self, command: Command) -> None:
        match command:
            case commands.Start():
                self._begin(command)
            case commands.Boot():
                self._boots.append(command)
                self._begin_next()
            case commands.Proceed() if self._storm is not None:
                if (command.round, command.step) == (self._storm.round, self._storm.at):
                    self._after(command.at_ns, self._proceed)
            case commands.Admit() if command.vm in self._newest:
                vm = self._newest[command.vm]
                then = self._launch if command.turn is ev.Turn.BOOT else self._let_go
                self._after(command.at_ns, lambda: then(vm))
            case commands.Act(action=commands.VmAction.KILL):
                for number in command.vms:
                    self._decide(self._newest[number], ev.VmKilled, why="killed on request")
            case commands.ReadConsole():
                self._tell(ev.VmConsole, self._newest[command.vm], text="login:", total_bytes=6)
            case commands.Stop():
                self._stop()
            case commands.Quit():
                self._stop()
                self._later(self._longest_ns(), self._end)

    def _begin(self, start: commands.Start) -> None:
        at_ns = self._now_ns()
        if self._refusals:
            self._refusals -= 1
            self._emit(ev.EngineFailed(at_ns=at_ns, why="no such kernel", hint="copy it"))
            self._emit(ev.RunEnded(at_ns=at_ns, outcome=ev.Outcome.INTERRUPTED))
            return
        if self._runs:
            self._emit(ev.RunEnded(at_ns=at_ns, outcome=ev.Outcome.FINISHED))
        self._runs += 1
        facts = {"plan": start.plan, "number": start.plan.number, "host": host_facts(**self._facts)}
        self._emit(run_started(at_ns, f"run-of-host-{self._runs}", **facts))

    def _longest_ns(self) -> int:
        return 2 * max((vm.fate.off_ns for vm in self._newest.values()), default=0)

    def _end(self) -> None:
        self._emit(ev.RunEnded(at_ns=self._now_ns(), outcome=ev.Outcome.STOPPED))
        self._on_end()

    def _after(self, at_ns: int | None, then: Callable[[], None]) -> None:
        if at_ns is None:
            then()
        else:
            self._later(max(0, at_ns - self._now_ns()), then)

    # A storm.

    def _begin_next(self) -> None:
        if self._storm is not None or not self._boots:
            return
        boot = self._boots.pop(0)
        vms = {
            vm: _Vm(vm, number, next(self._lots), share.config)
            for share in boot.shares
            for vm, number in zip(share.vms, share.attempts, strict=True)
        }
        order = list(vms)
        rounds = [
            tuple(order[start : start + self._room]) for start in range(0, len(order), self._room)
        ]
        self._newest |= vms
        self._storm = _Storm(boot, vms, rounds)
        for vm in vms.values():
            self._tell(ev.VmQueued, vm, storm=boot.storm)
        self._next_round()

    def _next_round(self) -> None:
        storm = self._storm
        assert storm is not None
        if storm.round == len(storm.rounds):
            self._storm = None
            self._emit(ev.StormEnded(at_ns=self._now_ns(), storm=storm.boot.storm))
            self._begin_next()
            return
        storm.round += 1
        self._reach(ev.Step.ROUND)

    def _reach(self, step: ev.Step) -> None:
        storm = self._storm
        assert storm is not None
        if (storm.round, step) in storm.has_reached:
            return
        storm.has_reached.add((storm.round, step))
        storm.at = step
        if storm.is_stopped:
            self._proceed()
            return
        self._emit(
            ev.Awaiting(
                at_ns=self._now_ns(),
                storm=storm.boot.storm,
                round=storm.round,
                rounds=len(storm.rounds),
                step=step,
                vms=storm.rounds[storm.round - 1],
            )
        )

    def _proceed(self) -> None:
        storm = self._storm
        if storm is None or storm.at is None:
            return
        step, storm.at = storm.at, None
        at = {"at_ns": self._now_ns(), "storm": storm.boot.storm, "round": storm.round}
        match step:
            case ev.Step.ROUND:
                vms = storm.rounds[storm.round - 1]
                self._emit(ev.RoundStarted(rounds=len(storm.rounds), vms=vms, **at))
                for vm in storm.here:
                    self._enter(vm)
            case ev.Step.GO:
                for vm in storm.here:
                    self._go(vm)
            case ev.Step.DECIDED:
                self._emit(ev.StormDecided(**at))
                for vm in storm.here:
                    self._collect(vm)
            case ev.Step.COLLECTED:
                self._emit(ev.StormCollected(**at))
                for vm in storm.here:
                    self._leave(vm)
        self._advance()

    def _advance(self) -> None:
        storm = self._storm
        if storm is None or storm.at is not None or not storm.round:
            return
        reached = [step for number, step in storm.has_reached if number == storm.round]
        together = storm.boot.shares[0].config.start is StartMode.TOGETHER
        if together and ev.Step.GO not in reached:
            if all(vm.is_ready or vm.is_decided for vm in storm.here):
                self._reach(ev.Step.GO)
        elif ev.Step.DECIDED not in reached:
            if all(vm.is_decided for vm in storm.here):
                self._reach(ev.Step.DECIDED)
        elif ev.Step.COLLECTED not in reached:
            if all(vm.is_collected or vm.is_gone for vm in storm.here):
                self._reach(ev.Step.COLLECTED)
        elif all(vm.is_gone for vm in storm.here):
            self._next_round()

    # A VM.

    def _tell(self, kind: type, vm: _Vm, **facts: object) -> None:
        self._emit(kind(at_ns=self._now_ns(), vm=vm.id, attempt=vm.attempt, **facts))

    def _want(self, vm: _Vm, turn: ev.Turn) -> None:
        self._tell(ev.TurnWanted, vm, turn=turn)

    def _enter(self, vm: _Vm) -> None:
        if vm.is_decided:
            return
        if vm.config.parallel is not None and not vm.config.parallel_per_host:
            self._want(vm, ev.Turn.BOOT)
        else:
            self._launch(vm)

    def _launch(self, vm: _Vm) -> None:
        if not vm.is_decided:
            self._tell(ev.VmLaunched, vm, pid=100, spawn_ns=self._now_ns(), argv=argv(vm.id))
            self._later(vm.fate.up_ns, lambda: self._connect(vm))

    def _connect(self, vm: _Vm) -> None:
        if vm.is_decided:
            return
        self._tell(ev.VmConnected, vm)
        vm.is_ready = True
        if vm.config.start is StartMode.EACH:
            self._go(vm)
        self._advance()

    def _go(self, vm: _Vm) -> None:
        if vm.is_decided:
            return
        if vm.config.stagger_s and not vm.config.stagger_per_host:
            self._want(vm, ev.Turn.GO)
        else:
            self._let_go(vm)

    def _let_go(self, vm: _Vm) -> None:
        if vm.is_decided:
            return
        vm.is_let_go = True
        self._tell(ev.VmStarted, vm, go_ns=self._now_ns())
        limit_ns = round(vm.config.timeout_s * SECOND)
        boot_ns = vm.fate.boot_ns
        if boot_ns is None or boot_ns > limit_ns:
            self._later(limit_ns, lambda: self._decide(vm, ev.VmTimedOut, limit_ns=limit_ns))
        elif vm.fate.fails:
            self._later(boot_ns, lambda: self._decide(vm, ev.VmFailed, why="the guest panicked"))
        else:
            self._later(boot_ns, lambda: self._boot(vm))

    @property
    def booting(self) -> list[int]:
        """The VMs that were let go and have not booted yet."""
        return [vm.id for vm in self._newest.values() if vm.is_let_go and not vm.is_decided]

    def report(self, vm: int) -> None:
        """Have a VM's report come."""
        self._boot(self._newest[vm])

    def attempt(self, vm: int) -> int:
        """Which attempt of a VM is the newest."""
        return self._newest[vm].attempt

    def _boot(self, vm: _Vm) -> None:
        if not vm.is_decided:
            facts = {"report_ns": self._now_ns(), "uncertainty_ns": 0, "text": "Startup finished"}
            self._tell(ev.VmBooted, vm, **facts)
            vm.is_decided = True
            self._advance()

    def _decide(self, vm: _Vm, kind: type, **facts: object) -> None:
        """End a VM that will not boot."""
        if vm.is_decided:
            return
        vm.is_decided = vm.is_collected = True
        self._tell(kind, vm, **facts)
        self._later(vm.fate.off_ns, lambda: self._exit(vm))
        self._advance()

    def _collect(self, vm: _Vm) -> None:
        if not (vm.is_collected or vm.is_gone):
            self._tell(ev.VmReleased, vm)
            self._later(vm.fate.off_ns, lambda: self._tell_details(vm))

    def _tell_details(self, vm: _Vm) -> None:
        if not vm.is_collected:
            vm.is_collected = True
            self._tell(ev.VmDetails, vm)
            self._advance()

    def _leave(self, vm: _Vm) -> None:
        if not vm.is_gone:
            self._later(vm.fate.off_ns, lambda: self._exit(vm))

    def _exit(self, vm: _Vm) -> None:
        if not vm.is_gone:
            vm.is_gone = True
            self._tell(ev.VmExited, vm, exit_code=0, reason="guest-shutdown")
            self._advance()

    def _stop(self) -> None:
        for boot in self._boots:
            self._emit(ev.StormEnded(at_ns=self._now_ns(), storm=boot.storm))
        self._boots.clear()
        storm = self._storm
        if storm is None:
            return
        storm.is_stopped = True
        for vm in storm.vms.values():
            self._decide(vm, ev.VmKilled, why="stopped with the run")
            vm.is_collected = True
        if storm.at is not None:
            self._proceed()
        self._advance()


class SimulatedLink:
    """A host of this process: ``delay_s`` away each way, its clock ``ahead_ns`` of ours.

    ``die`` has it lost, ``insert`` has it say something that its engine did not.
    """

    def __init__(
        self,
        name: str,
        lots: Iterator[Fate] | None = None,
        *,
        ahead_ns: int = 0,
        delay_s: float = 0.0,
        room: int = 1 << 30,
        facts: dict[str, object] | None = None,
    ) -> None:
        self.name = name
        self.address = f"tcp://{name}:1"
        self.sent: list[Command] = []
        self.pulled = 0
        self.all_lines: list[bytes] = []
        self._ahead_ns = ahead_ns
        self._delay_s = delay_s
        self._lines: list[bytes] = []
        self._dropped = 0
        self._ended = False
        self._lost: HostError | None = None
        self._news = asyncio.Event()
        self._engine = LedEngine(
            self._emit,
            self._now_ns,
            self._later,
            lots,
            room=room,
            facts={"hostname": name} | (facts or {}),
            on_end=self._end,
        )

    def _now_ns(self) -> int:
        return time.monotonic_ns() + self._ahead_ns

    def _later(self, after_ns: int, then: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(after_ns / 1e9, then)

    def _emit(self, event: ev.Event) -> None:
        self.insert(ev.encode(event).encode())

    def insert(self, *lines: bytes) -> None:
        self._lines += lines
        self.all_lines += lines
        self._news.set()

    def _end(self) -> None:
        self._ended = True
        self._news.set()

    def die(self, why: str = "nothing is heard of it", hint: str = "") -> None:
        self._lost = HostError(why, hint=hint)
        self._news.set()

    async def _travel(self) -> None:
        if self._lost is not None:
            raise self._lost
        if self._delay_s:
            await asyncio.sleep(self._delay_s)

    async def send(self, lines: Sequence[bytes]) -> None:
        await self._travel()
        for command in map(commands.decode, lines):
            self.sent.append(command)
            self._engine.obey(command)

    async def next(self, after: int) -> Lines:
        await self._travel()
        del self._lines[: after - self._dropped]
        self._dropped = after
        while not (self._lines or self._ended or self._lost):
            self._news.clear()
            await self._news.wait()
        await self._travel()
        self.pulled += len(self._lines)
        return Lines(first=after, lines=tuple(self._lines), ended=self._ended)

    async def clock_ns(self) -> int:
        await self._travel()
        now_ns = self._now_ns()
        await self._travel()
        return now_ns
