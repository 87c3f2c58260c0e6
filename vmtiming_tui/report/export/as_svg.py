"""A run's boot chart as an SVG file, which needs nothing but itself."""

from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.analysis.units.boot_chart import BootChart, chart_of_boot, chart_of_boots
from vmtiming_tui.analysis.units.many_boots import units_of_run
from vmtiming_tui.errors import ExportError
from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export.html.boot_chart import boot_chart_alone

_HINT = "guests tell them where they speak the report's protocol 3, see `manual guests`"


def render_svg(fleet: Fleet, vm: int | None = None) -> str:
    """Return the chart of all boots that count, or of one VM's newest boot.

    Raises ``ExportError`` where there is no such VM, or nothing to draw.
    """
    name = _name(fleet)
    if vm is None:
        found = units_of_run(fleet)
        medians_s = summarise_fleet(fleet).stage_medians_s
        title = f"{name}: the median of {plural(found.boots, 'boot')}"
        return _drawing(chart_of_boots(found, medians_s), title, "no boot")
    if vm not in fleet.vms:
        raise ExportError(f"the run has no VM {vm}", hint=f"it has {plural(len(fleet.vms), 'VM')}")
    boot = _newest_booted(fleet, vm)
    chart = chart_of_boot(boot, fleet.unit_order) if boot is not None else None
    storm = f", storm {boot.storm}" if boot is not None and len(fleet.storms) > 1 else ""
    return _drawing(chart, f"{name}: VM {vm}{storm}", f"no boot of VM {vm}")


def _name(fleet: Fleet) -> str:
    plan, run = fleet.plan, fleet.run
    return (plan.name if plan is not None else "") or (run.run if run is not None else "") or "run"


def _newest_booted(fleet: Fleet, vm: int) -> Attempt | None:
    booted = (each for each in reversed(fleet.vms[vm].attempts) if each.boot_ns is not None)
    return next(booted, None)


def _drawing(chart: BootChart | None, title: str, nobody: str) -> str:
    if chart is None:
        raise ExportError(f"{nobody} tells of its units in a way that can be believed", hint=_HINT)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{boot_chart_alone(chart, title)}'
