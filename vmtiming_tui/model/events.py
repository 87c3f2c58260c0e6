"""The vocabulary of a run: every fact the engine states, in the order it became known.

A run *is* its stream of events; the dashboard, the plain report, the exports, the history and a
replay are folds over it. ``at_ns`` is the engine's ``time.monotonic_ns()`` when it learnt the fact
(``CLOCK_MONOTONIC`` of the engine's host; of several hosts each stamp is put on the clock of
whoever leads them, see ``ClockMeasured``). Times from QEMU, which stamps its events by the wall
clock, are converted to that clock before they get here. ``vm`` counts from 0; ``attempt`` counts
the boots of one VM from 1; ``storm`` counts the storms of a run from 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias, cast

from vmtiming_tui.model.boot_file import BootFile as BootFile
from vmtiming_tui.model.codec import Json, Vocabulary, otherwise
from vmtiming_tui.model.config import End
from vmtiming_tui.model.guest_events import (
    ConsoleLine as ConsoleLine,
    RejectionCode as RejectionCode,
    ReportRejected as ReportRejected,
    ReportText as ReportText,
    StageSeen as StageSeen,
    UnitOrder as UnitOrder,
    UnitTimes as UnitTimes,
    VmConsole as VmConsole,
    VmDetails as VmDetails,
    VmUnits as VmUnits,
)
from vmtiming_tui.model.host import HostFacts
from vmtiming_tui.model.host_events import (
    ClockMeasured as ClockMeasured,
    HostJoined as HostJoined,
    HostLost as HostLost,
    HostSample as HostSample,
)
from vmtiming_tui.model.kernel_events import VmKernel as VmKernel
from vmtiming_tui.model.leading_events import (
    Awaiting as Awaiting,
    Step as Step,
    Turn as Turn,
    TurnWanted as TurnWanted,
)
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.model.storm_events import (
    Concluded as Concluded,
    LookDue as LookDue,
    RoundStarted as RoundStarted,
    StormCollected as StormCollected,
    StormDecided as StormDecided,
    StormEnded as StormEnded,
    StormStarted as StormStarted,
)


class Level(StrEnum):
    """How much a notice matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class NoticeCode(StrEnum):
    """What a notice says, where something rests on it; its words are for people only."""

    OTHER = "other"
    CACHE_KEPT = "cache kept"


class ReleaseCause(StrEnum):
    """Why a guest goes on after its report.

    ``collect``: it is its turn to tell details. ``off``: it was to do so at once. ``own way``: it
    is one that waits for nobody. ``not stopped``: QEMU did not have it stand still. ``by hand``:
    somebody resumed it.
    """

    COLLECT = "collect"
    OFF = "off"
    OWN_WAY = "own way"
    NOT_STOPPED = "not stopped"
    BY_HAND = "by hand"


class Outcome(StrEnum):
    """How a run ended: by itself, by the user's wish, or because its reader went away."""

    FINISHED = "finished"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run begins: what was asked, on which host, with which accelerator and why that one.

    ``wall_ns`` is the wall clock (ns since 1970) at ``at_ns``; ``number`` is the most VMs any
    storm boots. A foreign or newer stream may tell a plan or a host that does not fit: then the
    plan is None, and of the host nothing is known.
    """

    at_ns: int
    run: str
    wall_ns: int
    number: int
    plan: RunPlan | None = field(metadata=otherwise(None))
    host: HostFacts = field(metadata=otherwise(HostFacts()))
    accel: str
    accel_reason: str
    qemu_version: str
    tool_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesSeen:
    """The files that the VMs of a setting boot from, of the first VM where each has its own."""

    at_ns: int
    files: tuple[BootFile, ...]
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmQueued:
    """A new attempt of a VM waits for its turn; ``host`` is where, of several."""

    at_ns: int
    vm: int
    attempt: int
    storm: int
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmLaunched:
    """The QEMU process exists, stopped (``-S``); ``spawn_ns`` is when it was asked for.

    ``injected`` is how the report service is brought into an image that has none, if it is.
    """

    at_ns: int
    vm: int
    attempt: int
    pid: int
    spawn_ns: int
    argv: tuple[str, ...]
    injected: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportConnected:
    """QEMU opened its report chardev; ``connection`` is the socket's descriptor, as ever."""

    at_ns: int
    vm: int
    attempt: int
    connection: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VmConnected:
    """QMP is negotiated and the report chardev is open: the VM is ready to be let go."""

    at_ns: int
    vm: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VmStarted:
    """The VM was let go (``cont``): ``go_ns`` is the zero of its boot.

    ``qemu_ns`` is QEMU's own RESUME stamp where it gave one; ``go_ns`` is that stamp when it
    agrees with ours, else ours.
    """

    at_ns: int
    vm: int
    attempt: int
    go_ns: int
    qemu_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VmBooted:
    """The guest's report began to arrive, with a prefix that proved true.

    ``report_ns`` is our best stamp of the guest's write, ``uncertainty_ns`` how far it may be off:
    the time between the guest opening the port (QEMU's stamp) and the bytes reaching us. ``text``
    is the rest of the line in streams without ``ReportText``.
    """

    at_ns: int
    vm: int
    attempt: int
    report_ns: int
    uncertainty_ns: int
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmFrozen:
    """The VM stands still after its report."""

    at_ns: int
    vm: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VmReleased:
    """The guest goes on after its report, and costs the host what it costs."""

    at_ns: int
    vm: int
    attempt: int
    cause: ReleaseCause = ReleaseCause.COLLECT


