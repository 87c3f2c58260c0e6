"""One engine from its start to its end: commands in, runs one after another, nothing left."""

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vmtiming_tui import __version__
from vmtiming_tui.engine.boot.context import BootContext
from vmtiming_tui.engine.boot.leader import Alone, Led
from vmtiming_tui.engine.boot.led_storms import LedStorms
from vmtiming_tui.engine.boot.plan_walk import PlanWalk
from vmtiming_tui.engine.boot.run import BootRun
from vmtiming_tui.engine.children import rundir
from vmtiming_tui.engine.children.children import Children, start_warden
from vmtiming_tui.engine.guest.limits import Limits
from vmtiming_tui.engine.guest.report_socket import GuestReportServer
from vmtiming_tui.engine.guest.report_stamper import ReportStamper
from vmtiming_tui.engine.host.capacity import check_descriptors, raise_descriptor_limit, rooms_for
from vmtiming_tui.engine.host.usage import UsageWatch
from vmtiming_tui.engine.host.watch import HostWatch, host_facts
from vmtiming_tui.engine.qemu.settled import settle_qemus
from vmtiming_tui.engine.qmp.event_stamps import StampReader
from vmtiming_tui.errors import EngineError, ImageError
from vmtiming_tui.images.guard.box import own_uid
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.run_id import run_id

_MAX_STRANGERS = 20
_NICER = -10


@dataclass
class _Asked:
    """A run asked for and not yet begun; ``outcome`` says where it was stopped before that.

    ``boots`` are the storms that one which is led is to boot.
    """

    start: commands.Start
    outcome: ev.Outcome = ev.Outcome.FINISHED
    boots: deque[commands.Boot] = field(default_factory=deque)


