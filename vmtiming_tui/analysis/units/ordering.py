"""Which units of one guest are started after which, by their places among its units."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from vmtiming_tui.model.guest_events import UnitOrder

_USUAL_TARGETS = ("graphical.target", "multi-user.target")


class Ordering:
    """An order of units (``After=``) as it holds for the units that one guest told of.

    The order may be another VM's of the same run. A unit in it that this guest told nothing of is
    looked through: whoever waits for it waits for what it waits for.
    """

    def __init__(self, names: Sequence[str], order: UnitOrder) -> None:
        self._names = names
        self._places: Mapping[str, int] = {name: at for at, name in enumerate(names)}
        self._after = order.after
        self._before: dict[str, tuple[int, ...]] = {}

    def place(self, name: str) -> int | None:
        """Return where a unit stands; None where the guest told nothing of it."""
        return self._places.get(name)

    def before(self, name: str) -> tuple[int, ...]:
        """Return the places of the units that one is started after."""
        if name not in self._before:
            self._before[name] = tuple(self._look_through(name))
        return self._before[name]

    @cached_property
    def all_before(self) -> tuple[tuple[int, ...], ...]:
        """What each unit is started after, by places."""
        return tuple(map(self.before, self._names))

    def booted_into(self, told: str) -> str:
        """Return the unit that was booted into, of what the guest said or else a usual one."""
        names = (told, *_USUAL_TARGETS)
        return next((name for name in names if name in self._after), "")

    def _look_through(self, name: str) -> Iterator[int]:
        waiting, seen = list(self._after.get(name, ())), {name}
        while waiting:
            one = waiting.pop()
            if one in seen:
                continue
            seen.add(one)
            if one in self._places:
                yield self._places[one]
            else:
                waiting += self._after.get(one, ())


class Orderings:
    """An order of units as it holds for each of many guests, most of which have the same units."""

    def __init__(self, order: UnitOrder | None) -> None:
        self._order = order
        self._known: dict[tuple[str, ...], Ordering] = {}

    @property
    def is_known(self) -> bool:
        """Whether any guest told an order."""
        return self._order is not None

    def of(self, names: tuple[str, ...]) -> Ordering:
        """Return the order among units of these names; of none where no guest told any."""
        if names not in self._known:
            order = self._order or UnitOrder(at_ns=0, vm=0, attempt=0)
            self._known[names] = Ordering(names, order)
        return self._known[names]
