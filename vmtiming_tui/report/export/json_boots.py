"""The boots of a run as JSON: each with its stages, its end, and what its guest said."""

from typing import Any

from vmtiming_tui.analysis.stages import Stages
from vmtiming_tui.analysis.stop_jobs import stop_jobs_of
from vmtiming_tui.analysis.straggler import Straggler
from vmtiming_tui.analysis.units.one_boot import chain_lines, slowest_lines
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.codec import to_json
from vmtiming_tui.model.guest_events import UnitOrder, UnitTimes
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.report.export.document import Document, ExportedBoot
from vmtiming_tui.report.straggler import straggler_words
from vmtiming_tui.report.wording import in_seconds

UNIT_STAMPS = ("activating", "active", "deactivating", "inactive")

Body = dict[str, Any]


class Clock:
    """Puts a moment in ns on the run's own axis in seconds; exact for 100 days."""

    def __init__(self, zero: int) -> None:
        self._zero = zero

    def at(self, moment_ns: int | None) -> float | None:
        """Return a moment in seconds since the zero."""
        return None if moment_ns is None else (moment_ns - self._zero) / 1e9


def without(body: Any, *keys: str) -> Body:
    """Return an object without some of its keys."""
    return {key: value for key, value in body.items() if key not in keys}


def boots_by_vm(document: Document, clock: Clock) -> list[Body]:
    """Return every VM in scope with its boots, oldest first."""
    by_vm: dict[int, list[Body]] = {}
    order = document.fleet.unit_order
    for boot in document.boots:
        by_vm.setdefault(boot.attempt.vm, []).append(_attempt(boot, clock, order))
    return [{"vm": vm, "attempts": attempts} for vm, attempts in by_vm.items()]


def slowest_body(found: Straggler | None) -> Body | None:
    """Return the slowest VM beside the median; None where there is none to be told."""
    if found is None:
        return None
    return {
        "vm": found.slowest.vm,
        "attempt": found.slowest.number,
        "storm": found.slowest.storm,
        "boot_s": in_seconds(found.slowest_ns),
        "median_s": in_seconds(found.median_ns),
        "behind_s": in_seconds(found.behind_ns),
        "stands_out": found.is_slow,
        "added_s": {str(stage): in_seconds(ns) for stage, ns in found.added_ns.items()},
        "units": [
            {
                "name": unit.name,
                "slowest_s": in_seconds(unit.slowest_ns),
                "usual_s": in_seconds(unit.usual_ns),
                "on_chain": unit.on_chain,
            }
            for unit in found.units
        ],
        "waited_share": found.waited_share,
        "usual_waited_share": found.usual_waited_share,
        "host": found.slowest.host,
        "host_behind_s": in_seconds(found.host_behind_ns),
        "slowest_in": found.slowest_in,
        "of_storms": found.of_storms,
        "sentence": straggler_words(found),
    }


