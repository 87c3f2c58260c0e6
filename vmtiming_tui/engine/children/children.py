"""Child processes as the engine sees them: asked of the warden, awaited on the loop."""

import array
import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vmtiming_tui
from vmtiming_tui.engine.children import warden
from vmtiming_tui.engine.children.output_tail import Tail
from vmtiming_tui.engine.children.rundir import RunDir
from vmtiming_tui.errors import EngineError, QemuError

_ROOT = str(Path(vmtiming_tui.__file__).resolve().parent.parent)
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from vmtiming_tui.engine.children.warden import main; main()"
)
_CLOSE_LIMIT_S = 12.0
_GONE = "the process that starts QEMUs is gone"


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: its code, or the signal that ended it."""

    at_ns: int
    code: int | None = None
    signal: int | None = None

    @property
    def words(self) -> str:
        """The same as a person would say it."""
        if self.signal is None:
            return f"exit code {self.code}"
        try:
            return f"killed by {signal.Signals(self.signal).name}"
        except ValueError:
            return f"killed by signal {self.signal}"

    @property
    def returncode(self) -> int | None:
        """As ``subprocess`` has it: negative for a signal."""
        return self.code if self.signal is None else -self.signal


def start_hint(program: str, error: OSError) -> str:
    """Return what to do about a program that cannot be started."""
    return {
        errno.ENOENT: f"check that {program!r} is installed (QEMU: apt-get install "
        "qemu-system-x86), or give its path with -q",
        errno.ENOEXEC: "give a program with -q that this host can run",
        errno.EACCES: f"make it executable: chmod +x {program}",
        errno.EAGAIN: "raise the limit on processes: ulimit -u",
        errno.EMFILE: "raise the limit on open files: ulimit -n 65536",
        errno.ENFILE: "the whole host has no file descriptor left: sysctl fs.file-max",
        errno.ENOMEM: "the host has no memory left: boot fewer VMs, or one after another",
        errno.E2BIG: "its command line is too long: shorten what follows --",
    }.get(error.errno or 0, "")


class Child:
    """One process under the warden."""

    def __init__(self, number: int, send_signal: Callable[[int, int], None]) -> None:
        loop = asyncio.get_running_loop()
        self._number = number
        self._send_signal = send_signal
        self.spawned: asyncio.Future[int] = loop.create_future()
        # Cancelled where the warden is gone, and nobody will ever know.
        self.exited: asyncio.Future[Exit] = loop.create_future()
        self.pid = 0
        self.spawn_ns = 0

    def signal(self, number: int = signal.SIGKILL) -> None:
        """Signal it and its process group; nothing happens once it is gone."""
        self._send_signal(self._number, number)


class Children:
    """The engine's end of the warden."""

    def __init__(self, sock: socket.socket, process: "subprocess.Popen[bytes]") -> None:
        self._sock = sock
        self._process = process
        self._children: dict[int, Child] = {}
        self._count = 0
        self._outgoing: deque[tuple[bytes, list[int]]] = deque()
        self._writing = False
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(sock.fileno(), self._readable)

    @property
    def pid(self) -> int:
        """The warden's own pid."""
        return self._process.pid

    async def spawn(
        self,
        argv: Sequence[str],
        fds: Sequence[tuple[int, Sequence[int]]],
        powers: Mapping[str, object] | None = None,
    ) -> Child:
        """Start a process, and return when it is there.

        A process that nobody waits for any more is ended. Raises ``OSError`` as exec would.
        """
        return await self.started(self.begin(argv, fds, powers))

    def begin(
        self,
        argv: Sequence[str],
        fds: Sequence[tuple[int, Sequence[int]]],
        powers: Mapping[str, object] | None = None,
    ) -> Child:
        """Have a process started; ``fds`` pairs our descriptors with its own numbers for them.

        ``powers`` is what a QEMU keeps (``Powers.message``); without it a child keeps all we have.
        Our descriptors may be closed when this returns. Raises ``OSError``, and where the warden is
        gone.
        """
        if self.lost.done():
            raise OSError(errno.ESRCH, _GONE)
        self._count += 1
        child = Child(self._count, self._signal)
        message = json.dumps(
            {
                "op": "spawn",
                "id": self._count,
                "argv": list(argv),
                "targets": [list(targets) for _, targets in fds],
                "powers": powers,
            }
        ).encode()
        if len(message) > warden.MAX_MESSAGE // 2:
            raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
        copies = _copies([fd for fd, _ in fds])
        self._children[self._count] = child
        self._post(message, copies)
        return child

    async def started(self, child: Child) -> Child:
        """Return when a process that was begun is there; as ``spawn``."""
        try:
            await asyncio.shield(child.spawned)
        except asyncio.CancelledError:
            child.spawned.add_done_callback(lambda _: child.signal())
            raise
        return child

    async def output(
        self,
        argv: Sequence[str],
        limit_s: float,
        powers: Mapping[str, object] | None = None,
    ) -> tuple[int | None, str]:
        """Run a command to its end; return its code (None: it took too long) and its words.

        Raises ``QemuError`` where it cannot be started, or the warden is lost meanwhile.
        """
        tail = Tail()
        try:
            try:
                child = await self.spawn(argv, [(tail.write_fd, (1, 2))], powers)
            except OSError as error:
                raise QemuError(
                    f"{argv[0]!r} cannot be started: {error.strerror}",
                    hint=start_hint(argv[0], error),
                ) from None
            tail.given()
            try:
                await asyncio.wait([child.exited], timeout=limit_s)
            finally:
                child.signal()
            if child.exited.cancelled():
                raise QemuError(f"{argv[0]!r} was ended: {_GONE}")
            text = await tail.ended(1.0)
            code = child.exited.result().returncode if child.exited.done() else None
            return code, text.decode(errors="replace")
        finally:
            tail.close()

    async def answer(
        self, argv: Sequence[str], question: int, *, limit_s: float, limit_bytes: int
    ) -> tuple[int | None, bytes, bytes]:
        """Run a command with a descriptor as its input; return its code, its output, its errors.

        The code is None where it took too long. Raises ``EngineError`` where it cannot be started.
        """
        out, err = Tail(limit_bytes), None
        try:
            err = Tail()
            try:
                child = await self.spawn(
                    argv, [(question, (0,)), (out.write_fd, (1,)), (err.write_fd, (2,))]
                )
            except OSError as error:
                raise EngineError(
                    f"no process can be started: {error.strerror}", hint=start_hint(argv[0], error)
                ) from None
            out.given()
            err.given()
            try:
                await asyncio.wait([child.exited], timeout=limit_s)
            finally:
                child.signal()
            said, words = await out.ended(5.0), await err.ended(1.0)
            code = child.exited.result().returncode if child.exited.done() else None
            return code, said, words
        finally:
            out.close()
            if err is not None:
                err.close()

    def _signal(self, number: int, which: int) -> None:
        if number in self._children:
            self._post(json.dumps({"op": "signal", "id": number, "signal": which}).encode(), [])

    def _post(self, message: bytes, fds: list[int]) -> None:
        self._outgoing.append((message, fds))
        if not self._writing:
            self._flush()

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._outgoing:
            message, fds = self._outgoing[0]
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            try:
                self._sock.sendmsg([message], rights)
            except (BlockingIOError, InterruptedError):
                if not self._writing:
                    self._writing = True
                    loop.add_writer(self._sock.fileno(), self._flush)
                return
            except OSError:
                self._lose()
                return
            self._outgoing.popleft()
            _close_all(fds)
        if self._writing:
            self._writing = False
            loop.remove_writer(self._sock.fileno())

    def _readable(self) -> None:
        for _ in range(64):
            try:
                data = self._sock.recv(65536)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                self._lose()
                return
            self._hear(json.loads(data))

    def _hear(self, message: dict[str, Any]) -> None:
        child = self._children.get(message["id"])
        if child is None:
            return
        match message:
            case {"op": "spawned", "pid": int(pid), "at_ns": int(at_ns)}:
                child.pid, child.spawn_ns = pid, at_ns
                _resolve(child.spawned, pid)
            case {"op": "refused", "errno": int(number)}:
                del self._children[message["id"]]
                _fail(child.spawned, OSError(number, os.strerror(number)))
            case {"op": "exited", "status": int(status), "at_ns": int(at_ns)}:
                del self._children[message["id"]]
                code = os.waitstatus_to_exitcode(status)
                _resolve(
                    child.exited,
                    Exit(at_ns, code=code) if code >= 0 else Exit(at_ns, signal=-code),
                )

    def _lose(self) -> None:
        if self.lost.done():
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._sock.fileno())
        loop.remove_writer(self._sock.fileno())
        self.lost.set_result(None)
        for _, fds in self._outgoing:
            _close_all(fds)
        self._outgoing.clear()
        for child in self._children.values():
            _fail(child.spawned, OSError(errno.ESRCH, _GONE))
            child.exited.cancel()
            if child.pid:
                # Their pdeathsig has ended direct children; this is for what escaped it.
                with contextlib.suppress(OSError):
                    os.killpg(child.pid, signal.SIGKILL)
        self._children.clear()

    async def close(self) -> None:
        """Let the warden go; it kills whatever is still below it, and is waited for."""
        self._lose()
        self._sock.close()
        try:
            await _ended(self._process.pid, _CLOSE_LIMIT_S)
        finally:
            self._process.kill()
            self._process.wait()


