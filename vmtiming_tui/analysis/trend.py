"""How the boot time of one kind of run went from run to run, and where it stepped.

A step is a cut between two levels of the logarithms of the runs' medians, as ``levels`` finds them.
"""

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.comparison.samples import Sample, Side
from vmtiming_tui.analysis.levels import cuts_of
from vmtiming_tui.model.codec import Json, to_json
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan

MOST_RUNS = 500
"""So many of the newest runs are looked at: the search takes time with their square."""

TOOL = "vm-timing-report"

# What is under test, or changes no boot: runs that differ in it are of one kind all the same.
_APART = frozenset(
    {
        "prefix", "suffix", "vmdir", "kernel", "initrd", "base", "qemu", "accel", "format",
        "allow_backing", "allow_device", "run_as", "force", "timeout_s", "end",
        "shutdown_timeout_s",
    }
)  # fmt: skip
_FACTS = (
    "guest kernel", "kernel file", "initrd file", "image file", "QEMU", "accelerator", "host",
    "CPU", "host kernel", TOOL,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendPoint:
    """What one run came to with one of its settings.

    ``kind`` tells the settings that runs must have in common. The median (s) is over storms, of a
    single storm over its VMs; None where lost VMs hide it. ``low_s`` and ``high_s`` are its 95 %
    interval, or the range of storms that are too few for one. ``facts`` is what it was made with.
    """

    kind: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    storms: int
    booted: int
    boots: int
    median_s: float | None = None
    low_s: float | None = None
    high_s: float | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendRun:
    """A run in a trend: which one, when it began (ns since 1970), and what it came to."""

    run: str
    name: str
    wall_ns: int
    point: TrendPoint

    @property
    def label(self) -> str:
        """What to call it: its name where it has one, else its id."""
        return self.name or self.run


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A fact that is another from one run to the next; empty where it is not known."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The boot time stepped between two runs; ``at`` is the place of the first one after it.

    ``before_s`` and ``after_s`` are the medians of the runs' medians on either side of it.
    """

    at: int
    before_s: float
    after_s: float
    changes: tuple[Change, ...]

    @property
    def percent(self) -> float:
        """By how much."""
        return 100 * (self.after_s / self.before_s - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The runs of one kind, the oldest first, and where their boot time stepped.

    ``parameters`` is what sets it apart from the other settings of a sweep. ``left_out`` counts
    runs of other kinds, by what they asked for instead.
    """

    parameters: Mapping[str, str]
    runs: tuple[TrendRun, ...]
    steps: tuple[Step, ...]
    left_out: Mapping[str, int]

    @property
    def known(self) -> int:
        """How many of its runs have a median."""
        return sum(run.point.median_s is not None for run in self.runs)

    def levels(self) -> list[tuple[int, int, float]]:
        """Return the levels: from which place to before which, and their median (s)."""
        ends = [0, *(step.at for step in self.steps), len(self.runs)]
        found = []
        for first, last in itertools.pairwise(ends):
            medians = [run.point.median_s for run in self.runs[first:last]]
            known = [median for median in medians if median is not None]
            if known:
                found.append((first, last, stats.median(known)))
        return found


# What is kept of a run.


def points_of(fleet: Fleet, side: Side) -> tuple[TrendPoint, ...]:
    """Return what a run came to, a point for each of its settings; ``side`` is the same run."""
    run, plan = fleet.run, fleet.plan
    if run is None or plan is None:
        return ()
    of_run = {**side.facts, TOOL: run.tool_version}
    for role in dict.fromkeys(file.role for file in fleet.files):
        # Hosts may have the same file in places of their own.
        states = dict.fromkeys(file.state for file in fleet.files if file.role == role)
        of_run[f"{role} file"] = "; ".join(states)
    variants = {tuple(each.parameters.items()): each.config for each in plan.variants}
    return tuple(
        _point(sample, _kind(plan, config), {**of_run, **sample.facts})
        for sample in side.samples
        if (config := variants.get(tuple(sample.parameters.items()))) is not None
    )


def _kind(plan: RunPlan, config: RunConfig) -> str:
    asked = cast(dict[str, Json], to_json(config))
    kept = {name: value for name, value in asked.items() if name not in _APART}
    of_plan = {"warmup": plan.warmup, "prepare": plan.prepare, "drop_caches": plan.drop_caches}
    return json.dumps({**kept, **of_plan}, sort_keys=True)


def _point(sample: Sample, kind: str, facts: Mapping[str, str]) -> TrendPoint:
    storms = sample.storms
    if len(storms) == 1:
        (storm,) = storms
        figures = stats.describe([*storm.boots, *[math.inf] * storm.lost_count])
    else:
        figures = stats.describe([storm.median for storm in storms])
    low_s = high_s = None
    if figures is not None and figures.interval is not None:
        low_s, high_s = figures.interval.low, figures.interval.high
    elif figures is not None and len(storms) > 1 and not figures.lost:
        low_s, high_s = figures.min, figures.max
    return TrendPoint(
        kind=kind,
        parameters=sample.parameters,
        storms=len(storms),
        booted=sum(len(storm.boots) for storm in storms),
        boots=sum(storm.size for storm in storms),
        median_s=figures.median if figures else None,
        low_s=low_s,
        high_s=high_s,
        facts={name: facts[name] for name in _FACTS if facts.get(name)},
    )


# Over many runs.


def trends_of(runs: Iterable[TrendRun], of: str = "") -> list[Trend]:
    """Return a trend for each setting of a run, of all the runs that asked for the same.

    ``of`` is that run's id; the newest where it is empty.
    """
    ordered = sorted(runs, key=lambda run: (run.wall_ns, run.run))
    if not ordered:
        return []
    chosen = of or ordered[-1].run
    return [_trend(run.point, ordered) for run in ordered if run.run == chosen]


def _trend(point: TrendPoint, runs: Sequence[TrendRun]) -> Trend:
    same, others = list[TrendRun](), dict[str, str]()
    for run in runs:
        if _settings(run.point) == _settings(point):
            same.append(run)
        else:
            others[run.run] = _instead(run.point.kind, point.kind)
    for run in same:
        others.pop(run.run, None)  # with another of its settings it is in
    kept = same[-MOST_RUNS:]
    return Trend(
        parameters=point.parameters,
        runs=tuple(kept),
        steps=tuple(steps_of(kept)),
        left_out=Counter(others.values()),
    )


def _settings(point: TrendPoint) -> tuple[str, tuple[tuple[str, str], ...]]:
    return point.kind, tuple(point.parameters.items())


def _instead(kind: str, reference: str) -> str:
    """Return what settings of one kind are not those of another: ``number=8 smp=2``."""
    asked, instead_of = json.loads(kind), json.loads(reference)
    return " ".join(
        f"{name}={value}" for name, value in asked.items() if value != instead_of.get(name)
    )


def steps_of(runs: Sequence[TrendRun]) -> list[Step]:
    """Return where the medians of runs, the oldest first, step; one without a median is passed."""
    known = [
        (place, run.point.median_s)
        for place, run in enumerate(runs)
        if run.point.median_s is not None and run.point.median_s > 0
    ]
    medians = [median for _, median in known]
    cuts = cuts_of([math.log(median) for median in medians])
    ends = [0, *cuts, len(medians)]
    found = []
    for before, cut, after in zip(ends[:-2], cuts, ends[2:], strict=True):
        place, last = known[cut][0], known[cut - 1][0]
        found.append(
            Step(
                at=place,
                before_s=stats.median(medians[before:cut]),
                after_s=stats.median(medians[cut:after]),
                changes=_changes(runs[last].point.facts, runs[place].point.facts),
            )
        )
    return found


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    return tuple(
        Change(name=name, before=before.get(name, ""), after=after.get(name, ""))
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    )
