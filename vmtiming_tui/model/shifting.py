"""Events of one clock put on another."""

import dataclasses
import functools

from vmtiming_tui.model.events import Event

STAMPS = frozenset({"at_ns", "spawn_ns", "go_ns", "qemu_ns", "report_ns", "shutdown_ns"})
"""The fields of events that are moments by the engine's clock; all others are spans, or moments by
another clock."""


@functools.cache
def stamps(kind: type) -> tuple[str, ...]:
    """Return the names of those that events of a kind have."""
    return tuple(each.name for each in dataclasses.fields(kind) if each.name in STAMPS)


def shifted(event: Event, by_ns: int) -> Event:
    """Return the event with every moment later by so much: spans between them stay as they are."""
    kind: type = type(event)
    told = ((name, getattr(event, name)) for name in stamps(kind))
    moved = {name: moment + by_ns for name, moment in told if moment is not None}
    return dataclasses.replace(event, **moved)
