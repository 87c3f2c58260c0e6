"""Ending a task of one's own."""

import asyncio


async def end(task: "asyncio.Task[None] | None") -> None:
    """Cancel a task and return when it is over; raise what it failed with.

    Unlike awaiting it, this does not take our own cancellation for the task's.
    """
    if task is None:
        return
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
