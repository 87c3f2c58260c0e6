"""One boot of one VM, as far as its events have told it."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import End
from vmtiming_tui.model.kernel_events import KernelLog
from vmtiming_tui.model.stage import Stage

MAX_QMP_EVENTS = 200
MAX_CONSOLE_LINES = 24


class VmState(StrEnum):
    """Where an attempt is in its life; whether its QEMU is still there, ``exited_ns`` tells."""

    QUEUED = "queued"
    LAUNCHING = "launching"
    CONNECTED = "connected"
    BOOTED = "booted"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    KILLED = "killed"

    @property
    def is_booted(self) -> bool:
        """Whether the guest reported, whatever came after."""
        return self is VmState.BOOTED

    @property
    def is_lost(self) -> bool:
        """Whether it will never report."""
        return self in (VmState.FAILED, VmState.TIMED_OUT, VmState.KILLED)

    @property
    def is_decided(self) -> bool:
        """Whether it is known if it booted."""
        return self.is_booted or self.is_lost


class Phase(StrEnum):
    """Where a VM is after its report.

    ``up``: it runs, and nothing is asked of it. ``frozen``: it stands still. ``collecting``: its
    guest tells details, or goes its own way. ``ending``: it was asked to shut down. ``off``: its
    QEMU is gone.
    """

    UP = "up"
    FROZEN = "frozen"
    COLLECTING = "collecting"
    ENDING = "ending"
    OFF = "off"


@dataclass(slots=True)
class Attempt:
    """One boot of one VM, as far as it is known; all times are ns on the engine's clock.

    ``host`` is where it boots, of several hosts.
    ``disturbed_ns`` is how much of its boot others on its host that had reported were not idle.
    ``was_resumed`` says that somebody let it go on while others booted.
    ``stages_seen`` are the stages that the host saw it in, with when it did first, in order;
    ``console_lines`` the newest lines of its console that were told while it booted, oldest first.
    ``overran`` says that its guest was asked to shut down and had not within its limit.
    """

    vm: int
    number: int
    storm: int
    queued_ns: int
    round: int = 1
    host: str = ""
    state: VmState = VmState.QUEUED
    pid: int | None = None
    argv: tuple[str, ...] = ()
    injected: str = ""
    spawn_ns: int | None = None
    connected_ns: int | None = None
    go_ns: int | None = None
    report_ns: int | None = None
    uncertainty_ns: int = 0
    decided_ns: int | None = None
    disturbed_ns: int | None = None
    is_frozen: bool = False
    released_ns: int | None = None
    release: ev.ReleaseCause | None = None
    was_resumed: bool = False
    ending_ns: int | None = None
    end: End | None = None
    shutdown_ns: int | None = None
    exited_ns: int | None = None
    overran: bool = False
    text: str = ""
    details: ev.VmDetails | None = None
    units: ev.VmUnits | None = None
    kernel: KernelLog | None = None
    why: str = ""
    hint: str = ""
    stderr: str = ""
    exit_code: int | None = None
    exit_reason: str = ""
    limit_ns: int | None = None
    paused: bool = False
    pauses: int = 0
    resets: int = 0
    panicked: bool = False
    rejected: tuple[ev.ReportRejected, ...] = ()
    usage: ev.VmUsage | None = None
    console: ev.VmConsole | None = None
    console_lines: tuple[str, ...] = ()
    stages_seen: tuple[tuple[Stage, int], ...] = ()
    qmp: deque[ev.QmpSeen] = field(default_factory=lambda: deque(maxlen=MAX_QMP_EVENTS))
    qmp_left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def key(self) -> tuple[int, int]:
        """What it is known by in its run."""
        return self.vm, self.number

    @property
    def boot_ns(self) -> int | None:
        """From being let go to the guest's report: the figure all of this is about."""
        if self.go_ns is None or self.report_ns is None:
            return None
        return self.report_ns - self.go_ns

    @property
    def console_line(self) -> str:
        """The last line of its console that was told while it booted; empty where none was."""
        return self.console_lines[-1] if self.console_lines else ""

    @property
    def stage_seen(self) -> Stage | None:
        """The stage the host last saw it in; None where it has seen no sign of any."""
        return self.stages_seen[-1][0] if self.stages_seen else None

    def see(self, stage: Stage, at_ns: int) -> None:
        """Take in that the host saw it in a stage; one that comes before others begins anew."""
        order = list(Stage)
        earlier = (each for each in self.stages_seen if order.index(each[0]) < order.index(stage))
        self.stages_seen = (*earlier, (stage, at_ns))

    def forget_stages(self, before_ns: int) -> None:
        """Take in that it was reset: what was seen before is of a boot that was cut off."""
        if self.report_ns is None:
            self.stages_seen = tuple(seen for seen in self.stages_seen if seen[1] >= before_ns)

    @property
    def phase(self) -> Phase | None:
        """Where it is after its report; None where there is none."""
        if self.report_ns is None:
            return None
        if self.exited_ns is not None:
            return Phase.OFF
        if self.ending_ns is not None:
            return Phase.ENDING
        if self.released_ns is not None:
            return Phase.COLLECTING
        return Phase.FROZEN if self.is_frozen else Phase.UP

    @property
    def shutdown_took_ns(self) -> int | None:
        """From the host's request to the guest's end of its shutdown; None where it had none."""
        if self.ending_ns is None or self.shutdown_ns is None or self.end is not End.POWEROFF:
            return None
        is_its_own = self.exit_reason == "guest-shutdown"
        return max(self.shutdown_ns - self.ending_ns, 0) if is_its_own else None

    @property
    def exit_took_ns(self) -> int | None:
        """From the end of the guest's shutdown to QEMU's exit."""
        if self.shutdown_took_ns is None or self.shutdown_ns is None or self.exited_ns is None:
            return None
        return max(self.exited_ns - self.shutdown_ns, 0)

    def elapsed_ns(self, now_ns: int) -> int | None:
        """How long this boot has taken so far, or took till it was decided; None before its go."""
        if self.go_ns is None:
            return None
        return (self.report_ns or self.decided_ns or now_ns) - self.go_ns


@dataclass(slots=True)
class Vm:
    """One VM with all its attempts, oldest first."""

    id: int
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def newest(self) -> Attempt:
        """The attempt that counts now."""
        return self.attempts[-1]

    @property
    def state(self) -> VmState:
        """The newest attempt's state."""
        return self.attempts[-1].state