def _attempt(boot: ExportedBoot, clock: Clock, order: UnitOrder | None) -> Body:
    attempt = boot.attempt
    return {
        "attempt": attempt.number,
        "storm": attempt.storm,
        "round": attempt.round,
        "host": attempt.host,
        "state": str(attempt.state),
        "qemu_ended": attempt.exited_ns is not None,
        "counts": boot.counts,
        "boot_s": in_seconds(attempt.boot_ns),
        "uncertainty_s": in_seconds(attempt.uncertainty_ns),
        "disturbed_s": in_seconds(attempt.disturbed_ns),
        "stages": _stages(boot.stages),
        "shutdown_s": in_seconds(attempt.shutdown_took_ns),
        "qemu_exit_s": in_seconds(attempt.exit_took_ns),
        "stop_jobs": _stop_jobs(attempt),
        "labels": to_json(boot.conditions),
        "text": attempt.text,
        "why": attempt.why,
        "hint": attempt.hint,
        "stderr": attempt.stderr,
        "limit_s": in_seconds(attempt.limit_ns),
        "queued_at_s": clock.at(attempt.queued_ns),
        "spawned_at_s": clock.at(attempt.spawn_ns),
        "connected_at_s": clock.at(attempt.connected_ns),
        "started_at_s": clock.at(attempt.go_ns),
        "reported_at_s": clock.at(attempt.report_ns),
        "decided_at_s": clock.at(attempt.decided_ns),
        "phase": None if attempt.phase is None else str(attempt.phase),
        "released_at_s": clock.at(attempt.released_ns),
        "release": None if attempt.release is None else str(attempt.release),
        "resumed": attempt.was_resumed,
        "ending_at_s": clock.at(attempt.ending_ns),
        "end": None if attempt.end is None else str(attempt.end),
        "shutdown_at_s": clock.at(attempt.shutdown_ns),
        "exited_at_s": clock.at(attempt.exited_ns),
        "exit_code": attempt.exit_code,
        "exit_reason": attempt.exit_reason,
        "pauses": attempt.pauses,
        "resets": attempt.resets,
        "panicked": attempt.panicked,
        "usage": _usage(attempt),
        "guest": _guest(attempt, order),
        "kernel": to_json(attempt.kernel),
        "console": _console(attempt),
        "qmp_left_out": to_json(attempt.qmp_left_out),
        "rejected": [
            {**without(to_json(each), "at_ns", "vm", "attempt"), "at_s": clock.at(each.at_ns)}
            for each in attempt.rejected
        ],
        "pid": attempt.pid,
        "argv": list(attempt.argv),
    }


def _stop_jobs(attempt: Attempt) -> list[Body]:
    """Return what the guest's shutdown waited for, as far as its console tells."""
    return [
        {
            "unit": job.unit,
            "waited_s": in_seconds(job.waited_ns),
            "limit_s": in_seconds(job.limit_ns),
        }
        for job in stop_jobs_of(attempt)
    ]


def _stages(stages: Stages) -> Body:
    return {
        "qemu_s": in_seconds(stages.qemu_ns),
        **{f"{stage}_s": in_seconds(stages.of(stage)) for stage in Stage},
        "residual_s": in_seconds(stages.residual_ns),
        "error_s": in_seconds(stages.error_ns),
        "from_text": stages.from_text,
        "doubtful": stages.is_doubtful,
        "doubts": [doubt.text for doubt in stages.doubts],
        "doubt_codes": [str(doubt.code) for doubt in stages.doubts],
    }


def _usage(attempt: Attempt) -> Body | None:
    usage = attempt.usage
    if usage is None:
        return None
    return {
        "rss_bytes": usage.rss_bytes,
        "disk_read_bytes": usage.disk_read_bytes,
        "cpu_s": in_seconds(usage.cpu_ns),
        "vcpu_run_s": in_seconds(usage.vcpu_run_ns),
        "vcpu_wait_s": in_seconds(usage.vcpu_wait_ns),
    }


def _guest(attempt: Attempt, order: UnitOrder | None) -> Body | None:
    """Return what a guest says of its boot, with what its units come to where it tells them."""
    details = attempt.details
    if details is None:
        return None
    return {
        **without(to_json(details), "at_ns", "vm", "attempt"),
        "slowest": slowest_lines(attempt),
        "critical_chain": chain_lines(attempt, order) or list(details.critical_chain),
        "units": [_unit(unit) for unit in attempt.units.rows] if attempt.units else [],
    }


def _unit(unit: UnitTimes) -> Body:
    """Return one unit with its stamps in seconds since the guest's kernel began."""
    stamps = {f"{stage}_s": getattr(unit, f"{stage}_us") for stage in UNIT_STAMPS}
    return {
        "name": unit.name,
        "active": unit.active,
        "sub": unit.sub,
        "result": unit.result,
        **{name: stamp_us / 1e6 if stamp_us else None for name, stamp_us in stamps.items()},
    }


def _console(attempt: Attempt) -> Body | None:
    """Return how much the guest wrote to its console; what it wrote is in no export."""
    if attempt.console is None:
        return None
    return without(to_json(attempt.console), "at_ns", "vm", "attempt", "text")
