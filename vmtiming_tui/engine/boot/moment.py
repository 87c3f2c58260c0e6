"""Waiting for a moment as exactly as the event loop allows."""

import asyncio
import time

_EARLY_NS = 1_500_000  # epoll(7) sleeps for whole milliseconds, rounded up


async def moment(at_ns: int) -> None:
    """Return at a moment (monotonic), at once where it is past, and never before it.

    Its last millisecond is waited out turn by turn of the loop, in which everybody else is served.
    """
    ahead_ns = at_ns - _EARLY_NS - time.monotonic_ns()
    if ahead_ns > 0:
        await asyncio.sleep(ahead_ns / 1e9)
    while time.monotonic_ns() < at_ns:  # noqa: ASYNC110  nobody sets a clock
        await asyncio.sleep(0)
