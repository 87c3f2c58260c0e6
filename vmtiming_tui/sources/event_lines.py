"""A stream of events as it comes: its lines kept as they are, each decoded once for all readers."""

import time
from typing import NamedTuple

from vmtiming_tui.errors import EventError
from vmtiming_tui.model import events as ev


class Told(NamedTuple):
    """One line of a stream as it came, without its newline, and the event it tells."""

    line: bytes
    event: ev.Event


class LineDecoder:
    """Makes whole lines of a stream that comes in pieces cut anywhere.

    A line that is no event of ours is kept like any other; its event is a notice that says so.
    """

    def __init__(self) -> None:
        self._rest = b""

    def take(self, piece: bytes) -> list[Told]:
        """Return the lines that a piece brings to their end."""
        *whole, self._rest = (self._rest + piece).split(b"\n")
        return [Told(line, _event_of(line)) for line in whole]


def _event_of(line: bytes) -> ev.Event:
    try:
        return ev.decode(line)
    except EventError as error:
        return ev.Notice(
            at_ns=time.monotonic_ns(),
            level=ev.Level.ERROR,
            text=f"a line from the engine was not understood: {error.message}",
        )
