"""Where one boot takes in what becomes known about it: a fact at a time, and waits meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from vmtiming_tui.engine.boot.facts import Fact, Wake


class Inbox:
    """A queue of facts; ``take`` is called with each, in order, by whoever waits.

    ``take`` may raise to end the waiting.
    """

    def __init__(self, take: Callable[[Fact], Awaitable[None]]) -> None:
        self._take = take
        self._facts: asyncio.Queue[Fact] = asyncio.Queue()

    def put(self, fact: Fact) -> None:
        """Tell a fact."""
        self._facts.put_nowait(fact)

    async def drain(self) -> None:
        """Take in what is there already."""
        while not self._facts.empty():
            await self._take(self._facts.get_nowait())

    async def until(self, done: Callable[[], bool], limit_s: float | None) -> bool:
        """Take facts in till ``done`` or the limit; say whether it is done."""
        loop = asyncio.get_running_loop()
        deadline = None if limit_s is None else loop.time() + limit_s
        await self.drain()
        while not done():
            try:
                async with asyncio.timeout_at(deadline):
                    fact = await self._facts.get()
            except TimeoutError:
                return False
            await self._take(fact)
        return True

    async def wait_for(self, waiting: Coroutine[Any, Any, None]) -> None:
        """Take facts in till something else is over; leave it where ``take`` raises."""
        task = asyncio.create_task(waiting)
        task.add_done_callback(lambda _: self.put(Wake()))
        try:
            await self.until(task.done, None)
        finally:
            task.cancel()
            await asyncio.wait([task])
        task.result()
