"""Why the slowest VM was slow: its stages against the VM in the middle, its units against all."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.stages import stages_of, timespan_ns
from vmtiming_tui.analysis.units.one_boot import critical_chain
from vmtiming_tui.analysis.units.ordering import Orderings
from vmtiming_tui.analysis.units.own_times import OwnTimes
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.guest_events import UnitOrder
from vmtiming_tui.model.stage import Stage

MAX_UNITS = 5
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
    """The slowest VM beside the one in the middle; all times in ns.

    ``added_ns`` is by stage, the largest first. ``units`` are those whose own time was longest
    beyond the other VMs' median. ``waited_share`` is how much of the time its vCPUs could have run
    they waited for a core, 0 to 1.
    """

    slowest: Attempt
    middle: Attempt
    behind_ns: int
    added_ns: dict[Stage, int]
    units: tuple[BlamedUnit, ...]
    waited_share: float | None

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


def straggler(attempts: Sequence[Attempt], order: UnitOrder | None = None) -> Straggler | None:
    """Return the slowest VM that booted against their lower median; None for fewer than two."""
    booted = sorted(
        (attempt for attempt in attempts if attempt.boot_ns is not None),
        key=lambda attempt: (attempt.boot_ns or 0, attempt.vm),
    )
    if len(booted) < 2:
        return None
    slowest, middle = booted[-1], booted[(len(booted) - 1) // 2]
    ours, theirs = dict(stages_of(slowest).known), dict(stages_of(middle).known)
    added = {stage: ours[stage] - theirs[stage] for stage in Stage if stage in ours.keys() & theirs}
    return Straggler(
        slowest=slowest,
        middle=middle,
        behind_ns=(slowest.boot_ns or 0) - (middle.boot_ns or 0),
        added_ns=dict(sorted(added.items(), key=lambda item: -item[1])),
        units=_units(slowest, booted[:-1], order),
        waited_share=waited_share(slowest),
    )


def _units(
    slowest: Attempt, others: Sequence[Attempt], order: UnitOrder | None
) -> tuple[BlamedUnit, ...]:
    orderings = Orderings(order)
    ours, usual = _own_ns([slowest], orderings), _own_ns(others, orderings)
    chain = {link.name for link in critical_chain(slowest, order)}
    units = [
        BlamedUnit(name, ns, usual.get(name), name in chain if chain else None)
        for name, ns in ours.items()
    ]
    longer = (unit for unit in units if unit.added_ns > 0)
    return tuple(sorted(longer, key=lambda unit: (-unit.added_ns, unit.name))[:MAX_UNITS])
