"""The figures of a run: one place where they are reckoned, for every front end and export.

A storm is what is booted together; VMs of one storm share a host and are not independent, so with
repeated storms the storm is the unit: figures over storms are made of one figure a storm.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from vmtiming_tui import stats
from vmtiming_tui.events import StormKind
from vmtiming_tui.fleet import Attempt, Fleet, Storm, VmState
from vmtiming_tui.stages import Stage, stages_of

SHARES = (25, 50, 75, 90, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The figures of a set of attempts; seconds, None where there is no data for a figure.

    ``mean_s``, ``stddev_s``, ``min_s``, ``max_s``, ``mad_s`` and the outliers (VM ids) are of the
    VMs that booted. The median, its interval and the percentiles also count those known only to
    be slower than when they were given up (timed out, killed; ``censored`` of them), and are None
    where these hide them. A failed VM has no time and is in ``counts`` alone. ``cluster_s`` is from
    the first start to the last boot, ``launch_skew_s`` between the first and the last start,
    ``time_to_s`` until a share (percent) of all VMs had booted. ``stages`` is by stage, ``qemu``
    the time before the start.
    """

    counts: Mapping[VmState, int]
    number: int
    booted: int
    censored: int = 0
    mean_s: float | None = None
    stddev_s: float | None = None
    median_s: float | None = None
    median_interval: stats.Interval | None = None
    p90_s: float | None = None
    p95_s: float | None = None
    p99_s: float | None = None
    min_s: float | None = None
    max_s: float | None = None
    mad_s: float | None = None
    outliers_z: tuple[int, ...] = ()
    outliers_tukey: tuple[int, ...] = ()
    cluster_s: float | None = None
    launch_skew_s: float | None = None
    vms_per_s: float | None = None
    time_to_s: Mapping[int, float]
    qemu: stats.Figures | None = None
    stages: Mapping[Stage, stats.Figures]

    @property
    def stage_medians_s(self) -> dict[Stage, float]:
        """The median of each known stage, in order."""
        return {stage: figures.median for stage, figures in self.stages.items()}


def counted_attempts(fleet: Fleet, scope: Collection[int] | None = None) -> list[Attempt]:
    """Return the attempts the figures rest on: every VM's newest, only of ``scope`` if given."""
    return [attempt for attempt in fleet.newest if scope is None or attempt.vm in scope]


def boots_s(attempts: Iterable[Attempt]) -> list[float]:
    """Return the boot times of those that booted, in seconds and in the order given."""
    return [attempt.boot_ns / 1e9 for attempt in attempts if attempt.boot_ns is not None]


def censored_s(attempts: Iterable[Attempt]) -> list[float]:
    """Return what is known of those given up while they booted: they take longer than this (s)."""
    given_up = []
    for attempt in attempts:
        if attempt.go_ns is None or attempt.report_ns is not None:
            continue
        if attempt.state is VmState.TIMED_OUT and attempt.limit_ns is not None:
            given_up.append(attempt.limit_ns / 1e9)
        elif attempt.state in (VmState.TIMED_OUT, VmState.KILLED) and attempt.decided_ns:
            given_up.append(max(attempt.decided_ns - attempt.go_ns, 0) / 1e9)
    return given_up


def _zeros_ns(attempts: Iterable[Attempt]) -> dict[int, int]:
    """Return when the first VM of each storm was let go."""
    zeros: dict[int, int] = {}
    for attempt in attempts:
        if attempt.go_ns is not None:
            zeros[attempt.storm] = min(zeros.get(attempt.storm, attempt.go_ns), attempt.go_ns)
    return zeros


def completion(attempts: Iterable[Attempt]) -> list[tuple[int, int]]:
    """Return when the k-th VM had booted: (ns since the first start, k), rising in both.

    Attempts of several storms (some VMs were booted again) are each put on their own storm's axis,
    so the time between the storms is not taken for boot time.
    """
    attempts = list(attempts)
    zeros = _zeros_ns(attempts)
    done = sorted(
        attempt.report_ns - zeros[attempt.storm]
        for attempt in attempts
        if attempt.report_ns is not None and attempt.storm in zeros
    )
    return [(ns, k) for k, ns in enumerate(done, start=1)]


def _launch_skew_s(attempts: Sequence[Attempt]) -> float | None:
    zeros = _zeros_ns(attempts)
    late = [
        attempt.go_ns - zeros[attempt.storm] for attempt in attempts if attempt.go_ns is not None
    ]
    return max(late) / 1e9 if late else None


