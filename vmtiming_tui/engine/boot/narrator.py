"""What one boot says of itself: each thing that happens to it, as an event under its name."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from vmtiming_tui.engine.boot.context import Boot
from vmtiming_tui.engine.boot.timing import Stamp
from vmtiming_tui.engine.children.children import Child, Exit
from vmtiming_tui.engine.guest.console import ConsoleLog, readable
from vmtiming_tui.engine.guest.protocol import Details
from vmtiming_tui.engine.host.usage import usage_of
from vmtiming_tui.engine.qemu import diagnosis
from vmtiming_tui.engine.qmp.controller import QmpEvent
from vmtiming_tui.faults import OwnFault
from vmtiming_tui.model import events as ev

FINAL_CONSOLE_BYTES = 16 * 1024


Loss: TypeAlias = ev.VmFailed | ev.VmTimedOut | ev.VmKilled


class LostError(Exception):
    """A boot is decided, and not well: carries the event that says so."""

    def __init__(self, event: Loss) -> None:
        super().__init__()
        self.event = event


class BootVoice:
    """Puts a boot's facts into events, within bounds; it decides nothing."""

    def __init__(self, boot: Boot, emit: Callable[[ev.Event], None], console: ConsoleLog) -> None:
        self._boot = boot
        self._emit = emit
        self._console = console

    def _who(self, at_ns: int | None = None) -> dict[str, Any]:
        return {
            "at_ns": time.monotonic_ns() if at_ns is None else at_ns,
            "vm": self._boot.vm,
            "attempt": self._boot.attempt,
        }

    # Its life.

    def launched(self, child: Child, argv: Sequence[str]) -> None:
        """QEMU's process exists."""
        self._emit(
            ev.VmLaunched(
                **self._who(),
                pid=child.pid,
                spawn_ns=child.spawn_ns,
                argv=tuple(argv),
                injected=self._boot.launch.injected,
            )
        )

    def port_opened(self, connection: int) -> None:
        """QEMU connected its report port."""
        self._emit(ev.ReportConnected(**self._who(), connection=connection))

    def connected(self) -> None:
        """QMP and the report port are open."""
        self._emit(ev.VmConnected(**self._who()))

    def started(self, stamp: Stamp) -> None:
        """The VM was let go."""
        self._emit(ev.VmStarted(**self._who(), go_ns=stamp.at_ns, qemu_ns=stamp.qemu_ns))

    def booted(self, text: str, stamp: Stamp) -> None:
        """The guest reported."""
        self._emit(
            ev.VmBooted(
                **self._who(),
                report_ns=stamp.at_ns,
                uncertainty_ns=stamp.uncertainty_ns,
                text=text,
            )
        )

    def exited(self, ended: Exit, reason: str, stderr: str) -> None:
        """QEMU is gone; its console's end is told before."""
        if self._console.total_bytes:
            self._emit(self.console(FINAL_CONSOLE_BYTES))
        self._emit(
            ev.VmExited(
                **self._who(ended.at_ns), exit_code=ended.returncode, reason=reason, stderr=stderr
            )
        )

    def failed(self, why: diagnosis.Why, stderr: str) -> ev.VmFailed:
        """Return that the boot failed."""
        return ev.VmFailed(**self._who(), why=why.text, hint=why.hint, stderr=stderr)

    def killed(self, why: str) -> ev.VmKilled:
        """Return that the boot was ended on request."""
        return ev.VmKilled(**self._who(), why=why)

    def timed_out(self, *, stopped_by_itself: bool) -> ev.VmTimedOut:
        """Return that no report came in time, with what was seen last."""
        limit_s = self._boot.config.timeout_s
        why = f"no report within {limit_s:g} s"
        if stopped_by_itself:
            why += "; QEMU had stopped it of its own accord"
        return ev.VmTimedOut(
            **self._who(),
            limit_ns=round(limit_s * 1e9),
            why=why + diagnosis.last_words(self.console_end),
        )

    # What it and others say meanwhile.

    def details(self, details: Details) -> None:
        """The guest said more than the first line."""
        self._emit(
            ev.VmDetails(
                **self._who(),
                clock_us=details.clock_us,
                clock_resolution_us=details.clock_resolution_us,
                timestamps_us=dict(details.timestamps_us),
                properties=dict(details.properties),
                slowest=tuple(details.slowest),
                failed_units=tuple(details.failed),
                critical_chain=tuple(details.chain),
                complete=details.complete,
                dropped_bytes=details.dropped_bytes,
            )
        )

    def rejected(
        self, why: str, excerpt: str, code: ev.RejectionCode = ev.RejectionCode.OTHER
    ) -> None:
        """The guest wrote what is no report."""
        self._emit(ev.ReportRejected(**self._who(), why=why, excerpt=excerpt, code=code))

    def qmp(self, event: QmpEvent) -> None:
        """QEMU said something by itself."""
        self._emit(
            ev.QmpSeen(
                **self._who(event.received_ns),
                name=event.name,
                data=event.data,
                qemu_ns=event.qemu_ns,
                cut=event.cut,
            )
        )

    def left_out(self, counts: Mapping[str, int]) -> None:
        """QEMU said more by itself than was looked into."""
        if counts:
            self._emit(ev.QmpLeftOut(**self._who(), counts=dict(counts)))

    def usage(self, pid: int, vcpu_tids: Sequence[int]) -> None:
        """Say what QEMU has used so far, where it is there."""
        if usage := usage_of(pid, vcpu_tids):
            self._emit(
                ev.VmUsage(
                    **self._who(),
                    rss_bytes=usage.rss_bytes,
                    disk_read_bytes=usage.disk_read_bytes,
                    cpu_ns=usage.cpu_ns,
                    vcpu_run_ns=usage.vcpu_run_ns,
                    vcpu_wait_ns=usage.vcpu_wait_ns,
                )
            )

    @property
    def console_end(self) -> str:
        """The last lines of the console."""
        return readable(self._console.tail(FINAL_CONSOLE_BYTES))

    def console(self, limit: int) -> ev.VmConsole:
        """Return the end of the console as it is now."""
        log = self._console
        return ev.VmConsole(
            **self._who(),
            text=readable(log.tail(limit)),
            total_bytes=log.total_bytes,
            dropped_bytes=max(log.total_bytes - limit, log.dropped_bytes),
        )

    def own_fault(self, fault: OwnFault) -> None:
        """A fault of our own came after it was decided if the VM boots."""
        self._emit(
            ev.Notice(
                at_ns=time.monotonic_ns(),
                level=ev.Level.ERROR,
                text=f"VM {self._boot.vm}: the tool failed after its boot: {fault.what}; "
                f"{fault.hint}",
            )
        )

    def immortal(self, pid: int) -> None:
        """QEMU does not go, whatever is done."""
        self._emit(
            ev.Notice(
                at_ns=time.monotonic_ns(),
                level=ev.Level.ERROR,
                text=f"QEMU {pid} of VM {self._boot.vm} does not die; "
                "the host may be waiting for its disk",
            )
        )
