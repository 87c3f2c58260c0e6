"""Events to standard output: in order, never blocking the loop, within a bounded memory."""

import asyncio
import os
import stat
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping

from vmtiming_tui.escape import were
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.codec import tag_of

HARD_LIMIT_BYTES = 256 << 20
_PER_TURN = 16
_DELAY_S = 0.004  # a guest's report follows QMP's word of its open port by less

# What is left out, and from how much that its reader has still to read: the less a boot's figure
# depends on it, the sooner. What is not named here is never left out.
EXPENDABLE_FROM: Mapping[type[ev.Event], int] = {
    ev.VmUsage: 2 << 20,
    ev.HostSample: 2 << 20,
    ev.QmpSeen: 4 << 20,
    ev.ConsoleLine: 1 << 20,
    ev.VmConsole: 8 << 20,
    ev.ReportRejected: 16 << 20,
    ev.VmDetails: 16 << 20,
    ev.VmUnits: 16 << 20,
    ev.VmKernel: 16 << 20,
}


class Outbox:
    """Writes events as JSON lines; calls ``on_gone`` once when nobody reads them any more.

    Events are encoded a little later, and a few per turn of the loop, so that doing it does not
    delay the stamps of reports that arrive meanwhile. When the reader lags, events are left out
    in steps: samples first, then QMP events, consoles and details. It is told how many of each
    once it has caught up. The start and end of a run, and what becomes of each boot, are kept; a
    reader that falls behind by ``HARD_LIMIT_BYTES`` of them counts as gone.
    """

    def __init__(self, fd: int, on_gone: Callable[[], None]) -> None:
        self._fd = fd
        self._on_gone = on_gone
        self._waiting: deque[ev.Event] = deque()
        self._buffer = bytearray()
        self._scheduled = False
        self._blocked = False
        self._gone = False
        self._left_out: Counter[str] = Counter()
        mode = os.fstat(fd).st_mode
        self._pollable = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)
        self._was_blocking = os.get_blocking(fd)
        if self._pollable:
            os.set_blocking(fd, False)

    def emit(self, event: ev.Event) -> None:
        """Put an event in line."""
        if self._gone or self._leaves_out(event):
            return
        self._waiting.append(event)
        self._schedule()

    def _leaves_out(self, event: ev.Event) -> bool:
        limit = EXPENDABLE_FROM.get(type(event))
        if limit is None or len(self._buffer) <= limit:
            return False
        self._left_out[tag_of(type(event))] += 1
        return True

    def _schedule(self, delay_s: float = _DELAY_S) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_later(delay_s, self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        for _ in range(min(_PER_TURN, len(self._waiting))):
            event = self._waiting.popleft()
            if not self._leaves_out(event):
                self._buffer += ev.encode(event).encode() + b"\n"
        if not self._blocked:
            self._write()
        if len(self._buffer) > HARD_LIMIT_BYTES:
            self._lose()
        elif self._waiting:
            self._schedule(0)

    def _write(self) -> None:
        while self._buffer and not self._gone:
            try:
                with memoryview(self._buffer) as view:
                    written = os.write(self._fd, view[: 1 << 20])
            except (BlockingIOError, InterruptedError):
                if not self._blocked:
                    self._blocked = True
                    asyncio.get_running_loop().add_writer(self._fd, self._unblocked)
                return
            except OSError:
                self._lose()
                return
            del self._buffer[:written]
        if self._left_out and not self._gone:
            self._tell_of_gaps()

    def _tell_of_gaps(self) -> None:
        left_out, self._left_out = self._left_out, Counter()
        kinds = ", ".join(f"{count} {tag}" for tag, count in sorted(left_out.items()))
        self.emit(
            ev.Notice(
                at_ns=time.monotonic_ns(),
                level=ev.Level.WARNING,
                text=f"the events were read too slowly: {kinds} {were(left_out.total())} left out, "
                "and no boot",
                left_out=left_out,
            )
        )

    def _unblocked(self) -> None:
        asyncio.get_running_loop().remove_writer(self._fd)
        self._blocked = False
        self._write()

    def _lose(self) -> None:
        if not self._gone:
            self._gone = True
            self._waiting.clear()
            self._buffer.clear()
            if self._blocked:
                asyncio.get_running_loop().remove_writer(self._fd)
            self._on_gone()

    async def drain(self, limit_s: float) -> None:
        """Wait till everything is written, or the reader is gone, or ``limit_s`` is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limit_s
        while (self._waiting or self._buffer) and not self._gone and loop.time() < deadline:  # noqa: ASYNC110  once, at the end
            await asyncio.sleep(0.001)
        if self._blocked and not self._gone:
            loop.remove_writer(self._fd)
        if self._pollable:
            os.set_blocking(self._fd, self._was_blocking)
