"""The one who forks for the engine, and lets no QEMU outlive it.

It is a program of its own (``main``), single-threaded, on the standard library's leanest parts,
because it forks. The engine's loop is never stalled by a fork, and each child is bound to it three
ways: by PR_SET_PDEATHSIG to this process, by its process group, and by descent
(PR_SET_CHILD_SUBREAPER), which also catches what a wrapper leaves behind. When the engine's end of
the socket closes, for whatever reason, everything below is killed and the run folder removed. It
watches where the engine's commands come from too: when whoever gives them is gone, and the engine
for whatever reason does not follow soon, the engine is ended.

Messages are JSON objects, one per SOCK_SEQPACKET datagram.
In: ``{"op": "spawn", "id", "argv", "targets": [[fd, ...], ...], "powers"}`` with one descriptor per
target list attached (``powers`` is null for a child that keeps all it has, else as ``shed`` says,
and ``group`` with the limits of its control group); ``{"op": "signal", "id", "signal"}``.
Out: ``{"op": "spawned", "id", "pid", "at_ns"}``, ``{"op": "refused", "id", "errno"}``,
``{"op": "exited", "id", "status", "at_ns"}`` (``status`` as ``wait`` gives it).
"""

import array
import ctypes
import errno
import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping

from vmtiming_tui.engine.children.drop_rights import clean_environment, shed
from vmtiming_tui.engine.children.groups import Groups, enter

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
MAX_MESSAGE = 1 << 20
MAX_FDS = 64

_SCRATCH_FD = 64
_READER_GONE_LIMIT_S = 1.5
PowersMessage = dict | None  # type: ignore[type-arg]
_LIBC = ctypes.CDLL(None, use_errno=True)


def _become(
    argv: list[bytes], fds: list[int], targets: list[list[int]], parent: int, powers: PowersMessage
) -> None:
    """Turn this forked child into the command; returns only by raising ``OSError``."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _SCRATCH_FD) for fd in fds]
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    for fd, wanted in zip(high, targets, strict=True):
        for target in wanted:
            os.dup2(fd, target)
    environment = os.environ.copy() if powers is None else clean_environment()
    if powers is not None:
        enter(powers["groups"])
        shed(powers, _LIBC)
    _die_with_parent(parent)
    _execute(argv, environment)


def _execute(argv: list[bytes], environment: Mapping[str, str]) -> None:
    """Run a program by its path or from PATH, as execvp does; returns only by ``OSError``.

    Imports nothing, as ``os.execvp`` would: Python's own files may be out of reach by now.
    """
    places = [b""] if b"/" in argv[0] else os.fsencode(environment.get("PATH", "")).split(b":")
    refused: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    for place in places:
        try:
            os.execve(os.path.join(place, argv[0]), argv, environment)  # noqa: PTH118, S606
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            refused = error
    raise refused


def _die_with_parent(parent: int) -> None:
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _spawn(
    argv: list[bytes], fds: list[int], targets: list[list[int]], powers: PowersMessage
) -> int:
    """Fork and exec; return the child's pid, raise ``OSError`` when it could not become it."""
    parent = os.getpid()
    reader, writer = os.pipe2(os.O_CLOEXEC)
    writer = _move_up(writer)
    try:
        pid = os.fork()
    except OSError:
        os.close(writer)
        os.close(reader)
        raise
    if pid == 0:
        try:
            _become(argv, fds, targets, parent, powers)
        except OSError as error:
            os.write(writer, str(error.errno or errno.EIO).encode())
        finally:
            os._exit(127)
    os.close(writer)
    try:
        failure = os.read(reader, 16)
    finally:
        os.close(reader)
    if failure:
        os.waitpid(pid, 0)
        raise OSError(int(failure), os.strerror(int(failure)))
    return pid


def _move_up(fd: int) -> int:
    """Move a descriptor out of the way of those a child is given by number."""
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _SCRATCH_FD)
    os.close(fd)
    return high


