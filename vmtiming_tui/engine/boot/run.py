"""BootRun: the storms of a run, each from its preparation to its last VM."""

import asyncio
import contextlib
import functools
import gc
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from vmtiming_tui.engine.boot.attempt import AttemptRunner
from vmtiming_tui.engine.boot.before_storm import before_storm
from vmtiming_tui.engine.boot.context import BootContext, BootSpec
from vmtiming_tui.engine.boot.leader import Leader, RoundSpec
from vmtiming_tui.engine.boot.rounds import OrderWish, Round, split
from vmtiming_tui.engine.image.gate_client import Admissions
from vmtiming_tui.engine.image.overlays import make_overlays
from vmtiming_tui.engine.qemu.confinement import Reach
from vmtiming_tui.engine.qemu.launch import Launch, copy_file, prepare_launch
from vmtiming_tui.engine.qemu.locked_images import Holders
from vmtiming_tui.engine.qemu.settled import SettledQemu
from vmtiming_tui.errors import QemuError
from vmtiming_tui.escape import one_line, plural
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Boot, VmAction
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.plan import RunPlan

_MAX_CONSOLE_BYTES = 256 * 1024
_FIRMWARE_RESETS = 2
_RESET_SETTLES_S = 5.0


class BootRun:
    """Boots the storms of a run, one after another, as it is asked to.

    ``qemus`` tells what each config boots with; ``leader`` lets storms take their steps.
    """

    def __init__(
        self,
        plan: RunPlan,
        qemus: Mapping[RunConfig, SettledQemu],
        leader: Leader,
        context: BootContext,
    ) -> None:
        self._plan = plan
        self._qemus = qemus
        self._leader = leader
        self._order = OrderWish()
        self._context = context
        self._emit = context.emit
        self._launches: dict[RunConfig, Launch] = {}
        self._said: set[str] = set()
        self._files: set[tuple[ev.BootFile, ...]] = set()
        self._admissions = Admissions(context.children, self._say_once)
        self._newest: dict[int, AttemptRunner] = {}
        self._stopped = False
        self._preparing: asyncio.Task[None] | None = None
        self._actions: set[asyncio.Task[None]] = set()

    @property
    def attempts(self) -> list[AttemptRunner]:
        """The newest attempt of every VM."""
        return list(self._newest.values())

    async def make_ready(self, asked: Boot) -> bool:
        """Do what comes before a storm; return whether it may begin, as a stop cuts it short.

        Raises ``EngineError`` and ``ImageError`` where it cannot.
        """
        self._stopped = False
        self._preparing = asyncio.create_task(self._make_ready(asked))
        try:
            await asyncio.wait([self._preparing])
            if not self._preparing.cancelled():
                self._preparing.result()
        finally:
            self._preparing.cancel()
            self._preparing = None
        return not self._stopped

    async def _make_ready(self, asked: Boot) -> None:
        by_config: defaultdict[RunConfig, list[int]] = defaultdict(list)
        for share in asked.shares:
            by_config[share.config] += share.vms
        for each, vms in by_config.items():
            if each.base and (made := await make_overlays(each, vms, self._context.children)):
                self._notice(
                    ev.Level.INFO, f"made {plural(made, 'overlay')} of {one_line(each.base)}"
                )
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

    async def boot(self, asked: Boot, room: int) -> None:
        """Boot a storm that was made ready, in rounds of as many VMs as there is room for."""
        if not self._leader.is_led:
            self._tell_storm(asked)
        configs = _configs(asked)
        images = [config.image(vm) for vm, config in configs.items()]
        holders = Holders(self._context.children, images)
        rounds = self._rounds(asked, room)
        attempts = [
            self._queue(vm, configs[vm], holders, each) for each in rounds for vm in each.spec.vms
        ]
        async with asyncio.TaskGroup() as group:
            for attempt in attempts:
                group.create_task(attempt.run())
            for each in rounds:
                each.begin()
                await each.over()
        self._emit(ev.StormEnded(at_ns=time.monotonic_ns(), storm=asked.storm))
        gc.collect()  # nothing is stamped now; while VMs boot it is put off

    def _rounds(self, asked: Boot, room: int) -> list[Round]:
        """Part a storm into rounds of as many VMs as the host can hold."""
        numbers = {
            vm: number
            for share in asked.shares
            for vm, number in zip(share.vms, share.attempts, strict=True)
        }
        parts = list(split(tuple(numbers), room))
        specs = [
            RoundSpec(
                storm=asked.storm,
                number=place,
                rounds=len(parts),
                config=asked.shares[0].config,
                attempts={vm: numbers[vm] for vm in vms},
            )
            for place, vms in enumerate(parts, start=1)
        ]
        if len(parts) > 1:
            self._say_once(
                ev.Level.INFO,
                f"the host can hold {room} of {len(numbers)} VMs at once: the storm goes in "
                f"{len(parts)} rounds, each ended before the next boots",
            )
        return [
            Round(spec, self._leader, self._order, functools.partial(self._tell_step, asked, spec))
            for spec in specs
        ]

    def _tell_storm(self, asked: Boot) -> None:
        configs = _configs(asked)
        qemus = [self._qemus[config] for config in configs.values()]
        self._emit(
            ev.StormStarted(
                at_ns=time.monotonic_ns(),
                storm=asked.storm,
                kind=asked.kind,
                vms=tuple(configs),
                parameters=asked.parameters,
                planned=asked.planned,
                accel=_all_of(qemu.accel for qemu in qemus),
                qemu_version=_all_of(qemu.powers.version for qemu in qemus),
            )
        )

    def _tell_step(self, asked: Boot, its: RoundSpec, step: ev.Step) -> None:
        """Say that a round takes a step; the first of a storm that is led begins the storm."""
        if step is ev.Step.ROUND and its.number == 1 and self._leader.is_led:
            self._tell_storm(asked)
        told = {"at_ns": time.monotonic_ns(), "storm": its.storm, "round": its.number}
        match step:
            case ev.Step.ROUND:
                self._emit(ev.RoundStarted(**told, rounds=its.rounds, vms=its.vms))
            case ev.Step.DECIDED:
                self._emit(ev.StormDecided(**told))
            case ev.Step.COLLECTED:
                self._emit(ev.StormCollected(**told))

    def _queue(
        self, vm: int, config: RunConfig, holders: Holders, its_round: Round
    ) -> AttemptRunner:
        storm, number = its_round.spec.storm, its_round.spec.attempts[vm]
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

    def stop(self, *, now: bool = False) -> None:
        """End everything that runs or waits; the storm is over soon after."""
        self._stopped = True
        if self._preparing is not None:
            self._preparing.cancel()
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


def _configs(asked: Boot) -> dict[int, RunConfig]:
    """Return with which config each VM of a storm boots, in the order they were asked for."""
    return {vm: share.config for share in asked.shares for vm in share.vms}


def _all_of(words: Iterable[str]) -> str:
    """Return what VMs of one storm have, which may differ where they are booted again."""
    return ", ".join(dict.fromkeys(map(str, words)))
