"""The figures of a run: one place where they are reckoned, for every front end and export.

A storm is what is booted together; VMs of one storm share a host and are not independent, so with
repeated storms the storm is the unit: figures over storms are made of one figure a storm.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from vmtiming_tui import stats
from vmtiming_tui.events import StormKind
from vmtiming_tui.fleet import Attempt, Fleet, Storm, VmState
from vmtiming_tui.stages import Stage, stages_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The figures of a set of attempts; seconds, None where there is no data for a figure.

    ``outliers_z`` and ``outliers_tukey`` are VM ids. ``cluster_s`` is from the first start to the
    last boot, ``launch_skew_s`` between the first and the last start. ``censored_median_s`` counts
    timed-out VMs as slower than their limit. ``stage_medians_s`` is by stage.
    """

    counts: dict[VmState, int]
    number: int
    booted: int
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
    censored_median_s: float | None = None
    outliers_z: tuple[int, ...] = ()
    outliers_tukey: tuple[int, ...] = ()
    cluster_s: float | None = None
    launch_skew_s: float | None = None
    vms_per_s: float | None = None
    stage_medians_s: dict[Stage, float]


def counted_attempts(fleet: Fleet, scope: Collection[int] | None = None) -> list[Attempt]:
    """Return the attempts the figures rest on: every VM's newest, only of ``scope`` if given."""
    return [attempt for attempt in fleet.newest if scope is None or attempt.vm in scope]


def _stage_medians_s(attempts: Iterable[Attempt]) -> dict[Stage, float]:
    by_stage: dict[Stage, list[int]] = {stage: [] for stage in Stage}
    for attempt in attempts:
        for stage, ns in stages_of(attempt).known:
            by_stage[stage].append(ns)
    return {stage: stats.median(ns) / 1e9 for stage, ns in by_stage.items() if ns}


def summarise(attempts: Sequence[Attempt]) -> Summary:
    """Return the figures of attempts that were booted together."""
    booted = [attempt for attempt in attempts if attempt.boot_ns is not None]
    counts = dict(Counter(attempt.state for attempt in attempts))
    starts = [attempt.go_ns for attempt in attempts if attempt.go_ns is not None]
    skew_s = (max(starts) - min(starts)) / 1e9 if starts else None
    limits_s = [
        attempt.limit_ns / 1e9
        for attempt in attempts
        if attempt.state is VmState.TIMED_OUT and attempt.limit_ns is not None
    ]
    if not booted:
        return Summary(
            counts=counts, number=len(attempts), booted=0, launch_skew_s=skew_s, stage_medians_s={}
        )
    times_s = [(attempt.boot_ns or 0) / 1e9 for attempt in booted]
    cluster_s = (max(attempt.report_ns or 0 for attempt in booted) - min(starts)) / 1e9
    return Summary(
        counts=counts,
        number=len(attempts),
        booted=len(booted),
        mean_s=stats.mean(times_s),
        stddev_s=stats.stddev(times_s),
        median_s=stats.median(times_s),
        median_interval=stats.median_interval(times_s),
        p90_s=stats.percentile(times_s, 90),
        p95_s=stats.percentile(times_s, 95),
        p99_s=stats.percentile(times_s, 99),
        min_s=min(times_s),
        max_s=max(times_s),
        mad_s=stats.mad(times_s),
        censored_median_s=stats.censored_quantile(times_s, limits_s, 50),
        outliers_z=tuple(booted[index].vm for index in stats.modified_z_outliers(times_s)),
        outliers_tukey=tuple(booted[index].vm for index in stats.tukey_outliers(times_s)),
        cluster_s=cluster_s,
        launch_skew_s=skew_s,
        vms_per_s=len(booted) / cluster_s if cluster_s > 0 else None,
        stage_medians_s=_stage_medians_s(booted),
    )


def summarise_fleet(fleet: Fleet, scope: Collection[int] | None = None) -> Summary:
    """Return the figures of every VM's newest attempt."""
    return summarise(counted_attempts(fleet, scope))


def storm_attempts(storm: Storm) -> list[Attempt]:
    """Return a storm's attempts in the order of their VMs."""
    return [storm.attempts[vm] for vm in sorted(storm.attempts)]


def counted_storms(fleet: Fleet) -> list[Storm]:
    """Return the storms of the plan that count: no warm-ups, no reruns."""
    return [storm for storm in fleet.storms.values() if storm.kind is StormKind.RUN]


def completion(attempts: Iterable[Attempt]) -> list[tuple[int, int]]:
    """Return when the k-th VM had booted: (ns since the first start, k), rising in both."""
    attempts = list(attempts)
    starts = [attempt.go_ns for attempt in attempts if attempt.go_ns is not None]
    if not starts:
        return []
    reports = sorted(attempt.report_ns for attempt in attempts if attempt.report_ns is not None)
    return [(report - min(starts), k) for k, report in enumerate(reports, start=1)]


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
