"""One QEMU process with everything that is connected to it."""

import asyncio
import signal
import socket
from collections.abc import Callable

from vmtiming_tui.config import RunConfig
from vmtiming_tui.engine.children import Child, Children, Exit, Tail, start_hint
from vmtiming_tui.engine.clock import StampReader
from vmtiming_tui.engine.console import ConsoleLog, console_pair
from vmtiming_tui.engine.diagnosis import Why, words_of
from vmtiming_tui.engine.facts import Fact, QmpFlooded, QmpLost
from vmtiming_tui.engine.guest import GuestReportServer, ReportListener
from vmtiming_tui.engine.images import image_format
from vmtiming_tui.engine.qemu import CONSOLE_FD, QMP_FD, Drive, command_line
from vmtiming_tui.engine.qmp import QmpController, QmpEvent
from vmtiming_tui.engine.tools import Boot

_MAX_STDERR_BYTES = 64 * 1024


class QemuProcess:
    """Starts a QEMU, stopped, with its QMP, console and standard error in our hands.

    ``tell`` gets its exit and the loss or flood of its QMP session, ``hear`` its QMP events.
    ``close`` ends whatever there is.
    """

    def __init__(
        self,
        vm: int,
        argv: list[str],
        console: ConsoleLog,
        *,
        tell: Callable[[Fact], None],
        hear: Callable[[QmpEvent], None],
        stamps: StampReader,
    ) -> None:
        self.argv = argv
        self._vm = vm
        self._console = console
        self._tell = tell
        self._server: GuestReportServer | None = None
        self._listener: ReportListener | None = None
        self.child: Child | None = None
        # Sockets close themselves where the next cannot be had; a pipe's descriptors do not.
        ours, self._theirs = socket.socketpair()
        self._errors = Tail(_MAX_STDERR_BYTES)
        self.qmp = QmpController(
            ours,
            f"vm-{vm}",
            on_event=hear,
            on_lost=lambda why: tell(QmpLost(why)),
            on_flood=lambda: tell(QmpFlooded()),
            stamps=stamps,
        )

    async def start(
        self, children: Children, server: GuestReportServer, listener: ReportListener
    ) -> Child:
        """Start it, and let it speak for its VM; raise ``OSError`` as exec would."""
        console, console_theirs = console_pair()
        with self._theirs, console_theirs:
            self._console.attach(console.detach())
            child = await children.spawn(
                self.argv,
                [
                    (self._errors.write_fd, (1, 2)),
                    (self._theirs.fileno(), (QMP_FD,)),
                    (console_theirs.fileno(), (CONSOLE_FD,)),
                ],
            )
        self._errors.given()
        self.child, self._server, self._listener = child, server, listener
        server.expect(child.pid, self._vm, listener)
        child.exited.add_done_callback(self._exited)
        return child

    def _exited(self, exited: asyncio.Future[Exit]) -> None:
        if not exited.cancelled():
            self._tell(exited.result())

    @property
    def stderr(self) -> str:
        """What it wrote to its standard error: the end of it, escaped."""
        return words_of(self._errors.kept)

    async def last_words(self) -> None:
        """Return when its standard error is read to the end, or soon."""
        await self._errors.ended(0.5)

    async def all_stamped(self, limit_s: float) -> None:
        """Return when what it has written to the report port has its stamp, or after a limit."""
        if self.child is not None and self._server is not None:
            await self._server.all_stamped(self.child.pid, limit_s)

    def kill(self) -> None:
        """End it, and what it started."""
        if self.child is not None:
            self.child.signal(signal.SIGKILL)

    async def close(self) -> None:
        """Leave nothing of it: no process, no descriptor, nobody to speak for it."""
        self.kill()
        if self.child is not None and self._server is not None:
            self._server.forget(self.child.pid, self._listener)
        await self.qmp.close()
        self._theirs.close()
        self._errors.close()
        self._console.detach()


def describe(boot: Boot, server: GuestReportServer) -> list[str]:
    """Return the command line of a VM; raise ``OSError`` where its image cannot be read."""
    image = boot.config.image(boot.vm)
    return command_line(
        boot.vm,
        boot.config,
        accel=boot.accel,
        drive=Drive(path=image, format=image_format(image)),
        report_socket=server.path,
        launch=boot.launch,
    )


def spawn_trouble(config: RunConfig, error: OSError) -> Why:
    """Return why a QEMU could not be started, in words."""
    if error.filename:
        return Why(
            f"its disk image {str(error.filename)!r} cannot be read: {error.strerror}",
            "check -v, -p and -s, and the image's permissions",
        )
    return Why(
        f"{config.qemu!r} cannot be started: {error.strerror}", start_hint(config.qemu, error)
    )
