"""What a front end may ask of the engine, as JSON lines on the engine's standard input."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, cast

from vmtiming_tui.model.codec import Vocabulary
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.decision import Decision
from vmtiming_tui.model.leading_events import Step, Turn
from vmtiming_tui.model.plan import RunPlan, StormKind


class VmAction(StrEnum):
    """What can be done to a running VM through its QMP controller."""

    PAUSE = "pause"
    RESUME = "resume"
    RESET = "reset"
    POWERDOWN = "powerdown"
    KILL = "kill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Begin a run. ``interactive`` keeps the engine waiting for more when the plan is done.

    With ``led`` it boots nothing of the plan by itself, but what ``Boot`` tells it.
    """

    plan: RunPlan
    interactive: bool = False
    led: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """VMs of a storm that boot with one of the plan's configs, each with its attempt's number."""

    config: RunConfig
    vms: tuple[int, ...]
    attempts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """Boot a host's share of a storm; the steps it takes with others wait for ``Proceed``."""

    storm: int
    kind: StormKind
    parameters: Mapping[str, str]
    planned: int
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proceed:
    """Answer an ``Awaiting``; ``at_ns`` is when, by the host's own clock, where that matters."""

    storm: int
    round: int
    step: Step
    at_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Admit:
    """Answer a ``TurnWanted``; ``at_ns`` as in ``Proceed``."""

    vm: int
    attempt: int
    turn: Turn
    at_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """Boot these VMs again, as a storm of their own, with the settings of their last attempt."""

    vms: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Do something to these VMs; those not running are left alone."""

    action: VmAction
    vms: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadConsole:
    """Ask for the end of a VM's console, answered by a ``VmConsole`` event if it grew."""

    vm: int
    seen_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GoOn:
    """Answer a ``LookDue``: so many storms a setting do not decide it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclude:
    """Answer a ``LookDue``: no more storms of the plan, for what those tell that there are."""

    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """End every VM: powerdown, quit, kill, as an escalation; ``now`` kills at once."""

    now: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Quit:
    """Stop, clean up and leave."""

    now: bool = False


Command: TypeAlias = (
    Start | Boot | Proceed | Admit | Rerun | Act | ReadConsole | GoOn | Conclude | Stop | Quit
)

VOCABULARY = Vocabulary("command", *Command.__args__)


def encode(command: Command) -> str:
    """Return a command as one line of JSON, without its newline."""
    return VOCABULARY.encode(command)


def decode(line: str | bytes) -> Command:
    """Return the command of one line; raise ``EventError`` where it is none."""
    return cast(Command, VOCABULARY.decode(line))
