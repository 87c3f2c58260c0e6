"""A trend in words: a table of its runs with each median drawn, and the steps that were found."""

from dataclasses import dataclass

from vmtiming_tui.analysis.comparison.difference import signed
from vmtiming_tui.analysis.comparison.samples import moment
from vmtiming_tui.analysis.levels import SHORTEST
from vmtiming_tui.analysis.summary import settings_label
from vmtiming_tui.analysis.trend import Step, Trend, TrendPoint
from vmtiming_tui.escape import are, one_line, plural, printable
from vmtiming_tui.report.aligned import aligned_lines
from vmtiming_tui.report.tables import Align, Head, Table, foreign, own, share, took
from vmtiming_tui.report.wording import SHORT_NOTHING, short_seconds

METHOD = "Steps by optimal partitioning of the medians' logarithms: L1 cost, penalty 3 ln n."

_CELLS = 24
_MOST_NAME = 40


@dataclass(frozen=True, slots=True)
class Signs:
    """What an interval is drawn with: its ends, its line, and the median on it."""

    low: str
    line: str
    high: str
    median: str


UNICODE = Signs("├", "─", "┤", "●")
ASCII = Signs("|", "-", "|", "o")


def trend_lines(trend: Trend, signs: Signs = UNICODE) -> list[str]:
    """Return a row a run, the oldest first, and beneath it what stepped and what is left out."""
    return [*run_lines(trend, signs), "", *step_lines(trend), *left_out_lines(trend)]


def run_lines(trend: Trend, signs: Signs, *, narrow: bool = False) -> list[str]:
    """Return a row a run under a head, and its settings above; ``narrow`` leaves out details."""
    title = [f"{printable(settings_label(trend.parameters))}:"] if trend.parameters else []
    table = trend_table(trend, signs)
    return [*title, *aligned_lines(table.without_details() if narrow else table)]


def trend_table(trend: Trend, signs: Signs | None = None) -> Table:
    """Return a row a run, the oldest first; with ``signs`` each median is drawn too."""
    percents = {step.at: step.percent for step in trend.steps}
    drawn = _drawn(trend, signs) if signs is not None else []
    table = Table(
        heads=(
            Head("run", Align.LEFT),
            Head("when", Align.LEFT),
            Head("storms", is_detail=True),
            Head("booted", is_detail=True),
            Head("median"),
            Head("interval", is_detail=True),
            Head("step"),
        ),
        rows=tuple(
            (
                foreign(one_line(run.label, _MOST_NAME)),
                own(moment(run.wall_ns)),
                own(str(run.point.storms)),
                share(run.point.booted, run.point.boots),
                took(run.point.median_s),
                own(_reach(run.point)),
                own(f"{signed(percents[place])} %" if place in percents else ""),
            )
            for place, run in enumerate(trend.runs)
        ),
    )
    return table.with_column(Head("", Align.LEFT), list(map(own, drawn))) if drawn else table


def _reach(point: TrendPoint) -> str:
    if point.low_s is None or point.high_s is None:
        return SHORT_NOTHING
    return f"{short_seconds(point.low_s)}..{short_seconds(point.high_s)}"


def _drawn(trend: Trend, signs: Signs) -> list[str]:
    """Return each run's median and its interval as a line, all to one scale."""
    points = [run.point for run in trend.runs]
    ends = [
        value
        for point in points
        for value in (point.low_s, point.median_s, point.high_s)
        if value is not None
    ]
    if not ends or max(ends) == min(ends):
        return []
    low, high = min(ends), max(ends)

    def cell(value_s: float) -> int:
        return round((_CELLS - 1) * (value_s - low) / (high - low))

    lines = []
    for point in points:
        cells = [" "] * _CELLS
        if point.low_s is not None and point.high_s is not None:
            first, last = cell(point.low_s), cell(point.high_s)
            cells[first : last + 1] = signs.line * (last - first + 1)
            cells[first], cells[last] = signs.low, signs.high
        if point.median_s is not None:
            cells[cell(point.median_s)] = signs.median
        lines.append("".join(cells))
    return lines


def step_lines(trend: Trend) -> list[str]:
    """Return a line for each step, or why there is none, and how they are found."""
    if trend.known < 2 * SHORTEST:
        runs = plural(trend.known, "run")
        return [f"{runs} with a median: a step can be told from {2 * SHORTEST} on."]
    if not trend.steps:
        return ["No step was found.", METHOD]
    return [*(step_sentence(trend, step) for step in trend.steps), METHOD]


def step_sentence(trend: Trend, step: Step) -> str:
    """Return where a step is, how large it is, and what changed there."""
    run = trend.runs[step.at]
    took_s = f"{short_seconds(step.before_s)} to {short_seconds(step.after_s)}"
    where = f"{run.label}, {moment(run.wall_ns)}"
    changes = ", ".join(
        f"{change.name} {change.before or 'unknown'} to {change.after or 'unknown'}"
        for change in step.changes
    )
    what = f"changed there: {changes}" if changes else "nothing that is kept of runs changed there"
    return printable(f"Step at {where}: {signed(step.percent)} %, {took_s}; {what}.")


def left_out_lines(trend: Trend) -> list[str]:
    """Return how many runs are left out, for what they asked for instead."""
    return [
        f"{plural(count, 'run')} with {printable(asked) or 'other settings'} {are(count)} left out."
        for asked, count in trend.left_out.items()
    ]
