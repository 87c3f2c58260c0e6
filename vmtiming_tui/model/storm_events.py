"""What becomes of storms as wholes, as events: their rounds and phases, and the looks between them.

``events`` has the whole vocabulary, and says what the fields mean that all events share.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vmtiming_tui.model.decision import Decision
from vmtiming_tui.model.plan import StormKind


@dataclass(frozen=True, slots=True, kw_only=True)
class StormStarted:
    """VMs are about to be booted together; ``parameters`` holds what a sweep varies.

    ``accel`` and ``qemu_version`` are what they boot with, as a sweep may vary both; earlier
    versions told them of the run alone.
    """

    at_ns: int
    storm: int
    kind: StormKind
    vms: tuple[int, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    planned: int = 1
    accel: str = ""
    qemu_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundStarted:
    """VMs of a storm are about to boot: all of them, or as many as the host can hold at once.

    ``round`` counts from 1. Each round has a phase of its own to boot, to collect and to end in.
    """

    at_ns: int
    storm: int
    round: int
    rounds: int
    vms: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StormDecided:
    """Every VM of a storm's round has booted, or will not: its guests' details are collected."""

    at_ns: int
    storm: int
    round: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StormCollected:
    """The details of a storm's round are in: its VMs are ended."""

    at_ns: int
    storm: int
    round: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StormEnded:
    """No VM of the storm is left."""

    at_ns: int
    storm: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LookDue:
    """Each setting has booted so many storms that count: the engine waits to hear if that will do.

    It is a front end that knows, and says ``GoOn`` or ``Conclude``.
    """

    at_ns: int
    storms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Concluded:
    """No more storms of the plan are booted: what was to be decided is, or can be no more."""

    at_ns: int
    storms: int
    decisions: tuple[Decision, ...]
