"""One of the hosts that are led, as far as its leader knows it."""

from dataclasses import dataclass, field

from vmtiming_tui.cluster.clock import Clock
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.host import HostFacts
from vmtiming_tui.model.stamps import stamps

_GRACE_NS = 1_000_000_000


@dataclass(slots=True)
class Member:
    """A host; all moments are by the leader's clock, with ``applied_ns`` taken off its own.

    ``clock`` is what was known of its clock at ``clock_ns``, ``started`` its answer to the newest
    ``Start``, ``lost`` why it takes no further part in the run. One that ``is_gone`` is heard of no
    more, in no run.
    """

    name: str
    address: str
    clock: Clock | None = None
    clock_ns: int = 0
    applied_ns: int = 0
    started: ev.RunStarted | None = None
    lost: ev.HostLost | None = None
    is_gone: bool = False
    unanswered: int = 0
    early: list[ev.Event] = field(default_factory=list)
    said: set[str] = field(default_factory=set)

    def begin(self) -> None:
        """Take it that another run is begun there, after all before it."""
        self.unanswered += 1
        self.started = self.lost = None
        self.early.clear()
        self.said.clear()

    @property
    def is_behind(self) -> bool:
        """Whether what it tells is of a run before the newest."""
        return self.unanswered != 1

    @property
    def is_awaited(self) -> bool:
        """Whether a run that begins waits for it."""
        return self.lost is None and not self.is_ready

    @property
    def is_ready(self) -> bool:
        """Whether it can be given VMs."""
        return self.lost is None and self.started is not None and self.clock is not None

    @property
    def round_trip_ns(self) -> int:
        """How long a word to it and back takes, at best."""
        return self.clock.round_trip_ns if self.clock else 0

    def by_its_clock(self, at_ns: int) -> int:
        """Return a moment of the leader's clock as the host would tell it."""
        return at_ns + (self.clock.offset_ns if self.clock else 0)

    def measure(self, found: Clock, now_ns: int) -> None:
        """Take what was found of its clock, where that is better than what was known before."""
        passed_ns, self.clock_ns = now_ns - self.clock_ns, now_ns
        known = [found] if self.clock is None else [found, self.clock.later(passed_ns)]
        self.clock = min(known, key=lambda clock: clock.uncertainty_ns)

    def settle_clock(self) -> bool:
        """Take what is known of its clock for what is taken off; return whether that changes it.

        What is taken off stays as it is as long as it may be true.
        """
        if self.clock is None or self.clock.agrees(self.applied_ns):
            return False
        self.applied_ns = self.clock.offset_ns
        return True

    def is_plausible(self, event: ev.Event, since_ns: int, now_ns: int) -> bool:
        """Return whether an event's moments can be of a run that began at ``since_ns``."""
        grace_ns = _GRACE_NS
        if self.clock is not None:
            grace_ns += abs(self.clock.offset_ns - self.applied_ns) + self.clock.uncertainty_ns
        first_ns, last_ns = since_ns - grace_ns, now_ns + grace_ns
        if not first_ns <= event.at_ns <= last_ns:
            return False
        kind: type = type(event)
        names = stamps(kind)
        if len(names) == 1:
            return True
        moments = (getattr(event, name) for name in names)
        return all(moment is None or first_ns <= moment <= last_ns for moment in moments)

    def joined(self, at_ns: int) -> ev.HostJoined:
        """Say who it is; of one that was lost before it began nothing is known."""
        run = self.started
        return ev.HostJoined(
            at_ns=at_ns,
            host=self.name,
            address=self.address,
            facts=run.host if run else HostFacts(),
            accel=run.accel if run else "",
            accel_reason=run.accel_reason if run else "",
            qemu_version=run.qemu_version if run else "",
            tool_version=run.tool_version if run else "",
        )

    def measured(self, at_ns: int) -> ev.ClockMeasured:
        """Say what is known of its clock; ``ValueError`` where that is nothing."""
        if self.clock is None:
            raise ValueError(f"the clock of {self.name} was not measured")
        return ev.ClockMeasured(
            at_ns=at_ns,
            host=self.name,
            offset_ns=self.clock.offset_ns,
            uncertainty_ns=self.clock.uncertainty_ns,
            applied_ns=self.applied_ns,
        )
