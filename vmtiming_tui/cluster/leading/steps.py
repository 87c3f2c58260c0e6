"""What the hosts of a storm do together: a step opens once the last of them has come to it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from vmtiming_tui.model.leading_events import Step

_ORDER = list(Step)


class Place(NamedTuple):
    """A step of a round; they compare as they follow each other."""

    round: int
    rank: int

    @classmethod
    def of(cls, number: int, step: Step) -> "Place":
        """Return the place of a step in a round of that number."""
        return cls(number, _ORDER.index(step))

    @property
    def step(self) -> Step:
        """Which step of its round it is."""
        return _ORDER[self.rank]


_BEFORE = Place(0, 0)


@dataclass(slots=True)
class _Standing:
    place: Place = _BEFORE
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A step that all hosts have come to; ``waiting`` are those to be let on."""

    round: int
    step: Step
    waiting: tuple[str, ...]


class Steps:
    """Where each host of a storm is; those that are done with it, or lost, hold nobody up."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._standing = {host: _Standing() for host in hosts}
        self._closed: set[Place] = set()

    def reach(self, host: str, number: int, step: Step, *, waits: bool) -> bool:
        """Put a host where it says it is; False where it has been there, or takes no part.

        One that does not wait has passed the step.
        """
        standing, place = self._standing.get(host), Place.of(number, step)
        if standing is None or place < standing.place or (waits and place == standing.place):
            return False
        if place > standing.place:
            self._closed.add(place)
        standing.place, standing.waits = place, waits
        return True

    def leave(self, host: str) -> bool:
        """Wait for a host no more; return whether it took part till then."""
        if self._standing.pop(host, None) is None:
            return False
        farthest = max((each.place for each in self._standing.values()), default=_BEFORE)
        self._closed = {place for place in self._closed if place <= farthest}
        return True

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts that still take part."""
        return frozenset(self._standing)

    def open(self) -> Iterator[Opened]:
        """Yield the steps that nobody is before any more, in order, each once."""
        last = min((each.place for each in self._standing.values()), default=_BEFORE)
        for place in sorted(place for place in self._closed if place <= last):
            self._closed.discard(place)
            waiting = [
                host for host, each in self._standing.items() if each.waits and each.place == place
            ]
            for host in waiting:
                self._standing[host].waits = False
            yield Opened(place.round, place.step, tuple(waiting))
