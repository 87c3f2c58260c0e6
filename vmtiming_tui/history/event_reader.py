"""A stored run's lines made events again, as they are read: the whole run, or what is there yet."""

from collections.abc import Iterable

from vmtiming_tui.errors import EventError
from vmtiming_tui.escape import are, plural
from vmtiming_tui.model import events as ev


class EventReader:
    """Makes events of one run's lines, in their order; knows how far the run is by them.

    ``last_ns`` is the newest event's moment, on the clock of the run's host. ``is_over``: the run
    has ended, and nothing reopened it.
    """

    def __init__(self) -> None:
        self.last_ns = 0
        self.is_over = False
        self._unread = 0

    def take(self, lines: Iterable[bytes]) -> list[ev.Event]:
        """Return the events of some lines; those that cannot be read are left out and counted."""
        events = list[ev.Event]()
        for line in lines:
            try:
                event = ev.decode(line)
            except EventError:
                self._unread += 1
                continue
            events.append(event)
            self.last_ns = max(self.last_ns, event.at_ns)
            self.is_over = isinstance(event, ev.RunEnded) or (
                self.is_over and not isinstance(event, ev.StormStarted)
            )
        return events

    def unread_notice(self) -> list[ev.Event]:
        """Return a notice of the lines that were left out since the last, where there were any."""
        if not self._unread:
            return []
        text = (
            f"{plural(self._unread, 'event')} of this stored run could not be read and "
            f"{are(self._unread)} left out"
        )
        self._unread = 0
        return [ev.Notice(at_ns=self.last_ns, level=ev.Level.ERROR, text=text)]

    def cut_off(self) -> list[ev.Event]:
        """Return the end of a run whose recorder is gone; nothing where it had ended before."""
        if self.is_over:
            return []
        self.is_over = True
        return [ev.RunEnded(at_ns=self.last_ns, outcome=ev.Outcome.INTERRUPTED)]
