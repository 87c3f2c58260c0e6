"""One boot of one VM: everything that happens to it comes in as facts, one at a time."""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

from vmtiming_tui import events as ev
from vmtiming_tui.config import Accel, RunConfig
from vmtiming_tui.engine import diagnosis
from vmtiming_tui.engine.children import Child, Children, Exit, Tail
from vmtiming_tui.engine.clock import StampReader
from vmtiming_tui.engine.console import ConsoleLog, readable
from vmtiming_tui.engine.gate import StartGate
from vmtiming_tui.engine.guest import GuestReportServer
from vmtiming_tui.engine.images import image_format
from vmtiming_tui.engine.limits import Limits
from vmtiming_tui.engine.qemu import CONSOLE_FD, QMP_FD, REPORT_ID, Drive, command_line
from vmtiming_tui.engine.qmp import QmpController, QmpEvent
from vmtiming_tui.engine.report import Booted, Details, Rejected, Statement
from vmtiming_tui.engine.rundir import RunDir
from vmtiming_tui.errors import QemuError

_FINAL_CONSOLE_BYTES = 16 * 1024
_MAX_QMP_EVENTS = 300
_MAX_STDERR_BYTES = 64 * 1024
_WEIGHTY = frozenset({"SHUTDOWN", "STOP", "RESUME", "RESET", "GUEST_PANICKED"})
_GO_EARLY_NS = 1_000_000
_OPEN_WAIT_S = 0.02


@dataclass(frozen=True, slots=True)
class Tools:
    """What every attempt of an engine works with."""

    emit: Callable[[ev.Event], None]
    children: Children
    server: GuestReportServer
    folder: RunDir
    stamps: StampReader
    limits: Limits


@dataclass(frozen=True, slots=True)
class Boot:
    """Which boot this is, and with which settings."""

    vm: int
    attempt: int
    storm: int
    config: RunConfig
    accel: Accel


@dataclass(frozen=True, slots=True)
class _PortOpened:
    connection: int


@dataclass(frozen=True, slots=True)
class _Said:
    statement: Statement
    received_ns: int


@dataclass(frozen=True, slots=True)
class _QmpReady:
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class _QmpLost:
    why: str


@dataclass(frozen=True, slots=True)
class _Wake:
    pass


@dataclass(frozen=True, slots=True)
class _Killed:
    why: str


_Fact: TypeAlias = Exit | QmpEvent | _PortOpened | _Said | _QmpReady | _QmpLost | _Killed | _Wake


class _LostError(Exception):
    """The attempt is decided, and not well: carries the event that says so."""

    def __init__(self, event: ev.VmFailed | ev.VmTimedOut | ev.VmKilled) -> None:
        super().__init__()
        self.event = event


