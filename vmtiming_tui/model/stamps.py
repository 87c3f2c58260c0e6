"""Which times of events are moments by the engine's clock, which change where that is another."""

import dataclasses
import functools

STAMPS = frozenset({"at_ns", "spawn_ns", "go_ns", "qemu_ns", "report_ns", "shutdown_ns"})
"""The fields that are; all others are spans, or moments by another clock."""


@functools.cache
def stamps(kind: type) -> tuple[str, ...]:
    """Return the names of those that events of a kind have."""
    return tuple(each.name for each in dataclasses.fields(kind) if each.name in STAMPS)
