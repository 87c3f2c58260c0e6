"""A run as JSON: everything that was measured, the figures, and hyperfine's ``results`` beside.

The schema is versioned: ``version`` goes up when a key changes its meaning or goes away, not when
one is added. Keys name their unit. ``*_at_s`` are seconds since the run's start on one clock;
``wall_ns`` says when that was. ``assets/export.schema.json`` describes every key; ``format`` and
``version`` are what names it in a document. ``from_json`` makes a ``Fleet`` of it again.
"""

import json

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.kernel_times import KernelFigures
from vmtiming_tui.analysis.summary import Group, Summary, boots_s, summarise
from vmtiming_tui.analysis.sweep import Sweep
from vmtiming_tui.analysis.thresholds import Judged
from vmtiming_tui.model.codec import to_json
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.storm import Storm
from vmtiming_tui.report.export.document import Document
from vmtiming_tui.report.export.json_boots import Body, Clock, boots_by_vm, slowest_body, without
from vmtiming_tui.report.export.json_comparison import (
    compared_body,
    comparison_body,
    figures_body,
    identity_body,
    interval_body,
)
from vmtiming_tui.report.export.json_hosts import between_body, hosts_body, samples_body
from vmtiming_tui.report.wording import utc

FORMAT = "vm-timing-report"
VERSION = 2
READABLE = (1, 2)


def render_json(document: Document) -> str:
    """Return the run as one JSON object, indented for people."""
    return json.dumps(body_of(document), indent=1, allow_nan=False) + "\n"


def zero_ns(fleet: Fleet) -> int:
    """Return the moment ``*_at_s`` count from: the run's start, or the first storm's."""
    if fleet.run is not None:
        return fleet.run.at_ns
    return min((storm.started_ns for storm in fleet.storms.values()), default=0)


def body_of(document: Document) -> Body:
    """Return the run as JSON values; the JSON Schema in ``assets/`` describes them."""
    fleet = document.fleet
    clock = Clock(zero_ns(fleet))
    return {
        "format": FORMAT,
        "version": VERSION,
        "partial": document.is_partial,
        "state": str(fleet.state),
        "scope": None if document.scope is None else sorted(document.scope),
        "run": _run(document, clock),
        "host": to_json(fleet.run.host) if fleet.run else {},
        "hosts": hosts_body(document.hosts, clock),
        "between_hosts": between_body(document.hosts),
        "plan": to_json(fleet.plan) if fleet.plan else {},
        "files": to_json(fleet.files),
        "summary": summary_body(document.summary),
        "slowest": slowest_body(document.slowest),
        "groups": [_group(group) for group in document.groups],
        "sweep": _sweep(document.sweep) if document.sweep else None,
        "decision": _decision(document, clock),
        "thresholds": [_judged(each) for each in document.judged],
        "kernels": [_kernel(each) for each in document.kernels],
        "comparison": comparison_body(document.comparison),
        "cautions": [
            {"kind": str(caution.kind), "text": caution.text} for caution in document.cautions
        ],
        "storms": [
            _storm(storm, clock, document.scope) for _, storm in sorted(fleet.storms.items())
        ],
        "vms": boots_by_vm(document, clock),
        "unit_order": _unit_order(fleet),
        "notices": [
            {**without(to_json(notice), "at_ns"), "at_s": clock.at(notice.at_ns)}
            for notice in fleet.notices
        ],
        "failure": _failure(fleet, clock),
        "host_samples": samples_body(fleet, clock),
        "results": hyperfine_results(document),
    }


def _kernel(figures: KernelFigures) -> Body:
    return {**without(to_json(figures), "kind"), "kind": str(figures.kind)}


def _run(document: Document, clock: Clock) -> Body | None:
    run, fleet = document.fleet.run, document.fleet
    if run is None:
        return None
    plan = document.plan
    return {
        "id": run.run,
        "name": plan.name if plan else "",
        "notes": plan.notes if plan else "",
        "labels": dict(plan.labels) if plan else {},
        "started": utc(run.wall_ns),
        "wall_ns": run.wall_ns,
        "ended_at_s": clock.at(fleet.ended_ns),
        "number": run.number,
        "accel": run.accel,
        "accel_reason": run.accel_reason,
        "qemu_version": run.qemu_version,
        "tool_version": run.tool_version,
        "baseline": identity_body(document.against),
    }


def _unit_order(fleet: Fleet) -> Body | None:
    """Return which unit waits for which; one VM told it for all."""
    order = fleet.unit_order
    return None if order is None else without(to_json(order), "at_ns", "vm", "attempt")


