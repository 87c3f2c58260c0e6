"""A stored run played again: its events by a clock that pauses, changes its pace, and jumps.

What is shown is always the run at one moment of its own clock: that of the last events given out.
"""

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

from vmtiming_tui.model import events as ev
from vmtiming_tui.model.events import Event

SLOWEST, FASTEST = 1 / 16, 4096.0
MOST_AT_ONCE = 1000
"""So many events are given out at a time: what takes them has other things to do."""

_MOST_PASSED_NS = 500_000_000
_SEEN = (
    ev.StormStarted, ev.RoundStarted, ev.StormDecided, ev.StormCollected, ev.StormEnded,
    ev.VmLaunched, ev.VmConnected, ev.VmStarted, ev.StageSeen, ev.VmBooted, ev.VmFailed,
    ev.VmTimedOut, ev.VmKilled, ev.VmFrozen, ev.VmReleased, ev.VmEnding, ev.VmExited, ev.Notice,
    ev.EngineFailed, ev.RunEnded,
)  # fmt: skip


class Player:
    """Gives out a run's events as its own clock passes them; times are ns on the run's clock.

    ``clock`` is that of the person who looks, in ns. A time in which nobody asked for events, as
    of a process that was stopped, is no time passed. Raises ``ValueError`` for a speed that is not
    above 0.
    """

    def __init__(
        self,
        events: Sequence[Event],
        speed: float = 1.0,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if not speed > 0:
            raise ValueError(f"a speed of {speed:g} gets nowhere; give one above 0")
        self.events = events
        self.speed = speed
        self.is_paused = False
        # A foreign stream may step back; it is played in its order all the same.
        self._moments = list(accumulate((event.at_ns for event in events), max))
        self._stops = sorted(
            {at_ns for at_ns, event in zip(self._moments, events, strict=True)
             if isinstance(event, _SEEN)}
        )  # fmt: skip
        self._clock = clock
        self._looked_ns = clock()
        self._next = 0
        self.now_ns = self.begin_ns

    @property
    def begin_ns(self) -> int:
        """The moment of the first event."""
        return self._moments[0] if self._moments else 0

    @property
    def end_ns(self) -> int:
        """The moment of the last event; nothing lies beyond it."""
        return self._moments[-1] if self._moments else 0

    @property
    def is_at_end(self) -> bool:
        """Whether every event was given out."""
        return self._next == len(self.events)

    def due(self) -> Sequence[Event]:
        """Go on with the clock, and return the events of the time that has passed."""
        before_ns, self._looked_ns = self._looked_ns, self._clock()
        if self.is_paused or self.is_at_end:
            return ()
        passed_ns = min(self._looked_ns - before_ns, _MOST_PASSED_NS)
        return self._until(min(self.now_ns + passed_ns * self.speed, self.end_ns))

    def _until(self, at_ns: float) -> Sequence[Event]:
        """Give out what lies before a moment; where that is much, go no further than is given."""
        first = self._next
        self._next = bisect_right(self._moments, at_ns, lo=first)
        if self._next > first + MOST_AT_ONCE:
            self._next = first + MOST_AT_ONCE
            at_ns = self._moments[self._next - 1]
        self.now_ns = max(self.now_ns, int(at_ns))
        return self.events[first : self._next]

    def before(self, at_ns: int) -> Sequence[Event]:
        """Return everything that was known at a moment."""
        return self.events[: bisect_right(self._moments, at_ns)]

    def put(self, at_ns: int) -> None:
        """Go on from a moment whose events are known; it is kept within the run."""
        self.now_ns = max(self.begin_ns, min(at_ns, self.end_ns))
        self._next = bisect_right(self._moments, self.now_ns)
        self._looked_ns = self._clock()

    def stop_beside(self, at_ns: int, way: int) -> int:
        """Return the next moment after one, or the last before it, in which something is seen.

        Where there is none, it is the run's end or begin.
        """
        if way > 0:
            place = bisect_right(self._stops, at_ns)
            return self._stops[place] if place < len(self._stops) else self.end_ns
        place = bisect_left(self._stops, at_ns)
        return self._stops[place - 1] if place else self.begin_ns

    def change_speed(self, factor: float) -> None:
        """Go on so many times as fast, unless that is beyond ``SLOWEST`` or ``FASTEST``."""
        speed = self.speed * factor
        is_too_much = speed > FASTEST if factor > 1 else speed < SLOWEST
        if not is_too_much:
            self.speed = speed
