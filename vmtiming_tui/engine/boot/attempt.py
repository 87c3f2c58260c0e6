"""One attempt to boot a VM: carries out what its course asks for, and brings it the facts."""

import asyncio
import time
from collections.abc import Coroutine, Iterable
from typing import Any

from vmtiming_tui.engine.boot import instructions as do
from vmtiming_tui.engine.boot.context import BootContext, BootSpec
from vmtiming_tui.engine.boot.course import Course
from vmtiming_tui.engine.boot.facts import (
    Answered,
    EndAsked,
    Explained,
    Fact,
    Faulted,
    Goal,
    NotSpawned,
    PauseAsked,
    PortClosed,
    PortOpened,
    QmpReady,
    Reached,
    ResumeAsked,
    Said,
    Spawned,
    TimeUp,
    Unheard,
)
from vmtiming_tui.engine.boot.instructions import Instruction
from vmtiming_tui.engine.boot.narrator import FINAL_CONSOLE_BYTES, Narrator
from vmtiming_tui.engine.boot.onlooker import Onlooker
from vmtiming_tui.engine.boot.qemu_process import QemuProcess, spawn_trouble
from vmtiming_tui.engine.boot.rounds import Round
from vmtiming_tui.engine.boot.standing import State
from vmtiming_tui.engine.children.children import Exit
from vmtiming_tui.engine.guest.console import ConsoleLog, readable
from vmtiming_tui.engine.guest.report_protocol import OrderTold, Statement
from vmtiming_tui.engine.host.usage import usage_of
from vmtiming_tui.engine.qemu import locked_images, why_it_failed
from vmtiming_tui.engine.qemu.why_it_failed import Why
from vmtiming_tui.engine.qmp.controller import QmpEvent
from vmtiming_tui.errors import ImageError, QemuError
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import KernelDetail
from vmtiming_tui.own_faults import kept_fault

_EARLY_LIMIT_S = 1.0
_LINGER_S = 0.02