def _failure(fleet: Fleet, clock: Clock) -> Body | None:
    failure = fleet.failure
    if failure is None:
        return None
    return {"at_s": clock.at(failure.at_ns), "why": failure.why, "hint": failure.hint}


def summary_body(summary: Summary) -> Body:
    """Return a summary's figures, each under the name of its field."""
    samples = ("qemu", "shutdown", "qemu_exit")
    apart = ("median_interval", "stages", "counts", "time_to_s", *samples)
    plain = without(to_json(summary), *apart)
    return {
        **plain,
        "counts": {str(state): count for state, count in summary.counts.items()},
        "median_interval_s": interval_body(summary.median_interval),
        "time_to_s": {str(share): at for share, at in summary.time_to_s.items()},
        **{name: figures_body(getattr(summary, name)) for name in samples},
        "stages": {str(stage): figures_body(each) for stage, each in summary.stages.items()},
    }


def _spread(spread: stats.Spread | None) -> Body | None:
    if spread is None:
        return None
    return {"between_s": spread.between, "within_s": spread.within, "shared": spread.shared}


def _group(group: Group) -> Body:
    return {
        "parameters": dict(group.parameters),
        "storms": [storm.number for storm in group.storms],
        "medians_s": figures_body(group.medians),
        "all_booted_in_s": figures_body(group.all_booted_in),
        "vms_per_s": figures_body(group.rates),
        "spread": _spread(group.spread),
    }


def _sweep(sweep: Sweep) -> Body:
    return {
        "names": list(sweep.names),
        "rows": [
            {
                **without(to_json(row), "boot", "all_booted_in"),
                "boot_s": figures_body(row.boot),
                "all_booted_in_s": figures_body(row.all_booted_in),
            }
            for row in sweep.rows
        ],
        "reference": dict(sweep.reference),
        "against": [compared_body(group) for group in sweep.against],
        "penalties": to_json(sweep.penalties),
        "knees": to_json(sweep.knees),
    }


def _decision(document: Document, clock: Clock) -> Body | None:
    """Return what the run was concluded with; None where it was not, or there was nothing to."""
    concluded = document.fleet.concluded
    if concluded is None:
        return None
    return {
        "at_s": clock.at(concluded.at_ns),
        "storms": concluded.storms,
        "decisions": to_json(concluded.decisions),
    }


def _judged(each: Judged) -> Body:
    threshold = each.threshold
    return {
        "threshold": threshold.text,
        "figure": threshold.figure,
        "parameters": dict(each.parameters),
        "limit_s": threshold.limit_s,
        "figure_s": each.figure_s,
        "finding": str(each.finding),
        "why": each.why,
    }


def _storm(storm: Storm, clock: Clock, scope: frozenset[int] | None) -> Body:
    attempts = [storm.attempts[vm] for vm in sorted(storm.attempts) if scope is None or vm in scope]
    return {
        "storm": storm.number,
        "kind": str(storm.kind),
        "parameters": dict(storm.parameters),
        "planned": storm.planned,
        "accel": storm.accel,
        "qemu_version": storm.qemu_version,
        "rounds": storm.rounds,
        "vms": [vm for vm in storm.vms if scope is None or vm in scope],
        "started_at_s": clock.at(storm.started_ns),
        "decided_at_s": clock.at(storm.decided_ns),
        "collected_at_s": clock.at(storm.collected_ns),
        "ended_at_s": clock.at(storm.ended_ns),
        "summary": summary_body(summarise(attempts)),
    }


def hyperfine_results(document: Document) -> list[Body]:
    """Return a result for each combination of settings, as hyperfine's own scripts read them.

    ``times`` are the boot times of every VM of every storm that counts; a combination none of
    whose VMs booted has no times, hence no result. ``user`` and ``system`` are null: QEMU's CPU
    time is not told apart by them.
    """
    return [_result(group, times) for group in document.groups if (times := _times(group))]


def _times(group: Group) -> list[float]:
    return boots_s(group.attempts)


def _result(group: Group, times: list[float]) -> Body:
    return {
        "command": f"boot {group.label}".strip(),
        "mean": stats.mean(times),
        "stddev": stats.stddev(times),
        "median": stats.median(times),
        "user": None,
        "system": None,
        "min": min(times),
        "max": max(times),
        "times": times,
        "exit_codes": [0] * len(times),
        "parameters": dict(group.parameters),
    }
