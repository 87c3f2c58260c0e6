"""What guests say of their boots, as events: in their report, its details, and on the console.

``events`` has the whole vocabulary, and says what the fields mean that all events share.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter

from vmtiming_tui.model.stage import Stage


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
    (``KernelTimestampMonotonic``, ...). What it tells of its units follows as ``VmUnits``.
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
    gathering_us: int | None = None
    complete: bool = True
    dropped_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VmUnits:
    """The units that a guest's systemd ever began to start, as columns: one place a unit in each.

    ``UnitTimes`` says what each column means. Units stand in the order of their names, so that what
    two VMs of a run tell is much the same text; a unit's type is its name's suffix. Columns of
    different lengths are a ``ValueError``.
    """

    at_ns: int
    vm: int
    attempt: int
    names: tuple[str, ...] = ()
    active: tuple[str, ...] = ()
    sub: tuple[str, ...] = ()
    result: tuple[str, ...] = ()
    activating_us: tuple[int, ...] = ()
    active_us: tuple[int, ...] = ()
    deactivating_us: tuple[int, ...] = ()
    inactive_us: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(column) for column in self._columns}
        if len(lengths) > 1:
            raise ValueError(f"columns of different lengths: {sorted(lengths)}")

    @classmethod
    def of(cls, units: Iterable[UnitTimes], *, at_ns: int, vm: int, attempt: int) -> "VmUnits":
        """Return units as columns."""
        rows = sorted(units, key=attrgetter("name"))
        return cls(
            at_ns=at_ns,
            vm=vm,
            attempt=attempt,
            names=tuple(unit.name for unit in rows),
            active=tuple(unit.active for unit in rows),
            sub=tuple(unit.sub for unit in rows),
            result=tuple(unit.result for unit in rows),
            activating_us=tuple(unit.activating_us for unit in rows),
            active_us=tuple(unit.active_us for unit in rows),
            deactivating_us=tuple(unit.deactivating_us for unit in rows),
            inactive_us=tuple(unit.inactive_us for unit in rows),
        )

    @property
    def rows(self) -> Iterator[UnitTimes]:
        """The units one by one, in the order of their places."""
        return map(UnitTimes, *self._columns)

    @property
    def _columns(self) -> tuple[tuple[str, ...] | tuple[int, ...], ...]:
        return (
            self.names,
            self.active,
            self.sub,
            self.result,
            self.activating_us,
            self.active_us,
            self.deactivating_us,
            self.inactive_us,
        )


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
class StageSeen:
    """The host saw a sign that a boot is in a stage, and nothing of that stage before it.

    The signs are what the guest writes on its console anyway, and its opening of ports: nothing
    is asked of it. So a stage may have begun a while before ``at_ns``, and may be passed unseen.
    """

    at_ns: int
    vm: int
    attempt: int
    stage: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleLine:
    """The last whole line on a booting VM's console (escaped), told now and then."""

    at_ns: int
    vm: int
    attempt: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VmConsole:
    """The end of the serial console (escaped), with how much was written and dropped so far."""

    at_ns: int
    vm: int
    attempt: int
    text: str
    total_bytes: int
    dropped_bytes: int = 0