class AttemptRunner:
    """Runs one attempt to its end; ``run`` is its only task, everything else tells it facts."""

    def __init__(self, spec: BootSpec, context: BootContext, its_round: Round) -> None:
        self.spec = spec
        self._round = its_round
        self._context = context
        self._emit = context.emit
        self._narrator = Narrator(spec.vm, spec.attempt)
        self._course = Course(self._narrator, context.limits, spec.config)
        self._facts: asyncio.Queue[Fact] = asyncio.Queue()
        self._begun: set[asyncio.Task[Fact]] = set()
        self._onlooker = Onlooker(self._narrator, self._emit, spec.config.boot)
        self._console = ConsoleLog(context.folder.console(spec.vm), self._look)
        self._process: QemuProcess | None = None
        self._told_exit = False
        self.was_reset = asyncio.Event()
        self.resets_asked = 0

    # What others tell it.

    def report_opened(self, connection: int, pid: int) -> None:
        """QEMU connected its report chardev."""
        self._facts.put_nowait(PortOpened(connection, pid))

    def report_said(self, statement: Statement, received_ns: int) -> None:
        """The guest said something."""
        if isinstance(statement, OrderTold) and not self._round.order.take(self.vm):
            return
        self._facts.put_nowait(Said(statement, received_ns))

    def report_closed(self) -> None:
        """The report connection is over."""
        self._facts.put_nowait(PortClosed())

    def _hear(self, event: QmpEvent) -> None:
        if event.name == "RESET":
            self.was_reset.set()
        self._onlooker.hear(event)
        self._facts.put_nowait(event)

    def _look(self, written: bytes) -> None:
        if self._course.is_booting:
            self._onlooker.look(written)

    def kill(self, why: str) -> None:
        """End it at once, or never begin it."""
        self._facts.put_nowait(EndAsked(why, at_once=True))

    def stop(self, why: str) -> None:
        """End it in order: powerdown, quit, kill."""
        self._facts.put_nowait(EndAsked(why))

    async def pause(self) -> None:
        """Have it stand still, which does not count against its limit; raise ``QemuError``."""
        self._facts.put_nowait(PauseAsked())
        try:
            await self.command("stop")
        except QemuError:
            self._facts.put_nowait(ResumeAsked(time.monotonic_ns()))
            raise

    async def resume(self) -> None:
        """Let it go on; raise ``QemuError``."""
        self._facts.put_nowait(ResumeAsked(time.monotonic_ns()))
        await self.command("cont")

    async def command(self, name: str, arguments: dict[str, object] | None = None) -> object:
        """Send a QMP command; raise ``QemuError`` in words."""
        if self._process is None:
            raise QemuError("it is not running")
        limit_s = self._context.limits.command_s
        return await self._process.qmp.execute(name, arguments, limit_s=limit_s)

    # What others ask it.

    @property
    def vm(self) -> int:
        """Which VM it boots."""
        return self.spec.vm

    @property
    def is_running(self) -> bool:
        """Whether it was let go, and its QEMU is there and can be spoken to."""
        process, course = self._process, self._course
        reachable = process is not None and process.qmp.is_connected and course.exit is None
        return reachable and course.was_let_go

    @property
    def is_booting(self) -> bool:
        """Whether it is still to be seen if it boots."""
        return self._course.is_booting

    @property
    def pid(self) -> int:
        """QEMU's pid, below a wrapper too; 0 when there is none."""
        if self._process is None or self._process.child is None or self._course.exit is not None:
            return 0
        return self._course.qemu_pid or self._process.child.pid

    @property
    def console_bytes(self) -> int:
        """How much its console has written so far."""
        return self._console.total_bytes

    def console_event(self, limit_bytes: int) -> ev.VmConsole:
        """Return the end of the console as it is now."""
        return self._narrator.console(time.monotonic_ns(), self._console, limit_bytes)

    def tell_so_far(self) -> None:
        """Say what its QEMU has used, and where it is; the last time is when it is decided."""
        if usage := usage_of(self.pid, self._course.vcpu_tids):
            self._emit(self._narrator.usage(time.monotonic_ns(), usage))
        self._onlooker.tell_line(self._console)

    # Its own life.

    async def run(self) -> None:
        """Boot, wait for the report, and see QEMU gone; every outcome is an event.

        A fault of our own, whatever it is, costs this VM alone.
        """
        try:
            await self._follow_course()
        finally:
            self._round.collected(self.vm)
            self._abandon()
            if self._begun:
                await asyncio.wait(self._begun)
            if self._process is not None:
                await self._process.close()
            self._round.gone(self.vm)
        if self._course.has_faults:
            await self._see_it_gone()

    async def _follow_course(self) -> None:
        todo: Iterable[Instruction] = self._course.begin()
        while True:
            try:
                for instruction in todo:
                    self._carry_out(instruction)
                if self._course.state is State.OVER:
                    return
                fact = await self._next_fact()
            except Exception as error:  # noqa: BLE001  nobody knows which they are
                fact = Faulted(kept_fault(error, "engine"))
            todo = self._course.handle(fact, time.monotonic_ns())

    async def _next_fact(self) -> Fact:
        """Return what becomes known next; what is known already comes before any deadline."""
        due_ns = self._course.deadline_ns
        if due_ns is None or not self._facts.empty():
            return await self._facts.get()
        try:
            async with asyncio.timeout_at(due_ns / 1e9):
                return await self._facts.get()
        except TimeoutError:
            # Where the loop was late, a fact may have come in the same turn.
            return TimeUp() if self._facts.empty() else self._facts.get_nowait()

    def _carry_out(self, instruction: Instruction) -> None:
        match instruction:
            case do.Await(goal):
                self._begin(self._reach(goal))
            case do.Spawn():
                self._begin(self._spawn())
            case do.Connect():
                self._begin(self._connect())
            case do.Ask(command, limit_s):
                self._begin(self._ask(command, limit_s))
            case do.TellGuest(word):
                self._tell_guest(word)
            case do.EndReport():
                self._running.end_report()
            case do.Explain():
                self._begin(self._explain(instruction))
            case do.Abandon():
                self._abandon()
            case do.EndLaunch():
                self._round.turns.end_launch(self.vm)
            case do.LeavePlace():
                self._round.decided(self.vm)
            case do.LeaveCollect():
                self._round.collected(self.vm)
            case do.Kill():
                self._running.kill()
            case do.TellSoFar():
                self.tell_so_far()
            case do.TellExit(ended, reason, shutdown_ns):
                self._tell_exit(ended, reason, shutdown_ns)
            case _:
                self._emit(self._told(instruction))

    def _told(self, what: do.Emit | do.Fail | do.TimeOut) -> ev.Event:
        """Return what is to be said, with what QEMU and its guest said last."""
        now_ns = time.monotonic_ns()
        match what:
            case do.Emit(event):
                return event
            case do.Fail(why):
                return self._narrator.failed(now_ns, why, self._stderr)
            case do.TimeOut():
                return self._narrator.timed_out(
                    now_ns,
                    what.limit_s,
                    self._console_end,
                    stopped_by_itself=what.stopped_by_itself,
                )

    # What takes a while; each comes back as a fact.

    def _begin(self, what: Coroutine[Any, Any, Fact]) -> None:
        task = asyncio.create_task(what)
        self._begun.add(task)
        task.add_done_callback(self._came_back)

    def _came_back(self, task: asyncio.Task[Fact]) -> None:
        self._begun.discard(task)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            self._facts.put_nowait(Faulted(kept_fault(error, "engine")))
        else:
            self._facts.put_nowait(task.result())

    def _abandon(self) -> None:
        for task in self._begun:
            task.cancel()

    async def _reach(self, goal: Goal) -> Reached:
        match goal:
            case Goal.PLACE:
                await self._round.enter(self.vm)
            case Goal.LAUNCH:
                await self._round.turns.begin_launch(self.vm)
            case Goal.TURN:
                await self._round.go(self.vm)
            case Goal.COLLECT:
                await self._round.collect(self.vm)
            case Goal.END:
                await self._round.end(self.vm)
            case Goal.STAMPS:
                await self._running.all_stamped(_EARLY_LIMIT_S)
            case Goal.LAST_WORDS:
                # They may still be in the pipes, its last event and report in the sockets.
                await self._running.last_words()
                await asyncio.sleep(_LINGER_S)
        return Reached(goal)

    async def _spawn(self) -> Spawned | NotSpawned:
        spec, context = self.spec, self._context
        try:
            self._process = QemuProcess(
                spec.vm,
                self._console,
                tell=self._facts.put_nowait,
                hear=self._hear,
                stamps=context.stamps,
            )
            child = await self._process.start(spec, context, self)
        except OSError as error:
            return NotSpawned(spawn_trouble(spec.config, error))
        except ImageError as error:
            return NotSpawned(Why(error.message, error.hint))
        return Spawned(
            pid=child.pid,
            spawn_ns=child.spawn_ns,
            argv=tuple(self._process.command),
            injected=spec.launch.injected,
        )

    async def _connect(self) -> QmpReady:
        try:
            await self._running.qmp.connect(self._context.limits.greeting_s)
        except QemuError as error:
            return QmpReady(error.message)
        return QmpReady()

    async def _ask(self, command: str, limit_s: float) -> Answered:
        qmp = self._running.qmp
        is_sent = qmp.is_connected
        try:
            answer = await qmp.execute(command, limit_s=limit_s)
        except QemuError as error:
            return Answered(command, trouble=error.message, is_sent=is_sent)
        return Answered(command, answer)

    def _tell_guest(self, word: do.Word) -> None:
        text = str(word)
        if word is do.Word.DETAILS:
            if self._round.order.claim(self.vm):
                text += " order"
            if self.spec.config.kernel_detail is KernelDetail.ON:
                # A word of its own: earlier guests pass it over, and know none after `details`.
                text = f"{do.Word.KERNEL}\n{text}"
        if not self._running.tell_guest(text):
            self._facts.put_nowait(Unheard())

    async def _explain(self, asked: do.Explain) -> Explained:
        stderr = self._stderr
        image = locked_images.locked_image(stderr)
        if image and (holders := await self.spec.holders.of(image)):
            return Explained(locked_images.held(image, holders))
        return Explained(
            why_it_failed.why_it_ended(
                asked.ended,
                asked.reason,
                stderr,
                self._console_end,
                connected=asked.connected,
                rejected=asked.rejected,
            )
        )

    # What QEMU is, and said.

    @property
    def _running(self) -> QemuProcess:
        assert self._process is not None  # noqa: S101  what asks comes after the launch
        return self._process

    @property
    def _stderr(self) -> str:
        return self._process.stderr if self._process else ""

    @property
    def _console_end(self) -> str:
        return readable(self._console.tail(FINAL_CONSOLE_BYTES))

    def _tell_exit(self, ended: Exit, reason: str, shutdown_ns: int | None) -> None:
        self._console.detach()
        if counts := self._running.qmp.left_out:
            self._emit(self._narrator.left_out(time.monotonic_ns(), counts))
        if self._console.total_bytes:
            self._emit(self.console_event(FINAL_CONSOLE_BYTES))
        self._emit(self._narrator.exited(ended, reason, shutdown_ns, self._stderr))
        self._told_exit = True

    async def _see_it_gone(self) -> None:
        """Say that QEMU is gone, where a fault came between."""
        if self._process is None or self._process.child is None or self._told_exit:
            return
        exited = self._process.child.exited
        await asyncio.wait([exited], timeout=self._context.limits.kill_s)
        if exited.done() and not exited.cancelled():
            course = self._course
            told = (exited.result(), course.reason, course.shutdown_ns, self._stderr)
            self._emit(self._narrator.exited(*told))
