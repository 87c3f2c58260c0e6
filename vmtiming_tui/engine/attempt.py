"""One boot of one VM: everything that happens to it comes in as facts, one at a time."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from vmtiming_tui import events as ev
from vmtiming_tui.engine import diagnosis
from vmtiming_tui.engine.children import Child, Exit
from vmtiming_tui.engine.console import ConsoleLog, readable
from vmtiming_tui.engine.facts import Fact, Killed, PortOpened, QmpLost, QmpReady, Said, Wake
from vmtiming_tui.engine.gate import StartGate
from vmtiming_tui.engine.process import QemuProcess, describe, spawn_trouble
from vmtiming_tui.engine.qmp import QmpEvent
from vmtiming_tui.engine.report import Booted, Details, DetailsBegun, Rejected, Statement
from vmtiming_tui.engine.timing import BootTiming
from vmtiming_tui.engine.tools import Boot, Tools
from vmtiming_tui.engine.usage import usage_of
from vmtiming_tui.errors import QemuError
from vmtiming_tui.text import printable

_FINAL_CONSOLE_BYTES = 16 * 1024
_MAX_QMP_EVENTS = 300
_EXIT_WAIT_S = 1.0
_WEIGHTY = frozenset({"SHUTDOWN", "STOP", "RESUME", "RESET", "GUEST_PANICKED"})


_Loss: TypeAlias = ev.VmFailed | ev.VmTimedOut | ev.VmKilled


class _LostError(Exception):
    """The attempt is decided, and not well: carries the event that says so."""

    def __init__(self, event: _Loss) -> None:
        super().__init__()
        self.event = event


class Attempt:
    """Runs one boot to its end; ``run`` is its only task, everything else tells it facts."""

    def __init__(self, boot: Boot, tools: Tools) -> None:
        self.boot = boot
        self._tools = tools
        self._emit = tools.emit
        self._facts: asyncio.Queue[Fact] = asyncio.Queue()
        self._console = ConsoleLog(tools.folder.console(boot.vm))
        self._process: QemuProcess | None = None
        self._exit: Exit | None = None
        self._qmp_ready = False
        self._connection: int | None = None
        self._timing = BootTiming()
        self._reason = ""
        self._booted = False
        self._details_due = False
        self._rejected = ""
        self._lost = False
        self._io_trouble: diagnosis.Why | None = None
        self._qmp_events = 0
        self._stopping = False
        self._now = asyncio.Event()
        self.was_reset = asyncio.Event()
        self.qemu_pid = 0
        self.vcpu_tids: tuple[int, ...] = ()

    # What others tell it.

    def report_opened(self, connection: int, pid: int) -> None:
        """QEMU connected its report chardev."""
        self.qemu_pid = pid
        self._facts.put_nowait(PortOpened(connection))

    def report_said(self, statement: Statement, received_ns: int) -> None:
        """The guest said something."""
        self._facts.put_nowait(Said(statement, received_ns))

    def report_closed(self) -> None:
        """QEMU closed the report socket; its exit, if it is one, says more."""

    def _hear(self, event: QmpEvent) -> None:
        self._timing.hear(event)
        if event.name == "RESET":
            self.was_reset.set()
        self._facts.put_nowait(event)

    def kill(self, why: str) -> None:
        """End it at once, or never begin it."""
        self._now.set()
        self._facts.put_nowait(Killed(why))

    def stop(self, why: str) -> None:
        """End it in order: powerdown, quit, kill."""
        self._stopping = True
        self._facts.put_nowait(Killed(why))

    @property
    def is_running(self) -> bool:
        """Whether its QEMU is there and can be spoken to."""
        process = self._process
        return process is not None and process.qmp.is_connected and self._exit is None

    @property
    def is_booting(self) -> bool:
        """Whether it is still to be seen if it boots."""
        return self._process is not None and self._exit is None and self._is_open

    @property
    def pid(self) -> int:
        """QEMU's pid, below a wrapper too; 0 when there is none."""
        if self._process is None or self._process.child is None or self._exit is not None:
            return 0
        return self.qemu_pid or self._process.child.pid

    async def command(self, name: str, arguments: dict[str, object] | None = None) -> object:
        """Send a QMP command; raise ``QemuError`` in words."""
        if self._process is None:
            raise QemuError("it is not running")
        return await self._process.qmp.execute(
            name, arguments, limit_s=self._tools.limits.command_s
        )

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
                self._lose(lost.event)
            except QemuError as error:
                if event := await self._better_reason(error):
                    self._lose(event)
            finally:
                gate.leave(self.boot.vm)
            await self._see_off()
        finally:
            await self._clean_up()

    def _lose(self, event: _Loss) -> None:
        self._lost = True
        self._emit(event)
        self.tell_usage()

    async def _better_reason(self, error: QemuError) -> _Loss | None:
        """Wait for QEMU's exit, which says why it did not answer better than a lost connection.

        None where the report came after all.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _EXIT_WAIT_S
        while not self._booted and (left := deadline - loop.time()) > 0:
            try:
                await self._until(lambda: self._booted, left)
            except _LostError as lost:
                return lost.event
            except QemuError:
                continue
        return None if self._booted else self._failed(diagnosis.Why(error.message, error.hint))

    @property
    def _running(self) -> QemuProcess:
        assert self._process is not None  # noqa: S101  what asks comes after the launch
        return self._process

    def _who(self) -> dict[str, Any]:
        return {
            "at_ns": time.monotonic_ns(),
            "vm": self.boot.vm,
            "attempt": self.boot.attempt,
        }

    def _failed(self, why: diagnosis.Why) -> ev.VmFailed:
        return ev.VmFailed(**self._who(), why=why.text, hint=why.hint, stderr=self._stderr())

    def _stderr(self) -> str:
        return self._process.stderr if self._process else ""

    async def _launch(self, gate: StartGate) -> None:
        await self._wait_for(gate.begin_launch(self.boot.vm))
        try:
            try:
                child = await self._spawn()
            except OSError as error:
                raise _LostError(self._failed(spawn_trouble(self.boot.config, error))) from None
            self._emit(
                ev.VmLaunched(
                    **self._who(),
                    pid=child.pid,
                    spawn_ns=child.spawn_ns,
                    argv=tuple(self._running.argv),
                    injected=self.boot.launch.injected,
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

    async def _spawn(self) -> Child:
        boot, tools = self.boot, self._tools
        argv = describe(boot, tools.server)
        self._process = QemuProcess(
            boot.vm,
            argv,
            self._console,
            tell=self._facts.put_nowait,
            hear=self._hear,
            stamps=tools.stamps,
        )
        return await self._process.start(tools.children, tools.server, self)

    async def _connect(self) -> None:
        try:
            await self._running.qmp.connect(self._tools.limits.greeting_s)
        except QemuError as error:
            self._facts.put_nowait(QmpReady(error.message))
        else:
            self._facts.put_nowait(QmpReady())

    async def _learn_vcpus(self) -> None:
        answer = await self.command("query-cpus-fast")
        if isinstance(answer, list):
            tids = (cpu.get("thread-id") for cpu in answer[:4096] if isinstance(cpu, dict))
            self.vcpu_tids = tuple(tid for tid in tids if isinstance(tid, int) and tid > 0)

    async def _go(self) -> None:
        self._timing.go_sent_ns = time.monotonic_ns()
        await self.command("cont")
        stamp = await self._timing.settle_go(time.monotonic_ns())
        self._emit(ev.VmStarted(**self._who(), go_ns=stamp.at_ns, qemu_ns=stamp.qemu_ns))

    async def _await_report(self) -> None:
        """Wait for the report, as long as the VM's limit; the time it stands still counts not."""
        loop, timing = asyncio.get_running_loop(), self._timing
        deadline = loop.time() + self.boot.config.timeout_s
        while not self._booted:
            left = deadline + timing.paused_s() - loop.time()
            if left > 0:
                await self._until(lambda: self._booted, left)
            elif timing.is_paused:
                await self._until(lambda: self._booted or not timing.is_paused, None)
            else:
                raise _LostError(self._timed_out())

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
        task.add_done_callback(lambda _: self._facts.put_nowait(Wake()))
        try:
            await self._until(task.done, None)
        finally:
            task.cancel()
            await asyncio.wait([task])
        task.result()

    async def _take(self, fact: Fact) -> None:
        match fact:
            case QmpEvent():
                self._take_qmp(fact)
            case Said(statement, received_ns):
                await self._take_statement(statement, received_ns)
            case PortOpened(connection):
                self._connection = connection
                self._emit(ev.ReportConnected(**self._who(), connection=connection))
            case QmpReady(""):
                self._qmp_ready = True
            case QmpReady(trouble) if self._is_open and self._exit is None:
                raise QemuError(trouble)
            case QmpLost(why) if self._is_open and self._exit is None:
                raise QemuError(f"QEMU's control socket (QMP) was lost while it runs: {why}")
            case Exit():
                await self._take_exit(fact)
            case Killed(why):
                if not (self._booted or self._lost):
                    raise _LostError(ev.VmKilled(**self._who(), why=why))
                self._stopping = True

    @property
    def _is_open(self) -> bool:
        return not (self._booted or self._lost)

    async def _take_exit(self, ended: Exit) -> None:
        self._exit = ended
        if not self._is_open:
            return
        # Its last words may still be in the pipes, its last event and report in the sockets.
        await self._running.last_words()
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
                    rejected=self._rejected,
                )
            )
        )

    def _take_qmp(self, event: QmpEvent) -> None:
        self._qmp_events += 1
        bound = _MAX_QMP_EVENTS * (2 if event.name in _WEIGHTY else 1)
        if self._qmp_events <= bound:
            self._emit(
                ev.QmpSeen(
                    **{**self._who(), "at_ns": event.received_ns},
                    name=event.name,
                    data=event.data,
                    qemu_ns=event.qemu_ns,
                )
            )
        match event.name:
            case "SHUTDOWN":
                self._reason = printable(str(event.data.get("reason", "")))[:100]
            case "BLOCK_IO_ERROR" if event.data.get("action") == "stop":
                self._io_trouble = diagnosis.io_error(event.data)
                if self._is_open:
                    raise _LostError(self._failed(self._io_trouble))

    async def _take_statement(self, statement: Statement, received_ns: int) -> None:
        match statement:
            case Rejected(why, began, final):
                self._rejected = why
                self._emit(ev.ReportRejected(**self._who(), why=why, excerpt=began))
                if final and self._is_open:
                    raise _LostError(self._failed(diagnosis.Why(f"bad report: {why}")))
            case Booted(text) if received_ns < (self._timing.go_sent_ns or received_ns + 1):
                why = self._rejected = "a report before the VM was let go"
                self._emit(ev.ReportRejected(**self._who(), why=why, excerpt=text[:200]))
            case Booted(text) if self._is_open:
                await self._take_report(text, received_ns)
            case DetailsBegun():
                self._details_due = True
            case Details() if self._booted:
                self._details_due = False
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
        self._booted = True
        stamp = await self._timing.settle_report(received_ns)
        self._emit(
            ev.VmBooted(
                **self._who(),
                report_ns=stamp.at_ns,
                uncertainty_ns=stamp.uncertainty_ns,
                text=text,
            )
        )
        self.tell_usage()

    def tell_usage(self) -> None:
        """Say what its QEMU has used so far; the last time is when the report is in."""
        if usage := usage_of(self.pid, self.vcpu_tids):
            self._emit(
                ev.VmUsage(
                    **self._who(),
                    rss_bytes=usage.rss_bytes,
                    disk_read_bytes=usage.disk_read_bytes,
                    cpu_ns=usage.cpu_ns,
                    vcpu_run_ns=usage.vcpu_run_ns,
                    vcpu_wait_ns=usage.vcpu_wait_ns,
                )
            )

    # Its end.

    async def _see_off(self) -> None:
        """Wait for QEMU to end by itself where it should, and make it end where it does not."""
        limits = self._tools.limits
        if self._process is None or self._process.child is None:
            return
        if self._booted:
            await self._wait_for_poweroff()
        if not await self._gone(0):
            if self._stopping and not self._now.is_set():
                await self._ask("system_powerdown", limits.powerdown_s)
            await self._ask("quit", limits.quit_s)
        if not await self._gone(0):
            self._process.kill()
            if not await self._gone(limits.kill_s):
                self._emit(
                    ev.Notice(
                        at_ns=time.monotonic_ns(),
                        level=ev.Level.ERROR,
                        text=f"QEMU {self._process.child.pid} of VM {self.boot.vm} does not die; "
                        "the host may be waiting for its disk",
                    )
                )
                return
        await self._until(self._facts.empty, 0)
        await self._farewell()

    async def _wait_for_poweroff(self) -> None:
        """Give the guest the time to send its details and to power off by itself."""
        limits = self._tools.limits

        def over() -> bool:
            return self._exit is not None or self._stopping

        if await self._until(lambda: over() or self._details_due, limits.off_s) and not over():
            await self._until(lambda: over() or not self._details_due, limits.details_s)
            await self._until(over, limits.off_s)

    async def _gone(self, limit_s: float) -> bool:
        return await self._until(lambda: self._exit is not None, limit_s)

    async def _ask(self, command: str, grace_s: float) -> None:
        if self._now.is_set() or not self.is_running or self._exit is not None:
            return
        deadline = asyncio.get_running_loop().time() + grace_s
        with contextlib.suppress(QemuError):
            await self._running.qmp.execute(command, limit_s=grace_s)
        left = deadline - asyncio.get_running_loop().time()
        await self._until(lambda: self._exit is not None or self._now.is_set(), max(left, 0))

    async def _farewell(self) -> None:
        assert self._exit is not None  # noqa: S101
        await self._running.last_words()
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
        if self._process is not None:
            await self._process.close()