def _time_to_s(curve: Sequence[tuple[int, int]], number: int) -> dict[int, float]:
    """Return when each share of all VMs had booted, as far as it came."""
    needed = {share: max(1, math.ceil(number * share / 100)) for share in SHARES}
    return {share: curve[k - 1][0] / 1e9 for share, k in needed.items() if k <= len(curve)}


def _stage_figures(
    attempts: Iterable[Attempt],
) -> tuple[stats.Figures | None, dict[Stage, stats.Figures]]:
    qemu: list[float] = []
    by_stage: dict[Stage, list[float]] = {stage: [] for stage in Stage}
    for attempt in attempts:
        stages = stages_of(attempt)
        if stages.qemu_ns is not None:
            qemu.append(stages.qemu_ns / 1e9)
        for stage, ns in stages.known:
            by_stage[stage].append(ns / 1e9)
    found = {stage: stats.describe(sample) for stage, sample in by_stage.items()}
    return stats.describe(qemu), {stage: figures for stage, figures in found.items() if figures}


def summarise(attempts: Sequence[Attempt]) -> Summary:
    """Return the figures of attempts that were booted together."""
    booted = [attempt for attempt in attempts if attempt.boot_ns is not None]
    times, waited = boots_s(booted), censored_s(attempts)
    qemu, stages = _stage_figures(booted)
    curve = completion(attempts)
    cluster_s = curve[-1][0] / 1e9 if curve else None
    return Summary(
        counts=dict(Counter(attempt.state for attempt in attempts)),
        number=len(attempts),
        booted=len(booted),
        censored=len(waited),
        mean_s=stats.mean(times) if times else None,
        stddev_s=stats.stddev(times),
        median_s=stats.censored_quantile(times, waited, 50),
        median_interval=_interval(times, waited),
        p90_s=stats.censored_quantile(times, waited, 90),
        p95_s=stats.censored_quantile(times, waited, 95),
        p99_s=stats.censored_quantile(times, waited, 99),
        min_s=min(times, default=None),
        max_s=max(times, default=None),
        mad_s=stats.mad(times) if times else None,
        outliers_z=tuple(booted[index].vm for index in stats.modified_z_outliers(times)),
        outliers_tukey=tuple(booted[index].vm for index in stats.tukey_outliers(times)),
        cluster_s=cluster_s,
        launch_skew_s=_launch_skew_s(attempts),
        vms_per_s=len(curve) / cluster_s if cluster_s else None,
        time_to_s=_time_to_s(curve, len(attempts)),
        qemu=qemu,
        stages=stages,
    )


def _interval(times: Sequence[float], waited: Sequence[float]) -> stats.Interval | None:
    """Return the median's interval, None where a VM given up early leaves an end unknown."""
    if waited and min(waited) < max(times, default=0.0):
        return None
    interval = stats.median_interval(times, censored=len(waited))
    return interval if interval is not None and interval.is_bounded else None


def summarise_fleet(fleet: Fleet, scope: Collection[int] | None = None) -> Summary:
    """Return the figures of every VM's newest attempt."""
    return summarise(counted_attempts(fleet, scope))


def storm_attempts(storm: Storm) -> list[Attempt]:
    """Return a storm's attempts in the order of their VMs."""
    return [storm.attempts[vm] for vm in sorted(storm.attempts)]


def counted_storms(fleet: Fleet) -> list[Storm]:
    """Return the storms of the plan that count: no warm-ups, no reruns."""
    return [storm for storm in fleet.storms.values() if storm.kind is StormKind.RUN]


@dataclass(frozen=True, slots=True, kw_only=True)
class StormSummary:
    """One storm's figures, and the attempts they are made of."""

    number: int
    kind: StormKind
    parameters: Mapping[str, str]
    summary: Summary
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The storms booted with the same settings; each storm gives one figure to each sample.

    ``parameters`` is what a sweep varied. ``medians`` is of the storms' median boot times,
    ``clusters`` of their cluster times, ``rates`` of their VMs per second. ``spread`` is of the
    boot times between storms and within them (s).
    """

    parameters: Mapping[str, str]
    storms: tuple[StormSummary, ...]
    medians: stats.Figures | None
    clusters: stats.Figures | None
    rates: stats.Figures | None
    spread: stats.Spread | None

    @property
    def attempts(self) -> list[Attempt]:
        """The attempts of all its storms."""
        return [attempt for storm in self.storms for attempt in storm.attempts]

    @property
    def label(self) -> str:
        """What sets this group apart, such as ``number=8 accel=tcg``; empty without a sweep."""
        return " ".join(f"{name}={value}" for name, value in self.parameters.items())

    def stage_medians_s(self) -> dict[Stage, list[float]]:
        """Return each stage's median of every storm that knows it."""
        return {
            stage: found
            for stage in Stage
            if (
                found := [
                    storm.summary.stages[stage].median
                    for storm in self.storms
                    if stage in storm.summary.stages
                ]
            )
        }


