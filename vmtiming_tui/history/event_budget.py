"""How much of one run's events the history takes: what boots come to always, the rest in bounds."""

from collections import Counter
from typing import TypeVar

from vmtiming_tui.model import events as ev
from vmtiming_tui.model.codec import tag_of
from vmtiming_tui.sources.event_lines import Told

MAX_LINE_BYTES = 4 << 20
MAX_BOOT_BYTES = 1 << 20
MAX_RUN_BYTES = 256 << 20
MAX_HOST_BYTES = 4 << 20

_Whose = TypeVar("_Whose")


class Budget:
    """Says of each line whether it is kept; ``left_out`` counts those that are not, by event.

    What only tells more of a boot (its console, details, units, usage, QMP events) gets
    ``MAX_BOOT_BYTES`` for each boot and ``MAX_RUN_BYTES`` for all; how busy each of several hosts
    is, and how its clock goes, gets ``MAX_HOST_BYTES`` of that. The one line of words that a guest
    reports is what its boot comes to.
    """

    def __init__(self) -> None:
        self._boots: Counter[tuple[int, int]] = Counter()
        self._hosts: Counter[str] = Counter()
        self._run_bytes = 0
        self.left_out: Counter[str] = Counter()

    def keeps(self, told: Told) -> bool:
        """Take a line into account; return whether it is to be kept."""
        event, size = told.event, len(told.line)
        match event:
            case (
                ev.VmDetails()
                | ev.VmUnits()
                | ev.UnitOrder()
                | ev.VmKernel()
                | ev.VmConsole()
                | ev.ConsoleLine()
                | ev.VmUsage()
                | ev.QmpSeen()
                | ev.ReportRejected()
            ):
                boot = event.vm, event.attempt
                is_kept = self._has_room(size, self._boots, boot, MAX_BOOT_BYTES)
                tag = tag_of(type(event))
            case ev.HostSample() | ev.ClockMeasured():
                most = MAX_HOST_BYTES if event.host else MAX_RUN_BYTES
                is_kept = self._has_room(size, self._hosts, event.host, most)
                tag = tag_of(type(event))
            case _:
                is_kept, tag = size <= MAX_LINE_BYTES, "others"
        if not is_kept:
            self.left_out[tag] += 1
        return is_kept

    def _has_room(self, size: int, taken: Counter[_Whose], whose: _Whose, most: int) -> bool:
        """Return whether there is room for what may be left out, and take it."""
        if size > MAX_LINE_BYTES or self._run_bytes + size > MAX_RUN_BYTES:
            return False
        if taken[whose] + size > most:
            return False
        taken[whose] += size
        self._run_bytes += size
        return True
