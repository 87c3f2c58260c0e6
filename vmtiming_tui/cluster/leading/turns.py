"""Turns that VMs of all hosts take: so many boot at once, and they are let go so far apart."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.leading_events import Turn


@dataclass(frozen=True, slots=True)
class Admitted:
    """A VM whose turn it is, or will be at a moment of the leader's clock."""

    host: str
    vm: int
    turn: Turn
    at_ns: int | None = None


class Turns:
    """The turns of one storm.

    A place among those that boot goes to the host that has the fewest there, and none is given
    before all hosts are in line: so all of them are busy from the first. On one host VMs take turns
    in the order of their ids. Moments are handed out as they are asked for.
    """

    def __init__(self, config: RunConfig, count: int) -> None:
        self._free = config.at_once(count)
        self._stagger_ns = round(config.stagger_s * 1e9)
        self._next_ns = 0
        self._expected: set[str] = set()
        self._waiting: defaultdict[str, dict[int, None]] = defaultdict(dict)
        self._claims: list[tuple[int, int, str]] = []
        self._inside: dict[int, str] = {}
        self._busy: Counter[str] = Counter()

    def expect(self, host: str) -> None:
        """Have others wait till this host's first VM is in line, or one is decided."""
        self._expected.add(host)

    def give_up(self, host: str) -> None:
        """Wait for this host no more."""
        self._expected.discard(host)

    def want(self, host: str, vm: int) -> None:
        """Put a VM in line to boot; one that has its turn, or waits for it, is there already."""
        self.give_up(host)
        if vm not in self._inside:
            self._waiting[host][vm] = None
            self._claim(host)

    def leave(self, host: str, vm: int) -> None:
        """Say that a VM is decided: another may have its place."""
        self.give_up(host)
        self._waiting[host].pop(vm, None)
        if self._inside.pop(vm, None) is not None:
            self._busy[host] -= 1
            self._free += 1
        self._claim(host)

    def _claim(self, host: str) -> None:
        """Put a host in line by how many it has there; what it claimed before is worth nothing."""
        if self._waiting[host]:
            first = next(iter(self._waiting[host]))
            heapq.heappush(self._claims, (self._busy[host], first, host))

    def admit(self) -> Iterator[Admitted]:
        """Yield the VMs that may boot from here on, each once."""
        while self._free > 0 and self._claims and not self._expected:
            busy, vm, host = heapq.heappop(self._claims)
            if busy != self._busy[host] or vm != next(iter(self._waiting[host]), None):
                continue
            del self._waiting[host][vm]
            self._inside[vm] = host
            self._busy[host] += 1
            self._free -= 1
            self._claim(host)
            yield Admitted(host, vm, Turn.BOOT)

    def let_go(self, host: str, vm: int, soonest_ns: int) -> Admitted:
        """Return the next moment to be had for a VM that is ready to be let go."""
        at_ns = max(soonest_ns, self._next_ns)
        self._next_ns = at_ns + self._stagger_ns
        return Admitted(host, vm, Turn.GO, at_ns)
