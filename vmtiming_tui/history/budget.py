"""How much of one run's events the history takes: what boots come to always, the rest in bounds."""

import re
from collections import Counter

MAX_LINE_BYTES = 4 << 20
MAX_BOOT_BYTES = 1 << 20
MAX_RUN_BYTES = 256 << 20

_WHOSE = rb'(?:,"at_ns":[0-9]{1,20},"vm":([0-9]{1,9}),"attempt":([0-9]{1,9}))?'
_EXPENDABLE = re.compile(
    rb'\{"event":"(vm_details|vm_console|vm_usage|qmp_seen|report_rejected|host_sample)"' + _WHOSE
)


class Budget:
    """Says of each line whether it is kept; ``left_out`` counts those that are not, by event.

    What only tells more of a boot (its console, details, usage, QMP events) gets
    ``MAX_BOOT_BYTES`` for each boot and ``MAX_RUN_BYTES`` for all.
    """

    def __init__(self) -> None:
        self._boots: Counter[tuple[bytes, bytes]] = Counter()
        self._run_bytes = 0
        self.left_out: Counter[str] = Counter()

    def keeps(self, line: bytes) -> bool:
        """Take a line into account; return whether it is to be kept."""
        found = _EXPENDABLE.match(line)
        tag = found[1].decode() if found else "others"
        if len(line) > MAX_LINE_BYTES:
            self.left_out[tag] += 1
            return False
        if found is None:
            return True
        boot = (found[2], found[3])
        if (
            self._boots[boot] + len(line) > MAX_BOOT_BYTES and found[2] is not None
        ) or self._run_bytes + len(line) > MAX_RUN_BYTES:
            self.left_out[tag] += 1
            return False
        self._boots[boot] += len(line)
        self._run_bytes += len(line)
        return True
