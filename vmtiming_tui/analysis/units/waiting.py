"""What of a unit's way through the boot was its own work, and what was waiting for others.

The manager runs the start job of a unit only once no unit that it is ordered after (``After=``) has
a start job left (systemd, ``src/core/job.c``, ``job_is_runnable``), and stamps ``InactiveExit`` as
the unit leaves its rest, ``ActiveEnter`` as it is up (``src/core/unit.c``, ``unit_notify``). So the
queue lies before the activating span, and is no part of what ``systemd-analyze blame`` shows. From
the start of userspace, as every job of the boot is queued about then::

    userspace ........... the last of After= is up ........... begins ......... is up
               waited                               queued             own

- ``waited``: for the units that it is started after. Who is blamed for it is they.
- ``queued``: those are up, and still it did not begin: the manager had others to start first, or it
  was only asked for later, by a device, a socket, a timer or another unit.
- ``own``: the activating span, less the parts of it in which a unit that it is ordered after was
  starting as well. That happens where such a unit was asked for only once this one was under way;
  the time is that unit's and not counted twice.

What a unit waits for inside of its own span without an order that tells it (a service that asks
another over D-Bus, a wait for the network) is its own time: nothing tells it apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from vmtiming_tui.analysis.units.ordering import Ordering
from vmtiming_tui.analysis.units.spans import Spans


@dataclass(frozen=True, slots=True)
class Shares:
    """How each unit's way divides, by places (µs); ``waited`` and ``queued`` of those that ran."""

    own_us: Sequence[int]
    waited_us: Sequence[int]
    queued_us: Sequence[int]


def shares(spans: Spans, ordering: Ordering, userspace_us: int) -> Shares:
    """Return how the units' ways divide in one boot whose userspace began at ``userspace_us``."""
    own, waited, queued = list(spans.took_us), [0] * len(spans.names), [0] * len(spans.names)
    up_us = spans.up_us
    for place, before in enumerate(ordering.all_before):
        begun = spans.begun_us[place]
        last = max(map(up_us.__getitem__, before), default=0)
        if last > begun:
            own[place] -= _shared_us(spans, place, before)
            last = max((up for up in map(up_us.__getitem__, before) if up <= begun), default=0)
        if begun > userspace_us:
            ready = max(last, userspace_us)
            waited[place], queued[place] = ready - userspace_us, begun - ready
    return Shares(own, waited, queued)


def _shared_us(spans: Spans, place: int, others: Sequence[int]) -> int:
    """Return how long of a unit's activating span any of the others was activating, too."""
    shared, reached, end = 0, spans.begun_us[place], spans.up_us[place]
    ways = sorted((spans.begun_us[one], spans.up_us[one]) for one in others if spans.begun_us[one])
    for begun, up in ways:
        low, high = max(begun, reached), min(up, end)
        if low < high:
            shared += high - low
            reached = high
    return shared
