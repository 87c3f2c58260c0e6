"""The thread that reads the report connections: whatever the engine is at, a stamp is not late."""

import asyncio
import contextlib
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

from vmtiming_tui.errors import EngineError

_READ_BYTES = 64 * 1024
_SWITCH_S = 0.0001
_READY = select.EPOLLIN | select.EPOLLONESHOT

Deliver: TypeAlias = Callable[[int, bytes], None]


class ReportStamper:
    """Reads from sockets and hands on each piece with the time it came (ns, monotonic).

    A piece is read, and its connection then left alone until its receiver asks for more with
    ``rearm``: a guest that floods fills the kernel's buffer and not ours. Everything but the
    reading happens on the event loop that entered it.

    The thread needs the interpreter's lock for a stamp. So for as long as it lives the engine gives
    that up when asked for it for 0.1 ms, not 5 ms (``sys.setswitchinterval``). Where it is allowed
    to, the thread also goes before whatever else the host runs (sched(7), SCHED_FIFO).
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._readers: dict[int, tuple[socket.socket, Deliver]] = {}
        self._end = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._serve, name="stamper", daemon=True)
        self._usual_switch_s = sys.getswitchinterval()

    def __enter__(self) -> "ReportStamper":
        self._epoll.register(self._end, select.EPOLLIN)
        try:
            self._thread.start()
        except RuntimeError as error:
            raise EngineError(
                "the host allows this user no further thread or process",
                hint="end some, or raise the limit: ulimit -u",
            ) from error
        sys.setswitchinterval(_SWITCH_S)
        return self

    def __exit__(self, *_: object) -> None:
        os.eventfd_write(self._end, 1)
        self._thread.join()
        self._epoll.close()
        os.close(self._end)
        sys.setswitchinterval(self._usual_switch_s)

    def add(self, sock: socket.socket, deliver: Deliver) -> None:
        """Read a socket that does not block; ``deliver`` takes each piece, and b"" for its end."""
        self._readers[sock.fileno()] = sock, deliver
        self._epoll.register(sock.fileno(), _READY)

    def rearm(self, sock: socket.socket) -> None:
        """Read the next piece of a socket, when it comes."""
        self._epoll.modify(sock.fileno(), _READY)

    def remove(self, sock: socket.socket) -> None:
        """Read no more of a socket; to be called before it is closed."""
        del self._readers[sock.fileno()]
        self._epoll.unregister(sock.fileno())

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        while True:
            ready = self._epoll.poll()
            came_ns = time.monotonic_ns()
            for fd, _ in ready:
                if fd == self._end:
                    return
                self._read(fd, came_ns)

    def _read(self, fd: int, came_ns: int) -> None:
        reader = self._readers.get(fd)
        if reader is None:
            return  # removed since
        sock, deliver = reader
        try:
            data = sock.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return  # removed since, and its descriptor is another's already, who will be told
        except OSError:
            data = b""
        self._loop.call_soon_threadsafe(deliver, came_ns, data)
