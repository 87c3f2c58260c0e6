"""A run's boot chart as an SVG file, which needs nothing but itself."""

from vmtiming_tui.analysis.comparison.parts import BootsOfRun
from vmtiming_tui.analysis.summary import summarise
from vmtiming_tui.analysis.units.boot_chart import BootChart, chart_of_boot, chart_of_boots
from vmtiming_tui.analysis.units.many_boots import units_of_boots
from vmtiming_tui.errors import ExportError
from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.report.export.html.boot_chart import boot_chart_alone

_HINT = "guests tell them where they speak the report's protocol 3, see `manual guests`"


def render_svg(boots: BootsOfRun, vm: int | None = None) -> str:
    """Return the chart of a run's boots, or of one VM's newest boot.

    Raises ``ExportError`` where there is no such VM, or nothing to draw.
    """
    fleet, name = boots.fleet, _name(boots)
    if vm is None:
        found = units_of_boots(boots.storms, fleet.unit_order)
        attempts = [attempt for storm in boots.storms for attempt in storm]
        chart = chart_of_boots(found, summarise(attempts).stage_medians_s)
        return _drawing(chart, f"{name}: the median of {plural(found.boots, 'boot')}", "no boot")
    if vm not in fleet.vms:
        raise ExportError(f"the run has no VM {vm}", hint=f"it has {plural(len(fleet.vms), 'VM')}")
    boot = _newest_booted(boots, vm)
    chart = chart_of_boot(boot, fleet.unit_order) if boot is not None else None
    storm = f", storm {boot.storm}" if boot is not None and len(fleet.storms) > 1 else ""
    return _drawing(chart, f"{name}: VM {vm}{storm}", f"no boot of VM {vm}")


def _name(boots: BootsOfRun) -> str:
    plan, run = boots.fleet.plan, boots.fleet.run
    name = (plan.name if plan is not None else "") or (run.run if run is not None else "") or "run"
    return f"{name}, {boots.setting}" if boots.setting else name


def _newest_booted(boots: BootsOfRun, vm: int) -> Attempt | None:
    """Return a VM's newest boot, a rerun's too, or that with the setting asked for."""
    of_setting = [each for storm in boots.storms for each in storm if each.vm == vm]
    attempts = of_setting if boots.setting else boots.fleet.vms[vm].attempts
    return next((each for each in reversed(attempts) if each.boot_ns is not None), None)


def _drawing(chart: BootChart | None, title: str, nobody: str) -> str:
    if chart is None:
        raise ExportError(f"{nobody} tells of its units in a way that can be believed", hint=_HINT)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{boot_chart_alone(chart, title)}'
