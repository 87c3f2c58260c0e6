"""What is said of one boot: each thing that happens to it, as the event for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from vmtiming_tui.engine.boot.facts import PortOpened, Spawned
from vmtiming_tui.engine.boot.timing import Stamp
from vmtiming_tui.engine.children.children import Exit
from vmtiming_tui.engine.guest.console import ConsoleLog, readable
from vmtiming_tui.engine.guest.report_protocol import Details, OrderTold, Rejected
from vmtiming_tui.engine.host.usage import Usage
from vmtiming_tui.engine.qemu import why_it_failed
from vmtiming_tui.engine.qmp.controller import QmpEvent
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import End
from vmtiming_tui.model.kernel_events import KernelLog
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.own_faults import OwnFault

FINAL_CONSOLE_BYTES = 16 * 1024


class Narrator:
    """Puts what is known of one attempt of a VM into events; it decides nothing."""

    def __init__(self, vm: int, attempt: int) -> None:
        self.vm = vm
        self.attempt = attempt

    def _who(self, at_ns: int) -> dict[str, Any]:
        return {"at_ns": at_ns, "vm": self.vm, "attempt": self.attempt}

    # Its life.

    def launched(self, at_ns: int, spawned: Spawned) -> ev.VmLaunched:
        """QEMU's process exists."""
        return ev.VmLaunched(
            **self._who(at_ns),
            pid=spawned.pid,
            spawn_ns=spawned.spawn_ns,
            argv=spawned.argv,
            injected=spawned.injected,
        )

    def port_opened(self, at_ns: int, opened: PortOpened) -> ev.ReportConnected:
        """QEMU connected its report port."""
        return ev.ReportConnected(**self._who(at_ns), connection=opened.connection)

    def connected(self, at_ns: int) -> ev.VmConnected:
        """QMP and the report port are open."""
        return ev.VmConnected(**self._who(at_ns))

    def started(self, at_ns: int, stamp: Stamp) -> ev.VmStarted:
        """The VM was let go."""
        return ev.VmStarted(**self._who(at_ns), go_ns=stamp.at_ns, qemu_ns=stamp.qemu_ns)

    def booted(self, at_ns: int, stamp: Stamp) -> ev.VmBooted:
        """The guest reported."""
        return ev.VmBooted(
            **self._who(at_ns),
            report_ns=stamp.at_ns,
            uncertainty_ns=stamp.uncertainty_ns,
        )

    def frozen(self, at_ns: int) -> ev.VmFrozen:
        """It stands still after its report."""
        return ev.VmFrozen(**self._who(at_ns))

    def released(self, at_ns: int, cause: ev.ReleaseCause) -> ev.VmReleased:
        """Its guest goes on after its report."""
        return ev.VmReleased(**self._who(at_ns), cause=cause)

    def ending(self, at_ns: int, how: End) -> ev.VmEnding:
        """It was asked to end."""
        return ev.VmEnding(**self._who(at_ns), how=how)

    def failed(self, at_ns: int, why: why_it_failed.Why, stderr: str) -> ev.VmFailed:
        """The boot failed."""
        return ev.VmFailed(**self._who(at_ns), why=why.text, hint=why.hint, stderr=stderr)

    def killed(self, at_ns: int, why: str) -> ev.VmKilled:
        """The boot was ended on request."""
        return ev.VmKilled(**self._who(at_ns), why=why)

    def timed_out(
        self, at_ns: int, limit_s: float, console_end: str, *, stopped_by_itself: bool
    ) -> ev.VmTimedOut:
        """No report came in time; what was seen last may say why."""
        why = f"no report within {limit_s:g} s"
        if stopped_by_itself:
            why += "; QEMU had stopped it of its own accord"
        return ev.VmTimedOut(
            **self._who(at_ns),
            limit_ns=round(limit_s * 1e9),
            why=why + why_it_failed.last_words(console_end),
        )

    def exited(self, ended: Exit, reason: str, shutdown_ns: int | None, stderr: str) -> ev.VmExited:
        """QEMU is gone."""
        return ev.VmExited(
            **self._who(ended.at_ns),
            exit_code=ended.returncode,
            reason=reason,
            shutdown_ns=shutdown_ns,
            stderr=stderr,
        )

    # What it and others say meanwhile.

    def stage_seen(self, at_ns: int, stage: Stage) -> ev.StageSeen:
        """The host saw it in a stage for the first time."""
        return ev.StageSeen(**self._who(at_ns), stage=stage)

    def console_line(self, at_ns: int, text: str) -> ev.ConsoleLine:
        """The console's last line is another."""
        return ev.ConsoleLine(**self._who(at_ns), text=text)

    def text(self, at_ns: int, text: str) -> ev.ReportText:
        """The guest finished the line it reported by."""
        return ev.ReportText(**self._who(at_ns), text=text)

    def unit_order(self, at_ns: int, told: OrderTold) -> ev.UnitOrder:
        """The guest said which units wait for which."""
        return ev.UnitOrder(
            **self._who(at_ns), after=dict(told.after), dropped_bytes=told.dropped_bytes
        )

    def kernel(self, at_ns: int, log: KernelLog) -> ev.VmKernel:
        """The guest told its kernel's log."""
        return ev.VmKernel(**self._who(at_ns), log=log)

    def details(self, at_ns: int, details: Details) -> ev.VmDetails:
        """The guest said more than the first line."""
        return ev.VmDetails(
            **self._who(at_ns),
            clock_us=details.clock_us,
            clock_resolution_us=details.clock_resolution_us,
            timestamps_us=dict(details.timestamps_us),
            properties=dict(details.properties),
            slowest=tuple(details.slowest),
            failed_units=tuple(details.failed),
            critical_chain=tuple(details.chain),
            gathering_us=details.gathering_us,
            complete=details.complete,
            dropped_bytes=details.dropped_bytes,
        )

    def units(self, at_ns: int, units: Sequence[ev.UnitTimes]) -> ev.VmUnits:
        """The guest said what became of its units."""
        return ev.VmUnits.of(units, **self._who(at_ns))

    def rejected(self, at_ns: int, what: Rejected) -> ev.ReportRejected:
        """The guest wrote what is no report."""
        return ev.ReportRejected(
            **self._who(at_ns), why=what.why, excerpt=what.excerpt, code=what.code
        )

    def qmp(self, event: QmpEvent) -> ev.QmpSeen:
        """QEMU said something by itself."""
        return ev.QmpSeen(
            **self._who(event.received_ns),
            name=event.name,
            data=event.data,
            qemu_ns=event.qemu_ns,
            cut=event.cut,
        )

    def left_out(self, at_ns: int, counts: Mapping[str, int]) -> ev.QmpLeftOut:
        """QEMU said more by itself than was looked into."""
        return ev.QmpLeftOut(**self._who(at_ns), counts=dict(counts))

    def usage(self, at_ns: int, usage: Usage) -> ev.VmUsage:
        """QEMU has used so much so far."""
        return ev.VmUsage(
            **self._who(at_ns),
            rss_bytes=usage.rss_bytes,
            disk_read_bytes=usage.disk_read_bytes,
            cpu_ns=usage.cpu_ns,
            vcpu_run_ns=usage.vcpu_run_ns,
            vcpu_wait_ns=usage.vcpu_wait_ns,
        )

    def console(self, at_ns: int, log: ConsoleLog, limit_bytes: int) -> ev.VmConsole:
        """The console ends like this, as it is now."""
        return ev.VmConsole(
            **self._who(at_ns),
            text=readable(log.tail(limit_bytes)),
            total_bytes=log.total_bytes,
            dropped_bytes=max(log.total_bytes - limit_bytes, log.dropped_bytes),
        )

    def own_fault(self, at_ns: int, fault: OwnFault) -> ev.Notice:
        """A fault of our own came after it was decided if the VM boots."""
        return ev.Notice(
            at_ns=at_ns,
            level=ev.Level.ERROR,
            text=f"VM {self.vm}: the tool failed after its boot: {fault.what}; {fault.hint}",
        )

    def immortal(self, at_ns: int, pid: int) -> ev.Notice:
        """QEMU does not go, whatever is done."""
        return ev.Notice(
            at_ns=at_ns,
            level=ev.Level.ERROR,
            text=f"QEMU {pid} of VM {self.vm} does not die; the host may be waiting for its disk",
        )
