"""One boot of one VM: everything that happens to it comes in as facts, one at a time."""

import asyncio
import contextlib
import time
from collections.abc import Iterator

from vmtiming_tui.engine.boot.context import Boot, Tools
from vmtiming_tui.engine.boot.facts import (
    Fact,
    Killed,
    PortOpened,
    QmpFlooded,
    QmpLost,
    QmpReady,
    Said,
    Wake,
)
from vmtiming_tui.engine.boot.inbox import Inbox
from vmtiming_tui.engine.boot.narrator import BootVoice, Loss, LostError
from vmtiming_tui.engine.boot.process import QemuProcess, spawn_trouble
from vmtiming_tui.engine.boot.timing import BootTiming
from vmtiming_tui.engine.boot.turns import StartGate
from vmtiming_tui.engine.children.children import Child, Exit
from vmtiming_tui.engine.children.tasks import end
from vmtiming_tui.engine.guest.console import ConsoleLog
from vmtiming_tui.engine.guest.protocol import Booted, Details, DetailsBegun, Rejected, Statement
from vmtiming_tui.engine.qemu import diagnosis
from vmtiming_tui.engine.qmp.controller import QmpEvent
from vmtiming_tui.errors import ImageError, QemuError
from vmtiming_tui.escape import one_line
from vmtiming_tui.faults import kept_fault
from vmtiming_tui.model import events as ev

_EXIT_WAIT_S = 1.0
_EARLY_LIMIT_S = 1.0


