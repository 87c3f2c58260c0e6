"""Lines of a host's engine as events on the leader's clock, and as lines of the run's one stream.

What is only moved in time is moved in its JSON, before it becomes an event: at thousands of lines
a second that is what the whole costs.
"""

import json

from vmtiming_tui.errors import EventError
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.stamps import STAMPS
from vmtiming_tui.sources.event_lines import Told

MOST_BYTES = 8 << 20
"""No line of an engine is as long: the longest has the end of a VM's console, or all its units."""

_write = json.JSONEncoder(separators=(",", ":")).encode


def told(line: bytes, by_ns: int) -> Told:
    """Return what a host tells, every moment later by so much.

    Raises ``EventError`` where it is no event. An engine writes ASCII, as all JSON can be.
    """
    if len(line) > MOST_BYTES:
        raise EventError(f"a line of {len(line)} bytes")
    if not line.isascii():
        raise EventError("a line that is not ASCII")
    try:
        body = json.loads(line.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise EventError(f"not JSON ({error})") from None
    if by_ns == 0:
        return Told(line, ev.read(body))
    if isinstance(body, dict):
        for name in STAMPS.intersection(body):
            if type(body[name]) is int:
                body[name] += by_ns
    event = ev.read(body)
    return Told(_write(body).encode(), event)
