"""How much of what a guest can make without end is read."""

import time


class Allowance:
    """So many bytes at once, and so many more with every second that passes (a token bucket)."""

    def __init__(self, burst_bytes: int, bytes_per_s: int) -> None:
        self._burst_bytes = burst_bytes
        self._bytes_per_s = bytes_per_s
        self._left: float = burst_bytes
        self._at_s = time.monotonic()

    def spend(self, count: int) -> bool:
        """Take ``count`` bytes off; return whether that was within what is allowed."""
        now_s = time.monotonic()
        earned = (now_s - self._at_s) * self._bytes_per_s
        # What was overdrawn is forgotten: who stops a flood is not held to it for ever.
        self._left = min(self._left + earned, self._burst_bytes) - count
        self._at_s = now_s
        if self._left >= 0:
            return True
        self._left = 0.0
        return False
