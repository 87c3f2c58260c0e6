"""The stamps of one boot: when it was let go, when it reported, how long it stood still."""

import asyncio
import contextlib
from dataclasses import dataclass

from vmtiming_tui.engine.qemu.command import REPORT_ID
from vmtiming_tui.engine.qmp.controller import QmpEvent

_EARLY_NS = 1_000_000
_RESUME_WAIT_S = 0.05
_OPEN_WAIT_S = 0.02


@dataclass(frozen=True, slots=True)
class Stamp:
    """A point in time (ns, monotonic) and what QEMU itself says of it, or how sure it is."""

    at_ns: int
    qemu_ns: int | None = None
    uncertainty_ns: int = 0


class BootTiming:
    """Weighs our stamps against QEMU's, which come as events and are unmoved by our own stalls."""

    def __init__(self) -> None:
        self.go_sent_ns: int | None = None
        self._go_ns = 0
        self._resumed = asyncio.Event()
        self._resume_ns: int | None = None
        self._opened = asyncio.Event()
        self._open_ns: int | None = None
        self._pause_asked = False
        self._paused_since: float | None = None
        self._paused_s = 0.0
        self.stopped_by_itself = False

    @property
    def is_paused(self) -> bool:
        """Whether the VM stands still on request."""
        return self._paused_since is not None

    def expect_pause(self) -> None:
        """Say that the VM is about to be stopped on request: that time will not count."""
        self._pause_asked = True

    def end_pause(self) -> None:
        """Say that the VM is let go on: from here its time counts, even if QEMU no longer obeys."""
        if self._paused_since is not None:
            self._paused_s += asyncio.get_running_loop().time() - self._paused_since
            self._paused_since = None

    def hear(self, event: QmpEvent) -> None:
        """Take in an event as soon as it is read."""
        match event.name:
            case "RESUME":
                if not self._resumed.is_set() and self.go_sent_ns is not None:
                    self._resume_ns = event.qemu_ns
                    self._resumed.set()
                self.end_pause()
                self._pause_asked = self.stopped_by_itself = False
            case "STOP" if not self._pause_asked:
                self.stopped_by_itself = True
            case "STOP" if self._paused_since is None:
                self._paused_since = asyncio.get_running_loop().time()
            case "VSERPORT_CHANGE":
                if event.data.get("id") == REPORT_ID and event.data.get("open") is True:
                    self._open_ns = event.qemu_ns
                    self._opened.set()

    def paused_s(self) -> float:
        """Return how long the VM has stood still on request so far, in seconds."""
        since = self._paused_since
        now = asyncio.get_running_loop().time()
        return self._paused_s + (now - since if since is not None else 0.0)

    async def settle_go(self, answered_ns: int) -> Stamp:
        """Return the zero of the boot: QEMU's RESUME where it lies between ``cont`` and answer."""
        await _briefly(self._resumed, _RESUME_WAIT_S)
        sent_ns, qemu_ns = self.go_sent_ns or answered_ns, self._resume_ns
        agrees = qemu_ns is not None and sent_ns - _EARLY_NS <= qemu_ns <= answered_ns
        self._go_ns = qemu_ns if agrees and qemu_ns is not None else sent_ns
        return Stamp(self._go_ns, qemu_ns=qemu_ns)

    async def settle_report(self, received_ns: int) -> Stamp:
        """Return when the report was written: after the guest opened the port, before we had it.

        The event that says the former may be read after the bytes, so it is waited for briefly.
        """
        await _briefly(self._opened, _OPEN_WAIT_S)
        opened_ns = self._open_ns
        if opened_ns is None or not self._go_ns <= opened_ns <= received_ns:
            return Stamp(received_ns)
        return Stamp(received_ns, uncertainty_ns=received_ns - opened_ns)


async def _briefly(event: asyncio.Event, limit_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await event.wait()
