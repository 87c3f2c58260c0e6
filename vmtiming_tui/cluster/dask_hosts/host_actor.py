"""What a worker of Dask holds of a host: the engine there, asked by a front end elsewhere."""

import asyncio
import time
import weakref

from vmtiming_tui.cluster.dask_hosts.held_engine import HeldEngine
from vmtiming_tui.cluster.host_link import Lines


class HostActor:
    """An engine beside a worker of Dask, as an actor: its methods run on the worker's own loop.

    Where the worker drops it, because its front end has gone away or the scheduler has said so,
    the engine ends at once. Where the worker dies, the engine's standard input ends, and it too.
    """

    def __init__(self) -> None:
        self._held: HeldEngine | None = None

    async def open(self) -> None:
        """Start the engine; again, without effect. Raises ``EngineError``."""
        if self._held is None:
            held = self._held = HeldEngine()
            loop = asyncio.get_running_loop()
            weakref.finalize(self, _let_go, loop, held)
            await held.open()

    async def send(self, first: int, lines: tuple[bytes, ...]) -> None:
        """Hand on commands; see ``HeldEngine.send``."""
        self._engine.send(first, lines)

    async def next(self, after: int) -> Lines:
        """Return what the engine says from here on; see ``HeldEngine.next``."""
        return await self._engine.next(after)

    async def still_there(self) -> None:
        """Hear that the front end is there, though it reads nothing."""
        self._engine.still_there()

    async def clock_ns(self) -> int:
        """Return this host's ``CLOCK_MONOTONIC``, by which its engine tells."""
        return time.monotonic_ns()

    async def close(self) -> None:
        """End the engine, and wait for that."""
        if self._held is not None:
            await self._held.close()

    @property
    def _engine(self) -> HeldEngine:
        assert self._held is not None  # noqa: S101  it is opened before anything else
        return self._held


def _let_go(loop: asyncio.AbstractEventLoop, held: HeldEngine) -> None:
    """Let an engine go from any thread; where the loop is over, its process is about to be."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(held.let_go)
