"""The storms of a run so far, one by one and by setting: all that is shown, for a thread."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.comparison.difference import Difference
from vmtiming_tui.analysis.comparison.samples import Side
from vmtiming_tui.analysis.summary import all_booted_in_s, boots_s, lost_of, settings_label
from vmtiming_tui.analysis.sweep import sweep_of
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.model.storm import Storm
from vmtiming_tui.report.findings import cost_lines
from vmtiming_tui.tui.state.outcome import between_hosts, held_against, verdicts_of


@dataclass(frozen=True, slots=True, kw_only=True)
class StormRow:
    """One storm: its figures in seconds, None where they are not known, as while it boots.

    ``interval`` is that of the median. VMs that were lost rank behind all that booted.
    """

    number: int
    kind: StormKind
    parameters: Mapping[str, str]
    vms: int
    booted: int
    is_over: bool
    median_s: float | None = None
    interval: stats.Interval | None = None
    p95_s: float | None = None
    slowest_s: float | None = None
    all_booted_in_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """The storms of one setting that are over and count: ``medians`` and more are of one a storm.

    ``change`` is against the first setting; None for that one, and before it can be told.
    """

    parameters: Mapping[str, str]
    storms: tuple[StormRow, ...]
    medians: stats.Figures | None
    all_booted_in: stats.Figures | None
    change: Difference | None
    is_reference: bool

    @property
    def booted(self) -> int:
        """How many of its boots succeeded."""
        return sum(storm.booted for storm in self.storms)

    @property
    def boots(self) -> int:
        """How many there were."""
        return sum(storm.vms for storm in self.storms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storms:
    """All of a run's storms so far, of which so many are to count of each setting: ``runs``.

    ``verdicts`` say what is told of them so far, ``costs`` what many VMs at once cost, ``between``
    what lies between several hosts.
    It ``is_over`` when no more come by themselves.
    """

    rows: tuple[StormRow, ...]
    settings: tuple[SettingRow, ...]
    runs: int
    verdicts: tuple[str, ...]
    costs: tuple[str, ...]
    between: tuple[str, ...]
    is_over: bool

    @property
    def counted(self) -> tuple[StormRow, ...]:
        """The storms that count."""
        return tuple(row for row in self.rows if row.kind is StormKind.RUN)

    @property
    def planned(self) -> int:
        """How many storms are to count."""
        return self.runs * max(len(self.settings), 1)

    @property
    def is_varied(self) -> bool:
        """Whether there is more than one setting."""
        return len(self.settings) > 1


def storms_of(fleet: Fleet, baseline: Side | None) -> Storms:
    """Return what the storms of a run have shown so far."""
    rows = tuple(_row(storm) for _, storm in sorted(fleet.storms.items()))
    plan = fleet.plan
    held = held_against(baseline, fleet)
    sweep = sweep_of(fleet)
    groups = sweep.against if sweep else ()
    against = {settings_label(group.parameters): group.boot for group in groups}
    reference = settings_label(sweep.reference) if sweep else ""
    variants = [variant.parameters for variant in plan.variants] if plan else []
    return Storms(
        rows=rows,
        settings=tuple(_settings(rows, variants, against, reference)),
        runs=plan.runs if plan else 0,
        verdicts=tuple(verdicts_of(fleet, baseline, held)),
        costs=tuple(cost_lines(sweep)) if sweep else (),
        between=between_hosts(fleet),
        is_over=fleet.ran_to_end,
    )


def _row(storm: Storm) -> StormRow:
    attempts = list(storm.attempts.values())
    is_over = len(attempts) >= len(storm.vms) and all(each.state.is_decided for each in attempts)
    times, lost = boots_s(attempts), lost_of(attempts)
    row = StormRow(
        number=storm.number,
        kind=storm.kind,
        parameters=storm.parameters,
        vms=len(storm.vms),
        booted=len(times),
        is_over=is_over,
    )
    return _measured(row, times, lost, all_booted_in_s(attempts)) if is_over else row


def _measured(
    row: StormRow, times: Sequence[float], lost: int, all_booted_in: float | None
) -> StormRow:
    interval = stats.median_interval(times, lost=lost)
    return replace(
        row,
        median_s=stats.worst_rank_percentile(times, lost, 50),
        interval=interval if interval is not None and interval.is_bounded else None,
        p95_s=stats.worst_rank_percentile(times, lost, 95),
        slowest_s=max(times, default=None),
        all_booted_in_s=all_booted_in,
    )


def _settings(
    rows: Iterable[StormRow],
    variants: Iterable[Mapping[str, str]],
    against: Mapping[str, Difference],
    reference: str,
) -> Iterable[SettingRow]:
    """Yield a row for every setting of the plan, and for those that were booted besides."""
    over = [row for row in rows if row.kind is StormKind.RUN and row.is_over]
    known = [*variants, *(row.parameters for row in over)]
    groups: dict[str, list[StormRow]] = {settings_label(each): [] for each in known}
    for row in over:
        groups[settings_label(row.parameters)].append(row)
    for parameters in {settings_label(each): each for each in known}.values():
        label = settings_label(parameters)
        storms = groups[label]
        yield SettingRow(
            parameters=parameters,
            storms=tuple(storms),
            medians=_over(storm.median_s for storm in storms),
            all_booted_in=_over(storm.all_booted_in_s for storm in storms),
            change=against.get(label),
            is_reference=label == reference,
        )


def _over(figures: Iterable[float | None]) -> stats.Figures | None:
    """Return the figures of one value a storm; one that lost VMs hide ranks behind all others."""
    return stats.describe([math.inf if figure is None else figure for figure in figures])
