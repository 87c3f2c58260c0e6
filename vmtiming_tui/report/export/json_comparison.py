"""What was found by comparing two runs as JSON: the differences, and what they rest on."""

import math

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.comparison.compare import Comparison, GroupComparison
from vmtiming_tui.analysis.comparison.difference import Difference
from vmtiming_tui.analysis.comparison.samples import Identity
from vmtiming_tui.model.codec import to_json
from vmtiming_tui.report.export.json_boots import Body, without
from vmtiming_tui.report.wording import utc


def interval_body(interval: stats.Interval | None) -> Body | None:
    """Return an interval; None where an end of it is not known."""
    if interval is None or not interval.is_bounded:
        return None
    return {"low": interval.low, "high": interval.high, "confidence": interval.confidence}


def figures_body(figures: stats.Figures | None) -> Body | None:
    """Return one sample's figures; in seconds where the key they stand under says nothing else."""
    if figures is None:
        return None
    return {**without(to_json(figures), "interval"), "interval": interval_body(figures.interval)}


def comparison_body(comparison: Comparison | None) -> Body | None:
    """Return what this run is against its baseline, and which run that was; None without one."""
    if comparison is None:
        return None
    return {
        "against": identity_body(comparison.against),
        "verdict": str(comparison.verdict),
        "groups": [compared_body(group) for group in comparison.groups],
        "cautions": list(comparison.cautions),
    }


def compared_body(group: GroupComparison) -> Body:
    """Return the differences of one setting."""
    return {
        "parameters": dict(group.parameters),
        "differences": [_difference(each) for each in group.differences],
        "losses": to_json(group.losses),
        "unpaired": group.unpaired,
        "hosts": to_json(group.strata),
        "parts": to_json(group.parts),
    }


def _difference(each: Difference) -> Body:
    return {
        "name": each.name,
        "first_s": figures_body(each.first),
        "second_s": figures_body(each.second),
        "percent": each.percent,
        "percent_interval": _percent_interval(each.percent_interval),
        "same_interval": _percent_interval(each.same_interval),
        "rounds": each.rounds,
        "tolerance": to_json(each.tolerance),
        "p_value": each.p_value,
        "verdict": str(each.verdict),
        "sentence": each.sentence,
    }


def _percent_interval(interval: stats.Interval | None) -> Body | None:
    if interval is None:
        return None
    low, high = _finite(interval.low), _finite(interval.high)
    return {"low": low, "high": high, "confidence": interval.confidence}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def identity_body(identity: Identity | None) -> Body | None:
    """Return which run one is, as it is told to people too; None without one."""
    if identity is None:
        return None
    return {
        "run": identity.run,
        "name": identity.name,
        "started": utc(identity.wall_ns),
        "wall_ns": identity.wall_ns,
        "setting": identity.setting,
    }
