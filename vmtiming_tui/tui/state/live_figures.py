"""The live figures of a run, of what is known so far; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.comparison.samples import Side
from vmtiming_tui.analysis.counted import counted_attempts
from vmtiming_tui.analysis.progress import TimeLeft, time_left
from vmtiming_tui.analysis.summary import boots_s, completion, lost_of, zeros_ns
from vmtiming_tui.analysis.thresholds import Finding, judged
from vmtiming_tui.analysis.typical_boot import Typical, typical_boot
from vmtiming_tui.model.fleet import Fleet, RunState
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.model.storm import Storm, StormPhase
from vmtiming_tui.tui.state.host_rows import HostBoots, boots_by_host


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """The live figures, in ns; None where there is nothing to reckon them from.

    ``curve`` is (ns since the storm's first start, how many had booted by then), where the time
    between rounds is left out: ``curve_start_ns`` is where its axis begins for the newest.
    ``typical`` is what boots are held against while they go on, ``boots_ns`` what those that count
    took, rising. ``over`` are the thresholds that do not hold so far. ``hosts`` is by name, of
    several.
    """

    booted: int = 0
    median_ns: int | None = None
    p95_ns: int | None = None
    max_ns: int | None = None
    left: TimeLeft = field(default_factory=TimeLeft)
    curve: tuple[tuple[int, int], ...] = ()
    curve_number: int = 0
    curve_start_ns: int | None = None
    typical: Typical | None = None
    boots_ns: tuple[int, ...] = ()
    over: tuple[str, ...] = ()
    hosts: Mapping[str, HostBoots] = field(default_factory=dict)


def ns_of(value_s: float) -> int:
    """Return seconds as ns."""
    return round(value_s * 1e9)


def shown_storm(fleet: Fleet) -> Storm | None:
    """Return the storm the curve is of: the newest, but none beside the plan's that is over."""
    newest = fleet.storm
    if newest is None or not newest.kind.is_beside or newest.ended_ns is None:
        return newest
    planned = [s for s in fleet.storms.values() if not s.kind.is_beside]
    return planned[-1] if planned else newest


def last_decided_ns(storm: Storm) -> int | None:
    """Return when the last VM was decided of the newest round that boots; None while one is not.

    A VM belongs to its round once that has begun.
    """
    if storm.knows_phases and storm.phase is not StormPhase.BOOT:
        return storm.decided_ns
    if len(storm.attempts) < len(storm.vms):
        return None
    started = [attempt for attempt in storm.attempts.values() if attempt.go_ns is not None]
    newest = max((attempt.round for attempt in started), default=storm.round)
    its = started if newest < storm.round else list(storm.attempts.values())
    decided = [attempt.decided_ns for attempt in its if attempt.round == newest]
    known = [at_ns for at_ns in decided if at_ns is not None]
    return max(known, default=None) if len(known) == len(decided) else None


def reckon(fleet: Fleet, plan: RunPlan, now_ns: int, baseline: Side | None = None) -> LiveFigures:
    """Return the live figures of a fleet: of every boot that counts, and the newest storm's curve.

    Reckoned as the summary's are, so that the dashboard and every export say the same. While no
    boot counts yet, as in a warm-up, they are of the newest storm.
    """
    storm = shown_storm(fleet)
    in_storm = [storm.attempts[vm] for vm in sorted(storm.attempts)] if storm else []
    attempts = counted_attempts(fleet) or in_storm
    times, lost = sorted(boots_s(attempts)), lost_of(attempts)
    median_s, p95_s = (stats.worst_rank_percentile(times, lost, percent) for percent in (50, 95))
    median_ns = None if median_s is None else ns_of(median_s)
    is_running = fleet.state is RunState.RUNNING
    zeros = list(zeros_ns(in_storm).values())
    return LiveFigures(
        booted=len(times),
        median_ns=median_ns,
        p95_ns=None if p95_s is None else ns_of(p95_s),
        max_ns=ns_of(times[-1]) if times else None,
        left=time_left(fleet, plan, now_ns) if is_running else TimeLeft(),
        curve=tuple(completion(in_storm)),
        curve_number=len(storm.vms) if storm else 0,
        curve_start_ns=zeros[-1] if zeros else None,
        typical=typical_boot(fleet, attempts, median_ns, baseline),
        boots_ns=tuple(map(ns_of, times)),
        over=tuple(
            dict.fromkeys(
                each.threshold.text for each in judged(fleet) if each.finding is Finding.FAILED
            )
        ),
        hosts=boots_by_host(fleet, attempts),
    )
