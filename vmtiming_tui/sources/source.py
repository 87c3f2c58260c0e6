"""What a front end holds of a run, wherever it goes on: events to read, an ear for commands."""

from collections.abc import AsyncIterator
from typing import Protocol

from vmtiming_tui.model.commands import Command
from vmtiming_tui.model.events import Event


class EventSource(Protocol):
    """A live engine, a stored run being replayed, or a test's recorded stream."""

    def send(self, command: Command) -> None:
        """Ask for something; a source that cannot do it ignores it."""

    def batches(self) -> AsyncIterator[list[Event]]:
        """Yield events as they come, those of one read together, until the stream ends."""
