"""A stored run played again, at its own pace or another."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from vmtiming_tui.model.events import Event

STEP_S = 0.05


async def replay(
    events: Sequence[Event], speed: float = 1.0, stop: asyncio.Event | None = None
) -> AsyncIterator[list[Event]]:
    """Yield a run's events in batches, with the gaps between them divided by ``speed``.

    An infinite speed gives all of them at once; ``stop`` ends it in the middle. Raises
    ``ValueError`` for a speed that is not above 0.
    """
    if not speed > 0:
        raise ValueError(f"a speed of {speed:g} gets nowhere; give one above 0")
    loop = asyncio.get_running_loop()
    began_s, zero_ns = loop.time(), events[0].at_ns if events else 0
    at = 0
    while at < len(events):
        first, due_s = at, 0.0
        while at < len(events):
            due_s = (events[at].at_ns - zero_ns) / 1e9 / speed - (loop.time() - began_s)
            if due_s > 0:
                break
            at += 1
        if at > first:
            yield list(events[first:at])
        if at < len(events):
            wait_s = max(due_s, STEP_S)
            if stop is None:
                await asyncio.sleep(wait_s)
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait_s)
                return
