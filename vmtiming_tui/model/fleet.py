"""The state of a run: a pure fold over its events, without I/O and without a clock.

``Fleet.fold`` takes events in any order that can happen, also those of a damaged or foreign
stream: what does not fit is left out and counted in ``Fleet.misfits``, never raised.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from vmtiming_tui.model import events as ev
from vmtiming_tui.model.attempt import MAX_CONSOLE_LINES, Attempt, Vm, VmState
from vmtiming_tui.model.config import End
from vmtiming_tui.model.host import HostFacts
from vmtiming_tui.model.hosts import Host, Hosts
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.model.stir import Stir
from vmtiming_tui.model.storm import Storm, StormPhase

MAX_PROBLEMS = 1000
MAX_REJECTED = 20


class RunState(StrEnum):
    """Where the run as a whole is."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that went wrong, for the line that says so; ``vm`` is None for the host."""

    at_ns: int
    vm: int | None
    attempt: int | None
    text: str


class Fleet:
    """Every VM, storm and word of one run, kept by folding its events."""

    def __init__(self, past: Iterable[ev.Event] = ()) -> None:
        self.run: ev.RunStarted | None = None
        self.state = RunState.WAITING
        self.vms: dict[int, Vm] = {}
        self.storms: dict[int, Storm] = {}
        self.counts: Counter[VmState] = Counter()
        self.troubles: deque[Trouble] = deque(maxlen=MAX_PROBLEMS)
        self.notices: deque[ev.Notice] = deque(maxlen=MAX_PROBLEMS)
        self.failure: ev.EngineFailed | None = None
        self.hosts = Hosts({"": Host()})
        self.last_ns = 0
        self.ended_ns: int | None = None
        self.misfits = 0
        self.unit_order: ev.UnitOrder | None = None
        self.files: tuple[ev.BootFile, ...] = ()
        self.concluded: ev.Concluded | None = None
        self._stirs: defaultdict[str, Stir] = defaultdict(Stir)  # by host
        self._changed: set[int] = set()
        for event in past:
            self.fold(event)

    @property
    def plan(self) -> RunPlan | None:
        """What was asked for; None before the run began, and where its stream tells none."""
        return self.run.plan if self.run else None

    @property
    def host_facts(self) -> HostFacts:
        """The host as it was at the run's begin; of several, what is true of all."""
        return self.hosts.facts

    @property
    def host_samples(self) -> list[ev.HostSample]:
        """How busy the only host was; of several each has its own."""
        return self.hosts[""].samples if "" in self.hosts else []

    @property
    def host(self) -> ev.HostSample | None:
        """How busy the only host was last."""
        return self.host_samples[-1] if self.host_samples else None

    @property
    def accel(self) -> str:
        """The accelerator; all there were, where a sweep varied what decides about it."""
        return all_of(storm.accel for storm in self.storms.values()) or (
            self.run.accel if self.run else ""
        )

    @property
    def qemu_version(self) -> str:
        """The version of QEMU; all there were, where a sweep varied it."""
        return all_of(storm.qemu_version for storm in self.storms.values()) or (
            self.run.qemu_version if self.run else ""
        )

    @property
    def storm(self) -> Storm | None:
        """The newest storm."""
        return self.storms[max(self.storms)] if self.storms else None

    @property
    def attempts(self) -> Iterator[Attempt]:
        """Every attempt of every VM."""
        return (attempt for vm in self.vms.values() for attempt in vm.attempts)

    @property
    def newest(self) -> list[Attempt]:
        """The newest attempt of every VM, in the order of their ids."""
        return [self.vms[vm].newest for vm in sorted(self.vms)]

    @property
    def ran_to_end(self) -> bool:
        """Whether nothing more will come by itself; false makes an export a partial one."""
        return self.state in (RunState.FINISHED, RunState.STOPPED, RunState.INTERRUPTED)

    def take_changed(self) -> set[int]:
        """Return the VMs that changed since the last call, and forget them."""
        changed, self._changed = self._changed, set()
        return changed

    def fold(self, event: ev.Event) -> None:
        """Take in one event."""
        self.last_ns = max(self.last_ns, event.at_ns)
        match event:
            case (
                ev.VmUsage()
                | ev.QmpSeen()
                | ev.QmpLeftOut()
                | ev.VmConsole()
                | ev.ConsoleLine()
                | ev.StageSeen()
                | ev.ReportText()
                | ev.VmDetails()
                | ev.VmUnits()
                | ev.UnitOrder()
                | ev.VmKernel()
                | ev.ReportRejected()
            ):
                self._observe(event)
            case ev.FilesSeen():
                self.files = tuple(dict.fromkeys((*self.files, *event.files)))
                self.hosts.see_files(event)
            case ev.VmQueued():
                self._queue(event)
            case ev.HostSample() | ev.HostJoined() | ev.ClockMeasured() | ev.HostLost():
                self._hear_of_host(event)
            case ev.Notice():
                self.notices.append(event)
                if event.level is not ev.Level.INFO:
                    self._trouble(event.at_ns, None, event.text)
            case ev.StormStarted():
                self._begin_storm(event)
            case ev.RoundStarted() | ev.StormDecided() | ev.StormCollected() | ev.StormEnded():
                self._go_on(event)
            case ev.LookDue() | ev.Awaiting() | ev.TurnWanted():
                pass  # what is answered shows
            case ev.Concluded():
                self.concluded = event
            case ev.RunStarted():
                self.run, self.state = event, RunState.RUNNING
                self.failure = self.ended_ns = None
                self.hosts = Hosts.of_one(event)
            case ev.VmFrozen() | ev.VmReleased() | ev.VmEnding():
                self._follow(event)
            case ev.RunEnded():
                self._end(event.at_ns, RunState(event.outcome.value), "ended with the run")
            case ev.EngineFailed():
                self.failure = event
                self._trouble(event.at_ns, None, event.why)
                self._end(event.at_ns, RunState.INTERRUPTED, "ended with the engine")
            case _:
                self._advance(event)

    def _hear_of_host(
        self, event: ev.HostSample | ev.HostJoined | ev.ClockMeasured | ev.HostLost
    ) -> None:
        if isinstance(event, ev.HostJoined):
            self.hosts.pop("", None)
        if not self.hosts.take(event):
            self.misfits += 1
        elif isinstance(event, ev.HostLost):
            self._trouble(event.at_ns, None, event.text)

    def _end(self, at_ns: int, state: RunState, why: str) -> None:
        """End what is under way; a run that was over stays what it was.

        Nobody is left to tell the VMs' ends of a run that was interrupted.
        """
        if self.ran_to_end:
            return
        self.state, self.ended_ns = state, at_ns
        if state is not RunState.INTERRUPTED:
            return
        for vm in self.vms.values():
            attempt = vm.newest
            if self._decide(attempt, VmState.KILLED, at_ns):
                attempt.why = why
            elif attempt.exited_ns is not None:
                continue
            attempt.exited_ns, attempt.paused = at_ns, False
            self._stirs[attempt.host].end(attempt.key, at_ns)
            self._changed.add(vm.id)

    def _find(self, vm: int, attempt: int) -> Attempt | None:
        known = self.vms.get(vm)
        if known is None or not 1 <= attempt <= len(known.attempts):
            self.misfits += 1
            return None
        self._changed.add(vm)
        return known.attempts[attempt - 1]

    def _begin_storm(self, event: ev.StormStarted) -> None:
        self.state, self.ended_ns = RunState.RUNNING, None
        run = self.run
        # Earlier versions told both of the run alone, and which accelerator was varied.
        accel = event.accel or event.parameters.get("accel", run.accel if run else "")
        self.storms[event.storm] = Storm(
            event.storm,
            event.kind,
            event.vms,
            event.parameters,
            event.at_ns,
            event.planned,
            accel,
            event.qemu_version or (run.qemu_version if run else ""),
        )

    def _go_on(
        self, event: ev.RoundStarted | ev.StormDecided | ev.StormCollected | ev.StormEnded
    ) -> None:
        storm = self.storms.get(event.storm)
        if storm is None:
            self.misfits += 1
            return
        match event:
            case ev.RoundStarted() if not 1 <= event.round <= event.rounds:
                self.misfits += 1
            case ev.RoundStarted():
                storm.rounds, storm.round, storm.phase = event.rounds, event.round, StormPhase.BOOT
                storm.decided_ns = storm.collected_ns = None
                self._part(storm, frozenset(event.vms), event)
            case ev.StormDecided():
                storm.phase, storm.decided_ns = StormPhase.COLLECT, event.at_ns
            case ev.StormCollected():
                storm.phase, storm.collected_ns = StormPhase.END, event.at_ns
            case ev.StormEnded():
                storm.ended_ns = event.at_ns

    def _part(self, storm: Storm, here: frozenset[int], event: ev.RoundStarted) -> None:
        """Tell the VMs of a round from those that wait for a later one."""
        later = min(event.round + 1, event.rounds)
        for vm, attempt in storm.attempts.items():
            if vm in here:
                attempt.round = event.round
            elif attempt.state is VmState.QUEUED and attempt.round >= event.round:
                attempt.round = later

    def _queue(self, event: ev.VmQueued) -> None:
        vm = self.vms.get(event.vm)
        if event.vm < 0 or event.attempt != (len(vm.attempts) if vm else 0) + 1:
            self.misfits += 1
            return
        if vm is None:
            vm = self.vms[event.vm] = Vm(event.vm)
        else:
            self.counts[vm.state] -= 1
        storm = self.storms.get(event.storm)
        of_round = storm.round if storm else 1
        attempt = Attempt(event.vm, event.attempt, event.storm, event.at_ns, of_round, event.host)
        vm.attempts.append(attempt)
        self.counts[VmState.QUEUED] += 1
        self._changed.add(event.vm)
        if storm:
            storm.attempts[event.vm] = attempt

    def _move(self, attempt: Attempt, state: VmState) -> None:
        if self.vms[attempt.vm].newest is attempt:
            self.counts[attempt.state] -= 1
            self.counts[state] += 1
        attempt.state = state

    def _decide(self, attempt: Attempt, state: VmState, at_ns: int) -> bool:
        if attempt.state.is_decided:
            return False
        self._move(attempt, state)
        attempt.decided_ns = at_ns
        return True

    def _trouble(self, at_ns: int, attempt: Attempt | None, text: str) -> None:
        vm, number = (attempt.vm, attempt.number) if attempt else (None, None)
        self.troubles.appendleft(Trouble(at_ns, vm, number, text))

    def _advance(self, event: Any) -> None:
        attempt = self._find(event.vm, event.attempt)
        if attempt is None:
            return
        match event:
            case ev.VmLaunched():
                attempt.pid, attempt.argv = event.pid, event.argv
                attempt.spawn_ns, attempt.injected = event.spawn_ns, event.injected
                if attempt.state is VmState.QUEUED:
                    self._move(attempt, VmState.LAUNCHING)
            case ev.VmConnected():
                attempt.connected_ns = event.at_ns
                if attempt.state in (VmState.QUEUED, VmState.LAUNCHING):
                    self._move(attempt, VmState.CONNECTED)
            case ev.VmStarted():
                attempt.go_ns = event.go_ns
            case ev.VmBooted():
                if self._decide(attempt, VmState.BOOTED, event.at_ns):
                    attempt.report_ns, attempt.text = event.report_ns, event.text
                    attempt.uncertainty_ns = event.uncertainty_ns
                    self._measure_disturbance(attempt)
            case ev.VmFailed():
                if self._decide(attempt, VmState.FAILED, event.at_ns):
                    attempt.why, attempt.hint = event.why, event.hint
                    attempt.stderr = event.stderr or attempt.stderr
                    self._trouble(event.at_ns, attempt, event.why)
            case ev.VmTimedOut():
                if self._decide(attempt, VmState.TIMED_OUT, event.at_ns):
                    attempt.limit_ns = event.limit_ns
                    attempt.why = event.why or f"no report within {event.limit_ns / 1e9:g} s"
                    self._trouble(event.at_ns, attempt, attempt.why)
            case ev.VmKilled():
                if self._decide(attempt, VmState.KILLED, event.at_ns):
                    attempt.why = event.why or "killed on request"
                    self._trouble(event.at_ns, attempt, attempt.why)
            case ev.VmExited():
                attempt.exited_ns, attempt.paused = event.at_ns, False
                attempt.shutdown_ns = event.shutdown_ns
                self._stirs[attempt.host].end(attempt.key, event.at_ns)
                attempt.exit_code, attempt.exit_reason = event.exit_code, event.reason
                attempt.stderr = event.stderr or attempt.stderr
                attempt.overran = self._overran(attempt)

    def _overran(self, attempt: Attempt) -> bool:
        """Return whether a guest that is gone had more than its time to shut down."""
        is_asked = attempt.end is End.POWEROFF and attempt.shutdown_took_ns is None
        if not is_asked or self.plan is None or None in (attempt.ending_ns, attempt.exited_ns):
            return False
        limit_ns = self.plan.config.shutdown_timeout_s * 1e9
        return (attempt.exited_ns or 0) - (attempt.ending_ns or 0) >= limit_ns

    def _measure_disturbance(self, attempt: Attempt) -> None:
        if attempt.go_ns is not None and attempt.report_ns is not None:
            stir = self._stirs[attempt.host]
            attempt.disturbed_ns = stir.during_ns(attempt.go_ns, attempt.report_ns)
        storm = self.storms.get(attempt.storm)
        if storm is None or not storm.knows_phases:
            # Guests of earlier versions went on at once, and nothing said so.
            self._begin_to_stir(attempt, attempt.report_ns or 0)

    def _begin_to_stir(self, attempt: Attempt, at_ns: int) -> None:
        """Take it that a guest which has reported costs the host something, till it is gone."""
        if attempt.report_ns is not None and attempt.exited_ns is None:
            self._stirs[attempt.host].begin(attempt.key, at_ns)

    def _is_booting(self, number: int) -> bool:
        storm = self.storms.get(number)
        return storm is not None and storm.phase is StormPhase.BOOT

    def _follow(self, event: ev.VmFrozen | ev.VmReleased | ev.VmEnding) -> None:
        attempt = self._find(event.vm, event.attempt)
        if attempt is None:
            return
        match event:
            case ev.VmFrozen():
                attempt.is_frozen, attempt.released_ns = True, None
                self._stirs[attempt.host].end(attempt.key, event.at_ns)
            case ev.VmReleased():
                attempt.is_frozen = False
                attempt.released_ns, attempt.release = event.at_ns, event.cause
                if event.cause is ev.ReleaseCause.BY_HAND and self._is_booting(attempt.storm):
                    attempt.was_resumed = True
                self._begin_to_stir(attempt, event.at_ns)
            case ev.VmEnding():
                attempt.ending_ns, attempt.end = event.at_ns, event.how
                self._begin_to_stir(attempt, event.at_ns)

    def _observe(self, event: Any) -> None:
        attempt = self._find(event.vm, event.attempt)
        if attempt is None:
            return
        match event:
            case ev.VmUsage():
                attempt.usage = event
            case ev.VmConsole():
                attempt.console = event
            case ev.ConsoleLine():
                attempt.console_lines = (*attempt.console_lines, event.text)[-MAX_CONSOLE_LINES:]
            case ev.StageSeen():
                attempt.see(event.stage, event.at_ns)
            case ev.ReportText():
                attempt.text = event.text
            case ev.VmDetails():
                attempt.details = event
            case ev.VmUnits():
                attempt.units = event
            case ev.UnitOrder():
                self.unit_order = event
            case ev.VmKernel():
                attempt.kernel = event.log
            case ev.ReportRejected():
                attempt.rejected = (*attempt.rejected, event)[-MAX_REJECTED:]
                self._trouble(event.at_ns, attempt, event.why)
            case ev.QmpSeen():
                self._qmp(attempt, event)
            case ev.QmpLeftOut():
                attempt.qmp_left_out = event.counts

    def _qmp(self, attempt: Attempt, event: ev.QmpSeen) -> None:
        attempt.qmp.append(event)
        match event.name:
            case "STOP":
                attempt.paused = attempt.exited_ns is None and attempt.report_ns is None
                attempt.pauses += attempt.go_ns is not None and attempt.report_ns is None
            case "RESUME":
                attempt.paused = False
            case "RESET" if event.data.get("reason") != "guest-reset":  # not the firmware's own
                attempt.resets += attempt.go_ns is not None and attempt.report_ns is None
                attempt.forget_stages(event.qemu_ns or event.at_ns)
            case "GUEST_PANICKED" | "GUEST_CRASHLOADED" if attempt.report_ns is None:
                attempt.panicked = True
                self._trouble(event.at_ns, attempt, "the guest's kernel panicked")


def all_of(words: Iterable[str]) -> str:
    """Return what there is of several, each once."""
    return ", ".join(sorted({*words} - {""}))