class Engine:
    """Carries out commands; ``run`` returns when there is nothing more to do.

    ``reader`` is the descriptor commands come from, for the warden to watch.
    """

    def __init__(
        self,
        emit: Callable[[ev.Event], None],
        limits: Limits | None = None,
        *,
        reader: int = -1,
    ) -> None:
        self._emit = emit
        self._limits = limits or Limits()
        self._starts: deque[_Asked] = deque()
        self._wake = asyncio.Event()
        self._asked: _Asked | None = None
        self._run: BootRun | None = None
        self._storms: PlanWalk | LedStorms | None = None
        self._beginning: asyncio.Task[BootRun] | None = None
        self._outcome = ev.Outcome.FINISHED
        self._leaving = False
        self._strangers = 0
        self._reader = reader
        self._own_uid: int | None = None

    # Commands; each returns at once.

    def obey(self, command: commands.Command) -> None:
        """Take a command; what it leads to comes as events."""
        match command:
            case commands.Start():
                self._starts.append(_Asked(command))
                self._wake.set()
            case commands.Act():
                if self._run is not None:
                    self._run.act(command.action, command.vms)
            case commands.ReadConsole():
                if self._run is not None:
                    self._run.read_console(command.vm, command.seen_bytes)
            case commands.Boot():
                self._take_storm(command)
            case commands.Stop():
                self._stop(command.now, ev.Outcome.STOPPED)
            case commands.Quit():
                self.leave(now=command.now)
            case _:
                if self._storms is not None:
                    self._storms.obey(command)
                    self._wake.set()

    def _take_storm(self, boot: commands.Boot) -> None:
        """Keep a storm for the newest run, where that is led; it may not have begun."""
        asked = self._starts[-1] if self._starts else self._asked
        if asked is not None and asked.start.led:
            asked.boots.append(boot)
            self._wake.set()

    def leave(self, *, now: bool = False, outcome: ev.Outcome = ev.Outcome.STOPPED) -> None:
        """Stop what runs and end the engine."""
        self._leaving = True
        self._wake.set()
        self._stop(now, outcome)

    def _stop(self, now: bool, outcome: ev.Outcome) -> None:
        self._outcome = outcome
        for asked in self._starts:
            asked.outcome = outcome
        if self._beginning is not None:
            self._beginning.cancel()
        if self._run is not None:
            self._run.stop(now=now)
        if self._storms is not None:
            self._storms.stop()

    # Its own life.

    async def run(self) -> None:
        """Serve till told to leave, or till a run is over that is neither interactive nor led."""
        raise_descriptor_limit()
        check_descriptors()
        rundir.remove_leftovers()
        with contextlib.ExitStack() as held:
            folder = held.enter_context(rundir.run_dir())
            with contextlib.suppress(ImageError):  # none is free: QEMU stays who we are
                self._own_uid = held.enter_context(own_uid())
            async with start_warden(folder, self._reader) as children:
                _take_precedence()
                with (
                    ReportStamper() as stamper,
                    GuestReportServer(
                        folder.socket, stamper, self._limits, self._stranger
                    ) as server,
                ):
                    context = BootContext(
                        emit=self._emit,
                        children=children,
                        server=server,
                        folder=folder,
                        stamps=StampReader(),
                        limits=self._limits,
                    )
                    serving = asyncio.create_task(self._serve(context))
                    await self._while_warden_lives(serving, children)

    async def _while_warden_lives(self, serving: "asyncio.Task[None]", children: Children) -> None:
        try:
            await asyncio.wait([serving, children.lost], return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost = not serving.done()
            serving.cancel()
            await asyncio.wait([serving])
        if not lost:
            serving.result()
            return
        self._fail(
            EngineError(
                "the helper process that starts QEMUs was killed; every VM went with it",
                hint="run again; if that is no help, look for the OOM killer in the kernel's log",
            )
        )
        self._end(ev.Outcome.INTERRUPTED)

    async def _serve(self, context: BootContext) -> None:
        while not self._leaving:
            if not self._starts:
                await self._woken()
                continue
            asked = self._asked = self._starts.popleft()
            self._run = self._storms = None
            self._outcome = asked.outcome
            await self._one_run(asked, context)
            if not (asked.start.interactive or asked.start.led):
                return

    async def _woken(self) -> None:
        await self._wake.wait()
        self._wake.clear()

    async def _one_run(self, asked: _Asked, context: BootContext) -> None:
        run = None
        try:
            if self._outcome is ev.Outcome.FINISHED:
                run = await self._begin(asked, context)
        except EngineError as error:
            self._fail(error)
            self._end(ev.Outcome.INTERRUPTED)
            return
        if run is None or self._outcome is not ev.Outcome.FINISHED:
            self._storms = None
            self._end(self._outcome)  # stopped before there was a run to stop
            return
        self._run = run
        async with HostWatch(self._emit), UsageWatch(lambda: run.attempts):
            match self._storms:
                case PlanWalk() as walk:
                    await self._walk(walk, interactive=asked.start.interactive)
                case LedStorms() as led:
                    await self._carry_out(self._follow(led))

    async def _walk(self, walk: PlanWalk, *, interactive: bool) -> None:
        """Boot a plan, then what is asked for again."""
        await self._carry_out(walk.run())
        while interactive and not (self._leaving or self._starts):
            await self._woken()
            if walk.has_more:
                self._outcome = ev.Outcome.FINISHED
                await self._carry_out(walk.run())

    async def _follow(self, led: LedStorms) -> None:
        """Boot what whoever leads asks for, as long as there may be more."""
        while not (self._leaving or self._starts):
            if led.has_more:
                self._outcome = ev.Outcome.FINISHED
                await led.run_next()
            else:
                await self._woken()

    async def _carry_out(self, storms: Coroutine[Any, Any, None]) -> None:
        try:
            await storms
        except (EngineError, ImageError) as error:
            self._fail(error)
            self._outcome = ev.Outcome.INTERRUPTED
        self._end(self._outcome)

    async def _begin(self, asked: _Asked, context: BootContext) -> BootRun | None:
        """Settle what the run needs to know first; None where it was stopped meanwhile."""
        self._beginning = asyncio.create_task(self._settle(asked, context))
        try:
            await asyncio.wait([self._beginning])
            if self._beginning.cancelled():
                return None
            return self._beginning.result()
        finally:
            self._beginning.cancel()
            await asyncio.wait([self._beginning])
            self._beginning = None

    async def _settle(self, asked: _Asked, context: BootContext) -> BootRun:
        plan = asked.start.plan
        found = await settle_qemus(plan.configs, self._own_uid, context.children)
        groups = [qemu.powers.user.gid for qemu in found.values() if qemu.powers.user]
        if groups:
            context = replace(context, folder=context.folder.shared(groups[0]))
        accels = {config: qemu.accel for config, qemu in found.items()}
        rooms = {} if asked.start.led else rooms_for(accels)
        first, wall_ns = found[plan.config], time.time_ns()
        self._emit(
            ev.RunStarted(
                at_ns=time.monotonic_ns(),
                run=run_id(wall_ns),
                wall_ns=wall_ns,
                number=plan.number,
                plan=plan,
                host=host_facts(),
                accel=first.accel.value,
                accel_reason=first.choice.reason,
                qemu_version=first.powers.version,
                tool_version=__version__,
            )
        )
        for word in dict.fromkeys(qemu.powers.word for qemu in found.values() if qemu.powers.word):
            self._notice(ev.Level.INFO, word)
        for choice in dict.fromkeys(qemu.choice for qemu in found.values()):
            if choice.warns:
                self._notice(ev.Level.WARNING, choice.reason)
        if not asked.start.led:
            run = BootRun(plan, found, Alone(), context)
            self._storms = PlanWalk(plan, run, rooms, self._emit)
            return run
        leader = Led(self._emit)
        run = BootRun(plan, found, leader, context)
        self._storms = LedStorms(run, leader, accels, asked.boots, self._emit)
        return run

    def _stranger(self, pid: int, uid: int) -> None:
        self._strangers += 1
        if self._strangers <= _MAX_STRANGERS:
            self._notice(
                ev.Level.WARNING,
                f"process {pid} of user {uid} connected to the report socket and was refused: "
                "it is none of the VMs",
            )

    def _notice(self, level: ev.Level, text: str) -> None:
        self._emit(ev.Notice(at_ns=time.monotonic_ns(), level=level, text=text))

    def _fail(self, error: EngineError | ImageError) -> None:
        self._emit(ev.EngineFailed(at_ns=time.monotonic_ns(), why=error.message, hint=error.hint))

    def _end(self, outcome: ev.Outcome) -> None:
        self._emit(ev.RunEnded(at_ns=time.monotonic_ns(), outcome=outcome))


def _take_precedence() -> None:
    """Let the engine, which only stamps, run before the guests it times, where that is allowed.

    The warden, and with it every QEMU, was started before, in sessions of their own, and keeps the
    usual priority. Where the kernel groups processes by session, the group's priority is what
    counts (sched(7), autogroup); it is ours alone to set where the session is ours.
    """
    with contextlib.suppress(OSError):
        os.nice(_NICER)
        if os.getsid(0) == os.getpid():
            Path("/proc/self/autogroup").write_text(str(_NICER))
