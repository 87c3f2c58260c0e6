"""What a boot usually takes, told from those before it: what one under way is held against."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from vmtiming_tui.analysis.comparison.samples import Side
from vmtiming_tui.analysis.counted import counted_attempts
from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.stage import Stage

MOST = 200
"""As many boots are looked at, the newest ones: a median of more says nothing else."""

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


def typical_boot(fleet: Fleet, baseline: Side | None = None) -> Typical | None:
    """Return the median of the boots that count and are over.

    Where none is it is that of those that do not count, as in a warm-up; else that of the baseline.
    """
    for attempts in (counted_attempts(fleet), fleet.attempts):
        booted = [attempt for attempt in attempts if attempt.boot_ns is not None]
        if booted:
            newest = sorted(booted, key=lambda attempt: attempt.report_ns or 0)[-MOST:]
            return _typical(newest)
    return _of_baseline(baseline) if baseline is not None else None


def _typical(booted: Sequence[Attempt]) -> Typical:
    median_ns = round(statistics.median(attempt.boot_ns or 0 for attempt in booted))
    known = [dict(stages_of(attempt).known) for attempt in booted]
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
