"""The figures of a run: one place where they are reckoned, for every front end and export.

A storm is what is booted together; VMs of one storm share a host and are not independent, so with
repeated storms the storm is the unit: figures over storms are made of one figure a storm. Which
boots count is told by ``counted``. A VM that was lost (failed, timed out, killed) ranks behind all
that booted, whatever its limit was.
"""

import itertools
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.counted import counted_attempts, counted_by_storm
from vmtiming_tui.analysis.stages import stages_of, was_disturbed
from vmtiming_tui.model.attempt import Attempt, VmState
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.stage import Stage

SHARES = (25, 50, 75, 90, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The figures of a set of attempts; seconds, None where there is no data for a figure.

    ``mean_s``, ``stddev_s``, ``min_s``, ``max_s``, ``mad_s`` and the outliers (VM ids) are of the
    VMs that booted; of several hosts a VM is an outlier beside those of its own. The median, its
    interval and the percentiles count the ``lost`` ones as slower
    than all, and are None where these hide them. ``all_booted_in_s`` is from the first start to
    the last boot, None where not all booted; ``last_booted_s`` is the same of those that did.
    ``launch_skew_s`` is between the first and the last start, ``time_to_s`` until a share (percent)
    of all had booted. Of several storms ``all_booted_in_s`` and ``vms_per_s`` are the median.

    ``stages`` is by stage, over the VMs whose stages can be believed; ``doubtful`` says how many
    are left out. ``qemu`` is the time before the start. ``shutdown`` is from the host's request to
    the end of the guest, where those that ran into their limit rank as the slowest, ``qemu_exit``
    from there to QEMU's exit.

    ``disturbed`` says for how many boots others that had reported were not idle for more than 1 %
    of their time, ``most_disturbed_s`` for how long at the most.
    """

    counts: Mapping[VmState, int]
    number: int
    booted: int
    lost: int = 0
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
    all_booted_in_s: float | None = None
    last_booted_s: float | None = None
    launch_skew_s: float | None = None
    vms_per_s: float | None = None
    time_to_s: Mapping[int, float]
    qemu: stats.Figures | None = None
    stages: Mapping[Stage, stats.Figures]
    doubtful: int = 0
    shutdown: stats.Figures | None = None
    qemu_exit: stats.Figures | None = None
    disturbed: int = 0
    most_disturbed_s: float | None = None

    @property
    def stage_medians_s(self) -> dict[Stage, float]:
        """The median of each known stage, in order."""
        known = {stage: figures.median for stage, figures in self.stages.items()}
        return {stage: median for stage, median in known.items() if median is not None}


def boots_s(attempts: Iterable[Attempt]) -> list[float]:
    """Return the boot times of those that booted, in seconds and in the order given."""
    return [attempt.boot_ns / 1e9 for attempt in attempts if attempt.boot_ns is not None]


def lost_of(attempts: Iterable[Attempt]) -> int:
    """Return how many were lost: they failed, timed out or were killed."""
    return sum(attempt.state.is_lost for attempt in attempts)


def zeros_ns(attempts: Iterable[Attempt]) -> dict[tuple[int, int], int]:
    """Return where the axis of each storm's rounds has its zero, by storm and round.

    That is when the storm's first VM was let go; of a later round it is as much before its own
    first start as the rounds before it took.
    """
    rounds: dict[tuple[int, int], list[Attempt]] = {}
    for attempt in attempts:
        if attempt.go_ns is not None:
            rounds.setdefault((attempt.storm, attempt.round), []).append(attempt)
    zeros: dict[tuple[int, int], int] = {}
    passed_ns: dict[int, int] = {}
    for storm, number in sorted(rounds):
        here = rounds[storm, number]
        zero_ns = min(attempt.go_ns or 0 for attempt in here)
        last_ns = max(attempt.report_ns or attempt.decided_ns or zero_ns for attempt in here)
        before_ns = passed_ns.get(storm, 0)
        zeros[storm, number] = zero_ns - before_ns
        passed_ns[storm] = before_ns + max(last_ns - zero_ns, 0)
    return zeros


def completion(attempts: Iterable[Attempt]) -> list[tuple[int, int]]:
    """Return when the k-th VM had booted: (ns since the first start, k), rising in both.

    Attempts of several storms are each put on their own storm's axis, so the time between the
    storms, and between the rounds of one, is not taken for boot time.
    """
    attempts = list(attempts)
    zeros = zeros_ns(attempts)
    done = sorted(
        attempt.report_ns - zeros[attempt.storm, attempt.round]
        for attempt in attempts
        if attempt.report_ns is not None and attempt.go_ns is not None
    )
    return [(ns, k) for k, ns in enumerate(done, start=1)]


def _launch_skew_s(attempts: Sequence[Attempt]) -> float | None:
    zeros = zeros_ns(attempts)
    late = [
        attempt.go_ns - zeros[attempt.storm, attempt.round]
        for attempt in attempts
        if attempt.go_ns is not None
    ]
    return max(late) / 1e9 if late else None


def _time_to_s(curve: Sequence[tuple[int, int]], number: int) -> dict[int, float]:
    """Return when each share of all VMs had booted, as far as it came."""
    needed = {share: max(1, math.ceil(number * share / 100)) for share in SHARES}
    return {share: curve[k - 1][0] / 1e9 for share, k in needed.items() if k <= len(curve)}


def all_booted_in_s(attempts: Sequence[Attempt]) -> float | None:
    """Return the time from a storm's first start to its last boot; None where not all booted."""
    curve = completion(attempts)
    return curve[-1][0] / 1e9 if curve and len(curve) == len(attempts) else None


def median_over_storms(values: Sequence[float | None]) -> float | None:
    """Return the median of a value a storm; a storm without one ranks behind all others."""
    known = [value for value in values if value is not None]
    return stats.worst_rank_percentile(known, len(values) - len(known), 50)


def _rate(curve: Sequence[tuple[int, int]]) -> float | None:
    return len(curve) / (curve[-1][0] / 1e9) if curve and curve[-1][0] > 0 else None


def shutdowns_s(attempts: Iterable[Attempt]) -> list[float]:
    """Return how long guests took to shut down (s), infinite where one ran into its limit."""
    return [
        math.inf if attempt.overran else (attempt.shutdown_took_ns or 0) / 1e9
        for attempt in attempts
        if attempt.overran or attempt.shutdown_took_ns is not None
    ]


@dataclass(frozen=True, slots=True)
class _StageFigures:
    qemu: stats.Figures | None
    stages: Mapping[Stage, stats.Figures]
    doubtful: int


def _stage_figures(attempts: Iterable[Attempt]) -> _StageFigures:
    qemu: list[float] = []
    by_stage: dict[Stage, list[float]] = {stage: [] for stage in Stage}
    doubtful = 0
    for attempt in attempts:
        stages = stages_of(attempt)
        doubtful += stages.is_doubtful
        if stages.qemu_ns is not None:
            qemu.append(stages.qemu_ns / 1e9)
        for stage, ns in stages.known:
            by_stage[stage].append(ns / 1e9)
    found = {stage: stats.describe(sample) for stage, sample in by_stage.items()}
    known = {stage: figures for stage, figures in found.items() if figures}
    return _StageFigures(stats.describe(qemu), known, doubtful)


def summarise(attempts: Sequence[Attempt]) -> Summary:
    """Return the figures of attempts, of one storm or of several."""
    booted = [attempt for attempt in attempts if attempt.boot_ns is not None]
    times, lost = boots_s(booted), lost_of(attempts)
    own = stats.levelled(times, [attempt.host for attempt in booted])
    divided = _stage_figures(booted)
    storms: dict[int, list[Attempt]] = {}
    for attempt in attempts:
        storms.setdefault(attempt.storm, []).append(attempt)
    curves = [completion(storm) for storm in storms.values()]
    curve = completion(attempts)
    exits_ns = [attempt.exit_took_ns for attempt in booted]
    disturbed_ns = [each.disturbed_ns for each in booted if each.disturbed_ns is not None]
    rates = [rate for each in curves if (rate := _rate(each)) is not None]
    return Summary(
        counts=dict(Counter(attempt.state for attempt in attempts)),
        number=len(attempts),
        booted=len(booted),
        lost=lost,
        mean_s=stats.mean(times) if times else None,
        stddev_s=stats.stddev(times),
        median_s=stats.worst_rank_percentile(times, lost, 50),
        median_interval=_interval(times, lost),
        p90_s=stats.worst_rank_percentile(times, lost, 90),
        p95_s=stats.worst_rank_percentile(times, lost, 95),
        p99_s=stats.worst_rank_percentile(times, lost, 99),
        min_s=min(times, default=None),
        max_s=max(times, default=None),
        mad_s=stats.mad(times) if times else None,
        outliers_z=_vms(booted, stats.modified_z_outliers(own)),
        outliers_tukey=_vms(booted, stats.tukey_outliers(own)),
        all_booted_in_s=median_over_storms([all_booted_in_s(storm) for storm in storms.values()]),
        last_booted_s=curve[-1][0] / 1e9 if curve else None,
        launch_skew_s=_launch_skew_s(attempts),
        vms_per_s=stats.median(rates) if rates else None,
        time_to_s=_time_to_s(curve, len(attempts)),
        qemu=divided.qemu,
        stages=divided.stages,
        doubtful=divided.doubtful,
        shutdown=stats.describe(shutdowns_s(booted)),
        qemu_exit=stats.describe([ns / 1e9 for ns in exits_ns if ns is not None]),
        disturbed=sum(map(was_disturbed, booted)),
        most_disturbed_s=max(disturbed_ns) / 1e9 if disturbed_ns else None,
    )


def _vms(booted: Sequence[Attempt], places: Iterable[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(booted[place].vm for place in places))


def _interval(times: Sequence[float], lost: int) -> stats.Interval | None:
    """Return the median's interval, None where lost VMs leave an end unknown."""
    interval = stats.median_interval(times, lost=lost)
    return interval if interval is not None and interval.is_bounded else None


def summarise_fleet(fleet: Fleet, scope: Collection[int] | None = None) -> Summary:
    """Return the figures of every boot that counts."""
    return summarise(counted_attempts(fleet, scope))


def settings_label(parameters: Mapping[str, str]) -> str:
    """Return what a sweep varied in one line, such as ``number=8 accel=tcg``."""
    return " ".join(f"{name}={value}" for name, value in parameters.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class StormSummary:
    """One storm's figures, and the attempts they are made of."""

    number: int
    parameters: Mapping[str, str]
    summary: Summary
    attempts: tuple[Attempt, ...]

    @property
    def label(self) -> str:
        """What to call it, with what a sweep varied."""
        varied = settings_label(self.parameters)
        return f"storm {self.number}{f' ({varied})' if varied else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The storms booted with the same settings; each storm gives one figure to each sample.

    ``parameters`` is what a sweep varied. ``medians`` is of the storms' median boot times,
    ``all_booted_in`` of the times until all of a storm had booted, ``rates`` of their VMs per
    second. A storm whose figure lost VMs hide ranks behind the others. ``spread`` is of the boot
    times between storms and within them (s); that hosts of a run differ is in neither.
    """

    parameters: Mapping[str, str]
    storms: tuple[StormSummary, ...]
    medians: stats.Figures | None
    all_booted_in: stats.Figures | None
    rates: stats.Figures | None
    spread: stats.Spread | None

    @property
    def attempts(self) -> list[Attempt]:
        """The attempts of all its storms."""
        return [attempt for storm in self.storms for attempt in storm.attempts]

    @property
    def label(self) -> str:
        """What sets this group apart; empty without a sweep."""
        return settings_label(self.parameters)

    def stage_medians_s(self) -> dict[Stage, list[float]]:
        """Return each stage's median of every storm that knows it."""
        found: dict[Stage, list[float]] = {}
        for stage in Stage:
            medians = [storm.summary.stage_medians_s.get(stage) for storm in self.storms]
            if known := [median for median in medians if median is not None]:
                found[stage] = known
        return found


def _group(parameters: Mapping[str, str], storms: Sequence[StormSummary]) -> Group:
    def over(figures: Iterable[float | None]) -> stats.Figures | None:
        return stats.describe([math.inf if figure is None else figure for figure in figures])

    rates = [storm.summary.vms_per_s for storm in storms]
    return Group(
        parameters=parameters,
        storms=tuple(storms),
        medians=over(storm.summary.median_s for storm in storms),
        all_booted_in=over(storm.summary.all_booted_in_s for storm in storms),
        rates=stats.describe([rate for rate in rates if rate is not None]),
        spread=stats.spread(_own_s(storms)),
    )


def _own_s(storms: Sequence[StormSummary]) -> list[list[float]]:
    """Return the boot times of each storm (s), less what VMs of a host have in common."""
    booted = [[each for each in storm.attempts if each.boot_ns is not None] for storm in storms]
    everyone = [attempt for storm in booted for attempt in storm]
    own = iter(stats.levelled(boots_s(everyone), [attempt.host for attempt in everyone]))
    return [list(itertools.islice(own, len(storm))) for storm in booted]


def counted_groups(fleet: Fleet, scope: Collection[int] | None = None) -> list[Group]:
    """Return what the figures rest on: storms that count, grouped by what a sweep varied."""
    groups: dict[tuple[tuple[str, str], ...], list[StormSummary]] = {}
    for number, attempts in counted_by_storm(fleet, scope).items():
        storm = fleet.storms.get(number)
        parameters = storm.parameters if storm is not None else {}
        groups.setdefault(tuple(parameters.items()), []).append(
            StormSummary(
                number=number,
                parameters=parameters,
                summary=summarise(attempts),
                attempts=tuple(attempts),
            )
        )
    return [_group(dict(parameters), found) for parameters, found in groups.items()]