def _group(parameters: Mapping[str, str], storms: Sequence[StormSummary]) -> Group:
    def over(figures: Iterable[float | None]) -> stats.Figures | None:
        return stats.describe([figure for figure in figures if figure is not None])

    return Group(
        parameters=parameters,
        storms=tuple(storms),
        medians=over(storm.summary.median_s for storm in storms),
        clusters=over(storm.summary.cluster_s for storm in storms),
        rates=over(storm.summary.vms_per_s for storm in storms),
        spread=stats.spread([boots_s(storm.attempts) for storm in storms]),
    )


def counted_groups(fleet: Fleet, scope: Collection[int] | None = None) -> list[Group]:
    """Return what the figures rest on: storms that count, grouped by what a sweep varied.

    VMs booted again take the place of their attempt in the last storm that counts; a run without
    such storms is one group of every VM's newest attempt.
    """
    storms = counted_storms(fleet)
    if not storms:
        attempts = counted_attempts(fleet, scope)
        if not attempts:
            return []
        return [_group({}, [_storm_summary(attempts[-1].storm, StormKind.RUN, {}, attempts)])]
    reruns = {
        vm: fleet.vms[vm].newest
        for storm in fleet.storms.values()
        if storm.kind is StormKind.RERUN and storm.number > storms[-1].number
        for vm in storm.attempts
    }
    groups: dict[tuple[tuple[str, str], ...], list[StormSummary]] = {}
    for storm in storms:
        attempts = [
            reruns.get(attempt.vm, attempt) if storm is storms[-1] else attempt
            for attempt in storm_attempts(storm)
            if scope is None or attempt.vm in scope
        ]
        if attempts:
            groups.setdefault(tuple(storm.parameters.items()), []).append(
                _storm_summary(storm.number, storm.kind, storm.parameters, attempts)
            )
    return [_group(dict(parameters), found) for parameters, found in groups.items()]


def _storm_summary(
    number: int, kind: StormKind, parameters: Mapping[str, str], attempts: Sequence[Attempt]
) -> StormSummary:
    return StormSummary(
        number=number,
        kind=kind,
        parameters=parameters,
        summary=summarise(attempts),
        attempts=tuple(attempts),
    )


def time_left_ns(attempts: Sequence[Attempt], now_ns: int) -> int | None:
    """Return an estimate of the time until every VM has booted; None before the first boot.

    Assumes that a VM not yet booted takes as long as the slowest so far, or, where it has taken
    longer already, that the fleet goes on at the pace of its last half.
    """
    boots = [attempt.boot_ns for attempt in attempts if attempt.boot_ns is not None]
    if not boots:
        return None
    waiting = [attempt for attempt in attempts if not attempt.state.is_decided]
    if not waiting:
        return 0
    running = [now_ns - attempt.go_ns for attempt in waiting if attempt.go_ns is not None]
    unstarted = len(waiting) - len(running)
    longest = max((max(max(boots) - elapsed, 0) for elapsed in running), default=0)
    curve = completion(attempts)
    half = curve[len(curve) // 2 :]
    pace_ns = (half[-1][0] - half[0][0]) / max(len(half) - 1, 1)
    return round(max(longest, pace_ns * len(waiting), unstarted * pace_ns))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come: storms ended of those planned, and an estimate of the rest."""

    storms_done: int
    storms_planned: int
    time_left_ns: int | None


def progress(fleet: Fleet, now_ns: int) -> Progress:
    """Return how far the run has come.

    A storm yet to come is taken to last as long as the slowest of its like so far: the mean of all
    ended storms, preparation included, since it is counted from one end to the next.
    """
    storm = fleet.storm
    if storm is None:
        return Progress(0, 1, None)
    ended = [each for each in fleet.storms.values() if each.ended_ns is not None]
    ahead = max(storm.planned - len(fleet.storms), 0) if storm.planned > 1 else 0
    current = 0 if storm.ended_ns is not None else time_left_ns(storm_attempts(storm), now_ns)
    if not ahead:
        return Progress(len(ended), max(storm.planned, len(fleet.storms)), current)
    if not ended:
        return Progress(0, storm.planned, None)
    first, last = min(each.started_ns for each in ended), max(each.ended_ns or 0 for each in ended)
    each_ns = (last - first) / len(ended)
    if current is None:
        current = max(round(each_ns) - (now_ns - storm.started_ns), 0)
    return Progress(len(ended), storm.planned, current + round(each_ns * ahead))
