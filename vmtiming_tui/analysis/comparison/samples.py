"""One run as far as it is compared: its samples (s), and the circumstances that must agree."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import cast

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.comparison.looks import level_at
from vmtiming_tui.analysis.comparison.ranks import ALPHA
from vmtiming_tui.analysis.comparison.tolerance import KnownRun, Setting
from vmtiming_tui.analysis.counted import counted_attempts
from vmtiming_tui.analysis.hosts import alike_words, by_host, was_lost_with_host
from vmtiming_tui.analysis.kernel_times import typical_initcalls_s
from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.analysis.summary import (
    Group,
    StormSummary,
    all_booted_in_s,
    boots_s,
    counted_groups,
    shutdowns_s,
)
from vmtiming_tui.analysis.units.ordering import Orderings
from vmtiming_tui.analysis.units.own_times import OwnTimes
from vmtiming_tui.model.attempt import Attempt, VmState
from vmtiming_tui.model.codec import Json, to_json
from vmtiming_tui.model.config import AfterReport, KernelDetail
from vmtiming_tui.model.fleet import Fleet, RunState, all_of
from vmtiming_tui.model.stage import Stage

QEMU = "qemu"
SHUTDOWN = "shutdown"
AFTER_REPORT = "what VMs do after their report"
PROTOCOL = "the guests' protocol"
KERNEL_DETAIL = "the kernel's details"
THIS_RUN = "this run"
"""What the run that has just ended, or is on the screen, is called beside another."""

_OF_NO_BOOT = ("end", "shutdown_timeout_s")
_AT_ONCE = ("number", "memory_mib", "smp", "start", "stagger_s", "parallel")
_PER_HOST = ("stagger_per_host", "parallel_per_host")


@dataclass(frozen=True, slots=True, kw_only=True)
class StormSample:
    """What is compared of one storm, in seconds.

    ``lost`` says how many VMs were lost, by how. ``stages``, the time before the start and the
    shutdown among them, hold a value for each VM that knows it and can be believed; ``doubtful``
    counts the others. ``initcalls`` are the medians of what kernels took for each, where they were
    asked, ``units`` those of the units' own times. ``turn`` is which of its setting's storms it is,
    from 0: a sweep boots every setting once a turn.

    Of several hosts ``hosts`` holds what the VMs of each came to, ``lost_hosts`` those that were
    lost meanwhile. ``shares`` is of those that it is compared within; the storm's figures are then
    what these come to together.
    """

    boots: tuple[float, ...]
    lost: Mapping[VmState, int] = field(default_factory=dict)
    all_booted_in: float | None = None
    stages: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    doubtful: int = 0
    turn: int = 0
    initcalls: Mapping[str, float] = field(default_factory=dict)
    units: OwnTimes = field(default_factory=OwnTimes, compare=False)
    hosts: Mapping[str, "StormSample"] = field(default_factory=dict)
    lost_hosts: frozenset[str] = frozenset()
    shares: tuple["Share", ...] = ()

    @property
    def lost_count(self) -> int:
        """How many VMs were lost."""
        return sum(self.lost.values())

    @property
    def size(self) -> int:
        """How many VMs are decided."""
        return len(self.boots) + self.lost_count

    @property
    def median(self) -> float:
        """The median boot time, infinite where the VMs that never booted hide it."""
        found = self.over_hosts(_median)
        return math.inf if found is None else found

    def over_hosts(self, figure: "Callable[[StormSample], float | None]") -> float | None:
        """Return a figure that is reckoned of each of its shares: the mean of the logarithms.

        It is that of the whole storm where it has no shares, and None where one of them has none.
        """
        if not self.shares:
            return figure(self)
        found = [(figure(share.storm), share.weight) for share in self.shares]
        known = [(value, weight) for value, weight in found if value is not None]
        if len(known) < len(found):
            return None
        least = min(value for value, _ in known)
        return least if least <= 0 else math.prod(value**weight for value, weight in known)


def _median(storm: StormSample) -> float | None:
    found = stats.worst_rank_percentile(storm.boots, storm.lost_count, 50)
    return math.inf if found is None else found


@dataclass(frozen=True, slots=True)
class Share:
    """What the VMs of one host come to in a storm, and what that weighs; all weigh 1 together."""

    weight: float
    storm: StormSample


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The storms one run booted with the same settings.

    ``setting`` tells which storms of other runs are like them; None where that is not known.
    ``facts`` are the circumstances in which settings of one run may differ.
    """

    parameters: Mapping[str, str]
    storms: tuple[StormSample, ...]
    setting: Setting | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which run it is: its id, its name if it has one, and when it began (ns since 1970).

    ``setting`` is the part of it that is meant, as ``RUN:setting`` names it; empty for the whole.
    """

    run: str = ""
    name: str = ""
    wall_ns: int = 0
    setting: str = ""

    @property
    def label(self) -> str:
        """What to call it: its name where it has one, else its id."""
        called = self.name or self.run or "a run without an id"
        return f"{called}:{self.setting}" if self.setting else called

    def __str__(self) -> str:
        words = (self.run or "a run without an id", self.name, moment(self.wall_ns), self.setting)
        return ", ".join(word for word in words if word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One run as far as it is compared: its samples, and the circumstances that must agree.

    ``label`` is how it is called beside the other, ``identity`` tells which run it is.
    ``left_out`` counts storms that were cut short, where others were not. ``known`` is what the
    history keeps of runs in these circumstances. ``level`` is that at which it may be asked
    anything: less than 0.05 where it was looked at before, 0 where it ended before it was decided.
    """

    label: str
    samples: tuple[Sample, ...]
    facts: Mapping[str, str]
    identity: Identity = Identity()
    left_out: int = 0
    known: tuple[KnownRun, ...] = ()
    level: float = ALPHA

    @property
    def circumstances(self) -> Mapping[str, str]:
        """The facts of the run and those of its settings, by name; all that differ."""
        names = dict.fromkeys(name for sample in self.samples for name in sample.facts)
        return {**self.facts, **{name: self._all(name) for name in names}}

    def _all(self, name: str) -> str:
        return all_of(sample.facts.get(name, "") for sample in self.samples)

    @property
    def has_boots(self) -> bool:
        """Whether there is anything to compare with."""
        return any(storm.boots for sample in self.samples for storm in sample.storms)


