"""A stored run at a glance: what its events tell that its row in the list does not; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vmtiming_tui.analysis.cautions import cautions
from vmtiming_tui.analysis.straggler import furthest_behind
from vmtiming_tui.analysis.summary import Group, counted_groups, summarise_fleet
from vmtiming_tui.escape import plural
from vmtiming_tui.model.config import BootMode, StartMode
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.report.straggler import straggler_words
from vmtiming_tui.report.wording import short_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """``stages_s`` are medians (s); ``groups`` is a line a setting where a sweep had several."""

    settings: tuple[tuple[str, str], ...] = ()
    stages_s: Mapping[Stage, float] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    slowest: str = ""
    cautions: tuple[str, ...] = ()


def glance_of(fleet: Fleet) -> Glance:
    """Return what is told of a run beside the list."""
    summary = summarise_fleet(fleet)
    groups = counted_groups(fleet)
    found = furthest_behind(groups, fleet.unit_order)
    return Glance(
        settings=tuple((name, value) for name, value in _settings(fleet) if value),
        stages_s=summary.stage_medians_s,
        groups=tuple(_median_of(group) for group in groups) if len(groups) > 1 else (),
        slowest=straggler_words(found) if found else "",
        cautions=tuple(str(caution) for caution in cautions(fleet)),
    )


def _median_of(group: Group) -> str:
    median_s = group.medians.median if group.medians else None
    return f"{group.label}: median {short_seconds(median_s)}"


def _settings(fleet: Fleet) -> list[tuple[str, str]]:
    plan, host = fleet.plan, fleet.host_facts
    cpu = f"{host.cpu_model}, {plural(host.cores, 'core')}" if host.cores else host.cpu_model
    of_host = [("CPU", cpu), ("host kernel", host.kernel)]
    return of_host if plan is None else [*_of_plan(plan), *of_host]


def _of_plan(plan: RunPlan) -> list[tuple[str, str]]:
    config = plan.config
    each = f"{config.memory_mib} MiB, {plural(config.smp, 'vCPU')}"
    at_once = f", {config.parallel} at once" if config.parallel else ""
    at_once += " on each host" if config.parallel_per_host else ""
    stagger = f", {config.stagger_s:g} s apart" if config.stagger_s else ""
    stagger += " on each host" if config.stagger_per_host else ""
    together = ", all together" if config.start is StartMode.TOGETHER else ""
    warm_up = f" after {plan.warmup} to warm up" if plan.warmup else ""
    repeats = plan.runs > 1 or plan.warmup
    by_firmware = config.boot is BootMode.FIRMWARE
    return [
        ("VMs", f"{plan.number}, each {each}{at_once}{stagger}{together}"),
        ("storms", f"{plan.runs} a setting{warm_up}" if repeats else ""),
        ("boots by", "its firmware" if by_firmware else config.kernel),
        ("initrd", "" if by_firmware else config.initrd),
        ("images", str(config.image(0)) if config.prefix else ""),
        ("arguments", config.append),
    ]
