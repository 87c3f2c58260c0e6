"""What the units of one guest's systemd took, and which of them its boot waited for.

As systemd-analyze(1) reckons (``src/analyze/analyze-blame.c`` and ``analyze-critical-chain.c``):

- ``blame``: from when a unit began to start to when it was up, ``ActiveEnter`` less
  ``InactiveExit``; of one that was never up, such as a oneshot that ended, to its end;
- ``critical-chain``: from what was booted into back along ``After=``, each time to the unit that
  was up last. Here a oneshot that ended counts, too, since it is waited for; and a unit counts only
  if it was up before the one that waits began.

Guests of the older protocol send systemd-analyze's lines; those are handed on as they are.
"""

from dataclasses import dataclass

from vmtiming_tui.analysis.units.ordering import Ordering
from vmtiming_tui.analysis.units.spans import Spans
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.guest_events import UnitOrder, VmUnits

MAX_SLOWEST = 20
_MAX_DEPTH = 100


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


def slowest_units(units: VmUnits | None) -> list[tuple[str, int]]:
    """Return the units that took any time to start, in µs, the slowest first."""
    spans = Spans.of(units)
    found = zip(spans.names, spans.took_us, strict=True)
    return sorted((one for one in found if one[1] > 0), key=lambda one: (-one[1], one[0]))


def critical_chain(attempt: Attempt, order: UnitOrder | None) -> list[Link]:
    """Return what the boot waited for, the end of the boot first; empty where it is not known."""
    if order is None:
        return []
    spans = Spans.of(attempt.units)
    places = chain_places(spans, Ordering(spans.names, order), booted_into(attempt))
    took = spans.took_us
    return [Link(spans.names[at], spans.up_us[at] - took[at], took[at]) for at in places]


def booted_into(attempt: Attempt) -> str:
    """Return the unit that a guest says it boots into; empty where it does not."""
    details = attempt.details
    return details.properties.get("default_unit", "") if details is not None else ""


def chain_places(spans: Spans, ordering: Ordering, into: str) -> list[int]:
    """Return the places of a critical chain's units, from ``into`` back, or from the last one up.

    A unit that this guest told nothing of has no place, and what it waited for stands in for it.
    """
    name = ordering.booted_into(into) or _last_up(spans)
    chain, seen = list[int](), set[int]()
    while name and len(chain) < _MAX_DEPTH:
        place = ordering.place(name)
        began_us = 0
        if place is not None:
            chain.append(place)
            seen.add(place)
            began_us = spans.begun_us[place]
        fitting = [
            (spans.up_us[one], spans.names[one])
            for one in ordering.before(name)
            if one not in seen and spans.up_us[one] and not 0 < began_us < spans.up_us[one]
        ]
        name = max(fitting)[1] if fitting else ""
    return chain


def _last_up(spans: Spans) -> str:
    return max(zip(spans.up_us, spans.names, strict=True), default=(0, ""))[1]


def slowest_lines(attempt: Attempt) -> list[str]:
    """Return a guest's slowest units, one a line."""
    if attempt.units is None:
        return list(attempt.details.slowest) if attempt.details is not None else []
    return [f"{_span(us):>8} {name}" for name, us in slowest_units(attempt.units)[:MAX_SLOWEST]]


def chain_lines(attempt: Attempt, order: UnitOrder | None) -> list[str]:
    """Return what a guest's boot waited for, one unit a line, each below the one that waited.

    After ``@`` stands when it began to start, from the start of userspace, and after ``+`` what it
    took, as systemd-analyze has it.
    """
    details = attempt.details
    if details is None:
        return []
    if attempt.units is None:
        return list(details.critical_chain)
    zero_us = userspace_us(attempt)
    return [
        f"{_branch(depth)}{link.name} @{_span(max(link.began_us - zero_us, 0))}"
        + (f" +{_span(link.took_us)}" if link.took_us else "")
        for depth, link in enumerate(critical_chain(attempt, order))
    ]


def userspace_us(attempt: Attempt) -> int:
    """Return when a guest's userspace began, on its clock; 0 where it does not say."""
    details = attempt.details
    return details.timestamps_us.get("UserspaceTimestampMonotonic", 0) if details else 0


def _branch(depth: int) -> str:
    return "  " * (depth - 1) + "└─" if depth else ""
