"""What the leader of several hosts wants done, as values."""

from dataclasses import dataclass
from typing import TypeAlias

from vmtiming_tui.model.commands import Command
from vmtiming_tui.model.events import Event


@dataclass(frozen=True, slots=True)
class Tell:
    """An event of the run: the next of its one stream."""

    event: Event


@dataclass(frozen=True, slots=True)
class Send:
    """A command for one host, after all that were sent to it before."""

    host: str
    command: Command


Instruction: TypeAlias = Tell | Send
