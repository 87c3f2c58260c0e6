"""One QEMU process with everything that is connected to it."""

import asyncio
import os
import re
import signal
import socket
from collections.abc import Callable, Mapping

from vmtiming_tui.engine.boot.context import BootContext, BootSpec
from vmtiming_tui.engine.boot.facts import Fact, QmpFlooded, QmpLost
from vmtiming_tui.engine.children.children import Child, Exit, start_hint
from vmtiming_tui.engine.children.output_tail import Tail
from vmtiming_tui.engine.children.rundir import FOLDER_FD, RunDir
from vmtiming_tui.engine.guest.console import ConsoleLog, console_pair
from vmtiming_tui.engine.guest.report_socket import GuestReportServer, ReportListener
from vmtiming_tui.engine.host.capacity import vm_memory_bytes
from vmtiming_tui.engine.image.gate_client import Refusal
from vmtiming_tui.engine.qemu.command_line import CONSOLE_FD, QMP_FD, command_line
from vmtiming_tui.engine.qemu.confinement import Reach
from vmtiming_tui.engine.qemu.disks import GivenFiles, flash_words, root_words
from vmtiming_tui.engine.qemu.why_it_failed import Why, words_of
from vmtiming_tui.engine.qmp.controller import QmpController, QmpEvent
from vmtiming_tui.engine.qmp.event_stamps import StampReader
from vmtiming_tui.errors import ImageError
from vmtiming_tui.model.config import RunConfig

_MAX_STDERR_BYTES = 64 * 1024
_GIVEN = re.compile(rb"(?:/dev/fdset|/proc/self/fd)/[0-9]{1,9}")


class QemuProcess:
    """Starts a QEMU, stopped, with its QMP, console and standard error in our hands.

    ``tell`` gets its exit and the loss or flood of its QMP session, ``hear`` its QMP events.
    ``close`` ends whatever there is.
    """

    def __init__(
        self,
        vm: int,
        console: ConsoleLog,
        *,
        tell: Callable[[Fact], None],
        hear: Callable[[QmpEvent], None],
        stamps: StampReader,
    ) -> None:
        self.argv: list[str] = []
        self._names: Mapping[str, str] = {}
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

    async def start(self, spec: BootSpec, context: BootContext, listener: ReportListener) -> Child:
        """Start it, and let it speak for its VM.

        Raises ``OSError`` as exec would, or as opening its files, and ``ImageError``.
        """
        folder, server = context.folder, context.server
        console, console_theirs = console_pair()
        with self._theirs, console_theirs, GivenFiles() as given:
            self._console.attach(console.detach())
            self.argv = vm_command(spec, folder, given)
            self._names = given.names
            memory_bytes = vm_memory_bytes(spec.config, spec.accel)
            powers = spec.powers.for_vm(spec.config, memory_bytes, spec.disk_bytes)
            child = context.children.begin(
                self.argv,
                [
                    (self._errors.write_fd, (1, 2)),
                    (self._theirs.fileno(), (QMP_FD,)),
                    (console_theirs.fileno(), (CONSOLE_FD,)),
                    *given.fds,
                    *([] if folder.seen_at is None else [(folder.fd, (FOLDER_FD,))]),
                ],
                powers,
            )
        self._errors.given()
        await context.children.started(child)
        self.child, self._server, self._listener = child, server, listener
        server.expect(child.pid, self._vm, listener)
        child.exited.add_done_callback(self._exited)
        return child

    def _exited(self, exited: asyncio.Future[Exit]) -> None:
        if not exited.cancelled():
            self._tell(exited.result())

    @property
    def stderr(self) -> str:
        """What it wrote to its standard error: the end of it, escaped, files by their names."""
        return words_of(_GIVEN.sub(self._file_of, self._errors.kept))

    @property
    def command(self) -> list[str]:
        """Its command for people: files that QEMU loads by descriptor stand by their names."""
        return [self._names.get(word, word) if word.startswith("/proc/") else word
                for word in self.argv]  # fmt: skip

    def _file_of(self, found: re.Match[bytes]) -> bytes:
        name = self._names.get(found[0].decode())
        return os.fsencode(name) if name else found[0]

    async def last_words(self) -> None:
        """Return when its standard error is read to the end, or soon."""
        await self._errors.ended(0.5)

    async def all_stamped(self, limit_s: float) -> None:
        """Return when what it has written to the report port has its stamp, or after a limit."""
        if self.child is not None and self._server is not None:
            await self._server.all_stamped(self.child.pid, limit_s)

    def tell_guest(self, word: str) -> bool:
        """Write a word to its guest's report port; return whether it could be."""
        if self.child is None or self._server is None:
            return False
        return self._server.tell(self.child.pid, word)

    def end_report(self) -> None:
        """Have what its guest has begun to tell come as it is."""
        if self.child is not None and self._server is not None:
            self._server.end_report(self.child.pid)

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


def vm_command(spec: BootSpec, folder: RunDir, given: GivenFiles) -> list[str]:
    """Return the command line of a VM, whose files are opened and given.

    Raises ``OSError`` where one cannot be opened, and ``ImageError`` where it may not be taken.
    """
    if isinstance(spec.image, Refusal):
        raise ImageError(spec.image.why, hint=spec.image.hint)
    config, launch = spec.config, spec.launch
    disks = root_words(spec.image, given, persist=config.persist)
    if launch.firmware:
        disks += flash_words(*launch.firmware, given)
    for name, path in launch.files(config):
        if spec.powers.reach(path) is Reach.DESCRIPTOR:
            launch = launch.loading(name, given.plain(path))
    return command_line(
        spec.vm,
        config,
        accel=spec.accel,
        disks=[*given.words, *disks],
        report_socket=folder.qemus / folder.socket.name,
        launch=launch,
        sandbox=spec.powers.sandbox(config),
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