def moment(wall_ns: int) -> str:
    """Return a wall clock's ns since 1970 as local time to the minute; empty where absurd."""
    try:
        at = datetime.fromtimestamp(wall_ns / 1e9).astimezone()
    except (OverflowError, ValueError, OSError):
        return ""
    return at.strftime("%Y-%m-%d %H:%M") if wall_ns else ""


def side_of(fleet: Fleet, label: str = "", *, name: str | None = None) -> Side:
    """Return a run as far as it is compared; ``name`` is its name where that was changed since."""
    run, plan = fleet.run, fleet.plan
    groups = counted_groups(fleet)
    whole = [_whole_storms(fleet, group) for group in groups]
    orderings = Orderings(fleet.unit_order)
    return Side(
        label=label or (run.run if run else ""),
        samples=tuple(
            _sample(fleet, group, storms, orderings)
            for group, storms in zip(groups, whole, strict=True)
        ),
        left_out=sum(map(len, (group.storms for group in groups))) - sum(map(len, whole)),
        facts=_facts(fleet),
        level=_level(fleet),
        identity=Identity(
            run.run if run else "",
            name if name is not None else (plan.name if plan else ""),
            run.wall_ns if run else 0,
        ),
    )


def _level(fleet: Fleet) -> float:
    until = fleet.plan.until_decided if fleet.plan else None
    if until is None:
        return ALPHA
    return level_at(until, fleet.concluded.storms) if fleet.concluded else 0.0


def _facts(fleet: Fleet) -> dict[str, str]:
    plan, hosts = fleet.plan, fleet.hosts
    facts = {
        "host": fleet.host_facts.hostname,
        "CPU": alike_words(hosts, lambda host: host.facts.cpu_model),
        "host kernel": alike_words(hosts, lambda host: host.facts.kernel),
        "guest kernel": _told(fleet, "kernel_release"),
        PROTOCOL: _told(fleet, "protocol"),
    }
    if plan is not None:
        facts[AFTER_REPORT] = str(plan.config.after_report)
        is_detailed = plan.config.kernel_detail is KernelDetail.ON
        facts[KERNEL_DETAIL] = "told" if is_detailed else "not asked for"
        facts["limit of a boot (s)"] = f"{plan.config.timeout_s:g}"
        if not plan.variants[0].parameters:
            facts |= {
                "number of VMs": str(plan.config.number),
                "memory (MiB)": str(plan.config.memory_mib),
                "vCPUs": str(plan.config.smp),
            }
    return facts


def _told(fleet: Fleet, name: str) -> str:
    """Return what guests say of themselves under a name, all that differ."""
    details = (attempt.details for attempt in counted_attempts(fleet))
    return all_of(each.properties.get(name, "") for each in details if each)