class Attempt:
    """Runs one boot to its end; ``run`` is its only task, everything else tells it facts."""

    def __init__(self, boot: Boot, tools: Tools) -> None:
        self.boot = boot
        self._tools = tools
        self._inbox = Inbox(self._take)
        self._console = ConsoleLog(tools.folder.console(boot.vm))
        self._says = BootVoice(boot, tools.emit, self._console)
        self._process: QemuProcess | None = None
        self._exit: Exit | None = None
        self._qmp_ready = False
        self._connection: int | None = None
        self._timing = BootTiming()
        self._reason = ""
        self._booted = False
        self._details_due = False
        self._rejected = ""
        self._lost = self._is_gone = self._has_faults = False
        self._io_trouble: diagnosis.Why | None = None
        self._stopping = False
        self._now = asyncio.Event()
        self.was_reset = asyncio.Event()
        self.resets_asked = 0
        self.qemu_pid = 0
        self.vcpu_tids: tuple[int, ...] = ()

    # What others tell it.

    def report_opened(self, connection: int, pid: int) -> None:
        """QEMU connected its report chardev."""
        self.qemu_pid = pid
        self._inbox.put(PortOpened(connection))

    def report_said(self, statement: Statement, received_ns: int) -> None:
        """The guest said something."""
        self._inbox.put(Said(statement, received_ns))

    def report_closed(self) -> None:
        """QEMU closed the report socket; its exit, if it is one, says more."""

    def _hear(self, event: QmpEvent) -> None:
        self._timing.hear(event)
        if event.name == "RESET":
            self.was_reset.set()
        self._inbox.put(event)

    def kill(self, why: str) -> None:
        """End it at once, or never begin it."""
        self._now.set()
        self._inbox.put(Killed(why))

    def stop(self, why: str) -> None:
        """End it in order: powerdown, quit, kill."""
        self._stopping = True
        self._inbox.put(Killed(why))

    @property
    def _is_reachable(self) -> bool:
        process = self._process
        return process is not None and process.qmp.is_connected and self._exit is None

    @property
    def is_running(self) -> bool:
        """Whether it was let go, and its QEMU is there and can be spoken to."""
        return self._is_reachable and self._timing.go_sent_ns is not None

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

    async def pause(self) -> None:
        """Have it stand still, which does not count against its limit; raise ``QemuError``."""
        self._timing.expect_pause()
        await self.command("stop")

    async def resume(self) -> None:
        """Let it go on; raise ``QemuError``."""
        self._timing.end_pause()
        self._inbox.put(Wake())
        await self.command("cont")

    @property
    def console_bytes(self) -> int:
        """How much its console has written so far."""
        return self._console.total_bytes

    def console_event(self, limit: int) -> ev.VmConsole:
        """Return the end of the console as it is now."""
        return self._says.console(limit)

    # Its own life.

    async def run(self, gate: StartGate) -> None:
        """Boot, wait for the report, and see QEMU gone; every outcome is an event.

        A fault of our own, whatever it is, costs this VM alone.
        """
        try:
            with self._own_faults():
                await self._boot(gate)
            with self._own_faults():
                await self._see_off()
        finally:
            if self._process is not None:
                await self._process.close()
        if self._has_faults:
            await self._see_it_gone()

    async def _boot(self, gate: StartGate) -> None:
        try:
            await self._inbox.wait_for(gate.enter(self.boot.vm))
            await self._launch(gate)
            await self._inbox.wait_for(gate.turn(self.boot.vm))
            await self._go()
            await self._await_report()
        except LostError as lost:
            self._lose(lost.event)
        except QemuError as error:
            if event := await self._better_reason(error):
                self._lose(event)
        finally:
            gate.leave(self.boot.vm)

    @contextlib.contextmanager
    def _own_faults(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001  nobody knows which they are
            self._has_faults = True
            fault = kept_fault(error, "engine")
            if self._is_open:
                why = diagnosis.Why(f"the tool failed: {fault.what}", fault.hint)
                self._lose(self._failed(why))
            else:
                self._says.own_fault(fault)

    async def _see_it_gone(self) -> None:
        """Say that QEMU is gone, where a fault came between."""
        if self._process is None or self._process.child is None or self._is_gone:
            return
        exited = self._process.child.exited
        await asyncio.wait([exited], timeout=self._tools.limits.kill_s)
        if exited.done() and not exited.cancelled():
            self._says.exited(exited.result(), self._reason, self._stderr())

    def _lose(self, event: Loss) -> None:
        self._lost = True
        self._tools.emit(event)
        self.tell_usage()

    async def _better_reason(self, error: QemuError) -> Loss | None:
        """Wait for QEMU's exit, which says why it did not answer better than a lost connection.

        None where the report came after all.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _EXIT_WAIT_S
        while not self._booted and (left := deadline - loop.time()) > 0:
            try:
                await self._inbox.until(lambda: self._booted, left)
            except LostError as lost:
                return lost.event
            except QemuError:
                continue
        return None if self._booted else self._failed(diagnosis.Why(error.message, error.hint))

    @property
    def _running(self) -> QemuProcess:
        assert self._process is not None  # noqa: S101  what asks comes after the launch
        return self._process

    def _failed(self, why: diagnosis.Why) -> ev.VmFailed:
        return self._says.failed(why, self._stderr())

    def _stderr(self) -> str:
        return self._process.stderr if self._process else ""

    async def _launch(self, gate: StartGate) -> None:
        await self._inbox.wait_for(gate.begin_launch(self.boot.vm))
        try:
            try:
                child = await self._spawn()
            except OSError as error:
                raise LostError(self._failed(spawn_trouble(self.boot.config, error))) from None
            except ImageError as error:
                raise LostError(self._failed(diagnosis.Why(error.message, error.hint))) from None
            self._says.launched(child, self._running.command)
            limits = self._tools.limits
            connecting = asyncio.create_task(self._connect())
            try:
                await self._inbox.until(lambda: self._qmp_ready, None)
            finally:
                await end(connecting)
            if not await self._inbox.until(
                lambda: self._connection is not None, limits.report_port_s
            ):
                raise QemuError("QEMU did not connect its report port to us")
        finally:
            gate.end_launch(self.boot.vm)
        self._says.connected()
        with contextlib.suppress(QemuError):
            await self._learn_vcpus()

    async def _spawn(self) -> Child:
        boot, tools = self.boot, self._tools
        self._process = QemuProcess(
            boot.vm,
            self._console,
            tell=self._inbox.put,
            hear=self._hear,
            stamps=tools.stamps,
        )
        return await self._process.start(boot, tools, self)

    async def _connect(self) -> None:
        try:
            await self._running.qmp.connect(self._tools.limits.greeting_s)
        except QemuError as error:
            self._inbox.put(QmpReady(error.message))
        else:
            self._inbox.put(QmpReady())

    async def _learn_vcpus(self) -> None:
        answer = await self.command("query-cpus-fast")
        if isinstance(answer, list):
            tids = (cpu.get("thread-id") for cpu in answer[:4096] if isinstance(cpu, dict))
            self.vcpu_tids = tuple(tid for tid in tids if isinstance(tid, int) and tid > 0)

    async def _go(self) -> None:
        # What is written by now was written too early, and its stamp is to say so.
        await self._running.all_stamped(_EARLY_LIMIT_S)
        self._timing.go_sent_ns = time.monotonic_ns()
        await self.command("cont")
        self._says.started(await self._timing.settle_go(time.monotonic_ns()))

    async def _await_report(self) -> None:
        """Wait for the report, as long as the VM's limit; a pause that was asked for counts not."""
        loop, timing = asyncio.get_running_loop(), self._timing
        deadline = loop.time() + self.boot.config.timeout_s
        while not self._booted:
            left = deadline + timing.paused_s() - loop.time()
            if left > 0:
                await self._inbox.until(lambda: self._booted, left)
            elif timing.is_paused:
                await self._inbox.until(lambda: self._booted or not timing.is_paused, None)
            else:
                raise LostError(self._says.timed_out(stopped_by_itself=timing.stopped_by_itself))

    async def _take(self, fact: Fact) -> None:
        match fact:
            case QmpEvent():
                self._take_qmp(fact)
            case Said(statement, received_ns):
                await self._take_statement(statement, received_ns)
            case PortOpened(connection):
                self._connection = connection
                self._says.port_opened(connection)
            case QmpReady(""):
                self._qmp_ready = True
            case QmpReady(trouble) if self._is_open and self._exit is None:
                raise QemuError(trouble)
            case QmpLost(why) if self._is_open and self._exit is None:
                raise QemuError(f"QEMU's control socket (QMP) was lost while it runs: {why}")
            case QmpFlooded():
                self._take_flood()
            case Exit():
                await self._take_exit(fact)
            case Killed(why):
                if not (self._booted or self._lost):
                    raise LostError(self._says.killed(why))
                self._stopping = True

    def _take_flood(self) -> None:
        """End it at once: QEMU keeps in memory what is not read, and hears no command meanwhile."""
        self._stopping = True
        self._now.set()
        if self._is_open:
            raise LostError(
                self._failed(
                    diagnosis.Why(
                        "its guest floods QEMU's control socket",
                        "see its QMP events; a guest that panics without end does so, and a device "
                        "that it may not need (pvpanic, or what follows --) lets it",
                    )
                )
            )

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
        await self._inbox.drain()
        if self._booted:
            return
        raise LostError(self._failed(self._io_trouble or await self._why_it_ended(ended)))

    async def _why_it_ended(self, ended: Exit) -> diagnosis.Why:
        stderr = self._stderr()
        image = diagnosis.locked_image(stderr)
        if image and (holders := await self.boot.holders.of(image)):
            return diagnosis.held(image, holders)
        return diagnosis.why_it_ended(
            ended,
            self._reason,
            stderr,
            self._says.console_end,
            connected=self._qmp_ready,
            rejected=self._rejected,
        )

    def _take_qmp(self, event: QmpEvent) -> None:
        self._says.qmp(event)
        match event.name:
            case "SHUTDOWN":
                self._reason = one_line(str(event.data.get("reason", "")), 100)
            case "BLOCK_IO_ERROR" if event.data.get("action") == "stop":
                self._io_trouble = diagnosis.io_error(event.data)
                if self._is_open:
                    raise LostError(self._failed(self._io_trouble))

    async def _take_statement(self, statement: Statement, received_ns: int) -> None:
        match statement:
            case Rejected(why, began, final, code):
                self._rejected = why
                self._says.rejected(why, began, code)
                if final and self._is_open:
                    raise LostError(self._failed(diagnosis.Why(f"bad report: {why}")))
            case Booted(text) if received_ns < (self._timing.go_sent_ns or received_ns + 1):
                why = self._rejected = "a report before the VM was let go"
                self._says.rejected(why, text[:200])
            case Booted(text) if self._is_open:
                await self._take_report(text, received_ns)
            case DetailsBegun():
                self._details_due = True
            case Details() if self._booted:
                self._details_due = False
                self._says.details(statement)

    async def _take_report(self, text: str, received_ns: int) -> None:
        self._booted = True
        self._says.booted(text, await self._timing.settle_report(received_ns))
        self.tell_usage()

    def tell_usage(self) -> None:
        """Say what its QEMU has used so far; the last time is when the report is in."""
        self._says.usage(self.pid, self.vcpu_tids)

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
                self._says.immortal(self._process.child.pid)
                return
        await self._inbox.drain()
        await self._farewell()

    async def _wait_for_poweroff(self) -> None:
        """Give the guest the time to send its details and to power off by itself."""
        limits = self._tools.limits

        def over() -> bool:
            return self._exit is not None or self._stopping

        if (
            await self._inbox.until(lambda: over() or self._details_due, limits.off_s)
            and not over()
        ):
            await self._inbox.until(lambda: over() or not self._details_due, limits.details_s)
            await self._inbox.until(over, limits.off_s)

    async def _gone(self, limit_s: float) -> bool:
        return await self._inbox.until(lambda: self._exit is not None, limit_s)

    async def _ask(self, command: str, grace_s: float) -> None:
        if self._now.is_set() or not self._is_reachable:
            return
        deadline = asyncio.get_running_loop().time() + grace_s
        with contextlib.suppress(QemuError):
            await self._running.qmp.execute(command, limit_s=grace_s)
        left = deadline - asyncio.get_running_loop().time()
        await self._inbox.until(lambda: self._exit is not None or self._now.is_set(), max(left, 0))

    async def _farewell(self) -> None:
        assert self._exit is not None  # noqa: S101  there is no farewell before
        await self._running.last_words()
        self._console.detach()
        self._says.left_out(self._running.qmp.left_out)
        self._says.exited(self._exit, self._reason, self._stderr())
