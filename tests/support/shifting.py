"""Events of one clock put on another, as lines of a host are."""

from vmtiming_tui.cluster import host_lines
from vmtiming_tui.model import events as ev


def shifted(event: ev.Event, by_ns: int) -> ev.Event:
    """Return the event with every moment later by so much."""
    return host_lines.told(ev.encode(event).encode(), by_ns).event