class Attempt:
    """Runs one boot to its end; ``run`` is its only task, everything else tells it facts."""

    def __init__(self, boot: Boot, tools: Tools) -> None:
        self.boot = boot
        self._tools = tools
        self._emit = tools.emit
        self._facts: asyncio.Queue[_Fact] = asyncio.Queue()
        self._console = ConsoleLog(tools.folder.console(boot.vm, boot.attempt))
        self._child: Child | None = None
        self._qmp: QmpController | None = None
        self._errors: Tail | None = None
        self._exit: Exit | None = None
        self._qmp_ready = False
        self._connection: int | None = None
        self._go_sent_ns: int | None = None
        self._go_ns: int | None = None
        self._resumed: asyncio.Event = asyncio.Event()
        self._resume_ns: int | None = None
        self._opened: asyncio.Event = asyncio.Event()
        self._open_ns: int | None = None
        self._reason = ""
        self._booted = False
        self._lost = False
        self._io_trouble: diagnosis.Why | None = None
        self._qmp_events = 0
        self._paused_since: float | None = None
        self._paused_s = 0.0
        self._stopping = False
        self._now = asyncio.Event()
        self.was_reset = asyncio.Event()
        self.qemu_pid = 0
        self.vcpu_tids: tuple[int, ...] = ()

    # What others tell it.

    def report_opened(self, connection: int, pid: int) -> None:
        """QEMU connected its report chardev."""
        self.qemu_pid = pid
        self._facts.put_nowait(_PortOpened(connection))

    def report_said(self, statement: Statement, received_ns: int) -> None:
        """The guest said something."""
        self._facts.put_nowait(_Said(statement, received_ns))

    def report_closed(self) -> None:
        """QEMU closed the report socket; its exit, if it is one, says more."""

    def _hear(self, event: QmpEvent) -> None:
        match event.name:
            case "RESUME" if not self._resumed.is_set() and self._go_sent_ns is not None:
                self._resume_ns = event.qemu_ns
                self._resumed.set()
            case "RESET":
                self.was_reset.set()
            case "VSERPORT_CHANGE" if event.data.get("id") == REPORT_ID:
                if event.data.get("open") is True:
                    self._open_ns = event.qemu_ns
                    self._opened.set()
        self._facts.put_nowait(event)

    def kill(self, why: str) -> None:
        """End it at once, or never begin it."""
        self._now.set()
        self._facts.put_nowait(_Killed(why))

    def stop(self, why: str) -> None:
        """End it in order: powerdown, quit, kill."""
        self._stopping = True
        self._facts.put_nowait(_Killed(why))

    @property
    def is_running(self) -> bool:
        """Whether its QEMU is there and can be spoken to."""
        return self._qmp is not None and self._qmp.is_connected and self._exit is None

    @property
    def pid(self) -> int:
        """QEMU's pid, below a wrapper too; 0 when there is none."""
        if self._child is None or self._exit is not None:
            return 0
        return self.qemu_pid or self._child.pid

    async def command(self, name: str, arguments: dict[str, object] | None = None) -> object:
        """Send a QMP command; raise ``QemuError`` in words."""
        if self._qmp is None:
            raise QemuError("it is not running")
        return await self._qmp.execute(name, arguments, limit_s=self._tools.limits.command_s)

    @property
    def console_bytes(self) -> int:
        """How much its console has written so far."""
        return self._console.total_bytes

    def console_event(self, limit: int) -> ev.VmConsole:
        """Return the end of the console as it is now."""
        return ev.VmConsole(
            **self._who(),
            text=readable(self._console.tail(limit)),
            total_bytes=self._console.total_bytes,
            dropped_bytes=max(self._console.total_bytes - limit, self._console.dropped_bytes),
        )

    # Its own life.

    async def run(self, gate: StartGate) -> None:
        """Boot, wait for the report, and see QEMU gone; every outcome is an event."""
        try:
            try:
                await self._wait_for(gate.enter(self.boot.vm))
                await self._launch(gate)
                await self._wait_for(gate.turn(self.boot.vm))
                await self._go()
                await self._await_report()
            except _LostError as lost:
                self._lost = True
                self._emit(lost.event)
            except QemuError as error:
                self._lost = True
                self._emit(self._failed(diagnosis.Why(error.message, error.hint)))
            finally:
                gate.leave(self.boot.vm)
            await self._see_off()
        finally:
            await self._clean_up()

    def _who(self) -> dict[str, Any]:
        return {
            "at_ns": time.monotonic_ns(),
            "vm": self.boot.vm,
            "attempt": self.boot.attempt,
        }

    def _failed(self, why: diagnosis.Why) -> ev.VmFailed:
        return ev.VmFailed(**self._who(), why=why.text, hint=why.hint, stderr=self._stderr())

    def _stderr(self) -> str:
        return diagnosis.words_of(self._errors.kept) if self._errors else ""

    async def _launch(self, gate: StartGate) -> None:
        await self._wait_for(gate.begin_launch(self.boot.vm))
        try:
            try:
                await self._spawn()
            except OSError as error:
                raise _LostError(self._failed(_spawn_trouble(self.boot.config, error))) from None
            assert self._child is not None  # noqa: S101
            self._emit(
                ev.VmLaunched(
                    **self._who(),
                    pid=self._child.pid,
                    spawn_ns=self._child.spawn_ns,
                    argv=tuple(self._argv),
                )
            )
            limits = self._tools.limits
            connecting = asyncio.create_task(self._connect())
            try:
                await self._until(lambda: self._qmp_ready, None)
            finally:
                connecting.cancel()
                await asyncio.wait([connecting])
            if not await self._until(lambda: self._connection is not None, limits.report_port_s):
                raise QemuError("QEMU did not connect its report port to us")
        finally:
            gate.end_launch(self.boot.vm)
        self._emit(ev.VmConnected(**self._who()))
        with contextlib.suppress(QemuError):
            await self._learn_vcpus()

    async def _spawn(self) -> None:
        boot, tools = self.boot, self._tools
        image = boot.config.image(boot.vm)
        drive = Drive(path=image, format=image_format(image))
        self._argv = command_line(
            boot.vm,
            boot.config,
            accel=boot.accel,
            drive=drive,
            report_socket=tools.server.path,
        )
        self._errors = Tail(_MAX_STDERR_BYTES)
        qmp, qmp_theirs = socket.socketpair()
        console, console_theirs = socket.socketpair()
        with qmp_theirs, console_theirs:
            self._console.attach(console.detach())
            self._qmp = QmpController(
                qmp,
                f"vm-{boot.vm}",
                self._hear,
                lambda why: self._facts.put_nowait(_QmpLost(why)),
                tools.stamps,
            )
            self._child = await tools.children.spawn(
                self._argv,
                [
                    (self._errors.write_fd, (1, 2)),
                    (qmp_theirs.fileno(), (QMP_FD,)),
                    (console_theirs.fileno(), (CONSOLE_FD,)),
                ],
            )
        self._errors.given()
        tools.server.expect(self._child.pid, boot.vm, self)
        self._child.exited.add_done_callback(self._exited)

    def _exited(self, exited: asyncio.Future[Exit]) -> None:
        if not exited.cancelled():
            self._facts.put_nowait(exited.result())

    async def _connect(self) -> None:
        assert self._qmp is not None  # noqa: S101
        try:
            await self._qmp.connect(self._tools.limits.greeting_s)
        except QemuError as error:
            # Where QEMU is ending, its exit says why better than the connection it took along.
            await asyncio.sleep(0.5)
            self._facts.put_nowait(_QmpReady(error.message))
        else:
            self._facts.put_nowait(_QmpReady())

    async def _learn_vcpus(self) -> None:
        answer = await self.command("query-cpus-fast")
        if isinstance(answer, list):
            tids = (cpu.get("thread-id") for cpu in answer[:4096] if isinstance(cpu, dict))
            self.vcpu_tids = tuple(tid for tid in tids if isinstance(tid, int) and tid > 0)

    async def _go(self) -> None:
        self._go_sent_ns = time.monotonic_ns()
        await self.command("cont")
        answered_ns = time.monotonic_ns()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await self._resumed.wait()
        qemu_ns = self._resume_ns
        self._go_ns = self._go_sent_ns
        if qemu_ns is not None and self._go_sent_ns - _GO_EARLY_NS <= qemu_ns <= answered_ns:
            self._go_ns = qemu_ns
        self._emit(ev.VmStarted(**self._who(), go_ns=self._go_ns, qemu_ns=qemu_ns))

    async def _await_report(self) -> None:
        limit_s = self.boot.config.timeout_s
        started = asyncio.get_running_loop().time()
        while not self._booted:
            left = started + limit_s + self._paused_total() - asyncio.get_running_loop().time()
            if await self._until(lambda: self._booted, max(left, 0)):
                return
            if self._paused_since is None and left <= 0:
                raise _LostError(self._timed_out())
            if left <= 0:
                await self._until(lambda: self._booted or self._paused_since is None, None)

    def _paused_total(self) -> float:
        since = self._paused_since
        now = asyncio.get_running_loop().time()
        return self._paused_s + (now - since if since is not None else 0.0)

    def _timed_out(self) -> ev.VmTimedOut:
        config = self.boot.config
        console = readable(self._console.tail(_FINAL_CONSOLE_BYTES))
        why = f"no report within {config.timeout_s:g} s"
        return ev.VmTimedOut(
            **self._who(),
            limit_ns=round(config.timeout_s * 1e9),
            why=why + diagnosis.last_words(console),
        )

    async def _until(self, done: Callable[[], bool], limit_s: float | None) -> bool:
        """Take facts in till ``done`` or the limit; say whether it is done."""
        loop = asyncio.get_running_loop()
        deadline = None if limit_s is None else loop.time() + limit_s
        while not self._facts.empty():
            await self._take(self._facts.get_nowait())
        while not done():
            try:
                async with asyncio.timeout_at(deadline):
                    fact = await self._facts.get()
            except TimeoutError:
                return False
            await self._take(fact)
        return True

    async def _wait_for(self, waiting: Coroutine[Any, Any, None]) -> None:
        """Take facts in till something else is over; leave it where the attempt is decided."""
        task = asyncio.create_task(waiting)
        task.add_done_callback(lambda _: self._facts.put_nowait(_Wake()))
        try:
            await self._until(task.done, None)
        finally:
            task.cancel()
            await asyncio.wait([task])
        task.result()

    async def _take(self, fact: _Fact) -> None:
        match fact:
            case QmpEvent():
                self._take_qmp(fact)
            case _Said(statement, received_ns):
                await self._take_statement(statement, received_ns)
            case _PortOpened(connection):
                self._connection = connection
                self._emit(ev.ReportConnected(**self._who(), connection=connection))
            case _QmpReady(""):
                self._qmp_ready = True
            case _QmpReady(trouble) if self._is_open:
                raise QemuError(trouble)
            case _QmpLost(why):
                await self._take_loss(why)
            case Exit():
                await self._take_exit(fact)
            case _Killed(why):
                if not (self._booted or self._lost):
                    raise _LostError(ev.VmKilled(**self._who(), why=why))
                self._stopping = True

    @property
    def _is_open(self) -> bool:
        return not (self._booted or self._lost)

    async def _take_loss(self, why: str) -> None:
        """QMP is gone: QEMU's exit follows at once, or something is wrong with it."""
        if not self._is_open:
            return
        assert self._child is not None  # noqa: S101
        await asyncio.wait([self._child.exited], timeout=1.0)
        if not self._child.exited.done():
            raise QemuError(f"QEMU's control socket (QMP) was lost while it runs: {why}")

    async def _take_exit(self, ended: Exit) -> None:
        self._exit = ended
        if not self._is_open:
            return
        # Its last words may still be in the pipes, its last event and report in the sockets.
        if self._errors:
            await self._errors.ended(0.5)
        await asyncio.sleep(0.02)
        while not self._facts.empty():
            await self._take(self._facts.get_nowait())
        if self._booted:
            return
        console = readable(self._console.tail(_FINAL_CONSOLE_BYTES))
        raise _LostError(
            self._failed(
                self._io_trouble
                or diagnosis.why_it_ended(
                    ended,
                    self._reason,
                    self._stderr(),
                    console,
                    connected=self._qmp_ready,
                )
            )
        )

    def _take_qmp(self, event: QmpEvent) -> None:
        self._qmp_events += 1
        if self._qmp_events <= _MAX_QMP_EVENTS or event.name in _WEIGHTY:
            if self._qmp_events <= 2 * _MAX_QMP_EVENTS:
                self._emit(
                    ev.QmpSeen(
                        **{**self._who(), "at_ns": event.received_ns},
                        name=event.name,
                        data=event.data,
                        qemu_ns=event.qemu_ns,
                    )
                )
        now = asyncio.get_running_loop().time()
        match event.name:
            case "SHUTDOWN":
                self._reason = str(event.data.get("reason", ""))[:100]
            case "BLOCK_IO_ERROR" if event.data.get("action") == "stop":
                self._io_trouble = diagnosis.io_error(event.data)
                if self._is_open:
                    raise _LostError(self._failed(self._io_trouble))
            case "STOP" if self._paused_since is None:
                self._paused_since = now
            case "RESUME" if self._paused_since is not None:
                self._paused_s += now - self._paused_since
                self._paused_since = None

    async def _take_statement(self, statement: Statement, received_ns: int) -> None:
        match statement:
            case Rejected(why, began, final):
                self._emit(ev.ReportRejected(**self._who(), why=why, excerpt=began))
                if final and self._is_open:
                    raise _LostError(self._failed(diagnosis.Why(f"bad report: {why}")))
            case Booted(text) if self._go_sent_ns is None or received_ns < self._go_sent_ns:
                why = "a report before the VM was let go"
                self._emit(ev.ReportRejected(**self._who(), why=why, excerpt=text[:200]))
            case Booted(text) if self._is_open:
                await self._take_report(text, received_ns)
            case Details() if self._booted:
                self._emit(
                    ev.VmDetails(
                        **self._who(),
                        clock_us=statement.clock_us,
                        clock_resolution_us=statement.clock_resolution_us,
                        timestamps_us=dict(statement.timestamps_us),
                        properties=dict(statement.properties),
                        slowest=tuple(statement.slowest),
                        failed_units=tuple(statement.failed),
                        critical_chain=tuple(statement.chain),
                        complete=statement.complete,
                    )
                )

    async def _take_report(self, text: str, received_ns: int) -> None:
        """Settle the stamp: never before the guest opened the port, as QEMU saw it."""
        self._booted = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_OPEN_WAIT_S):
                await self._opened.wait()
        opened_ns = self._open_ns
        uncertainty_ns = 0
        if opened_ns is not None and (self._go_ns or 0) <= opened_ns <= received_ns:
            uncertainty_ns = received_ns - opened_ns
        self._emit(
            ev.VmBooted(
                **self._who(),
                report_ns=received_ns,
                uncertainty_ns=uncertainty_ns,
                text=text,
            )
        )

    # Its end.

    async def _see_off(self) -> None:
        """Wait for QEMU to end by itself where it should, and make it end where it does not."""
        limits = self._tools.limits
        if self._child is None:
            return
        if self._booted:
            await self._until(lambda: self._exit is not None or self._stopping, limits.off_s)
        if not await self._gone(0):
            if self._stopping and not self._now.is_set():
                await self._ask("system_powerdown", limits.powerdown_s)
            await self._ask("quit", limits.quit_s)
        if not await self._gone(0):
            self._child.signal(signal.SIGKILL)
            if not await self._gone(limits.kill_s):
                self._emit(
                    ev.Notice(
                        at_ns=time.monotonic_ns(),
                        level=ev.Level.ERROR,
                        text=f"QEMU {self._child.pid} of VM {self.boot.vm} does not die; "
                        "the host may be waiting for its disk",
                    )
                )
                return
        await self._until(self._facts.empty, 0)
        await self._farewell()

    async def _gone(self, limit_s: float) -> bool:
        return await self._until(lambda: self._exit is not None, limit_s)

    async def _ask(self, command: str, grace_s: float) -> None:
        if self._now.is_set() or not self.is_running or self._exit is not None:
            return
        deadline = asyncio.get_running_loop().time() + grace_s
        assert self._qmp is not None  # noqa: S101
        with contextlib.suppress(QemuError):
            await self._qmp.execute(command, limit_s=grace_s)
        left = deadline - asyncio.get_running_loop().time()
        await self._until(lambda: self._exit is not None or self._now.is_set(), max(left, 0))

    async def _farewell(self) -> None:
        assert self._exit is not None  # noqa: S101
        if self._errors:
            await self._errors.ended(0.5)
        self._console.detach()
        if self._console.total_bytes:
            self._emit(self.console_event(_FINAL_CONSOLE_BYTES))
        self._emit(
            ev.VmExited(
                **{**self._who(), "at_ns": self._exit.at_ns},
                exit_code=self._exit.returncode,
                reason=self._reason,
                stderr=self._stderr(),
            )
        )

    async def _clean_up(self) -> None:
        if self._child is not None:
            self._child.signal(signal.SIGKILL)
            self._tools.server.forget(self._child.pid)
        if self._qmp is not None:
            await self._qmp.close()
        if self._errors is not None:
            self._errors.close()
        self._console.detach()


def _spawn_trouble(config: RunConfig, error: OSError) -> diagnosis.Why:
    name = str(error.filename) if error.filename else config.qemu
    if error.filename:
        return diagnosis.Why(
            f"its disk image {name!r} cannot be read: {error.strerror}", "check -v, -p, -s"
        )
    hints = {
        2: "install QEMU (apt-get install qemu-system-x86), or give its path with -q",
        8: "give a program with -q that this host can run",
        11: "raise the limit on processes: ulimit -u",
        13: f"make it executable: chmod +x {name}",
        24: "raise the limit on open files: ulimit -n 65536",
    }
    return diagnosis.Why(
        f"{name!r} cannot be started: {error.strerror}", hints.get(error.errno or 0, "")
    )
