"""An engine of this host: started, read from, asked for things, and taken down again."""

import asyncio
import contextlib
import errno
import os
import signal
import site
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import vmtiming_tui
from vmtiming_tui.errors import EngineError
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.commands import Command
from vmtiming_tui.model.events import Event
from vmtiming_tui.sources.event_lines import LineDecoder, Told

_READ_BYTES = 1 << 18
_STDERR_BYTES = 64 * 1024
_LEAVE_LIMIT_S = 20.0
_START_HINTS = {
    errno.EAGAIN: "raise the limit on processes: ulimit -u",
    errno.EMFILE: "raise the limit on open files: ulimit -n 1024",
}

# As ``python -m vmtiming_tui.engine``, without the current folder on the path (a file there named
# like a module must not be run), and with the checkout on it where nothing is installed.
_PROGRAM = "import sys; sys.path[:0] = sys.argv[1:]; from vmtiming_tui.engine.__main__ import main"


def package_root() -> list[str]:
    """Return what a process has to put on its path to have this very package: little or nothing."""
    root = str(Path(vmtiming_tui.__file__).resolve().parent.parent)
    return [] if root in site.getsitepackages() else [root]


def engine_command() -> list[str]:
    """Return the command that starts an engine with this interpreter and this very package."""
    return [sys.executable, "-P", "-c", f"{_PROGRAM}; main()", *package_root()]


class EngineClient:
    """Starts an engine, and takes it down again on leaving, whatever state it is in.

    ``tap`` is given the lines of every read with their events, before anything else happens to
    them. An engine that ends in a way it should not is an ``EngineFailed`` event.
    """

    def __init__(self, tap: Callable[[Sequence[Told]], None] | None = None) -> None:
        self._tap = tap
        self._process: asyncio.subprocess.Process | None = None
        self._stderr = bytearray()
        self._stderr_reader: asyncio.Task[None] | None = None
        self._decoder = LineDecoder()
        self._ended = False
        self._leaving = False
        self._has_said_why = False

    async def __aenter__(self) -> "EngineClient":
        try:
            self._process = await asyncio.create_subprocess_exec(
                *engine_command(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # the terminal's Ctrl-C is for us to pass on
                limit=4 * _READ_BYTES,
            )
        except (OSError, RuntimeError) as error:  # the latter where no thread can be started
            number = getattr(error, "errno", errno.EAGAIN)
            raise EngineError(
                f"the engine cannot be started: {os.strerror(number)}",
                hint=_START_HINTS.get(number, ""),
            ) from None
        self._stderr_reader = asyncio.create_task(self._read_stderr())
        return self

    @property
    def pid(self) -> int:
        """The engine's process id; 0 before it was started."""
        return self._process.pid if self._process else 0

    def send(self, command: Command) -> None:
        """Ask the engine for something; one that is gone is asked nothing."""
        if self._process is None or self._process.stdin is None:
            return
        if self._process.stdin.is_closing():
            return  # asyncio would say so on standard error, where a dashboard may be
        with contextlib.suppress(OSError, RuntimeError):
            self._process.stdin.write(commands.encode(command).encode() + b"\n")

    async def batches(self) -> AsyncIterator[list[Event]]:
        """Yield events as they come, those of one read together, until the engine has ended."""
        while not self._ended:
            batch = await self._read()
            if batch:
                yield batch

    async def _read(self) -> list[Event]:
        assert self._process is not None  # noqa: S101  nothing is read before the start
        assert self._process.stdout is not None  # noqa: S101  a pipe was asked for
        data = await self._process.stdout.read(_READ_BYTES)
        if not data:
            self._ended = True
            return await self._epilogue()
        batch = self._given(self._decoder.take(data))
        self._has_said_why |= any(isinstance(event, ev.EngineFailed) for event in batch)
        return batch

    def _given(self, told: Sequence[Told]) -> list[Event]:
        """Hand lines to who keeps them; return their events."""
        if told and self._tap is not None:
            self._tap(told)
        return [event for _, event in told]

    async def _epilogue(self) -> list[Event]:
        """Say how the engine ended, where that was not as it should."""
        assert self._process is not None  # noqa: S101  nothing is read before the start
        code = await self._process.wait()
        if self._stderr_reader is not None:
            await asyncio.wait([self._stderr_reader], timeout=1)
        if code == 0 or self._leaving or self._has_said_why:
            return []
        last = _last_words(self.stderr)
        how = f"exit code {code}" if code > 0 else f"killed by {_signal_name(-code)}"
        event = ev.EngineFailed(
            at_ns=time.monotonic_ns(),
            why=f"the engine ended unexpectedly ({how})" + (f": {last[:300]}" if last else ""),
            hint="every VM was ended with it; run again, and report this if it happens again",
        )
        return self._given([Told(ev.encode(event).encode(), event)])

    async def _read_stderr(self) -> None:
        assert self._process is not None  # noqa: S101  nothing is read before the start
        assert self._process.stderr is not None  # noqa: S101  a pipe was asked for
        while data := await self._process.stderr.read(4096):
            self._stderr += data
            del self._stderr[:-_STDERR_BYTES]

    @property
    def stderr(self) -> str:
        """What the engine wrote to its standard error: nothing, unless it has a fault."""
        return self._stderr.decode(errors="replace")

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        self._leaving = True
        self.send(commands.Quit())
        try:
            async with asyncio.timeout(_LEAVE_LIMIT_S):
                while not self._ended:
                    await self._read()
                await process.wait()
        except TimeoutError:
            pass
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()  # its warden ends what is left
                await process.wait()
            if process.stdin is not None:
                process.stdin.close()
            if self._stderr_reader is not None:
                self._stderr_reader.cancel()
                await asyncio.wait([self._stderr_reader])


def _last_words(text: str) -> str:
    """Return the last line that says something: groups of errors end with a rule."""
    lines = (line.strip(" |+-") for line in reversed(text.splitlines()))
    return next(filter(None, lines), "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
