"""Commands coming in: JSON lines on a descriptor, decoded one by one as they come."""

import asyncio
import os
import stat
from collections.abc import Callable

from vmtiming_tui.errors import EventError
from vmtiming_tui.model import commands

_MAX_COMMAND_BYTES = 64 << 20
_READ_BYTES = 1 << 16


class Inlet:
    """Reads commands from a descriptor without ever blocking the loop, while it is entered.

    ``obey`` takes each, ``refuse`` why a line is none, in words. ``on_gone`` is called once, where
    whoever writes them goes away, or writes a line without end. A file has no writer that could go
    away: its end only ends the commands.
    """

    def __init__(
        self,
        fd: int,
        *,
        obey: Callable[[commands.Command], None],
        refuse: Callable[[str], None],
        on_gone: Callable[[], None],
    ) -> None:
        self._fd = fd
        self._obey = obey
        self._refuse = refuse
        self._on_gone = on_gone
        self._begun = bytearray()
        self._was_blocking = os.get_blocking(fd)

    def __enter__(self) -> "Inlet":
        if stat.S_ISREG(os.fstat(self._fd).st_mode):
            with os.fdopen(os.dup(self._fd), "rb") as file:
                self._take(file.read(_MAX_COMMAND_BYTES) + b"\n")
        else:
            os.set_blocking(self._fd, False)
            asyncio.get_running_loop().add_reader(self._fd, self._readable)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.set_blocking(self._fd, self._was_blocking)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        self._take(data)
        if not data or len(self._begun) > _MAX_COMMAND_BYTES:
            asyncio.get_running_loop().remove_reader(self._fd)
            self._on_gone()

    def _take(self, data: bytes) -> None:
        self._begun += data
        *lines, rest = self._begun.split(b"\n")
        self._begun = bytearray(rest)
        for line in filter(bytes.strip, map(bytes, lines)):
            try:
                command = commands.decode(line)
            except EventError as error:
                self._refuse(error.message)
            else:
                self._obey(command)
