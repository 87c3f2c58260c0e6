"""The dashboard's line to the engine: started, read, and closed in one task, whatever happens."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from vmtiming_tui.errors import VmTimingError
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Command, Quit, Start
from vmtiming_tui.model.events import Event
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.own_faults import kept_fault
from vmtiming_tui.sources.source import EventSource
from vmtiming_tui.tui.state.dashboard import Model

Connect = Callable[[], AbstractAsyncContextManager[EventSource]]

_CLOSE_LIMIT_S = 25.0


class EngineLink:
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
        self._diverted: asyncio.Queue[list[Event] | None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether events may still come."""
        return self._task is not None and not self._task.done()

    @property
    def was_started(self) -> bool:
        """Whether a run was ever asked for."""
        return self._task is not None

    def start(self, plan: RunPlan) -> None:
        """Begin a run, with a new engine where there is none (any more)."""
        command = Start(plan=plan, interactive=True)
        self._model.is_beginning = True
        if self.is_open:
            self.send(command)
            return
        self._unsent = [command]
        self._model.stream_over = False
        self._task = asyncio.create_task(self._read())

    def send(self, command: Command) -> None:
        """Ask the engine for something; kept till it is there, and let go once it is gone."""
        if self._source is not None:
            self._source.send(command)
        elif self.is_open:
            self._unsent.append(command)

    async def batches(self) -> AsyncIterator[list[Event]]:
        """Yield what comes from now on, and give the model no more of it."""
        if self._model.stream_over:
            return
        self._diverted = asyncio.Queue()
        while (batch := await self._diverted.get()) is not None:
            yield batch

    async def _read(self) -> None:
        try:
            async with self._connect() as source:
                self._source = source
                for command in self._unsent:
                    source.send(command)
                self._unsent = []
                async for batch in source.batches():
                    self._give(batch)
        except VmTimingError as error:
            self._fail(error.message, error.hint)
        except Exception as error:  # noqa: BLE001  a fault of our own: its words, not silence
            fault = kept_fault(error, "engine-reader")
            self._fail(f"the tool failed: {fault.what}", fault.hint)
        finally:
            self._source = None
            self._model.stream_over = True
            if self._diverted is not None:
                self._diverted.put_nowait(None)

    def _give(self, batch: list[Event]) -> None:
        if self._diverted is not None:
            self._diverted.put_nowait(batch)
        elif self._model.take(batch):
            self._on_news()

    def _fail(self, why: str, hint: str) -> None:
        self._give([ev.EngineFailed(at_ns=self._clock(), why=why, hint=hint)])

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
