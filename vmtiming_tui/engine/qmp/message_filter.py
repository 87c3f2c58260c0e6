"""Which of a QEMU's messages are looked into: a guest can make it say some of them without end.

pvpanic's port sends an event at every write; others are sent as often as a guest touches a device.
To read such a message into values costs twenty times what it costs to count it by its name.
"""

import re
from collections import Counter

from vmtiming_tui.engine.guest.byte_allowance import Allowance

MAX_ALIKE = 100
BURST_BYTES = 4 << 20
BYTES_PER_S = 64 << 10

_MAX_NAMES = 50
_OTHERS = "others"
_HEAD_BYTES = 400
_EVENT = re.compile(rb'[^"]*"(?:event|timestamp)"')
_NAME = re.compile(rb'"event": ?"([A-Z0-9_]{1,60})"')
_ALWAYS = frozenset({"SHUTDOWN", "STOP", "RESUME"})


class Sieve:
    """Lets through what is no event, the first events of each name, and those that decide a boot.

    The others are counted in ``left_out``, by name. ``is_flooded`` says that there was more, of
    whatever kind, than a QEMU has to say.
    """

    def __init__(self) -> None:
        self._allowance = Allowance(BURST_BYTES, BYTES_PER_S)
        self._seen: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self.is_flooded = False

    def passes(self, line: bytes) -> bool:
        """Take in a message and say whether it is to be read into values."""
        self.is_flooded |= not self._allowance.spend(len(line))
        if not _EVENT.match(line, 0, _HEAD_BYTES):
            return True
        found = _NAME.search(line, 0, _HEAD_BYTES)
        name = found[1].decode() if found else _OTHERS
        if name not in self._seen and len(self._seen) >= _MAX_NAMES:
            name = _OTHERS
        self._seen[name] += 1
        if self._seen[name] <= MAX_ALIKE or name in _ALWAYS:
            return True
        self.left_out[name] += 1
        return False