@dataclass(frozen=True, slots=True, kw_only=True)
class VmEnding:
    """The host asked for the VM's end; ``how`` says of whom."""

    at_ns: int
    vm: int
    attempt: int
    how: End = End.POWEROFF


@dataclass(frozen=True, slots=True, kw_only=True)
class QmpSeen:
    """A QMP event of this VM's QEMU, with QEMU's own stamp on our clock.

    ``cut`` says that it had more data than is kept of one.
    """

    at_ns: int
    vm: int
    attempt: int
    name: str
    data: Mapping[str, Any] = field(default_factory=dict)
    qemu_ns: int | None = None
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QmpLeftOut:
    """How many QMP events of this VM's QEMU were counted only, by name, after the first of each."""

    at_ns: int
    vm: int
    attempt: int
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VmUsage:
    """What a QEMU process has used so far; the vCPU figures say how long it ran and waited."""

    at_ns: int
    vm: int
    attempt: int
    rss_bytes: int = 0
    disk_read_bytes: int = 0
    cpu_ns: int = 0
    vcpu_run_ns: int = 0
    vcpu_wait_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VmFailed:
    """This attempt will not boot: why, what to do about it, and what QEMU said."""

    at_ns: int
    vm: int
    attempt: int
    why: str
    hint: str = ""
    stderr: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmTimedOut:
    """No report came within ``limit_ns`` of the start; ``why`` says what was seen last."""

    at_ns: int
    vm: int
    attempt: int
    limit_ns: int
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmKilled:
    """The attempt was ended on request, before it had booted."""

    at_ns: int
    vm: int
    attempt: int
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmExited:
    """The QEMU process is gone; ``reason`` is QMP's SHUTDOWN reason where one was given.

    ``shutdown_ns`` is when it was given: from there on QEMU alone was to end.
    """

    at_ns: int
    vm: int
    attempt: int
    exit_code: int | None = None
    reason: str = ""
    shutdown_ns: int | None = None
    stderr: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a person should know that belongs to no VM; ``host`` is which of several told it.

    ``left_out`` counts the events, by name, that a reader too slow for them was spared.
    """

    at_ns: int
    level: Level
    text: str
    left_out: Mapping[str, int] = field(default_factory=dict)
    code: NoticeCode = NoticeCode.OTHER
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFailed:
    """The run cannot go on, or could not begin: why, and what to do."""

    at_ns: int
    why: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """No VM of the run is left; a rerun may still follow in an interactive session."""

    at_ns: int
    outcome: Outcome


Event: TypeAlias = (
    RunStarted
    | FilesSeen
    | StormStarted
    | RoundStarted
    | StormDecided
    | StormCollected
    | StormEnded
    | LookDue
    | Concluded
    | VmQueued
    | VmLaunched
    | ReportConnected
    | VmConnected
    | VmStarted
    | StageSeen
    | ConsoleLine
    | VmBooted
    | ReportText
    | VmFrozen
    | VmReleased
    | VmEnding
    | VmDetails
    | VmUnits
    | UnitOrder
    | VmKernel
    | ReportRejected
    | QmpSeen
    | QmpLeftOut
    | VmUsage
    | VmConsole
    | VmFailed
    | VmTimedOut
    | VmKilled
    | VmExited
    | HostSample
    | HostJoined
    | ClockMeasured
    | HostLost
    | Awaiting
    | TurnWanted
    | Notice
    | EngineFailed
    | RunEnded
)

VOCABULARY = Vocabulary("event", *Event.__args__)


def encode(event: Event) -> str:
    """Return an event as one line of JSON, without its newline."""
    return VOCABULARY.encode(event)


def decode(line: str | bytes) -> Event:
    """Return the event of one line; raise ``EventError`` where it is none."""
    return cast(Event, VOCABULARY.decode(line))


def read(body: Json) -> Event:
    """Return the event of one line's JSON; raise ``EventError`` where it is none."""
    return cast(Event, VOCABULARY.read(body))
