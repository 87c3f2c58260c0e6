"""A sweep's table, each setting against the first, and what booting many VMs at once costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.comparison.compare import GroupComparison, compare_variants
from vmtiming_tui.analysis.comparison.samples import Side, side_of
from vmtiming_tui.analysis.summary import Group, counted_groups
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.stage import Stage

NUMBER = "number"
GROWTH = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRow:
    """One combination of settings: figures over its storms, in seconds.

    ``relative`` is its median boot time against the fastest row's; it has none where VMs that never
    booted hide its median.
    """

    parameters: Mapping[str, str]
    storms: int
    booted: int
    attempts: int
    boot: stats.Figures | None
    all_booted_in: stats.Figures | None
    vms_per_s: float | None
    relative: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty:
    """What booting ``number`` VMs at once costs each of them, against ``base`` at once.

    ``boot`` and each of ``stages`` say how many times as long it takes (medians over storms);
    ``added_s`` how many seconds each stage takes more.
    """

    parameters: Mapping[str, str]
    base: int
    number: int
    boot: float | None
    stages: Mapping[Stage, float]
    added_s: Mapping[Stage, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Knee:
    """The number of VMs from which on VMs per second do not grow; None: they still did."""

    parameters: Mapping[str, str]
    number: int | None
    vms_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A whole sweep: ``names`` of what was varied, rows in the order first booted.

    ``reference`` is the setting that takes the first value of each list. ``against`` holds what
    each other one is against it, round by round; there is nothing where no setting was booted
    twice. Of a run that went on until it was decided it is what its last look said.
    """

    names: tuple[str, ...]
    rows: tuple[SweepRow, ...]
    reference: Mapping[str, str]
    against: tuple[GroupComparison, ...]
    penalties: tuple[Penalty, ...]
    knees: tuple[Knee, ...]


def sweep_of(fleet: Fleet) -> Sweep | None:
    """Return the run's sweep; None where nothing was varied."""
    groups = [group for group in counted_groups(fleet) if group.parameters]
    if not groups:
        return None
    medians = [median for group in groups if (median := _median(group.medians)) is not None]
    fastest = min(medians, default=None)
    lines = _number_lines(groups)
    reference = _reference(fleet, groups)
    return Sweep(
        names=tuple(dict.fromkeys(name for group in groups for name in group.parameters)),
        rows=tuple(_row(group, fastest) for group in groups),
        reference=reference,
        against=_against(side_of(fleet), reference),
        penalties=tuple(_penalty(line[0], group) for line in lines for group in line[1:]),
        knees=tuple(knee for line in lines if (knee := _knee(line)) is not None),
    )


def _reference(fleet: Fleet, groups: Sequence[Group]) -> Mapping[str, str]:
    """Return the first of the plan's settings; of what was booted where the plan is not known."""
    planned = fleet.plan.variants[0].parameters if fleet.plan is not None else {}
    return planned or groups[0].parameters


def _against(side: Side, reference: Mapping[str, str]) -> tuple[GroupComparison, ...]:
    """Return each other setting against the reference, where any was booted in several turns."""
    first = [sample for sample in side.samples if sample.parameters == reference]
    others = [sample for sample in side.samples if sample.parameters != reference]
    if not first or all(len(sample.storms) < 2 for sample in side.samples):
        return ()
    return compare_variants([*first, *others], side.level)


def _median(figures: stats.Figures | None) -> float | None:
    return figures.median if figures is not None else None


def _row(group: Group, fastest: float | None) -> SweepRow:
    boot = _median(group.medians)
    return SweepRow(
        parameters=group.parameters,
        storms=len(group.storms),
        booted=sum(storm.summary.booted for storm in group.storms),
        attempts=len(group.attempts),
        boot=group.medians,
        all_booted_in=group.all_booted_in,
        vms_per_s=_median(group.rates),
        relative=boot / fastest if boot is not None and fastest else None,
    )


def _number(group: Group) -> int:
    text = group.parameters.get(NUMBER, "")
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else 0


def _rest(group: Group) -> dict[str, str]:
    return {name: value for name, value in group.parameters.items() if name != NUMBER}


def _number_lines(groups: Sequence[Group]) -> list[list[Group]]:
    """Return the groups that differ in their number of VMs only, fewest first."""
    lines: dict[tuple[tuple[str, str], ...], list[Group]] = {}
    for group in groups:
        if _number(group):
            lines.setdefault(tuple(sorted(_rest(group).items())), []).append(group)
    return [sorted(line, key=_number) for line in lines.values() if len(line) > 1]


def _penalty(base: Group, group: Group) -> Penalty:
    before = {stage: stats.median(values) for stage, values in base.stage_medians_s().items()}
    after = {stage: stats.median(values) for stage, values in group.stage_medians_s().items()}
    both = [stage for stage in Stage if stage in before and stage in after]
    one, many = _median(base.medians), _median(group.medians)
    boot = many / one if one and many is not None else None
    return Penalty(
        parameters=_rest(group),
        base=_number(base),
        number=_number(group),
        boot=boot,
        stages={stage: after[stage] / before[stage] for stage in both if before[stage] > 0},
        added_s={stage: after[stage] - before[stage] for stage in both},
    )


def _knee(line: Sequence[Group]) -> Knee | None:
    """Return the fewest VMs whose rate no larger number betters by more than 5 percent."""
    rates = [(_number(group), rate) for group in line if (rate := _median(group.rates)) is not None]
    if len(rates) < 2:
        return None
    best = max(rate for _, rate in rates)
    number, rate = next((number, rate) for number, rate in rates if best <= rate * GROWTH)
    is_last = number == rates[-1][0]
    return Knee(parameters=_rest(line[0]), number=None if is_last else number, vms_per_s=rate)
