"""What the units of a guest's systemd took, and which of them the boot waited for.

As systemd-analyze(1) reckons (``src/analyze/analyze-blame.c`` and ``analyze-critical-chain.c``):

- ``blame``: from when a unit began to start to when it was up, ``ActiveEnter`` less
  ``InactiveExit``; of one that was never up, such as a oneshot that ended, to its end;
- ``critical-chain``: from what was booted into back along ``After=``, each time to the unit that
  was up last. Here a oneshot that ended counts, too, since it is waited for; and a unit counts only
  if it was up before the one that waits began.

Guests of the older protocol send systemd-analyze's lines; those are handed on as they are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vmtiming_tui.model.guest_events import UnitOrder, UnitTimes, VmDetails

MAX_SLOWEST = 20
_MAX_DEPTH = 100
_USUAL_TARGETS = ("graphical.target", "multi-user.target")


def _span(us: int) -> str:
    ms = us // 1000
    return f"{ms}ms" if ms < 1000 else f"{ms / 1000:.3f}s"


@dataclass(frozen=True, slots=True)
class Link:
    """A unit of the critical chain: when it began to start (µs of the guest's clock), and how long
    that took.
    """

    name: str
    began_us: int
    took_us: int

    @property
    def up_us(self) -> int:
        """When it was up."""
        return self.began_us + self.took_us


def up_us(unit: UnitTimes) -> int | None:
    """Return when a unit was up, on the guest's clock, or done, where it never was; None: never."""
    begun = unit.activating_us
    ends = (unit.active_us, unit.deactivating_us, unit.inactive_us)
    return next((end for end in ends if end and end >= begun), None)


def took_us(unit: UnitTimes) -> int | None:
    """Return how long a unit took to start; None where it never began, or never was up."""
    end = up_us(unit)
    return end - unit.activating_us if end is not None and unit.activating_us else None


def slowest_units(details: VmDetails) -> list[tuple[str, int]]:
    """Return the units that took any time to start, in µs, the slowest first."""
    found = ((unit.name, took_us(unit) or 0) for unit in details.units)
    return sorted((one for one in found if one[1] > 0), key=lambda one: (-one[1], one[0]))


def critical_chain(details: VmDetails, order: UnitOrder | None) -> list[Link]:
    """Return what the boot waited for, the end of the boot first; empty where it is not known.

    The order may be another VM's of the same run. A unit in it that this VM told nothing of is
    looked through: whoever waits for it waits for what it waits for.
    """
    if order is None:
        return []
    times = {unit.name: unit for unit in details.units}
    name, chain, seen = _first(details, order), list[Link](), set[str]()
    while name and len(chain) < _MAX_DEPTH:
        seen.add(name)
        unit = times.get(name)
        if unit is not None:
            took = took_us(unit) or 0
            chain.append(Link(name, (up_us(unit) or 0) - took, took))
        began = unit.activating_us if unit is not None else 0
        name = _waited_for(name, began, times, order.after, seen)
    return chain


def _first(details: VmDetails, order: UnitOrder) -> str:
    """Return the unit that was booted into, or else the last that was up."""
    told = details.properties.get("default_unit", "")
    for name in (told, *_USUAL_TARGETS):
        if name in order.after:
            return name
    return max(details.units, key=lambda unit: up_us(unit) or 0).name if details.units else ""


def _waited_for(
    name: str,
    began_us: int,
    times: Mapping[str, UnitTimes],
    after: Mapping[str, tuple[str, ...]],
    seen: set[str],
) -> str:
    """Return which of the units before this one was up last, yet before it began to start."""
    ups = ((up_us(times[one]) or 0, one) for one in _before(name, times, after) if one not in seen)
    fitting = [(up, one) for up, one in ups if up and not 0 < began_us < up]
    return max(fitting)[1] if fitting else ""


def _before(
    name: str, times: Mapping[str, UnitTimes], after: Mapping[str, tuple[str, ...]]
) -> Iterator[str]:
    """Yield the units with known times that this one is started after, others looked through."""
    waiting, seen = list(after.get(name, ())), {name}
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        if one in times:
            yield one
        else:
            waiting += after.get(one, ())


def slowest_lines(details: VmDetails) -> list[str]:
    """Return a guest's slowest units, one a line."""
    if not details.units:
        return list(details.slowest)
    return [f"{_span(us):>8} {name}" for name, us in slowest_units(details)[:MAX_SLOWEST]]


def chain_lines(details: VmDetails, order: UnitOrder | None) -> list[str]:
    """Return what a guest's boot waited for, one unit a line, each below the one that waited.

    After ``@`` stands when it began to start, from the start of userspace, and after ``+`` what it
    took, as systemd-analyze has it.
    """
    if not details.units:
        return list(details.critical_chain)
    zero_us = details.timestamps_us.get("UserspaceTimestampMonotonic", 0)
    return [
        f"{_branch(depth)}{link.name} @{_span(max(link.began_us - zero_us, 0))}"
        + (f" +{_span(link.took_us)}" if link.took_us else "")
        for depth, link in enumerate(critical_chain(details, order))
    ]


def _branch(depth: int) -> str:
    return "  " * (depth - 1) + "└─" if depth else ""