class Warden:
    """Children by the engine's ids, and the socket to the engine."""

    def __init__(self, engine: socket.socket, groups: Groups) -> None:
        self._engine = engine
        self._engine_pid = os.getppid()
        self._groups = groups
        self._pids: dict[int, int] = {}
        self._ids: dict[int, int] = {}

    def _tell(self, **message: int | str) -> None:
        try:
            self._engine.send(json.dumps(message).encode())
        except OSError:
            return  # the engine is gone: the next receive says so

    def serve(self, wakeup: int, reader: int) -> None:
        """Do what the engine says until it is gone.

        ``reader`` is where its commands come from; -1 where it is not to be watched.
        """
        poller = select.poll()
        poller.register(self._engine, select.POLLIN)
        poller.register(wakeup, select.POLLIN)
        if reader >= 0:
            poller.register(reader, 0)  # which is: tell when its other end is closed
        deadline = None
        while True:
            left = None if deadline is None else max(deadline - time.monotonic(), 0) * 1000
            for fd, _ in poller.poll(left):
                if fd == wakeup:
                    os.read(wakeup, 4096)
                elif fd == reader:
                    poller.unregister(reader)
                    deadline = time.monotonic() + _READER_GONE_LIMIT_S
                elif not self._receive():
                    return
            self._reap()
            if deadline is not None and time.monotonic() >= deadline:
                if os.getppid() == self._engine_pid:
                    os.kill(self._engine_pid, signal.SIGKILL)
                return

    def _receive(self) -> bool:
        size = array.array("i").itemsize
        try:
            data, ancillary, _, _ = self._engine.recvmsg(
                MAX_MESSAGE, socket.CMSG_SPACE(MAX_FDS * size), socket.MSG_CMSG_CLOEXEC
            )
        except OSError:
            return False
        if not data:
            return False
        fds = array.array("i")
        for level, kind, body in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(body[: len(body) - len(body) % size])
        try:
            self._obey(json.loads(data), list(fds))
        finally:
            for fd in fds:
                os.close(fd)
        return True

    def _obey(self, message: dict, fds: list[int]) -> None:  # type: ignore[type-arg]
        number = message["id"]
        if message["op"] == "spawn":
            at_ns = time.monotonic_ns()
            try:
                argv = [os.fsencode(word) for word in message["argv"]]
                powers = message["powers"]
                if powers is not None:
                    powers["groups"] = self._groups.make(number, powers["group"])
                pid = _spawn(argv, fds, message["targets"], powers)
            except (OSError, ValueError) as error:
                self._groups.release(number)
                self._tell(op="refused", id=number, errno=getattr(error, "errno", errno.EINVAL))
                return
            self._pids[number], self._ids[pid] = pid, number
            self._tell(op="spawned", id=number, pid=pid, at_ns=at_ns)
        elif (pid := self._pids.get(number, 0)) > 0:
            _signal_family(pid, message["signal"])

    def _reap(self) -> None:
        while True:
            try:
                # Left a zombie until its group got its signal: a pid is never used twice.
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            if found.si_pid in self._ids:
                _signal_group(found.si_pid, signal.SIGKILL)
            pid, status = os.waitpid(found.si_pid, 0)
            number = self._ids.pop(pid, None)
            if number is not None:
                del self._pids[number]
                self._groups.release(number)
                self._tell(op="exited", id=number, status=status, at_ns=time.monotonic_ns())


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            return


def _signal_family(pid: int, number: int) -> None:
    """Signal a child and its group; SIGKILL reaches whatever a wrapper started below it, too."""
    others = _descendants(pid) if number == signal.SIGKILL else []
    _signal_group(pid, number)
    for other in others:
        try:
            os.kill(other, number)
        except (ProcessLookupError, PermissionError):
            continue


def _descendants(pid: int) -> list[int]:
    """Return what is below a process, without a look at every other one (proc(5), children)."""
    family = [pid]
    for one in family:
        try:
            for task in os.listdir(f"/proc/{one}/task"):  # noqa: PTH208
                with open(f"/proc/{one}/task/{task}/children", "rb") as children:  # noqa: PTH123
                    family += map(int, children.read().split())
        except OSError:
            continue
    return family[1:]


def _parents() -> dict[int, int]:
    """Return every process's parent, by pid."""
    found = {}
    for name in os.listdir("/proc"):  # noqa: PTH208  pathlib is too heavy here
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123
                    found[int(name)] = int(stat.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
    return found


def _below(ancestor: int) -> list[int]:
    parents = _parents()
    family = {ancestor}
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in family} - family
        grown = bool(more)
        family |= more
    return sorted(family - {ancestor})


def kill_everything_below() -> None:
    """Kill all descendants, also those that left their group, and reap them."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for pid in _below(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)


def remove_folder(folder: str) -> None:
    """Remove the run folder where the engine could not do it any more; no link is followed."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        if os.fstat(fd).st_uid == os.getuid():
            for name in os.listdir(fd):  # noqa: PTH208
                os.unlink(name, dir_fd=fd)
        os.rmdir(folder)  # noqa: PTH106
    except OSError:
        return


def main() -> None:
    """Serve until the engine's end of the socket closes, then leave nothing."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        if int(name) > 2 and os.path.exists(f"/proc/self/fd/{name}"):  # noqa: PTH110
            os.set_inheritable(int(name), False)
    engine = socket.socket(fileno=_move_up(int(sys.argv[2])))
    reader = _move_up(int(sys.argv[3])) if sys.argv[3] != "-1" else -1
    folder = sys.argv[4]
    groups = Groups(folder.rpartition("-")[2])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    _LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wakeup, waker = map(_move_up, os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK))
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    try:
        Warden(engine, groups).serve(wakeup, reader)
    finally:
        signal.set_wakeup_fd(-1)
        kill_everything_below()
        groups.close()
        remove_folder(folder)
