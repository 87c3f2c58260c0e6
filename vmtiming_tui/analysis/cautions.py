"""What to keep in mind before believing a run's figures: warnings in words, worst first.

Each says what was seen and what to do about it, as hyperfine's do; none is given without a figure
behind it. Thresholds are constants here, so that they can be argued with.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.counted import made_good, reruns
from vmtiming_tui.analysis.drift import drift
from vmtiming_tui.analysis.host_cautions import host_cautions, size_cautions
from vmtiming_tui.analysis.hosts import levels_s
from vmtiming_tui.analysis.kernel_cautions import kernel_cautions
from vmtiming_tui.analysis.stages import DoubtCode, hundredths, stages_of, was_disturbed
from vmtiming_tui.analysis.stop_jobs import stop_jobs_of
from vmtiming_tui.analysis.summary import Group, counted_groups
from vmtiming_tui.escape import plural, were
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.events import ReleaseCause
from vmtiming_tui.model.fleet import Fleet

FIRST_SLOWER = 1.05
SLOW_SHUTDOWN_S = 10.0
_NAMED = 5
_UNITS_NAMED = 3

_GOES_ON = {
    ReleaseCause.OFF: "they gathered their details and powered off at once, as with --after-report "
    "off and in earlier versions; freeze has them stand still",
    ReleaseCause.OWN_WAY: "the guests of {vms} wait for nobody after their report; bring in the "
    "report service of this version (--inject auto)",
    ReleaseCause.NOT_STOPPED: "QEMU did not have {vms} stand still",
    ReleaseCause.BY_HAND: "somebody resumed {vms} while others booted",
}


class CautionKind(StrEnum):
    """What a caution is about; for a front end that groups or links them."""

    LOST = "lost"
    RERUNS = "reruns"
    REPEATS = "repeats"
    OUTLIERS = "outliers"
    DISTURBED = "disturbed"
    ROUNDS = "rounds"
    STAGES = "stages"
    SHUTDOWN = "shutdown"
    LEFT_OUT = "left out"
    HOST = "host"
    SIZE = "size"
    KERNEL = "kernel"


@dataclass(frozen=True, slots=True)
class Caution:
    """One thing to keep in mind, in words."""

    kind: CautionKind
    text: str

    def __str__(self) -> str:
        return self.text


def cautions(fleet: Fleet, scope: Collection[int] | None = None) -> list[Caution]:
    """Return what makes a run's figures less sure than they look."""
    groups = counted_groups(fleet, scope)
    attempts = [attempt for group in groups for attempt in group.attempts]
    texts = [
        *((CautionKind.LOST, text) for text in _lost(attempts)),
        *((CautionKind.RERUNS, text) for text in _reruns(fleet, scope)),
        *((CautionKind.REPEATS, text) for group in groups for text in _repeats(fleet, group)),
        *((CautionKind.REPEATS, text) for text in _drift(fleet, groups)),
        *((CautionKind.OUTLIERS, text) for group in groups for text in _outliers(group)),
        *((CautionKind.DISTURBED, text) for text in _disturbed(fleet, attempts)),
        *((CautionKind.ROUNDS, text) for text in _rounds(fleet, attempts)),
        *((CautionKind.STAGES, text) for text in _stages(attempts)),
        *((CautionKind.SHUTDOWN, text) for text in _shutdown(fleet, attempts)),
        *((CautionKind.LEFT_OUT, text) for text in _left_out(fleet, attempts)),
        *((CautionKind.HOST, text) for text in host_cautions(fleet, attempts)),
        *((CautionKind.SIZE, text) for text in size_cautions(fleet)),
        *((CautionKind.KERNEL, text) for text in kernel_cautions(fleet, attempts)),
    ]
    return [Caution(kind, text) for kind, text in texts]


def _named(vms: Sequence[int]) -> str:
    shown = ", ".join(str(vm) for vm in vms[:_NAMED])
    more = f" and {len(vms) - _NAMED} more" if len(vms) > _NAMED else ""
    return f"VM{'s' if len(vms) > 1 else ''} {shown}{more}"


def _lost(attempts: Sequence[Attempt]) -> Iterator[str]:
    gone = [attempt for attempt in attempts if attempt.state.is_lost]
    if not gone:
        return
    yield (
        f"{len(gone)} of {plural(len(attempts), 'boot')} did not succeed: left out of the mean, "
        "and slower than all others in median and percentiles"
    )


