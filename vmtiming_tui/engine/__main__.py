"""The engine's process: commands as JSON lines on stdin, events as JSON lines on stdout."""

import asyncio
import contextlib
import errno
import gc
import os
import signal
import stat
import sys
import time

from vmtiming_tui.engine.engine import Session
from vmtiming_tui.engine.outbox import Outbox
from vmtiming_tui.errors import EngineError, EventError
from vmtiming_tui.model import commands
from vmtiming_tui.model import events as ev

_MAX_COMMAND_BYTES = 64 << 20
_DRAIN_LIMIT_S = 5.0
_HINTS = {
    errno.EMFILE: "raise the limit on open files: ulimit -n 65536",
    errno.ENFILE: "the whole host has no file descriptor left: sysctl fs.file-max",
    errno.ENOSPC: "free some space in the temporary folder, or set TMPDIR to another",
    errno.ENOMEM: "the host has no memory left: boot fewer VMs, or one after another",
}


class CommandReader:
    """Reads commands from a descriptor without ever blocking the loop."""

    def __init__(self, fd: int, session: Session, outbox: Outbox) -> None:
        self._fd = fd
        self._session = session
        self._outbox = outbox
        self._buffer = bytearray()
        self._was_blocking = os.get_blocking(fd)
        if stat.S_ISREG(os.fstat(fd).st_mode):
            # A file has no writer that could go away: its end only ends the commands.
            with os.fdopen(os.dup(fd), "rb") as file:
                self._take(file.read(_MAX_COMMAND_BYTES) + b"\n")
            return
        os.set_blocking(fd, False)
        asyncio.get_running_loop().add_reader(fd, self._readable)

    def close(self) -> None:
        """Stop reading."""
        asyncio.get_running_loop().remove_reader(self._fd)
        os.set_blocking(self._fd, self._was_blocking)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, 1 << 16)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if data:
            self._take(data)
            if len(self._buffer) <= _MAX_COMMAND_BYTES:
                return
        asyncio.get_running_loop().remove_reader(self._fd)
        self._session.leave(now=True, outcome=ev.Outcome.INTERRUPTED)

    def _take(self, data: bytes) -> None:
        self._buffer += data
        *lines, rest = self._buffer.split(b"\n")
        self._buffer = bytearray(rest)
        for line in lines:
            if not line.strip():
                continue
            try:
                self._session.obey(commands.decode(bytes(line)))
            except EventError as error:
                self._outbox.emit(
                    ev.Notice(
                        at_ns=time.monotonic_ns(),
                        level=ev.Level.ERROR,
                        text=f"a command was not understood: {error.message}",
                    )
                )


def _quieten_collector() -> None:
    """Keep garbage collection out of the way of stamps; a run collects when a storm is over."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)


async def _serve() -> int:
    gone = asyncio.Event()
    outbox = Outbox(sys.stdout.fileno(), gone.set)
    session = Session(outbox.emit, reader=sys.stdin.fileno())
    signals = 0

    def on_signal() -> None:
        nonlocal signals
        signals += 1
        session.leave(now=signals > 1)

    async def on_gone() -> None:
        await gone.wait()
        session.leave(now=True, outcome=ev.Outcome.INTERRUPTED)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal)
    watching = asyncio.create_task(on_gone())
    reader = CommandReader(sys.stdin.fileno(), session, outbox)
    _quieten_collector()
    code = 0
    try:
        await session.run()
    except EngineError as error:
        outbox.emit(ev.EngineFailed(at_ns=time.monotonic_ns(), why=error.message, hint=error.hint))
        code = error.exit_code
    except OSError as error:
        what = error.strerror or str(error)
        outbox.emit(
            ev.EngineFailed(
                at_ns=time.monotonic_ns(),
                why=f"the host refused the engine something it needs: {what}",
                hint=_HINTS.get(error.errno or 0, ""),
            )
        )
        code = 1
    finally:
        watching.cancel()
        reader.close()
        await outbox.drain(_DRAIN_LIMIT_S)
    return code


def main() -> None:
    """Run the engine till it is told to leave, or its reader is gone."""
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(asyncio.run(_serve()))


if __name__ == "__main__":
    main()
