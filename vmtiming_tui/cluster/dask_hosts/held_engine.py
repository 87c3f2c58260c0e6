"""An engine of this host, held for a front end that asks for what it says, piece by piece.

Nothing here knows Dask: ``host_actor`` hands it to a front end elsewhere.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from vmtiming_tui.cluster.host_link import Lines
from vmtiming_tui.errors import EngineError
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.sources.event_lines import Told
from vmtiming_tui.sources.live_engine import EngineClient

LEASE_S = 30.0
"""How long an engine goes on that is asked nothing: a front end that is cut off cannot say so.

It is twice what Dask takes to call a connection dead (``settings.DEAD_AFTER_S``) and a little, so
that a network that comes back in time costs nothing.
"""

POLL_S = 5.0
"""How long a question waits for an answer at most: a front end that has gone away leaves no other
trace at whoever still works for it."""

GATHER_S = 0.25
"""How long what is only looked at waits for more of its kind: a call for each line would be most of
what a host costs its front end."""

_LOOKED_AT = (ev.VmUsage, ev.HostSample, ev.ConsoleLine, ev.QmpSeen)
_MOST_HELD_BYTES = 64 << 20
_MOST_AT_ONCE_BYTES = 4 << 20


class HeldEngine:
    """Keeps an engine's lines until they were fetched, and ends it where nobody asks any more.

    Lines are numbered from 0. A front end that fetches slowly makes the engine wait with its pipe,
    and that knows what it may leave out (``engine.outbox``); it slows no storm.
    """

    def __init__(self, lease_s: float = LEASE_S, poll_s: float = POLL_S) -> None:
        self._lease_s, self._poll_s = lease_s, poll_s
        self._lines: deque[bytes] = deque()
        self._first = 0
        self._bytes = 0
        self._taken = 0
        self._ended = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._leave = asyncio.Event()
        self._engine: EngineClient | None = None
        self._life: asyncio.Task[None] | None = None
        self._asked_s = 0.0

    async def open(self) -> None:
        """Start the engine; raise ``EngineError`` where it cannot be."""
        self._asked()
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._life = asyncio.create_task(self._live(started))
        await started

    def send(self, first: int, lines: Sequence[bytes]) -> None:
        """Hand on commands, the first of them number ``first``; those it has had are left out.

        Raises ``EventError`` for a line that is none, ``EngineError`` where some are missing.
        """
        self._asked()
        if first > self._taken:
            raise EngineError("commands to this host's engine were lost on their way")
        new = lines[self._taken - first :]
        for line in new:
            command = commands.decode(line)
            self._taken += 1
            if self._engine is not None:
                self._engine.send(command)

    async def next(self, after: int) -> Lines:
        """Return the lines from number ``after`` on, none where there is nothing for a while.

        Those before it are forgotten. Raises ``EngineError`` where they were forgotten before.
        """
        self._asked()
        self._forget(after)
        if not (self._news.is_set() or self._ended):
            try:
                async with asyncio.timeout(self._poll_s):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._asked()
        lines = self._some(after - self._first)
        is_last = self._first + len(self._lines) <= after + len(lines)
        return Lines(first=after, lines=lines, ended=self._ended and is_last)

    def still_there(self) -> None:
        """Hear that the front end is there, though it asks for nothing."""
        self._asked()

    def let_go(self) -> None:
        """Have the engine end at once, and all it runs."""
        self._leave.set()

    async def close(self) -> None:
        """Have it end as its front end's going away does, and wait for that."""
        self.let_go()
        if self._life is not None:
            await asyncio.wait([self._life])

    def _asked(self) -> None:
        self._asked_s = asyncio.get_running_loop().time()

    def _forget(self, before: int) -> None:
        if before < self._first:
            raise EngineError("lines of this host's engine were fetched out of order")
        while self._first < before and self._lines:
            self._bytes -= len(self._lines.popleft())
            self._first += 1
        if not self._lines:
            self._news.clear()
        if self._bytes < _MOST_HELD_BYTES:
            self._room.set()

    def _some(self, skip: int) -> tuple[bytes, ...]:
        chosen, size = list[bytes](), 0
        for place, line in enumerate(self._lines):
            if place < skip:
                continue
            size += len(line)
            if chosen and size > _MOST_AT_ONCE_BYTES:
                break
            chosen.append(line)
        return tuple(chosen)

    def take(self, told: Sequence[Told]) -> None:
        """Keep what the engine tells; what is only looked at need not be fetched at once."""
        for line, _ in told:
            self._lines.append(line)
            self._bytes += len(line)
        if all(isinstance(event, _LOOKED_AT) for _, event in told):
            asyncio.get_running_loop().call_later(GATHER_S, self._fetchable)
        else:
            self._news.set()
        if self._bytes >= _MOST_HELD_BYTES:
            self._room.clear()

    def _fetchable(self) -> None:
        if self._lines:
            self._news.set()

    async def _live(self, started: "asyncio.Future[None]") -> None:
        try:
            async with EngineClient(tap=self.take) as engine:
                self._engine = engine
                started.set_result(None)
                await self._while_asked(engine)
                engine.send(commands.Quit(now=True))
        except EngineError as error:
            if started.done():
                raise
            started.set_exception(error)
        finally:
            self._engine, self._ended = None, True
            self._news.set()

    async def _while_asked(self, engine: EngineClient) -> None:
        """Return when the engine has ended, was let go, or is asked nothing any more."""
        tasks = [
            asyncio.create_task(self._read(engine)),
            asyncio.create_task(self._leave.wait()),
            asyncio.create_task(self._lease_over()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _read(self, engine: EngineClient) -> None:
        self._room.set()
        async for _ in engine.batches():
            await self._room.wait()

    async def _lease_over(self) -> None:
        loop = asyncio.get_running_loop()
        while (left_s := self._asked_s + self._lease_s - loop.time()) > 0:  # noqa: ASYNC110  nothing is to happen
            await asyncio.sleep(left_s)
