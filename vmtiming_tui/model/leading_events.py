"""What an engine that is led asks of whoever leads it, as events; no run's own stream has them.

One of several hosts boots its share of each storm as ``commands.Boot`` tells it. At every step that
all hosts take together it waits for ``commands.Proceed``, and for ``commands.Admit`` before a VM
takes a turn that is counted over all hosts.
"""

from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """What all hosts of a storm do together: they wait here for the last of them.

    ``round``: all is ready for a round's first boot. ``go``: every VM of a round that starts
    together is ready to be let go. ``decided`` and ``collected``: as the events of those names.
    """

    ROUND = "round"
    GO = "go"
    DECIDED = "decided"
    COLLECTED = "collected"


class Turn(StrEnum):
    """What VMs of all hosts take turns in: to be among those that boot, and to be let go."""

    BOOT = "boot"
    GO = "go"


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaiting:
    """This host is at a step of a storm's round, and goes no further; ``vms`` are its round's."""

    at_ns: int
    storm: int
    round: int
    rounds: int
    step: Step
    vms: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnWanted:
    """This VM waits for its turn."""

    at_ns: int
    vm: int
    attempt: int
    turn: Turn
