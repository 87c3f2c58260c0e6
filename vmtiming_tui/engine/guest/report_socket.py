"""The report socket: who connects, what each guest says, and when it said it."""

import asyncio
import os
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vmtiming_tui.engine.guest.limits import Limits
from vmtiming_tui.engine.guest.report_protocol import ReportParser, Statement
from vmtiming_tui.engine.guest.report_stamper import ReportStamper
from vmtiming_tui.errors import EngineError

_CREDENTIALS = struct.Struct("3i")
_BACKLOG = 4096
_PAUSE_S = 0.1
_STRANGER_PATIENCE_S = 2.0
_MAX_ANCESTORS = 16


class ReportListener(Protocol):
    """What the server tells about one VM."""

    def report_opened(self, connection: int, pid: int) -> None:
        """QEMU (process ``pid``) connected its report chardev."""

    def report_said(self, statement: Statement, received_ns: int) -> None:
        """The guest said something; the bytes that completed it came at ``received_ns``."""

    def report_closed(self) -> None:
        """Nothing more will be heard: QEMU closed its end, or the guest said too much."""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


class GuestLink:
    """One VM's report connection."""

    def __init__(
        self,
        sock: socket.socket,
        vm: int,
        listener: ReportListener,
        stamper: ReportStamper,
        limits: Limits,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._listener = listener
        self._stamper = stamper
        self._limits = limits
        self._parser = ReportParser(vm, limits.details_bytes)
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        stamper.add(sock, self._take)

    def _take(self, received_ns: int, data: bytes) -> None:
        if self._closed:
            return
        if not data:
            self.finish("the end of the connection")
            self._end()
            return
        self._feed(data, received_ns)
        if not self._closed:
            self._stamper.rearm(self._sock)

    def _feed(self, data: bytes, received_ns: int) -> None:
        for statement in self._parser.feed(data):
            self._listener.report_said(statement, received_ns)
        if self._parser.is_closed:
            self._end()
        elif self._parser.is_midway:
            if self._timer is None:
                self._timer = self._loop.call_later(self._limits.line_s, self._overdue)
        elif self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self.close()
        self._listener.report_closed()

    def _overdue(self) -> None:
        self._timer = None
        self.finish(f"nothing for {self._limits.line_s:g} s")

    def tell(self, word: str) -> bool:
        """Write a word to the guest, a line of its own; return whether there was room for it."""
        line = f"{word}\n".encode()
        try:
            return not self._closed and self._sock.send(line) == len(line)
        except OSError:
            return False

    def finish(self, why: str) -> None:
        """Wait no more for what was begun; hand on what there is of it."""
        for statement in self._parser.finish(why):
            self._listener.report_said(statement, time.monotonic_ns())

    @property
    def has_unread(self) -> bool:
        """Whether something was written that has no stamp yet."""
        try:
            return bool(self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:
            return False

    def close(self) -> None:
        """Stop reading; say nothing more."""
        if not self._closed:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            self._stamper.remove(self._sock)
            self._sock.close()


@dataclass(frozen=True, slots=True, eq=False)
class _Stranger:
    sock: socket.socket
    pid: int
    uid: int


class GuestReportServer:
    """One unix socket in the private run folder, where every QEMU brings its guest's report.

    A peer is known by its pid (SO_PEERCRED), or by an ancestor's, where a wrapper starts QEMU;
    nobody else is listened to.
    """

    def __init__(
        self,
        path: Path,
        stamper: ReportStamper,
        limits: Limits,
        on_stranger: Callable[[int, int], None],
    ) -> None:
        self.path = path
        self._limits = limits
        self._on_stranger = on_stranger
        self._vms: dict[int, tuple[int, ReportListener]] = {}
        self._links: dict[int, GuestLink] = {}
        self._doubted: list[_Stranger] = []
        self._pause: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._stamper = stamper
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)

    def __enter__(self) -> "GuestReportServer":
        try:
            self._sock.bind(os.fspath(self.path))
        except OSError as error:
            self._sock.close()
            raise EngineError(
                f"cannot make the report socket {self.path}: {os.strerror(error.errno or 0)}",
                hint="free some space there, or set TMPDIR to another folder",
            ) from error
        self.path.chmod(0o600)
        self._sock.listen(_BACKLOG)
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self._deafen()
        self._sock.close()
        doubted, self._doubted = self._doubted, []
        for stranger in doubted:
            stranger.sock.close()
        for link in self._links.values():
            link.close()
        self.path.unlink(missing_ok=True)

    def _listen(self) -> None:
        self._loop.add_reader(self._sock.fileno(), self._accept)

    def _deafen(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._sock.fileno())

    def expect(self, pid: int, vm: int, listener: ReportListener) -> None:
        """Let process ``pid``, or one below it, speak for VM ``vm``, and no other any more."""
        self._drop(pid)
        self._vms[pid] = (vm, listener)
        doubted, self._doubted = self._doubted, []
        for stranger in doubted:
            if (known := self._known(stranger.pid)) is not None:
                self._welcome(stranger.sock, known, stranger.pid)
            else:
                self._doubted.append(stranger)

    async def all_stamped(self, pid: int, limit_s: float) -> None:
        """Return when all that process has written so far has its stamp, or after ``limit_s``."""
        deadline = self._loop.time() + limit_s
        link = self._links.get(pid)
        while link is not None and link.has_unread and self._loop.time() < deadline:  # noqa: ASYNC110  the stamper's thread reads it
            await asyncio.sleep(0.001)

    def tell(self, pid: int, word: str) -> bool:
        """Write a word to that process's guest, without waiting; return whether it could be."""
        link = self._links.get(pid)
        return link is not None and link.tell(word)

    def end_report(self, pid: int) -> None:
        """Wait no more for what the guest of that process has begun to tell."""
        if link := self._links.get(pid):
            link.finish("no more was waited for")

    def forget(self, pid: int, listener: ReportListener | None) -> None:
        """The process is gone, and what it may still have to say to its listener with it.

        Its number may be another's already, who has a listener of its own.
        """
        if pid in self._vms and self._vms[pid][1] is listener:
            self._drop(pid)

    def _drop(self, pid: int) -> None:
        self._vms.pop(pid, None)
        if link := self._links.pop(pid, None):
            link.close()

    def _accept(self) -> None:
        for _ in range(64):
            try:
                peer, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                # No descriptor is left, and none will be sooner for being asked at once.
                self._deafen()
                self._pause = self._loop.call_later(_PAUSE_S, self._listen)
                return
            peer.setblocking(False)
            pid, uid, _ = _CREDENTIALS.unpack(
                peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            )
            if (known := self._known(pid)) is not None:
                self._welcome(peer, known, pid)
            else:
                self._doubt(_Stranger(peer, pid, uid))

    def _known(self, pid: int) -> int | None:
        for _ in range(_MAX_ANCESTORS):
            if pid in self._vms:
                return pid
            if pid <= 1:
                break
            pid = _parent(pid)
        return None

    def _doubt(self, stranger: "_Stranger") -> None:
        """Wait for a peer's process to be made known: QEMU may be quicker than its pid."""
        self._doubted.append(stranger)
        self._loop.call_later(_STRANGER_PATIENCE_S, self._refuse, stranger)

    def _refuse(self, stranger: "_Stranger") -> None:
        if stranger in self._doubted:
            self._doubted.remove(stranger)
            stranger.sock.close()
            self._on_stranger(stranger.pid, stranger.uid)

    def _welcome(self, peer: socket.socket, owner: int, pid: int) -> None:
        if owner in self._links:
            peer.close()  # a VM speaks once; whatever this is, it is not its report
            return
        vm, listener = self._vms[owner]
        self._links[owner] = GuestLink(peer, vm, listener, self._stamper, self._limits)
        listener.report_opened(peer.fileno(), pid)
