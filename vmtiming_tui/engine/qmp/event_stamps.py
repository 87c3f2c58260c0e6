"""QEMU's wall-clock stamps on our monotonic clock, believed only where they can be true."""

import time

_FUTURE_NS = 5_000_000
_OLDEST_NS = 2_500_000_000  # QEMU holds back a rate-limited event for a second at most


class StampReader:
    """Converts QEMU's stamps; survives the wall clock being set while VMs run."""

    def __init__(self) -> None:
        self._offset_ns = self._sample()

    @staticmethod
    def _sample() -> int:
        before = time.monotonic_ns()
        wall = time.time_ns()
        return wall - (before + time.monotonic_ns()) // 2

    def to_monotonic(self, wall_ns: int, received_ns: int) -> int | None:
        """Return the stamp on ``CLOCK_MONOTONIC``; None where it cannot belong to a message
        received at ``received_ns``.

        A clock set between the stamp and its receipt is seen by trying the former offset too.
        """
        former, self._offset_ns = self._offset_ns, self._sample()
        for offset in (self._offset_ns, former):
            stamp = wall_ns - offset
            if received_ns - _OLDEST_NS <= stamp <= received_ns + _FUTURE_NS:
                return min(stamp, received_ns)
        return None


def stamp_of(message: object) -> int | None:
    """Return the wall-clock ns of a QMP event's ``timestamp`` member, or None."""
    match message:
        case {"seconds": int(seconds), "microseconds": int(micros)} if seconds >= 0 <= micros:
            return seconds * 1_000_000_000 + micros * 1000
    return None