def _setting(fleet: Fleet, parameters: Mapping[str, str], accel: str) -> Setting | None:
    """Return what storms with these parameters were booted with; None where that is not known."""
    run, plan, host = fleet.run, fleet.plan, fleet.host_facts
    if run is None or plan is None or not host.hostname:
        return None
    variants = {tuple(each.parameters.items()): each for each in plan.variants}
    variant = variants.get(tuple(parameters.items()))
    if variant is None:
        return None
    asked = cast(dict[str, Json], to_json(variant.config))
    for name in _OF_NO_BOOT:
        del asked[name]
    per_host = [name for name in _PER_HOST if asked.pop(name)]  # of one host it means nothing
    after_report, detail = asked.pop("after_report"), asked.pop("kernel_detail")
    circumstances = [
        *(host.hostname, host.cpu_model, host.cores),
        accel,
        *(asked.pop(name) for name in _AT_ONCE),
        # What earlier versions kept of their runs, all of which were timed so, says nothing of it.
        *([] if after_report == AfterReport.OFF else [after_report]),
        *([KERNEL_DETAIL] if detail == KernelDetail.ON else []),
        *(per_host if fleet.hosts.are_many else []),
        *([_placing(fleet, parameters)] if fleet.hosts.are_many else []),
    ]
    request = [asked, plan.warmup, plan.prepare, plan.drop_caches]
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode())
    return Setting(json.dumps(circumstances), digest.hexdigest())


def _placing(fleet: Fleet, parameters: Mapping[str, str]) -> dict[str, int]:
    """Return how many VMs each host booted of the first storm with these parameters."""
    for storm in fleet.storms.values():
        if storm.parameters == parameters:
            return dict(Counter(attempt.host for attempt in storm.attempts.values()))
    return {}


def _whole_storms(fleet: Fleet, group: Group) -> Sequence[StormSummary]:
    """Return the storms that ran to their end, or all where none did.

    The first to boot of a storm are its fastest, and VMs that were stopped with the run were not
    slow: a storm cut short says nothing of the whole.
    """
    was_stopped = fleet.state in (RunState.STOPPED, RunState.INTERRUPTED)
    last = max(fleet.storms, default=0)

    def is_whole(storm: StormSummary) -> bool:
        states = {attempt.state for attempt in storm.attempts}
        stopped = was_stopped and storm.number == last and VmState.KILLED in states
        return not stopped and all(state.is_decided for state in states)

    return [storm for storm in group.storms if is_whole(storm)] or group.storms


def _sample(
    fleet: Fleet, group: Group, storms: Sequence[StormSummary], orderings: Orderings
) -> Sample:
    turns = {storm.number: turn for turn, storm in enumerate(group.storms)}
    known = [fleet.storms[number] for number in turns if number in fleet.storms]
    accel = all_of(storm.accel for storm in known)
    qemu = all_of(storm.qemu_version for storm in known)
    return Sample(
        parameters=group.parameters,
        setting=_setting(fleet, group.parameters, accel),
        facts={"accelerator": accel, "QEMU": qemu},
        storms=tuple(
            _storm(fleet, storm.attempts, turns[storm.number], orderings) for storm in storms
        ),
    )


def _storm(
    fleet: Fleet, attempts: Sequence[Attempt], turn: int, orderings: Orderings
) -> StormSample:
    """Return a storm of several hosts with what each of these came to that was not lost."""
    whole = _storm_sample(attempts, turn, orderings)
    on_hosts = by_host(attempts)
    if not any(on_hosts):
        return whole
    lost = frozenset(each.host for each in attempts if was_lost_with_host(fleet, each))
    hosts = {
        name: _storm_sample(here, turn, orderings)
        for name, here in on_hosts.items()
        if name not in lost
    }
    hosts = {name: share for name, share in hosts.items() if share.size}
    return replace(whole, hosts=hosts, lost_hosts=lost)


def _storm_sample(attempts: Sequence[Attempt], turn: int, orderings: Orderings) -> StormSample:
    booted = [attempt for attempt in attempts if attempt.boot_ns is not None]
    return StormSample(
        boots=tuple(boots_s(attempts)),
        lost=Counter(attempt.state for attempt in attempts if attempt.state.is_lost),
        all_booted_in=all_booted_in_s(attempts),
        stages=_stage_samples(attempts),
        doubtful=sum(stages_of(attempt).is_doubtful for attempt in booted),
        turn=turn,
        initcalls=typical_initcalls_s(attempts),
        units=OwnTimes(attempts, orderings),
    )


def _stage_samples(attempts: Iterable[Attempt]) -> dict[str, tuple[float, ...]]:
    booted = [attempt for attempt in attempts if attempt.boot_ns is not None]
    found: dict[str, list[float]] = {QEMU: [], **{str(stage): [] for stage in Stage}}
    found[SHUTDOWN] = shutdowns_s(booted)
    for attempt in booted:
        stages = stages_of(attempt)
        if stages.qemu_ns is not None:
            found[QEMU].append(stages.qemu_ns / 1e9)
        for stage, ns in stages.known:
            found[stage].append(ns / 1e9)
    return {name: tuple(values) for name, values in found.items() if values}
