"""The tables of a comparison: a row a figure, a row a setting, and the runs' circumstances."""

import math
from collections.abc import Sequence

from vmtiming_tui.analysis.comparison.compare import Comparison, GroupComparison
from vmtiming_tui.analysis.comparison.difference import Difference
from vmtiming_tui.analysis.comparison.samples import Side
from vmtiming_tui.analysis.stats import Interval
from vmtiming_tui.analysis.summary import settings_label
from vmtiming_tui.report.tables import (
    Align,
    Cell,
    Head,
    Note,
    Table,
    between_cell,
    figure,
    foreign,
    median_cell,
    own,
    share,
)
from vmtiming_tui.report.wording import SHORT_NOTHING, short_change, utc


def _changes(interval: Interval | None) -> Cell:
    if interval is None:
        return own(SHORT_NOTHING)
    high = short_change(interval.high) if math.isfinite(interval.high) else "?"
    return own(f"{short_change(interval.low)}..{high}")


def comparison_table(comparison: Comparison, group: GroupComparison) -> Table:
    """Return the differences of one setting; the intervals of the two sides and p are details."""
    said = (f"{sentence}." for sentence in group.sentences)
    return Table(
        heads=(
            Head("stage", Align.LEFT),
            Head(comparison.first or "first"),
            Head("interval", is_detail=True),
            Head(comparison.second or "second"),
            Head("interval", is_detail=True),
            Head("change"),
            Head("interval"),
            Head("p", is_detail=True),
            Head(""),
        ),
        rows=tuple(map(_difference_row, group.differences)),
        notes=tuple(map(Note, said)),
    )


def _difference_row(each: Difference) -> tuple[Cell, ...]:
    return (
        own(each.name),
        median_cell(each.first),
        between_cell(each.first),
        median_cell(each.second),
        between_cell(each.second),
        own(short_change(each.percent)),
        _changes(each.percent_interval),
        figure(each.p_value, ".3f", ".3f"),
        own(str(each.verdict)),
    )


def setting_table(comparison: Comparison) -> Table:
    """Return a row a setting: both medians of its storms, how many booted, and the verdict."""
    return Table(
        heads=(
            Head("settings", Align.LEFT),
            Head(comparison.first or "first"),
            Head("booted", is_detail=True),
            Head(comparison.second or "second"),
            Head("booted", is_detail=True),
            Head("change"),
            Head("interval"),
            Head(""),
        ),
        rows=tuple(map(_setting_row, comparison.groups)),
    )


def _setting_row(group: GroupComparison) -> tuple[Cell, ...]:
    boot, losses = group.boot, group.losses
    return (
        foreign(settings_label(group.parameters)),
        median_cell(boot.first),
        share(losses.first_booted, losses.first_number),
        median_cell(boot.second),
        share(losses.second_booted, losses.second_number),
        own(short_change(boot.percent)),
        _changes(boot.percent_interval),
        own(str(boot.verdict)),
    )


def circumstance_table(sides: Sequence[Side]) -> Table:
    """Return which runs they are and under what circumstances they were made, a column a run."""
    told: dict[str, list[str]] = {
        "run": [side.identity.run for side in sides],
        "name": [side.identity.name for side in sides],
        "started": [utc(side.identity.wall_ns) if side.identity.wall_ns else "" for side in sides],
        "part": [side.identity.setting for side in sides],
        "storms": [str(sum(len(sample.storms) for sample in side.samples) or "") for side in sides],
    }
    facts = [side.circumstances for side in sides]
    for name in dict.fromkeys(name for each in facts for name in each):
        told[name] = [each.get(name, "") for each in facts]
    return Table(
        heads=(Head("what", Align.LEFT), *(Head(side.label, Align.LEFT) for side in sides)),
        rows=tuple(
            (own(name), *map(foreign, values)) for name, values in told.items() if any(values)
        ),
    )
