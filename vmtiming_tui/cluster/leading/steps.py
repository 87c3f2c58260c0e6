"""What the hosts of a storm do together: a step opens once the last of them has come to it."""

from collections import defaultdict
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


@dataclass(frozen=True, slots=True)
class Opened:
    """A step that all hosts have come to; ``waiting`` are those to be let on."""

    round: int
    step: Step
    waiting: tuple[str, ...]


class Steps:
    """Where each host of a storm is; those that are done with it, or lost, hold nobody up."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._places = dict.fromkeys(hosts, _BEFORE)
        self._here: defaultdict[Place, set[str]] = defaultdict(set)
        self._here[_BEFORE].update(self._places)
        self._waiting: set[str] = set()
        self._closed: set[Place] = set()

    def __contains__(self, host: str) -> bool:
        return host in self._places

    def __len__(self) -> int:
        return len(self._places)

    def reach(self, host: str, number: int, step: Step, *, waits: bool) -> bool:
        """Put a host where it says it is; False where it has been there, or takes no part.

        One that does not wait has passed the step.
        """
        before, place = self._places.get(host), Place.of(number, step)
        if before is None or place < before or (waits and place == before):
            return False
        if place > before:
            self._closed.add(place)
            self._leave(before, host)
            self._here[place].add(host)
            self._places[host] = place
        if waits:
            self._waiting.add(host)
        else:
            self._waiting.discard(host)
        return True

    def _leave(self, place: Place, host: str) -> None:
        self._here[place].discard(host)
        if not self._here[place]:
            del self._here[place]

    def leave(self, host: str) -> bool:
        """Wait for a host no more; return whether it took part till then."""
        place = self._places.pop(host, None)
        if place is None:
            return False
        self._leave(place, host)
        self._waiting.discard(host)
        farthest = max(self._here, default=_BEFORE)
        self._closed = {place for place in self._closed if place <= farthest}
        return True

    def open(self) -> Iterator[Opened]:
        """Yield the steps that nobody is before any more, in order, each once."""
        last = min(self._here, default=_BEFORE)
        for place in sorted(place for place in self._closed if place <= last):
            self._closed.discard(place)
            waiting = [host for host in self._here.get(place, ()) if host in self._waiting]
            self._waiting.difference_update(waiting)
            yield Opened(place.round, place.step, tuple(sorted(waiting)))
