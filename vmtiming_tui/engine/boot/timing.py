"""The stamps of one boot: when it was let go, when it reported, how long it stood still."""

from dataclasses import dataclass

from vmtiming_tui.engine.boot.facts import Fact, Goal, PauseAsked, QmpLost, Reached, ResumeAsked
from vmtiming_tui.engine.qemu.command_line import REPORT_ID
from vmtiming_tui.engine.qmp.controller import QmpEvent

RESUME_WAIT_S = 0.05
OPEN_WAIT_S = 0.02
_EARLY_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Stamp:
    """A point in time (ns, monotonic) and what QEMU itself says of it, or how sure it is."""

    at_ns: int
    qemu_ns: int | None = None
    uncertainty_ns: int = 0


class BootTiming:
    """Weighs our stamps against QEMU's, which come as events and are unmoved by our own stalls.

    An event may be read after the answer, or the bytes, that it goes with: ``RESUME_WAIT_S`` and
    ``OPEN_WAIT_S`` say how long it is worth waiting for.
    """

    def __init__(self) -> None:
        self.go_sent_ns: int | None = None
        self.has_resumed = False
        self.has_opened = False
        self.stopped_by_itself = False
        self.paused_ns = 0
        self._go_ns = 0
        self._resume_ns: int | None = None
        self._open_ns: int | None = None
        self._pause_asked = False
        self._paused_since_ns: int | None = None

    @property
    def is_paused(self) -> bool:
        """Whether the VM stands still on request; ``paused_ns`` is how long it did so before."""
        return self._paused_since_ns is not None

    def paused_by_ns(self, at_ns: int) -> int:
        """Return how long the VM stood still on request till then."""
        since_ns = at_ns if self._paused_since_ns is None else self._paused_since_ns
        return self.paused_ns + max(at_ns - since_ns, 0)

    def hear(self, fact: Fact, at_ns: int) -> None:
        """Take in a fact that says something of the time; others are none of its business."""
        match fact:
            case PauseAsked():
                self._pause_asked = True
            case ResumeAsked(asked_ns):
                self._pause_asked = False
                self._end_pause(asked_ns)
            case QmpLost():
                # Nobody can let it go on any more.
                self._end_pause(at_ns)
            case Reached(Goal.COLLECT) if self.stopped_by_itself:
                # It stood still already, and is let go on now.
                self._pause_asked = False
            case QmpEvent(name="RESUME"):
                if not self.has_resumed and self.was_let_go_by(fact.received_ns):
                    self._resume_ns = fact.qemu_ns
                    self.has_resumed = True
                # It may be ours, with a pause asked for that QEMU has yet to obey.
                self._pause_asked &= not self.is_paused
                self._end_pause(fact.received_ns)
                self.stopped_by_itself = False
            case QmpEvent(name="STOP") if not self._pause_asked:
                self.stopped_by_itself = True
            case QmpEvent(name="STOP") if not self.is_paused:
                self._paused_since_ns = fact.received_ns
            case QmpEvent(name="VSERPORT_CHANGE", data={"id": which, "open": True}) if (
                which == REPORT_ID
            ):
                self._open_ns = fact.qemu_ns
                self.has_opened = True

    def _end_pause(self, at_ns: int) -> None:
        if self._paused_since_ns is not None:
            self.paused_ns += at_ns - self._paused_since_ns
            self._paused_since_ns = None

    def was_let_go_by(self, at_ns: int) -> bool:
        """Return whether ``cont`` was sent before something came."""
        return self.go_sent_ns is not None and self.go_sent_ns <= at_ns

    def settle_go(self, answered_ns: int) -> Stamp:
        """Return the zero of the boot: QEMU's RESUME where it lies between ``cont`` and answer."""
        sent_ns, qemu_ns = self.go_sent_ns or answered_ns, self._resume_ns
        agrees = qemu_ns is not None and sent_ns - _EARLY_NS <= qemu_ns <= answered_ns
        self._go_ns = qemu_ns if agrees and qemu_ns is not None else sent_ns
        return Stamp(self._go_ns, qemu_ns=qemu_ns)

    def settle_report(self, received_ns: int) -> Stamp:
        """Return when the report was written: after the guest opened the port, before we had it."""
        opened_ns = self._open_ns
        if opened_ns is None or not self._go_ns <= opened_ns <= received_ns:
            return Stamp(received_ns)
        return Stamp(received_ns, uncertainty_ns=received_ns - opened_ns)
