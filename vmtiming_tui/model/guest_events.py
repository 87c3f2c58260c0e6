"""What guests say of their boots, as events: in their report, its details, and on the console.

``events`` has the whole vocabulary, and says what the fields mean that all events share.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class RejectionCode(StrEnum):
    """Why a guest's words were no report, where something rests on it."""

    OTHER = "other"
    SECOND_REPORT = "second report"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportText:
    """The rest of the report's first line: the guest's own words for its boot."""

    at_ns: int
    vm: int
    attempt: int
    text: str


@dataclass(frozen=True, slots=True)
class UnitTimes:
    """One unit of a guest's systemd: where it stands, and its stamps (µs, CLOCK_MONOTONIC).

    ``activating_us`` is when it last began to start (``InactiveExitTimestampMonotonic``),
    ``active_us`` when it was up (``ActiveEnter...``), ``deactivating_us`` when it was up no more
    (``ActiveExit...``), ``inactive_us`` when it was down (``InactiveEnter...``); 0 is never.
    """

    name: str
    active: str = ""
    sub: str = ""
    result: str = ""
    activating_us: int = 0
    active_us: int = 0
    deactivating_us: int = 0
    inactive_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VmDetails:
    """The second part of a guest's report: its clocks and what systemd knows about the boot.

    ``clock_us`` is the guest's ``CLOCK_MONOTONIC`` (µs) just before it wrote the first line, good
    to ``clock_resolution_us``. ``timestamps_us`` are systemd's monotonic stamps by property name
    (``KernelTimestampMonotonic``, ...). ``units`` has those that systemd ever began to start.
    ``slowest`` and ``critical_chain`` are ``systemd-analyze``'s words, of guests that tell no
    units. ``gathering_us`` is how long the guest took to find all of this out. ``complete`` is
    false where the end line never came. ``dropped_bytes`` is how much of what the guest sent is
    beyond what is kept of one VM's.
    """

    at_ns: int
    vm: int
    attempt: int
    clock_us: int | None = None
    clock_resolution_us: int = 1
    timestamps_us: Mapping[str, int] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    slowest: tuple[str, ...] = ()
    failed_units: tuple[str, ...] = ()
    critical_chain: tuple[str, ...] = ()
    units: tuple[UnitTimes, ...] = ()
    gathering_us: int | None = None
    complete: bool = True
    dropped_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitOrder:
    """Which units the guest's systemd starts after which, told by one VM of a run for all.

    ``after`` has units by the name of the one that waits for them (``After=``).
    """

    at_ns: int
    vm: int
    attempt: int
    after: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dropped_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRejected:
    """Something this VM's guest wrote is not a report: why, and how it began (escaped)."""

    at_ns: int
    vm: int
    attempt: int
    why: str
    excerpt: str = ""
    code: RejectionCode = RejectionCode.OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class VmConsole:
    """The end of the serial console (escaped), with how much was written and dropped so far."""

    at_ns: int
    vm: int
    attempt: int
    text: str
    total_bytes: int
    dropped_bytes: int = 0
