"""BootRun: one run from its plan to its last VM."""

import asyncio
import contextlib
import functools
import gc
import time
from collections.abc import Iterable, Mapping, Sequence

from vmtiming_tui.engine.boot.attempt import AttemptRunner
from vmtiming_tui.engine.boot.before_storm import before_storm
from vmtiming_tui.engine.boot.context import BootContext, BootSpec
from vmtiming_tui.engine.boot.rounds import OrderWish, Round, split
from vmtiming_tui.engine.image.gate_client import Admissions
from vmtiming_tui.engine.image.overlays import make_overlays
from vmtiming_tui.engine.qemu.confinement import Reach
from vmtiming_tui.engine.qemu.launch import Launch, copy_file, prepare_launch
from vmtiming_tui.engine.qemu.locked_images import Holders
from vmtiming_tui.engine.qemu.settled import SettledQemu
from vmtiming_tui.errors import EngineError, ImageError, QemuError
from vmtiming_tui.escape import one_line, plural
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Conclude, GoOn, VmAction
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.plan import RunPlan, StormKind, StormPlan

_MAX_CONSOLE_BYTES = 256 * 1024
_FIRMWARE_RESETS = 2
_RESET_SETTLES_S = 5.0


class BootRun:
    """Boots the storms of a plan one after another, then those asked for while it ran.

    ``qemus`` tells what each config boots with; ``rooms`` says how many of its VMs the host can
    hold at once. Attempts are counted per VM over the whole run.
    """

    def __init__(
        self,
        plan: RunPlan,
        qemus: Mapping[RunConfig, SettledQemu],
        rooms: Mapping[RunConfig, int],
        context: BootContext,
    ) -> None:
        self._plan = plan
        self._qemus = qemus
        self._rooms = rooms
        self._order = OrderWish()
        self._context = context
        self._emit = context.emit
        self._attempts: dict[int, int] = {}
        self._configs: dict[int, RunConfig] = {}
        self._launches: dict[RunConfig, Launch] = {}
        self._said: set[str] = set()
        self._files: set[tuple[ev.BootFile, ...]] = set()
        self._admissions = Admissions(context.children, self._say_once)
        self._newest: dict[int, AttemptRunner] = {}
        self._reruns: list[tuple[int, ...]] = []
        self._storms = 0
        self._stopped = False
        self._preparing: asyncio.Task[None] | None = None
        self._answer: asyncio.Future[GoOn | Conclude | None] | None = None
        self._actions: set[asyncio.Task[None]] = set()

    @property
    def attempts(self) -> list[AttemptRunner]:
        """The newest attempt of every VM."""
        return list(self._newest.values())

    @property
    def has_reruns(self) -> bool:
        """Whether something waits to be booted again."""
        return bool(self._reruns)

    async def run_plan(self) -> None:
        """Boot every storm of the plan, then what was asked for again meanwhile.

        Raises ``EngineError`` where a storm cannot be begun.
        """
        for storm in self._plan.storms():
            await self._boot(storm, len(self._plan))
            if storm.look is not None and await self._is_concluded(storm.look):
                break
        await self._run_details()
        await self.run_reruns()

    async def _run_details(self) -> None:
        """Boot the storms that count in nothing; where one cannot begin, that is no fault."""
        for storm in self._plan.detail_storms():
            try:
                await self._boot(storm, 1)
            except (EngineError, ImageError) as error:
                self._notice(
                    ev.Level.WARNING, f"no storm for the kernel's details: {error.message}"
                )

    async def _boot(self, storm: StormPlan, planned: int) -> None:
        config = storm.variant.config
        configs = dict.fromkeys(range(config.number), config)
        await self._storm(configs, storm.kind, storm.variant.parameters, planned)

    async def _is_concluded(self, storms: int) -> bool:
        """Ask whether so many storms a setting will do, and wait for the answer, or for a stop."""
        if self._stopped:
            return True
        self._answer = asyncio.get_running_loop().create_future()
        self._emit(ev.LookDue(at_ns=time.monotonic_ns(), storms=storms))
        answer = await self._answer
        self._answer = None
        if not isinstance(answer, Conclude):
            return answer is None
        self._emit(
            ev.Concluded(at_ns=time.monotonic_ns(), storms=storms, decisions=answer.decisions)
        )
        return True

    def answer(self, answer: GoOn | Conclude | None) -> None:
        """Take the answer to the look that is due, if one is; None where the run is stopped."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    async def run_reruns(self) -> None:
        """Boot the VMs asked for again; raise ``EngineError`` where a storm cannot be begun."""
        while self._reruns:
            self._stopped = False
            configs = {vm: self._configs[vm] for vm in self._reruns.pop(0)}
            await self._storm(configs, StormKind.RERUN, {}, 1)

    async def _prepare(self, configs: Mapping[int, RunConfig]) -> None:
        """Do what comes before a storm; a stop meanwhile cuts it short."""
        self._preparing = asyncio.create_task(self._make_ready(configs))
        try:
            await asyncio.wait([self._preparing])
            if not self._preparing.cancelled():
                self._preparing.result()
        finally:
            self._preparing.cancel()
            self._preparing = None

    async def _make_ready(self, configs: Mapping[int, RunConfig]) -> None:
        config = next(iter(configs.values()))
        if config.base:
            made = await make_overlays(config, tuple(configs), self._context.children)
            if made:
                self._notice(
                    ev.Level.INFO, f"made {plural(made, 'overlay')} of {one_line(config.base)}"
                )
        for each in dict.fromkeys(configs.values()):
            vms = [vm for vm, its in configs.items() if its is each]
            has_esp = await self._admissions.admit(each, vms)
            self._tell_files(self._admissions.files)
            if each not in self._launches:
                launch = await prepare_launch(
                    each,
                    has_esp=has_esp,
                    folder=self._context.folder,
                    children=self._context.children,
                    say=self._say_once,
                )
                self._launches[each] = await self._within_reach(each, launch)
        await before_storm(self._plan, self._context.children, self._emit)

    async def _within_reach(self, config: RunConfig, launch: Launch) -> Launch:
        """Copy what QEMU's user may not open, and let it find what lies in the run's folder."""
        folder, powers = self._context.folder, self._qemus[config].powers
        for name, path in launch.files(config):
            if powers.reach(path) is Reach.NONE:
                copy = await copy_file(path, folder, name, self._context.children)
                launch = launch.loading(name, copy)
        if powers.user is not None:
            folder.share(powers.user.gid)
        return launch

    def _tell_files(self, files: tuple[ev.BootFile, ...]) -> None:
        """Tell what VMs boot from, where it was not told in this run."""
        if files not in self._files:
            self._files.add(files)
            self._emit(ev.FilesSeen(at_ns=time.monotonic_ns(), files=files))

    def _notice(self, level: ev.Level, text: str) -> None:
        self._emit(ev.Notice(at_ns=time.monotonic_ns(), level=level, text=text))

    def _say_once(self, level: ev.Level, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._notice(level, text)

    async def _storm(
        self,
        configs: Mapping[int, RunConfig],
        kind: StormKind,
        parameters: Mapping[str, str],
        planned: int,
    ) -> None:
        vms = tuple(configs)
        if not self._stopped:
            await self._prepare(configs)
        if self._stopped:
            return
        if kind is not StormKind.DETAIL:
            self._configs.update(configs)
        self._storms += 1
        storm = self._storms
        qemus = [self._qemus[config] for config in configs.values()]
        self._emit(
            ev.StormStarted(
                at_ns=time.monotonic_ns(),
                storm=storm,
                kind=kind,
                vms=vms,
                parameters=parameters,
                planned=planned,
                accel=_all_of(qemu.accel for qemu in qemus),
                qemu_version=_all_of(qemu.powers.version for qemu in qemus),
            )
        )
        images = [config.image(vm) for vm, config in configs.items()]
        holders = Holders(self._context.children, images)
        rounds = self._rounds(storm, configs)
        attempts = [
            self._queue(vm, configs[vm], storm, holders, each) for each in rounds for vm in each.vms
        ]
        async with asyncio.TaskGroup() as group:
            for attempt in attempts:
                group.create_task(attempt.run())
            await self._lead(storm, rounds)
        self._emit(ev.StormEnded(at_ns=time.monotonic_ns(), storm=storm))
        gc.collect()  # nothing is stamped now; while VMs boot it is put off

    def _rounds(self, storm: int, configs: Mapping[int, RunConfig]) -> list[Round]:
        """Part a storm into rounds of as many VMs as the host can hold."""
        config = next(iter(configs.values()))
        room = min(self._rooms.get(each, len(configs)) for each in configs.values())
        rounds = []
        for number, vms in enumerate(split(tuple(configs), room), start=1):
            told = {"storm": storm, "round": number}
            rounds.append(
                Round(
                    vms,
                    config,
                    self._order,
                    functools.partial(self._tell_phase, ev.StormDecided, told),
                    functools.partial(self._tell_phase, ev.StormCollected, told),
                )
            )
        if len(rounds) > 1:
            self._say_once(
                ev.Level.INFO,
                f"the host can hold {room} of {len(configs)} VMs at once: the storm goes in "
                f"{len(rounds)} rounds, each ended before the next boots",
            )
        return rounds

    def _tell_phase(
        self, kind: type[ev.StormDecided] | type[ev.StormCollected], told: Mapping[str, int]
    ) -> None:
        self._emit(kind(at_ns=time.monotonic_ns(), **told))

    async def _lead(self, storm: int, rounds: Sequence[Round]) -> None:
        """Let the rounds of a storm boot, one after another."""
        for number, each in enumerate(rounds, start=1):
            self._emit(
                ev.RoundStarted(
                    at_ns=time.monotonic_ns(),
                    storm=storm,
                    round=number,
                    rounds=len(rounds),
                    vms=each.vms,
                )
            )
            each.begin()
            await each.over()

    def _queue(
        self, vm: int, config: RunConfig, storm: int, holders: Holders, its_round: Round
    ) -> AttemptRunner:
        number = self._attempts[vm] = self._attempts.get(vm, 0) + 1
        self._emit(ev.VmQueued(at_ns=time.monotonic_ns(), vm=vm, attempt=number, storm=storm))
        qemu = self._qemus[config]
        spec = BootSpec(
            vm=vm,
            attempt=number,
            storm=storm,
            config=config,
            accel=qemu.accel,
            launch=self._launches[config],
            image=self._admissions.of(config, vm),
            powers=qemu.powers,
            holders=holders,
        )
        attempt = self._newest[vm] = AttemptRunner(spec, self._context, its_round)
        return attempt

    def rerun(self, vms: Sequence[int]) -> None:
        """Queue VMs to be booted again, as a storm of their own after those before it."""
        known = tuple(dict.fromkeys(vm for vm in vms if vm in self._configs))
        if known:
            self._reruns.append(known)

    def stop(self, *, now: bool = False) -> None:
        """End everything that runs or waits; the run's own task ends soon after."""
        self._stopped = True
        self._reruns.clear()
        if self._preparing is not None:
            self._preparing.cancel()
        self.answer(None)
        for attempt in self._newest.values():
            if now:
                attempt.kill("killed with the run")
            else:
                attempt.stop("stopped with the run")

    def act(self, action: VmAction, vms: Sequence[int]) -> None:
        """Do something to running VMs; the others are left alone."""
        for vm in dict.fromkeys(vms):
            attempt = self._newest.get(vm)
            if attempt is None:
                continue
            if action is VmAction.KILL:
                attempt.kill("killed on request")
            elif attempt.is_running:
                task = asyncio.create_task(self._act(attempt, action))
                self._actions.add(task)
                task.add_done_callback(self._actions.discard)

    async def _act(self, attempt: AttemptRunner, action: VmAction) -> None:
        try:
            match action:
                case VmAction.PAUSE:
                    await attempt.pause()
                case VmAction.RESUME:
                    await attempt.resume()
                case VmAction.POWERDOWN:
                    await attempt.command("system_powerdown")
                case VmAction.RESET:
                    await self._reset(attempt)
        except QemuError as error:
            self._notice(ev.Level.WARNING, f"VM {attempt.vm}: cannot {action}: {error.message}")

    async def _reset(self, attempt: AttemptRunner) -> None:
        """Reset a VM without making an end of it, as its guest's own reboots are to (-no-reboot).

        A PC's firmware answers a reset with one or two of its own, so those that follow soon and
        are few are let pass.
        """
        attempt.resets_asked += 1
        asked = attempt.resets_asked
        await attempt.command("set-action", {"reboot": "reset"})
        await attempt.command("system_reset")
        with contextlib.suppress(TimeoutError):
            for _ in range(_FIRMWARE_RESETS + 1):
                attempt.was_reset.clear()
                async with asyncio.timeout(_RESET_SETTLES_S):
                    await attempt.was_reset.wait()
        if attempt.is_running and attempt.resets_asked == asked:
            await attempt.command("set-action", {"reboot": "shutdown"})

    def read_console(self, vm: int, seen_bytes: int) -> None:
        """Answer with the console's end, if it grew beyond ``seen_bytes``."""
        attempt = self._newest.get(vm)
        if attempt is not None and attempt.console_bytes != seen_bytes:
            self._emit(attempt.console_event(_MAX_CONSOLE_BYTES))


def _all_of(words: Iterable[str]) -> str:
    """Return what VMs of one storm have, which may differ where they are booted again."""
    return ", ".join(dict.fromkeys(map(str, words)))
