"""One storm of a run, as far as its events have told it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.plan import StormKind


class StormPhase(StrEnum):
    """What a storm, or a round of it, is at."""

    BOOT = "boot"
    COLLECT = "collect"
    END = "end"


@dataclass(slots=True)
class Storm:
    """VMs booted together.

    It goes in ``rounds`` where the host cannot hold all of its VMs at once; 0 where its stream
    knows no phases, as those of earlier versions. ``round`` and ``phase`` are where it is now,
    ``decided_ns`` and ``collected_ns`` are of that round. ``accel`` and ``qemu_version`` are what
    it boots with.
    """

    number: int
    kind: StormKind
    vms: tuple[int, ...]
    parameters: Mapping[str, str]
    started_ns: int
    planned: int = 1
    accel: str = ""
    qemu_version: str = ""
    rounds: int = 0
    round: int = 1
    phase: StormPhase = StormPhase.BOOT
    decided_ns: int | None = None
    collected_ns: int | None = None
    ended_ns: int | None = None
    attempts: dict[int, Attempt] = field(default_factory=dict)

    @property
    def knows_phases(self) -> bool:
        """Whether its stream tells of phases; those of earlier versions do not."""
        return self.rounds > 0

    @property
    def room(self) -> int | None:
        """How many VMs the host can hold: those of its first round; None where it goes in one."""
        first = sum(attempt.round == 1 for attempt in self.attempts.values())
        return first or None if self.rounds > 1 else None
