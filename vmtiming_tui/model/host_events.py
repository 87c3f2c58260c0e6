"""What becomes of hosts, as events: how busy one is, and who of several takes part.

``events`` has the whole vocabulary, and says what the fields mean that all events share. A run on
one host has one without a name; of several each has its own.
"""

from dataclasses import dataclass, field

from vmtiming_tui.model.codec import otherwise
from vmtiming_tui.model.host import HostFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class HostJoined:
    """One of several hosts takes part, or may from the next storm on.

    ``address`` is where it is reached; the rest is what ``RunStarted`` tells of a single host.
    """

    at_ns: int
    host: str
    address: str
    facts: HostFacts = field(metadata=otherwise(HostFacts()))
    accel: str
    accel_reason: str
    qemu_version: str
    tool_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockMeasured:
    """How far a host's ``CLOCK_MONOTONIC`` is ahead of the one this stream is told by.

    It is off by no more than ``uncertainty_ns``, half of the shortest round trip that was found.
    ``applied_ns`` is what is taken off the host's stamps from here on: it changes between storms
    alone, so that no figure of one host rests on it.
    """

    at_ns: int
    host: str
    offset_ns: int
    uncertainty_ns: int
    applied_ns: int

    @property
    def error_ns(self) -> int:
        """What stamps may be off by from which ``applied_ns`` was taken."""
        return self.uncertainty_ns + abs(self.offset_ns - self.applied_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLost:
    """Nothing more is heard of a host, or its engine failed: why, and what to do."""

    at_ns: int
    host: str
    why: str
    hint: str = ""

    @property
    def text(self) -> str:
        """It in a sentence."""
        return f"host {self.host} was lost: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSample:
    """How busy a host is; PSI figures are ``some avg10`` in percent, None where not offered."""

    at_ns: int
    cpu_percent: float
    load1: float
    psi_cpu: float | None = None
    psi_io: float | None = None
    psi_memory: float | None = None
    memory_available_bytes: int = 0
    host: str = ""
