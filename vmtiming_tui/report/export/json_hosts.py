"""The hosts of a run as JSON: what each is, what it came to, and what lies between two of them."""

from vmtiming_tui.analysis.hosts import GoSkew, HostFigures, RunHosts
from vmtiming_tui.model.codec import to_json
from vmtiming_tui.model.events import ClockMeasured, HostLost
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export.json_boots import Body, Clock, without
from vmtiming_tui.report.export.json_comparison import figures_body
from vmtiming_tui.report.wording import in_seconds


def hosts_body(found: RunHosts | None, clock: Clock) -> list[Body]:
    """Return every host of several; nothing of a run on one, which ``host`` tells of."""
    return [_host(each, clock) for each in found.figures] if found else []


def between_body(found: RunHosts | None) -> Body | None:
    """Return what of the run begins on one host's clock and ends on another's."""
    if found is None:
        return None
    return {
        "go_skews": [_skew(each) for each in found.skews],
        "all_booted_in_uncertainty_s": in_seconds(found.whole_uncertainty_ns),
    }


def samples_body(fleet: Fleet, clock: Clock) -> list[Body]:
    """Return how busy hosts were, in the order of time."""
    samples = [sample for host in fleet.hosts.values() for sample in host.samples]
    if fleet.hosts.are_many:
        samples.sort(key=lambda sample: sample.at_ns)
    return [
        {**without(to_json(sample), "at_ns"), "at_s": clock.at(sample.at_ns)} for sample in samples
    ]


def _host(each: HostFigures, clock: Clock) -> Body:
    host = each.host
    return {
        "name": host.name,
        "address": host.address,
        "facts": to_json(host.facts),
        "accel": host.accel,
        "accel_reason": host.accel_reason,
        "qemu_version": host.qemu_version,
        "tool_version": host.tool_version,
        "joined_at_s": clock.at(host.joined_ns),
        "vms": each.number,
        "booted": each.booted,
        "lost_boots": each.lost,
        "boot_s": figures_body(each.boot),
        "cpu_percent": each.cpu_percent,
        "psi_cpu": each.psi_cpu,
        "psi_io": each.psi_io,
        "psi_memory": each.psi_memory,
        "memory_least_bytes": each.memory_least_bytes,
        "clock": _measured(host.clock, clock) if host.clock else None,
        "clocks_before": [
            _measured(before, clock) for before in host.clocks.values() if before is not host.clock
        ],
        "clock_error_ns": host.clock_error_ns,
        "is_lost": host.lost is not None,
        "losses": [_loss(lost, clock) for lost in host.losses],
        "files": to_json(host.files),
    }


def _measured(measured: ClockMeasured, clock: Clock) -> Body:
    return {
        "at_s": clock.at(measured.at_ns),
        "offset_ns": measured.offset_ns,
        "uncertainty_ns": measured.uncertainty_ns,
        "applied_ns": measured.applied_ns,
    }


def _loss(lost: HostLost, clock: Clock) -> Body:
    return {"at_s": clock.at(lost.at_ns), "why": lost.why, "hint": lost.hint}


def _skew(each: GoSkew) -> Body:
    return {
        "storm": each.storm,
        "round": each.round,
        "first": each.first,
        "last": each.last,
        "skew_s": in_seconds(each.skew_ns),
        "uncertainty_s": in_seconds(each.uncertainty_ns),
    }
