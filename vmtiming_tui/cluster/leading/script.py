"""What is to be done, as it is written down: events to tell and commands to send, in order."""

from vmtiming_tui.cluster.leading.instructions import Instruction, Send, Tell
from vmtiming_tui.model.commands import Command
from vmtiming_tui.model.events import Event


class Script:
    """Instructions that nobody has taken yet."""

    def __init__(self) -> None:
        self._lines: list[Instruction] = []

    def tell(self, event: Event) -> None:
        """Have an event told."""
        self._lines.append(Tell(event))

    def send(self, host: str, command: Command) -> None:
        """Have a command sent."""
        self._lines.append(Send(host, command))

    def take(self) -> list[Instruction]:
        """Return what is written so far, and begin anew."""
        lines, self._lines = self._lines, []
        return lines
