"""How many VMs of a storm were in which stage at each moment: the boot of all of them at once."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeAlias

from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.analysis.summary import zeros_ns
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.stage import Stage

Rung: TypeAlias = Stage | None

RUNGS: tuple[Rung, ...] = (None, *Stage)
"""What VMs that were let go climb before they have booted; None is before the first sign."""

_PLACE = {stage: place for place, stage in enumerate(RUNGS)}


@dataclass(frozen=True, slots=True)
class Moment:
    """How many VMs are in each stage, have booted, and are lost."""

    stages: Mapping[Rung, int]
    booted: int
    lost: int


@dataclass(slots=True)
class StageCounts:
    """When VMs came to each stage, booted and were lost, as ns since the storm's first start.

    The time between rounds is left out, as in ``completion``. A VM that is lost leaves every stage
    it had come to.
    """

    reached: list[list[int]] = field(default_factory=lambda: [[] for _ in RUNGS])
    left: list[list[int]] = field(default_factory=lambda: [[] for _ in RUNGS])
    booted: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)

    def at(self, ns: int) -> Moment:
        """Return how it stood at a moment."""
        booted = bisect_right(self.booted, ns)
        came = [
            bisect_right(reached, ns) - bisect_right(left, ns)
            for reached, left in zip(self.reached, self.left, strict=True)
        ]
        further = [*came[1:], booted]
        stages = {
            stage: max(here - gone, 0)
            for stage, here, gone in zip(RUNGS, came, further, strict=True)
        }
        return Moment(stages, booted, bisect_right(self.lost, ns))


def steps_of(attempt: Attempt, *, as_seen: bool = False) -> list[tuple[Rung, int]]:
    """Return when an attempt came to each stage (ns on the engine's clock), its go first.

    That is what its guest told, else what the host saw; the other way round with ``as_seen``.
    """
    go_ns = attempt.go_ns
    if go_ns is None:
        return []
    is_told = attempt.boot_ns is not None and not (as_seen and attempt.stages_seen)
    if is_told and (known := stages_of(attempt).known):
        rest_ns = (attempt.boot_ns or 0) - sum(ns for _, ns in known)
        ends = accumulate((ns for _, ns in known), initial=go_ns + max(rest_ns, 0))
        told: list[tuple[Rung, int]] = [
            (stage, at_ns) for (stage, _), at_ns in zip(known, ends, strict=False)
        ]
        return told if rest_ns <= (attempt.boot_ns or 0) // 100 else [(None, go_ns), *told]
    seen: list[tuple[Rung, int]] = [
        (stage, max(at_ns, go_ns)) for stage, at_ns in attempt.stages_seen
    ]
    return seen if seen and seen[0][1] == go_ns else [(None, go_ns), *seen]


def stage_counts(
    attempts: Iterable[Attempt], kept: dict[tuple[int, int], list[tuple[Rung, int]]]
) -> StageCounts:
    """Return the counts of a storm's attempts; ``kept`` spares reckoning again what is told.

    While some boot it is what the host saw, of all of them: what some have told by then would not
    fit what is seen of the others.
    """
    attempts = list(attempts)
    as_seen = not all(attempt.state.is_decided for attempt in attempts)
    attempts = [attempt for attempt in attempts if attempt.go_ns is not None]
    zeros, counts = zeros_ns(attempts), StageCounts()
    for attempt in attempts:
        zero_ns = zeros[attempt.storm, attempt.round]
        steps = None if as_seen else kept.get(attempt.key)
        if steps is None:
            steps = steps_of(attempt, as_seen=as_seen)
            if attempt.details is not None and not as_seen:
                kept[attempt.key] = steps
        _enter(counts, attempt, steps, zero_ns)
    for times in (*counts.reached, *counts.left, counts.booted, counts.lost):
        times.sort()
    return counts


def _enter(
    counts: StageCounts, attempt: Attempt, steps: list[tuple[Rung, int]], zero_ns: int
) -> None:
    place = 0
    for stage, at_ns in steps:
        for each in range(place, _PLACE[stage] + 1):
            counts.reached[each].append(at_ns - zero_ns)
        place = _PLACE[stage] + 1
    if attempt.report_ns is not None:
        for each in range(place, len(RUNGS)):
            counts.reached[each].append(attempt.report_ns - zero_ns)
        counts.booted.append(attempt.report_ns - zero_ns)
    elif attempt.decided_ns is not None:
        for each in range(place):
            counts.left[each].append(attempt.decided_ns - zero_ns)
        counts.lost.append(attempt.decided_ns - zero_ns)
