"""One run as far as it is compared: its samples (s), and the circumstances that must agree."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from vmtiming_tui import stats
from vmtiming_tui.errors import EventError
from vmtiming_tui.events import RunStarted
from vmtiming_tui.fleet import Attempt, Fleet, VmState
from vmtiming_tui.plan import RunPlan, plan_from_json
from vmtiming_tui.stages import Stage, stages_of
from vmtiming_tui.summary import Group, boots_s, censored_s, counted_groups

QEMU = "qemu"


@dataclass(frozen=True, slots=True, kw_only=True)
class StormSample:
    """What is compared of one storm, in seconds.

    ``censored`` counts VMs that timed out or were killed, ``failed`` those that failed.
    ``stages`` and ``qemu`` hold a value for each VM that knows it.
    """

    boots: tuple[float, ...]
    censored: int = 0
    failed: int = 0
    cluster: float | None = None
    stages: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """The median boot time, infinite where the VMs that never booted hide it."""
        return stats.median([*self.boots, *[math.inf] * self.censored])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The storms one run booted with the same settings."""

    parameters: Mapping[str, str]
    storms: tuple[StormSample, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One run as far as it is compared: its samples, and the circumstances that must agree."""

    label: str
    samples: tuple[Sample, ...]
    facts: Mapping[str, str]


def plan_of_run(run: RunStarted | None) -> RunPlan | None:
    """Return the plan a run was started with; None where its stream has none that fits."""
    try:
        plan = plan_from_json(run.plan) if run else None
    except EventError:
        return None
    return plan if plan is not None and plan.variants else None


def side_of(fleet: Fleet, label: str = "") -> Side:
    """Return a run as far as it is compared."""
    run = fleet.run
    return Side(
        label=label or (run.run if run else ""),
        samples=tuple(map(_sample, counted_groups(fleet))),
        facts=_facts(fleet),
    )


def _facts(fleet: Fleet) -> dict[str, str]:
    run, plan = fleet.run, plan_of_run(fleet.run)
    host = run.host if run else {}
    releases = {
        release
        for attempt in fleet.newest
        if attempt.details and (release := attempt.details.properties.get("kernel_release"))
    }
    facts = {
        "host": str(host.get("hostname", "")),
        "CPU": str(host.get("cpu_model", "")),
        "host kernel": str(host.get("kernel", "")),
        "accelerator": run.accel if run else "",
        "QEMU": run.qemu_version if run else "",
        "guest kernel": ", ".join(sorted(releases)),
    }
    if plan is not None and not plan.variants[0].parameters:
        facts |= {
            "number of VMs": str(plan.config.number),
            "memory (MiB)": str(plan.config.memory_mib),
            "vCPUs": str(plan.config.smp),
        }
    return facts


def _sample(group: Group) -> Sample:
    return Sample(
        parameters=group.parameters,
        storms=tuple(
            StormSample(
                boots=tuple(boots_s(storm.attempts)),
                censored=len(censored_s(storm.attempts)),
                failed=sum(attempt.state is VmState.FAILED for attempt in storm.attempts),
                cluster=storm.summary.cluster_s,
                stages=_stage_samples(storm.attempts),
            )
            for storm in group.storms
        ),
    )


def _stage_samples(attempts: Iterable[Attempt]) -> dict[str, tuple[float, ...]]:
    found: dict[str, list[float]] = {QEMU: [], **{str(stage): [] for stage in Stage}}
    for attempt in attempts:
        if attempt.boot_ns is None:
            continue
        stages = stages_of(attempt)
        if stages.qemu_ns is not None:
            found[QEMU].append(stages.qemu_ns / 1e9)
        for stage, ns in stages.known:
            found[stage].append(ns / 1e9)
    return {name: tuple(values) for name, values in found.items() if values}
