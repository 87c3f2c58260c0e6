"""A stored run played again, at its own pace or another."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence

from vmtiming_tui.model.commands import Command, Quit
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


class ReplaySource:
    """Plays stored events at ``speed`` times their pace; commands but Quit mean nothing to it."""

    def __init__(self, events: Sequence[Event], speed: float = 1.0) -> None:
        self._events, self._speed = events, speed
        self._began_ns = time.monotonic_ns()
        self._zero_ns = events[0].at_ns if events else 0
        self._left = asyncio.Event()

    def now_ns(self) -> int:
        """Return the moment of the stored run that is being shown, on its own clock."""
        passed_ns = time.monotonic_ns() - self._began_ns
        end_ns = self._events[-1].at_ns if self._events else 0
        return min(self._zero_ns + int(passed_ns * self._speed), end_ns)

    def send(self, command: Command) -> None:
        """Take Quit; a run of the past obeys nothing else."""
        if isinstance(command, Quit):
            self._left.set()

    def batches(self) -> AsyncIterator[list[Event]]:
        """Yield the events whose time has come."""
        return replay(self._events, self._speed, self._left)
