"""What a front end holds of the engine: something to read events from and send commands to."""

from collections.abc import AsyncIterator
from typing import Protocol

from vmtiming_tui.commands import Command
from vmtiming_tui.events import Event


class EventSource(Protocol):
    """A live engine, a stored run being replayed, or a test's recorded stream."""

    def send(self, command: Command) -> None:
        """Ask for something; a source that cannot do it ignores it."""

    def batches(self) -> AsyncIterator[list[Event]]:
        """Yield events as they come, those of one read together, until the stream ends."""
