"""What makes a comparison of two runs doubtful, in words."""

from collections.abc import Collection, Sequence

from vmtiming_tui.analysis.comparison import ranks
from vmtiming_tui.analysis.comparison.samples import (
    AFTER_REPORT,
    KERNEL_DETAIL,
    PROTOCOL,
    Sample,
    Side,
    StormSample,
)
from vmtiming_tui.analysis.comparison.strata import within_hosts
from vmtiming_tui.analysis.drift import drift
from vmtiming_tui.analysis.hosts import named_hosts
from vmtiming_tui.escape import plural, were

_TIMED_DIFFERENTLY = {
    AFTER_REPORT: "they were timed differently: where VMs that have reported go on (off), "
    "the boots after them take longer",
    KERNEL_DETAIL: "they were timed differently: --kernel-detail slows the boots",
    PROTOCOL: "they were timed differently: from protocol 3 on a boot ends with the first byte of "
    "its report, before the guest gathers anything (some 0.3 s sooner under TCG)",
}
NOT_IN_TURN = (
    "the runs were not booted in turn: a drift of the host between them is in no interval; "
    "variants of one run (-L) are free of it"
)


def _side_cautions(side: Side) -> list[str]:
    whole = [storm for sample in side.samples for storm in sample.storms]
    storms = [share for storm in whole for share in _that_tell(storm)]
    lost: dict[str, int] = {}
    for storm in storms:
        for state, count in storm.lost.items():
            lost[state] = lost.get(state, 0) + count
    found = []
    if lost:
        how = ", ".join(f"{count} {state}" for state, count in lost.items())
        number, count = sum(storm.size for storm in storms), sum(lost.values())
        found.append(
            f"{side.label}: {count} of {plural(number, 'boot')} {were(count)} lost ({how}); "
            "lost ones rank as slower than all"
        )
    if side.level == 0:
        found.append(f"{side.label} was ended before it was decided: nothing is told from it")
    elif side.level < ranks.ALPHA:
        found.append(
            f"{side.label} went on until it was decided: what is asked of it now is tested at "
            f"{side.level:.2g}, what its looks had left, not at {ranks.ALPHA:g}"
        )
    if side.left_out:
        found.append(f"{side.label}: a storm that was cut short is left out")
    if gone := sorted({name for storm in whole for name in storm.lost_hosts}):
        found.append(f"{side.label}: {named_hosts(gone)} {were(len(gone))} lost while it ran")
    settings = [
        [(storm.turn, storm.median) for storm in sample.storms if storm.size]
        for sample in (within_hosts(each, each)[0] for each in side.samples)
    ]
    if drifts := drift(settings):
        found.append(f"{side.label}: {drifts}")
    if doubtful := sum(storm.doubtful for storm in storms):
        boots = plural(doubtful, "boot")
        found.append(f"{side.label}: the stages of {boots} are doubtful and left out")
    return found


def _that_tell(storm: StormSample) -> Collection[StormSample]:
    """Return what a storm's hosts came to that were not lost, or the whole of it on one host."""
    return storm.hosts.values() if storm.hosts or storm.lost_hosts else (storm,)


def _differs(name: str, first: str, second: str) -> str:
    meaning = f"; {_TIMED_DIFFERENTLY[name]}" if name in _TIMED_DIFFERENTLY else ""
    return f"{name} differs: {first or 'unknown'} against {second or 'unknown'}{meaning}"


def comparison_cautions(
    first: Side, second: Side, pairs: Sequence[tuple[Sample, Sample]]
) -> list[str]:
    """Return what is to be kept in mind of two runs, of which these settings are compared."""
    one, other = first.circumstances, second.circumstances
    found = [
        _differs(name, value, other[name])
        for name, value in one.items()
        if name in other and value != other[name] and not is_by_round(first, second)
    ]
    is_itself = bool(first.identity.run) and first.identity == second.identity
    if is_itself:
        found.append("a run is compared with itself")
    found += [*_side_cautions(first), *_side_cautions(second)]
    left_out = max(len(first.samples), len(second.samples)) - len(pairs)
    if left_out:
        settings = f"{plural(left_out, 'setting')} {were(left_out)}"
        found.append(f"{settings} booted by one run only and left out")
    if not is_itself and not is_by_round(first, second) and any(map(_can_drift, pairs)):
        found.append(NOT_IN_TURN)
    return found


def _can_drift(pair: tuple[Sample, Sample]) -> bool:
    """Whether it is more than a single storm that is compared, which carries no verdict anyway."""
    return all(len(sample.storms) > 1 for sample in pair)


def is_by_round(first: Side, second: Side) -> bool:
    """Whether these are two variants of one run, which booted them in turn."""
    one, other = first.identity, second.identity
    return bool(one.run and one.run == other.run and one.setting and other.setting) and (
        one.setting != other.setting
    )
