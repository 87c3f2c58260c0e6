"""What a boot usually takes, told from those before it: what one under way is held against."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from vmtiming_tui.analysis.comparison.samples import Side
from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.analysis.stats import worst_rank_percentile
from vmtiming_tui.analysis.summary import boots_s, lost_of
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.stage import Stage

MOST = 60
"""The stages of as many boots are looked at, of the last ones; those of more say little else."""

Pieces: TypeAlias = tuple[tuple[Stage | None, int], ...]


@dataclass(frozen=True, slots=True)
class Typical:
    """The median of so many boots, and how it divides into stages (ns).

    The pieces are the stages' own medians, stretched to add up to the whole; where no boot told its
    stages there is one, None. ``is_baseline`` says that the boots are of the run compared with.
    """

    boots: int
    pieces: Pieces
    is_baseline: bool = False

    @property
    def median_ns(self) -> int:
        """What the pieces add up to."""
        return sum(ns for _, ns in self.pieces)


def typical_boot(
    fleet: Fleet, counted: Sequence[Attempt], median_ns: int | None, baseline: Side | None = None
) -> Typical | None:
    """Return the median of the boots that count, where there is one, and how it divides.

    Else it is that of all boots there were, those of warm-ups; else that of the baseline.
    """
    if median_ns is not None:
        return _typical(counted, median_ns)
    if len(fleet.storms) > 1:
        attempts = list(fleet.attempts)
        median_s = worst_rank_percentile(boots_s(attempts), lost_of(attempts), 50)
        if median_s is not None:
            return _typical(attempts, round(median_s * 1e9))
    return _of_baseline(baseline) if baseline is not None else None


def _typical(attempts: Sequence[Attempt], median_ns: int) -> Typical:
    booted = [attempt for attempt in attempts if attempt.report_ns is not None]
    known = [dict(stages_of(attempt).known) for attempt in booted[-MOST:]]
    lengths = {stage: [each[stage] for each in known if stage in each] for stage in Stage}
    return Typical(len(booted), _stretched(lengths.items(), median_ns))


def _of_baseline(side: Side) -> Typical | None:
    storms = [storm for sample in side.samples for storm in sample.storms]
    boots = [boot for storm in storms for boot in storm.boots]
    if not boots:
        return None
    lengths = [
        (stage, [round(s * 1e9) for storm in storms for s in storm.stages.get(str(stage), ())])
        for stage in Stage
    ]
    median_ns = round(statistics.median(boots) * 1e9)
    return Typical(len(boots), _stretched(lengths, median_ns), is_baseline=True)


def _stretched(lengths: Iterable[tuple[Stage, Sequence[int]]], whole_ns: int) -> Pieces:
    medians = [(stage, max(round(statistics.median(ns)), 0)) for stage, ns in lengths if ns]
    total_ns = sum(ns for _, ns in medians)
    if not total_ns:
        return ((None, whole_ns),)
    pieces: list[tuple[Stage | None, int]] = []
    passed_ns = told_ns = 0
    for stage, ns in medians:
        passed_ns += ns
        end_ns = whole_ns * passed_ns // total_ns
        pieces.append((stage, end_ns - told_ns))
        told_ns = end_ns
    return tuple(pieces)
