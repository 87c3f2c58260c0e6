"""Why the slowest VM was slow: its stages and units against those of the VM in the middle."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vmtiming_tui.analysis.stages import Stage, stages_of, timespan_ns
from vmtiming_tui.analysis.units.one_boot import slowest_units
from vmtiming_tui.model.attempt import Attempt

MAX_UNITS = 5
_BLAME = re.compile(r"\s*((?:[\d.]+(?:month|min|ms|us|µs|y|w|d|h|s)\s+)+)(\S.*)")


@dataclass(frozen=True, slots=True)
class BlamedUnit:
    """A unit of the slowest VM, and how long the middle VM took for it (ns; None: unknown)."""

    name: str
    slowest_ns: int
    middle_ns: int | None

    @property
    def added_ns(self) -> int:
        """How much longer the slowest VM took."""
        return self.slowest_ns - (self.middle_ns or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Straggler:
    """The slowest VM beside the one in the middle; all times in ns.

    ``added_ns`` is by stage, the largest first. ``units`` are those that took longest beyond what
    they took in the middle VM. ``waited_share`` is how much of the time its vCPUs could have run
    they waited for a core, 0 to 1.
    """

    slowest: Attempt
    middle: Attempt
    behind_ns: int
    added_ns: dict[Stage, int]
    units: tuple[BlamedUnit, ...]
    waited_share: float | None


def blamed_ns(attempt: Attempt) -> dict[str, int]:
    """Return what each unit took to start, in ns; by ``systemd-analyze blame`` of older guests."""
    if attempt.units is not None:
        return {name: us * 1000 for name, us in slowest_units(attempt.units)}
    lines = attempt.details.slowest if attempt.details is not None else ()
    found = (_BLAME.fullmatch(line[:500]) for line in lines)
    return {match[2].strip(): timespan_ns(match[1]) for match in found if match}


def waited_share(attempt: Attempt) -> float | None:
    """Return which part of the time its vCPUs could have run they waited for a core."""
    usage = attempt.usage
    if usage is None or usage.vcpu_run_ns + usage.vcpu_wait_ns <= 0:
        return None
    return usage.vcpu_wait_ns / (usage.vcpu_run_ns + usage.vcpu_wait_ns)


def straggler(attempts: Sequence[Attempt]) -> Straggler | None:
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
        units=_units(slowest, middle),
        waited_share=waited_share(slowest),
    )


def _units(slowest: Attempt, middle: Attempt) -> tuple[BlamedUnit, ...]:
    ours, theirs = blamed_ns(slowest), blamed_ns(middle)
    units = [BlamedUnit(name, ns, theirs.get(name)) for name, ns in ours.items()]
    return tuple(sorted(units, key=lambda unit: -unit.added_ns)[:MAX_UNITS])
