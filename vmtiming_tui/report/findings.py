"""What was found by comparing and by sweeping, as lines of text."""

from collections.abc import Mapping, Sequence

from vmtiming_tui.analysis.comparison.compare import Comparison, GroupComparison
from vmtiming_tui.analysis.comparison.difference import signed
from vmtiming_tui.analysis.comparison.samples import THIS_RUN
from vmtiming_tui.analysis.summary import Summary, settings_label
from vmtiming_tui.analysis.sweep import Knee, Penalty, Sweep
from vmtiming_tui.analysis.thresholds import Judged
from vmtiming_tui.escape import plural, printable
from vmtiming_tui.model.decision import Decision, Standing
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.aligned import aligned_lines
from vmtiming_tui.report.comparison_tables import comparison_table
from vmtiming_tui.report.movement import movement_lines
from vmtiming_tui.report.tables import (
    sweep_notes,
    sweep_table,
    threshold_table,
)
from vmtiming_tui.report.wording import short_seconds


def _named(parameters: Mapping[str, str]) -> str:
    return printable(settings_label(parameters))


def comparison_lines(*comparisons: Comparison) -> list[str]:
    """Return comparisons: a table a setting, the verdict in a sentence, then all cautions once."""
    found = [line for each in comparisons for line in found_lines(each)]
    warnings = (line for each in comparisons for line in warning_lines(each))
    return [*found, *dict.fromkeys(warnings)]


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
    title = [f"{_named(group.parameters)}:"] if group.parameters else []
    table = comparison_table(comparison, group)
    said = [printable(note.text) for note in table.notes]
    moved = [
        line
        for kind, parts in group.parts.items()
        for line in movement_lines(kind, parts, group.boot.shift_s)
    ]
    shown = aligned_lines(table.without_details() if narrow else table)
    return [*title, *shown, "", *said, "", *moved]


def sweep_lines(sweep: Sweep) -> list[str]:
    """Return a sweep: a row a setting, the verdicts, what many at once cost, and the knee."""
    table = sweep_table(sweep)
    lines = aligned_lines(table)
    if table.notes:
        lines += ["", *(printable(str(note)) for note in table.notes)]
    costs = cost_lines(sweep)
    return [*lines, *([""] if sweep.penalties else []), *costs]


def cost_lines(sweep: Sweep) -> list[str]:
    """Return what many VMs at once cost, and from where on more of them do not pay."""
    return [*map(_penalty_line, sweep.penalties), *map(_knee_line, sweep.knees)]


def sweep_verdict_lines(sweep: Sweep) -> list[str]:
    """Return what each setting is against the first; nothing where none was booted twice."""
    return [printable(str(note)) for note in sweep_notes(sweep)]


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


def shutdown_lines(summary: Summary) -> list[str]:
    """Return how long the guests took to shut down; nothing where none was asked to."""
    figures, exits = summary.shutdown, summary.qemu_exit
    if figures is None:
        return []
    median = short_seconds(figures.median)
    around = f" ({short_seconds(figures.min)} to {short_seconds(figures.max)})"
    after = f", QEMU's exit {short_seconds(exits.median)} after it" if exits else ""
    lost = f"; {figures.lost} ran into the limit" if figures.lost else ""
    return [f"Shutdown: median {median}{around if figures.size > 1 else ''}{after}{lost}"]


def decision_lines(fleet: Fleet, decisions: Sequence[Decision]) -> list[str]:
    """Return whether a run that was to go on until it was decided is, and what was decided."""
    plan, concluded = fleet.plan, fleet.concluded
    if plan is None or plan.until_decided is None:
        return []
    percent = plan.until_decided.percent
    last = concluded.storms if concluded else None
    told = [f"  {_decision_words(each, percent, last)}" for each in decisions]
    if concluded is None:
        ended = "The run ended before it was decided" if fleet.ran_to_end else "Not decided yet"
        return [f"{ended}: so far, with nothing claimed", *told]
    is_open = any(each.standing is Standing.OPEN for each in decisions)
    done = "Not decided within" if is_open else "Decided after"
    each = " of each setting" if len(plan.variants) > 1 else ""
    return [f"{done} {plural(concluded.storms, 'storm')}{each}:", *told]


def _decision_words(decision: Decision, percent: float, last: int | None) -> str:
    """Return what was decided of one setting, between which bounds, and after how many storms.

    The latter is not said where it is what all rests on (``last``).
    """
    what = printable(settings_label(decision.parameters) or THIS_RUN)
    change, low, high = decision.percent, decision.low_percent, decision.high_percent
    ends = [f"{signed(end)} %" if end is not None else "unknown" for end in (low, high)]
    between = "" if low is None and high is None else f" ({ends[0]} to {ends[1]})"
    match decision.standing:
        case Standing.NO_DIFFERENCE:
            words = f"no difference of {percent:g} %{between}"
        case Standing.OPEN:
            so_far = "" if change is None else f", {signed(change)} %{between or ' so far'}"
            words = f"cannot tell{so_far}"
        case standing:
            by = "" if change is None else f" by {abs(change):.1f} %"
            words = f"{standing}{by}{between}"
    storms = "" if decision.storms == last else f", after {plural(decision.storms, 'storm')}"
    return f"{what} against {printable(decision.against)}: {words}{storms}"


def threshold_lines(judged: Sequence[Judged]) -> list[str]:
    """Return each threshold with its figure, and whether it holds; nothing where none was set."""
    return aligned_lines(threshold_table(judged)) if judged else []
