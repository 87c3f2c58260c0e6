"""Comparisons, sweeps and stragglers as lines of text for a terminal or a pipe.

Figures stand right in their columns. Names that came from elsewhere are made safe to show.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from vmtiming_tui.analysis.compare import Comparison, Difference, GroupComparison, signed
from vmtiming_tui.analysis.stats import Figures, Interval
from vmtiming_tui.analysis.straggler import Straggler
from vmtiming_tui.analysis.sweep import Knee, Penalty, Sweep
from vmtiming_tui.escape import plural, printable
from vmtiming_tui.report.width import at_left, at_right, width

NOTHING = "-"
_NARROW = (0, 1, 3, 5, 6, 8)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> list[str]:
    """Return aligned lines; the first ``left`` columns to the left, the others to the right."""
    lines = [[printable(cell, keep="") for cell in line] for line in (heads, *rows)]
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            at_left(cell, cells) if index < left else at_right(cell, cells)
            for index, (cell, cells) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def seconds(value: float | None) -> str:
    """Return seconds as the plain report shows them."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.4g}s"


def _median(figures: Figures | None) -> str:
    return NOTHING if figures is None else seconds(figures.median)


def _between(figures: Figures | None) -> str:
    """Return the median's interval, or the range where there are too few values for one."""
    if figures is None or figures.size < 2:
        return NOTHING
    interval = figures.interval
    low, high = (interval.low, interval.high) if interval else (figures.min, figures.max)
    return f"{seconds(low)}..{seconds(high)}"


def percent(value: float | None) -> str:
    """Return a change in percent, its sign always shown."""
    return NOTHING if value is None or not math.isfinite(value) else f"{signed(value)}%"


def _percents(interval: Interval | None) -> str:
    if interval is None:
        return NOTHING
    high = percent(interval.high) if math.isfinite(interval.high) else "?"
    return f"{percent(interval.low)}..{high}"


def _named(parameters: Mapping[str, str]) -> str:
    return printable(" ".join(f"{name}={value}" for name, value in parameters.items()))


def comparison_lines(comparison: Comparison) -> list[str]:
    """Return a comparison: a table a setting, the verdict in a sentence, then the cautions."""
    return [*found_lines(comparison), *warning_lines(comparison)]


def warning_lines(comparison: Comparison) -> list[str]:
    """Return what makes a comparison doubtful."""
    return [f"Warning: {printable(caution)}" for caution in comparison.cautions]


def found_lines(comparison: Comparison, *, narrow: bool = False) -> list[str]:
    """Return what was found: which run it was held against, a table and a sentence a setting.

    ``narrow`` leaves out the intervals of the two sides, and what follows from others: p.
    """
    lines = [f"Held against {printable(str(comparison.against))}."]
    for group in comparison.groups:
        lines += _group_lines(comparison, group, narrow=narrow)
    if not comparison.groups:
        lines.append("The two runs have no setting in common that both booted.")
    return lines


def _group_lines(comparison: Comparison, group: GroupComparison, *, narrow: bool) -> list[str]:
    said = [
        f"{group.boot.sentence}.",
        *([f"{losses}."] if (losses := group.losses.sentence) else []),
    ]
    heads = (
        "stage",
        comparison.first or "first",
        "interval",
        comparison.second or "second",
        "interval",
        "change",
        "interval",
        "p",
        "",
    )
    title = [f"{_named(group.parameters)}:"] if group.parameters else []
    rows = [heads, *map(_difference_row, group.differences)]
    kept = _NARROW if narrow else range(len(heads))
    first, *rest = [[row[column] for column in kept] for row in rows]
    return [
        *title,
        *table(first, rest),
        "",
        *map(printable, said),
        "",
    ]


def _difference_row(each: Difference) -> Sequence[str]:
    return (
        each.name,
        _median(each.first),
        _between(each.first),
        _median(each.second),
        _between(each.second),
        percent(each.percent),
        _percents(each.percent_interval),
        NOTHING if each.p_value is None else f"{each.p_value:.3f}",
        str(each.verdict),
    )


def sweep_lines(sweep: Sweep) -> list[str]:
    """Return a sweep: a row a setting, then what booting many at once costs, and the knee."""
    heads = (
        *sweep.names,
        "storms",
        "booted",
        "boot",
        "interval",
        "all booted in",
        "VMs/s",
        "relative",
    )
    rows = [
        (
            *(row.parameters.get(name, "") for name in sweep.names),
            str(row.storms),
            f"{row.booted}/{row.attempts}",
            _median(row.boot),
            _between(row.boot),
            _median(row.all_booted_in),
            NOTHING if row.vms_per_s is None else f"{row.vms_per_s:.3g}",
            NOTHING if row.relative is None else f"{row.relative:.2f}",
        )
        for row in sweep.rows
    ]
    lines = table(heads, rows, left=len(sweep.names))
    if sweep.penalties:
        lines += ["", *map(_penalty_line, sweep.penalties)]
    return [*lines, *map(_knee_line, sweep.knees)]


def _where(parameters: Mapping[str, str]) -> str:
    return f"{_named(parameters)}: " if parameters else ""


def _penalty_line(penalty: Penalty) -> str:
    times = "unknown" if penalty.boot is None else f"{penalty.boot:.2f} times as long"
    most = sorted(penalty.added_s.items(), key=lambda item: -item[1])
    parts = [f"{stage} {added:+.3g}s" for stage, added in most if abs(added) >= 0.001]
    stages = f" ({', '.join(parts)})" if parts else ""
    return (
        f"{_where(penalty.parameters)}{penalty.number} VMs at once against {penalty.base}: "
        f"a boot takes {times}{stages}"
    )


def _knee_line(knee: Knee) -> str:
    where = _where(knee.parameters)
    if knee.number is None:
        return (
            f"{where}VMs per second still grew with the most VMs tried "
            f"({knee.vms_per_s:.3g} a second)"
        )
    number = plural(knee.number, "VM")
    return f"{where}VMs per second stop growing at {number} ({knee.vms_per_s:.3g} a second)"


def straggler_lines(found: Straggler) -> list[str]:
    """Return why the slowest VM was slow, as far as it can be told."""
    slow, middle = found.slowest, found.middle
    lines = [
        f"VM {slow.vm} was the slowest: {seconds((slow.boot_ns or 0) / 1e9)}, "
        f"{seconds(found.behind_ns / 1e9)} behind VM {middle.vm} in the middle"
    ]
    added = [f"{stage} {ns / 1e9:+.3g}s" for stage, ns in found.added_ns.items()]
    if added:
        lines.append(f"  by stage: {', '.join(added)}")
    lines += [
        f"  {printable(unit.name)}: {seconds(unit.slowest_ns / 1e9)} against "
        f"{seconds(None if unit.middle_ns is None else unit.middle_ns / 1e9)}"
        for unit in found.units
    ]
    if found.waited_share is not None:
        lines.append(f"  it waited for a free core {100 * found.waited_share:.0f} % of its time")
    return lines
