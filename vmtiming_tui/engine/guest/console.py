"""The end of a VM's serial console: little in memory, the rest in a ring on disk."""

import asyncio
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

from vmtiming_tui.engine.guest.byte_allowance import Allowance
from vmtiming_tui.escape import one_line, printable

KEPT_BYTES = 256 * 1024
BURST_BYTES = 2 << 20
BYTES_PER_S = 32 << 10
_MEMORY_BYTES = 16 * 1024
_READ_BYTES = 512 * 1024
_PAUSE_S = 0.001
_FLOOD_PAUSE_S = 0.05
_WAY_BYTES = 1 << 20
_NEWEST_BYTES = 2048
_MAX_LINE = 200

# Colours and cursor moves, well-formed.
STEERING = re.compile(rb"\x1b(?:\[[0-9;?]*[A-Za-z]|[78DEMc])")
_LINE_ENDS = (b"\r\r\n", b"\r\n", b"\r")  # what writes the second gets a \r more of its terminal


def readable(raw: bytes) -> str:
    """Return console bytes as text: colours and cursor moves left out, the rest made visible."""
    plain = STEERING.sub(b"", raw)
    for end in _LINE_ENDS:
        plain = plain.replace(end, b"\n")
    return printable(plain, keep="\t\n")


def console_pair() -> tuple[socket.socket, socket.socket]:
    """Return our end of a console, and QEMU's.

    The kernel counts some 750 bytes for each byte that is sent alone. With the usual room a guest
    would have to wait for us after 280 of them.
    """
    ours, theirs = socket.socketpair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _WAY_BYTES)
    return ours, theirs


class ConsoleLog:
    """Keeps the last ``KEPT_BYTES`` of a console and counts what went before.

    The newest part is in memory; what is older goes to ``spill``, a ring of fixed size written
    only when there is more than fits in memory, over what an earlier console left there. A full
    disk costs the older part only.

    It is read with a pause after each piece, since a serial port writes a byte at a time, and to
    wake up for each costs a whole core. A guest that writes more than any boot has to say is read
    with longer pauses, and waits as it would for a slow terminal. ``look`` is shown each piece.
    """

    def __init__(self, spill: Path, look: Callable[[bytes], None] | None = None) -> None:
        self._spill = spill
        self._look = look
        self._memory = bytearray()
        self._spilled = 0
        self._readable_from = 0
        self._fd: int | None = None
        self._allowance = Allowance(BURST_BYTES, BYTES_PER_S)
        self._pause: asyncio.TimerHandle | None = None
        self.total_bytes = 0

    @property
    def dropped_bytes(self) -> int:
        """How much of the beginning is kept no more."""
        oldest = max(self._readable_from, self._spilled - (KEPT_BYTES - 2 * _MEMORY_BYTES))
        return min(oldest, self._spilled)

    def add(self, data: bytes) -> None:
        """Take in what the guest wrote."""
        self.total_bytes += len(data)
        self._memory += data
        if len(self._memory) > 2 * _MEMORY_BYTES:
            self._write(bytes(self._memory[:-_MEMORY_BYTES]))
            del self._memory[:-_MEMORY_BYTES]
        if self._look is not None:
            self._look(data)

    def _write(self, data: bytes) -> None:
        size = KEPT_BYTES - 2 * _MEMORY_BYTES
        start = self._spilled
        self._spilled += len(data)
        if len(data) > size:
            start, data = self._spilled - size, data[-size:]
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            if self._spilled == len(data):
                flags |= os.O_TRUNC
            fd = os.open(self._spill, flags, 0o600)
            try:
                at = start % size
                first = min(size - at, len(data))
                written = os.pwrite(fd, data[:first], at)
                written += os.pwrite(fd, data[first:], 0)
            finally:
                os.close(fd)
        except OSError:
            written = 0
        if written < len(data):
            self._readable_from = self._spilled  # nothing up to here can be trusted to be there

    def tail(self, limit: int = KEPT_BYTES) -> bytes:
        """Return the last bytes, at most ``limit``, with what was written up to now."""
        self._catch_up()
        wanted = min(limit - len(self._memory), self._spilled - self.dropped_bytes)
        if wanted <= 0:
            return bytes(self._memory[-limit:])
        size = KEPT_BYTES - 2 * _MEMORY_BYTES
        try:
            ring = self._spill.read_bytes()
        except OSError:
            return bytes(self._memory)
        start = (self._spilled - wanted) % size
        return (ring[start:] + ring[:start])[:wanted] + bytes(self._memory)

    def last_line(self) -> str:
        """Return the last whole line that is not blank, or its end; readable, and none too long."""
        whole = bytes(self._memory[-_NEWEST_BYTES:]).rpartition(b"\n")[0]
        for line in reversed(readable(whole).splitlines()):
            if text := line.expandtabs().strip():
                return one_line(text, _MAX_LINE)
        return ""

    def attach(self, fd: int) -> None:
        """Read from a descriptor, which becomes ours, as the guest writes."""
        os.set_blocking(fd, False)
        self._fd = fd
        self._listen()

    def _listen(self) -> None:
        if self._fd is not None:
            asyncio.get_running_loop().add_reader(self._fd, self._readable)

    def _deafen(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
        if self._fd is not None:
            asyncio.get_running_loop().remove_reader(self._fd)

    def _readable(self) -> None:
        self._deafen()
        size = self._read()
        if size == 0:
            self.detach()
            return
        pause_s = _PAUSE_S if self._allowance.spend(size or 0) else _FLOOD_PAUSE_S
        self._pause = asyncio.get_running_loop().call_later(pause_s, self._listen)

    def _read(self) -> int | None:
        """Take in what is there and return how much; 0 is the end, None nothing for now."""
        if self._fd is None:
            return None
        try:
            data = os.read(self._fd, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return 0
        if data:
            self.add(data)
        return len(data)

    def _catch_up(self) -> None:
        """Take in what was written during a pause, which a guest that floods never ends to do."""
        for _ in range(KEPT_BYTES // _MEMORY_BYTES):
            if not self._read():
                return

    def detach(self) -> None:
        """Stop reading, after taking in what is still there."""
        if self._fd is None:
            return
        self._deafen()
        self._catch_up()
        fd, self._fd = self._fd, None
        os.close(fd)