def _reruns(fleet: Fleet, scope: Collection[int] | None) -> Iterator[str]:
    """Say of reruns that they are in no figure, and where they do count."""
    again = reruns(fleet, scope)
    good = [each for each in made_good(fleet) if scope is None or each.lost.vm in scope]
    if good:
        vms = [each.lost.vm for each in good]
        yield (
            f"{_named(vms)} did not boot in {'their' if len(vms) > 1 else 'its'} storm and booted "
            "when run again: made good for the exit code, while the figures are of the storm's "
            "own boots"
        )
    others = sorted({attempt.vm for attempt in again} - {each.lost.vm for each in good})
    if others:
        yield (
            f"{_named(others)}: run again beside the storm; reruns are in no figure and do not "
            "count for the exit code"
        )


def _prefix(group: Group) -> str:
    return f"{group.label}: " if group.label else ""


def _levels_s(fleet: Fleet, group: Group) -> list[float | None]:
    return levels_s(fleet, [storm.attempts for storm in group.storms])


def _repeats(fleet: Fleet, group: Group) -> Iterator[str]:
    plan, medians = fleet.plan, _levels_s(fleet, group)
    known = [median for median in medians if median is not None]
    if len(known) < 3 or len(known) < len(medians):
        return
    rest, odd = stats.median(known[1:]), stats.modified_z_outliers(known)
    first_is_slow = known[0] > max(known[1:]) and (0 in odd or known[0] > FIRST_SLOWER * rest)
    if first_is_slow:
        help_ = (
            "let more storms warm up (--warmup)"
            if plan is not None and plan.warmup
            else "the host's page cache was likely cold: add --warmup 1, or --drop-caches "
            "to have every storm start cold"
        )
        yield (
            f"{_prefix(group)}the first storm was slower than the rest "
            f"({known[0]:.4g} s against {rest:.4g} s); {help_}"
        )
    others = [index for index in odd if index or not first_is_slow]
    if others:
        numbers = ", ".join(str(group.storms[index].number) for index in others)
        yield (
            f"{_prefix(group)}storm {numbers} differs from the others by far; "
            "something else ran on the host: repeat on a quiet one"
        )


def _drift(fleet: Fleet, groups: Sequence[Group]) -> Iterator[str]:
    """Say that the host was not the same from the first storm to the last."""
    settings = [
        [
            (storm.number, _finite_or_hidden(level_s))
            for storm, level_s in zip(group.storms, _levels_s(fleet, group), strict=True)
        ]
        for group in groups
    ]
    found = drift(settings)
    if found is None:
        return
    help_ = (
        "settings were booted in turn, so it is in all of them alike"
        if len(groups) > 1
        else "another run may differ for that alone; what is to be compared is best booted in "
        "turn, by -L of one run"
    )
    yield f"{found}; {help_}"


def _finite_or_hidden(median_s: float | None) -> float:
    return math.inf if median_s is None else median_s


def _outliers(group: Group) -> Iterator[str]:
    far: set[int] = set()
    fenced: set[int] = set()
    for storm in group.storms:
        far |= set(storm.summary.outliers_z)
        fenced |= set(storm.summary.outliers_tukey)
    if far:
        yield (
            f"{_prefix(group)}{_named(sorted(far))}: outliers, more than 10 scaled MADs from the "
            "median; see their stages for what held them up"
        )
    elif len(fenced) > max(1, math.ceil(len(group.attempts) * 0.1)):
        yield (
            f"{_prefix(group)}{len(fenced)} VMs lie outside Tukey's fences: "
            "the boot times have a long tail, so read the median rather than the mean"
        )


def _disturbed(fleet: Fleet, attempts: Sequence[Attempt]) -> Iterator[str]:
    """Say which boots were disturbed, for how long, and why VMs that had reported went on."""
    boots = [attempt for attempt in attempts if was_disturbed(attempt)]
    if not boots:
        return
    most = max(boots, key=lambda attempt: attempt.disturbed_ns or 0)
    whose = "" if len(boots) == 1 else f": VM {most.vm}"
    while_ = (
        f"{_named_of(boots)} booted while VMs that had reported were not idle{whose} "
        f"for {hundredths(most.disturbed_ns)} s of its {hundredths(most.boot_ns)} s"
    )
    why = [_GOES_ON[cause].format(vms=_named(vms)) for cause, vms in _gone_on(fleet, boots).items()]
    yield "; ".join([while_, *why])


def _gone_on(fleet: Fleet, boots: Sequence[Attempt]) -> dict[ReleaseCause, list[int]]:
    """Return the VMs that went on after their report in the storms of these boots, by why."""
    places = {(attempt.storm, attempt.host) for attempt in boots}
    found: dict[ReleaseCause, set[int]] = {}
    for attempt in fleet.attempts:
        if (attempt.storm, attempt.host) not in places or attempt.report_ns is None:
            continue
        storm = fleet.storms.get(attempt.storm)
        cause = attempt.release if storm is not None and storm.knows_phases else ReleaseCause.OFF
        if attempt.was_resumed:
            cause = ReleaseCause.BY_HAND
        if cause in _GOES_ON:
            found.setdefault(cause, set()).add(attempt.vm)
    return {cause: sorted(found[cause]) for cause in _GOES_ON if cause in found}