async def _ended(pid: int, limit_s: float) -> None:
    """Return when a child of ours has ended, or after a limit."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    handle = os.pidfd_open(pid)
    loop.add_reader(handle, _resolve, ended, None)
    try:
        await asyncio.wait([ended], timeout=limit_s)
    finally:
        loop.remove_reader(handle)
        os.close(handle)


def _copies(fds: Sequence[int]) -> list[int]:
    made: list[int] = []
    try:
        for fd in fds:
            made.append(os.dup(fd))
    except OSError:
        _close_all(made)
        raise
    return made


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)


def _resolve(future: asyncio.Future[Any], value: object) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # whoever waited may be gone


@asynccontextmanager
async def start_warden(folder: RunDir, reader: int = -1) -> AsyncIterator[Children]:
    """Start the warden; on leaving, every process under it is gone.

    Where whoever holds the other end of ``reader`` goes away, the warden sees to it that this
    process does not outlive them for long.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, option, 4 * warden.MAX_MESSAGE)
    ours.setblocking(False)
    watched = os.dup(reader) if reader >= 0 else -1
    program = [sys.executable, "-I", "-S", "-c", _PROGRAM, _ROOT]
    try:
        process = subprocess.Popen(  # noqa: S603, ASYNC220  our own program, before anything runs
            [*program, str(theirs.fileno()), str(watched), str(folder.path)],
            pass_fds=(theirs.fileno(), folder.lock_fd, *([watched] if reader >= 0 else [])),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        ours.close()
        raise EngineError(
            f"no process can be started: {error.strerror}",
            hint=start_hint(sys.executable, error),
        ) from None
    finally:
        theirs.close()
        if reader >= 0:
            os.close(watched)
    children = Children(ours, process)
    try:
        yield children
    finally:
        await children.close()
