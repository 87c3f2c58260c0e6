"""Why the slowest VM was slow: its stages and its units against the medians of its storm."""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.stages import stages_of, timespan_ns
from vmtiming_tui.analysis.summary import Group, Summary, boots_s, counted_groups, lost_of
from vmtiming_tui.analysis.units.one_boot import critical_chain
from vmtiming_tui.analysis.units.ordering import Orderings
from vmtiming_tui.analysis.units.own_times import OwnTimes
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.guest_events import UnitOrder
from vmtiming_tui.model.stage import Stage

MAX_UNITS = 5
MAX_USUAL = 100
FEWEST_VMS = 3
FEWEST_STORMS = 3
MIN_NOISE_NS = 20_000_000
NOISE_SHARE = 0.03
HOST_SHARE = 0.2
_BLAME = re.compile(r"\s*((?:[\d.]+(?:month|min|ms|us|µs|y|w|d|h|s)\s+)+)(\S.*)")


@dataclass(frozen=True, slots=True)
class BlamedUnit:
    """A unit of the slowest VM, and what the other VMs' median is (ns; None: they have none).

    ``on_chain`` says whether the boot waited for it; None where that is not known.
    """

    name: str
    slowest_ns: int
    usual_ns: int | None
    on_chain: bool | None = None

    @property
    def added_ns(self) -> int:
        """How much longer the slowest VM took."""
        return self.slowest_ns - (self.usual_ns or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Straggler:
    """The slowest VM that booted in a storm, beside the storm's medians; all times in ns.

    ``storm`` names its storm where the run has several. ``booted`` is how many of ``number`` did.
    ``median_ns`` and what ``added_ns`` tells by stage, the largest first, are against the medians
    of ``summary``. ``units`` are those whose own time was longest beyond the other VMs' median;
    of many VMs ``MAX_USUAL`` stand for all, from the fastest to the slowest.
    ``waited_share`` is how much of the time its vCPUs could have run they waited for a core, 0 to
    1, ``usual_waited_share`` the other VMs' median of it. It was the slowest of ``slowest_in``
    among ``of_storms`` storms that booted ``FEWEST_VMS`` or more. ``host_behind_ns`` is how much
    longer its host's median was than that of the other hosts' VMs; None where there are no others.
    """

    slowest: Attempt
    storm: str = ""
    booted: int
    number: int
    fastest_ns: int
    median_ns: int
    added_ns: dict[Stage, int]
    units: tuple[BlamedUnit, ...]
    waited_share: float | None
    usual_waited_share: float | None
    host_behind_ns: int | None = None
    slowest_in: int = 0
    of_storms: int = 0

    @property
    def is_mostly_slow(self) -> bool:
        """Whether it was the slowest of most storms: then it is not chance, but this VM."""
        return self.of_storms >= FEWEST_STORMS and 2 * self.slowest_in > self.of_storms

    @property
    def slowest_ns(self) -> int:
        """How long it took to boot."""
        return self.slowest.boot_ns or 0

    @property
    def behind_ns(self) -> int:
        """How much longer it took than the median."""
        return self.slowest_ns - self.median_ns

    @property
    def noise_ns(self) -> int:
        """What is too little to be told from chance."""
        return max(MIN_NOISE_NS, round(NOISE_SHARE * self.median_ns), self.slowest.uncertainty_ns)

    @property
    def is_of_slow_host(self) -> bool:
        """Whether a good part of its delay is its whole host's, and not the VM's alone."""
        if self.host_behind_ns is None:
            return False
        return self.host_behind_ns > max(self.noise_ns, HOST_SHARE * self.behind_ns)

    @property
    def is_slow(self) -> bool:
        """Whether it stands out at all; else all of them took much the same."""
        return self.behind_ns > self.noise_ns

    def explained(self, unit: BlamedUnit) -> float | None:
        """Return how much of the delay a unit's added time makes up; None without a delay."""
        return unit.added_ns / self.behind_ns if self.behind_ns > 0 else None


def blamed_ns(attempt: Attempt) -> dict[str, int]:
    """Return what ``systemd-analyze blame`` says of each unit of an older guest, in ns."""
    lines = attempt.details.slowest if attempt.details is not None else ()
    found = (_BLAME.fullmatch(line[:500]) for line in lines)
    return {match[2].strip(): timespan_ns(match[1]) for match in found if match}


def _own_ns(attempts: Sequence[Attempt], orderings: Orderings) -> dict[str, int]:
    """Return the units' median own time; of older guests, that of what they took."""
    own_s = OwnTimes(attempts, orderings).medians_s
    if own_s:
        return {name: round(own * 1e9) for name, own in own_s.items()}
    return _medians(map(blamed_ns, attempts))


def _medians(each: Iterable[Mapping[str, int]]) -> dict[str, int]:
    samples: dict[str, list[float]] = {}
    for found in each:
        for name, ns in found.items():
            samples.setdefault(name, []).append(ns)
    return {name: round(stats.median(sample)) for name, sample in samples.items()}


def waited_share(attempt: Attempt) -> float | None:
    """Return which part of the time its vCPUs could have run they waited for a core."""
    usage = attempt.usage
    if usage is None or usage.vcpu_run_ns + usage.vcpu_wait_ns <= 0:
        return None
    return usage.vcpu_wait_ns / (usage.vcpu_run_ns + usage.vcpu_wait_ns)


def straggler(
    attempts: Sequence[Attempt], order: UnitOrder | None = None, *, storm: str = ""
) -> Straggler | None:
    """Return the slowest VM of one storm that booted, and what made it slow.

    None for fewer than two, where the lost ones hide the median, and where the slowest is as good
    as at the median though others were faster.
    """
    booted = sorted(
        (attempt for attempt in attempts if attempt.boot_ns is not None),
        key=lambda attempt: (attempt.boot_ns or 0, attempt.vm),
    )
    median_s = stats.worst_rank_percentile(boots_s(booted), lost_of(attempts), 50)
    if len(booted) < 2 or median_s is None:
        return None
    slowest, others = booted[-1], booted[:-1]
    waited = [share for share in map(waited_share, others) if share is not None]
    found = Straggler(
        slowest=slowest,
        storm=storm,
        booted=len(booted),
        number=len(attempts),
        fastest_ns=booted[0].boot_ns or 0,
        median_ns=round(median_s * 1e9),
        added_ns=_added_ns(slowest, booted),
        units=_units(slowest, others, order),
        waited_share=waited_share(slowest),
        usual_waited_share=stats.median(waited) if waited else None,
        host_behind_ns=_host_behind_ns(slowest, booted),
    )
    is_level = found.slowest_ns - found.fastest_ns <= 2 * found.noise_ns
    return found if found.is_slow or is_level else None


def _host_behind_ns(slowest: Attempt, booted: Iterable[Attempt]) -> int | None:
    here, elsewhere = list[int](), list[int]()
    for attempt in booted:
        of = here if attempt.host == slowest.host else elsewhere
        of.append(attempt.boot_ns or 0)
    return round(stats.median(here) - stats.median(elsewhere)) if elsewhere else None


def straggler_of(fleet: Fleet, scope: Collection[int] | None = None) -> Straggler | None:
    """Return the VM that fell furthest behind the median of its storm, of all that count."""
    return furthest_behind(counted_groups(fleet, scope), fleet.unit_order)


def furthest_behind(groups: Iterable[Group], order: UnitOrder | None) -> Straggler | None:
    """Return the VM of these storms that fell furthest behind the median of its own.

    One that fell further behind than chance makes comes before one of a slower storm that did not.
    """
    storms = [storm for group in groups for storm in group.storms]
    far = max(storms, key=lambda storm: _reach(storm.summary), default=None)
    if far is None:
        return None
    found = straggler(far.attempts, order, storm=far.label if len(storms) > 1 else "")
    slowest = [vm for storm in storms if (vm := _slowest_vm(storm.attempts)) is not None]
    if found is None:
        return None
    return replace(found, slowest_in=slowest.count(found.slowest.vm), of_storms=len(slowest))


def _slowest_vm(attempts: Iterable[Attempt]) -> int | None:
    """Return the VM that took the longest; None of a storm of too few to tell."""
    boots = [(attempt.boot_ns, attempt.vm) for attempt in attempts if attempt.boot_ns is not None]
    return max(boots)[1] if len(boots) >= FEWEST_VMS else None


def _reach(summary: Summary) -> tuple[bool, float]:
    """Return whether the slowest VM was further behind the median than chance, and how far (s)."""
    if summary.max_s is None or summary.median_s is None:
        return False, -math.inf
    reach_s = summary.max_s - summary.median_s
    return reach_s > max(MIN_NOISE_NS / 1e9, NOISE_SHARE * summary.median_s), reach_s


def _added_ns(slowest: Attempt, booted: Iterable[Attempt]) -> dict[Stage, int]:
    samples: dict[Stage, list[int]] = {}
    for attempt in booted:
        for stage, ns in stages_of(attempt).known:
            samples.setdefault(stage, []).append(ns)
    added = {
        stage: ns - round(stats.median(samples[stage])) for stage, ns in stages_of(slowest).known
    }
    return dict(sorted(added.items(), key=lambda item: -item[1]))


def _units(
    slowest: Attempt, others: Sequence[Attempt], order: UnitOrder | None
) -> tuple[BlamedUnit, ...]:
    orderings = Orderings(order)
    some = others[:: math.ceil(len(others) / MAX_USUAL)]
    ours, usual = _own_ns([slowest], orderings), _own_ns(some, orderings)
    chain = {link.name for link in critical_chain(slowest, order)}
    units = [
        BlamedUnit(name, ns, usual.get(name), name in chain if chain else None)
        for name, ns in ours.items()
    ]
    longer = (unit for unit in units if unit.added_ns > 0)
    return tuple(sorted(longer, key=lambda unit: (-unit.added_ns, unit.name))[:MAX_UNITS])