def _rounds(fleet: Fleet, attempts: Sequence[Attempt]) -> Iterator[str]:
    """Say of the storms that went in rounds how many there were, and of how many VMs."""
    numbers = {attempt.storm for attempt in attempts}
    storms = [fleet.storms[number] for number in numbers if number in fleet.storms]
    in_rounds = [storm for storm in storms if storm.room is not None]
    if not in_rounds:
        return
    most = max(in_rounds, key=lambda storm: storm.rounds)
    which = "the storm" if len(storms) == 1 else f"{len(in_rounds)} of {len(storms)} storms"
    yield (
        f"{which} went in {most.rounds} rounds of {most.room}: the host cannot hold all VMs at "
        "once; the figures leave out the time between the rounds"
    )


def _shutdown(fleet: Fleet, attempts: Sequence[Attempt]) -> Iterator[str]:
    """Say which shutdowns ran into their limit or were slow, and what they waited for."""
    late = [attempt for attempt in attempts if attempt.overran]
    slow = [each for each in attempts if (each.shutdown_took_ns or 0) > SLOW_SHUTDOWN_S * 1e9]
    if late and fleet.plan is not None:
        limit_s = fleet.plan.config.shutdown_timeout_s
        yield (
            f"{_named_of(late)} had not shut down within {limit_s:g} s and {were(len(late))} "
            f"ended{_waited_for(late)}; --shutdown-timeout gives more time, --end quit takes none"
        )
    if slow:
        most_s = max(attempt.shutdown_took_ns or 0 for attempt in slow) / 1e9
        upto = "up to " if len(slow) > 1 else ""
        yield f"{_named_of(slow)} took {upto}{most_s:.3g} s to shut down{_waited_for(slow)}"


def _named_of(attempts: Sequence[Attempt]) -> str:
    return _named(sorted({attempt.vm for attempt in attempts}))


def _waited_for(attempts: Sequence[Attempt]) -> str:
    """Return what these shutdowns waited for, the longest wait first; empty where nobody said."""
    longest: dict[str, int] = {}
    for attempt in attempts:
        for job in stop_jobs_of(attempt):
            longest[job.unit] = max(longest.get(job.unit, 0), job.waited_ns)
    ordered = sorted(longest.items(), key=lambda item: -item[1])[:_UNITS_NAMED]
    units = ", ".join(f"{unit} ({ns / 1e9:.4g} s)" for unit, ns in ordered)
    return f", waiting for {units}" if units else ""


def _stages(attempts: Sequence[Attempt]) -> Iterator[str]:
    """Say what is doubtful, grave things first; a VM is named once for each kind of doubt.

    What others did is said apart.
    """
    doubted: dict[DoubtCode, list[tuple[int, str]]] = {}
    for attempt in attempts:
        for doubt in stages_of(attempt).doubts:
            if doubt.code in (DoubtCode.DISTURBED, DoubtCode.RESUMED):
                continue
            doubted.setdefault(doubt.code, []).append((attempt.vm, doubt.text))
    for code, found in sorted(
        doubted.items(), key=lambda item: (not item[0].is_grave, -len(item[1]))
    ):
        vms, text = sorted({vm for vm, _ in found}), found[0][1]
        if code.is_grave:
            yield f"stages of {_named(vms)} are doubtful and left out of the figures: {text}"
        else:
            yield f"stages of {_named(vms)}: {text}"


def _left_out(fleet: Fleet, attempts: Sequence[Attempt]) -> Iterator[str]:
    """Say how much of what was sent is counted only, by the VMs that sent it, then of the run."""
    vms: set[int] = set()
    events = dropped = 0
    for attempt in attempts:
        more = sum(attempt.qmp_left_out.values())
        cut = attempt.details.dropped_bytes if attempt.details else 0
        events, dropped = events + more, dropped + cut
        if more or cut:
            vms.add(attempt.vm)
    parts = [
        *([plural(events, "QMP event")] if events else []),
        *([f"{plural(dropped, 'byte')} of details"] if dropped else []),
    ]
    if parts:
        yield f"{_named(sorted(vms))} sent more than is kept; left out: {' and '.join(parts)}"
    yield from (notice.text for notice in fleet.notices if notice.left_out)
