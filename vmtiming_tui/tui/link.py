"""The dashboard's line to the engine: started, read, and closed in one task, whatever happens."""

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from vmtiming_tui import events as ev
from vmtiming_tui.commands import Command, Quit, Start
from vmtiming_tui.engine.client import EventSource
from vmtiming_tui.errors import VmTimingError
from vmtiming_tui.plan import RunPlan
from vmtiming_tui.tui.model import Model

Connect = Callable[[], AbstractAsyncContextManager[EventSource]]

_CLOSE_LIMIT_S = 25.0


class Link:
    """Reads a source into the model; a source that fails says so as an ``EngineFailed`` event."""

    def __init__(
        self,
        connect: Connect,
        model: Model,
        clock: Callable[[], int],
        on_news: Callable[[], None],
    ) -> None:
        self._connect, self._model, self._clock = connect, model, clock
        self._on_news = on_news
        self._source: EventSource | None = None
        self._task: asyncio.Task[None] | None = None
        self._unsent: list[Command] = []

    @property
    def is_open(self) -> bool:
        """Whether events may still come."""
        return self._task is not None and not self._task.done()

    def start(self, plan: RunPlan) -> None:
        """Begin a run, with a new engine where there is none (any more)."""
        command = Start(plan=plan, interactive=True)
        if self.is_open:
            self.send(command)
            return
        self._unsent = [command]
        self._model.stream_over = False
        self._task = asyncio.create_task(self._read())

    def send(self, command: Command) -> None:
        """Ask the engine for something; kept till it is there."""
        if self._source is None:
            self._unsent.append(command)
        else:
            self._source.send(command)

    async def _read(self) -> None:
        try:
            async with self._connect() as source:
                self._source = source
                for command in self._unsent:
                    source.send(command)
                self._unsent = []
                async for batch in source.batches():
                    if self._model.take(batch):
                        self._on_news()
        except VmTimingError as error:
            failed = ev.EngineFailed(at_ns=self._clock(), why=error.message, hint=error.hint)
            self._model.take([failed])
        finally:
            self._source = None
            self._model.stream_over = True

    async def ended(self, limit_s: float) -> bool:
        """Wait for the engine's end, no longer than ``limit_s``; return whether it came."""
        if self._task is None:
            return True
        done, _ = await asyncio.wait([self._task], timeout=limit_s)
        return bool(done)

    async def close(self) -> None:
        """End the engine and all it runs; bounded, and again without effect."""
        if self._task is None:
            return
        self.send(Quit())
        if not self._task.done():
            self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([self._task], timeout=_CLOSE_LIMIT_S)
        if self._task.done() and not self._task.cancelled() and (error := self._task.exception()):
            raise error
