"""Trends as one HTML page: each run's median and interval, the levels, and where they step."""

from collections.abc import Sequence
from dataclasses import dataclass

from vmtiming_tui.analysis.comparison.difference import signed
from vmtiming_tui.analysis.comparison.samples import moment
from vmtiming_tui.analysis.summary import settings_label
from vmtiming_tui.analysis.trend import Trend, TrendRun
from vmtiming_tui.escape import plural
from vmtiming_tui.report.export.html.axes import WIDTH, marks
from vmtiming_tui.report.export.html.markup import Markup, tag
from vmtiming_tui.report.export.html.parts import html_table
from vmtiming_tui.report.export.html.whole import whole_page
from vmtiming_tui.report.trend import left_out_lines, step_lines, trend_table
from vmtiming_tui.report.wording import exact_seconds

_HEIGHT = 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 20.0, 26.0, 40.0
_MOST_DATES = 7


def render_trends(trends: Sequence[Trend], chosen: str = "") -> str:
    """Return the page; ``chosen`` says by which name or label the runs were."""
    title = f"Boot times of {chosen}" if chosen else "Boot times"
    runs = max((len(trend.runs) for trend in trends), default=0)
    head = tag(
        "header", tag("h1", title), tag("p", f"{plural(runs, 'run')}, oldest first", class_="lead")
    )
    sections = [_section(place, trend) for place, trend in enumerate(trends)]
    return whole_page(f"{title} · trend", tag("main", head, *sections))


def _section(place: int, trend: Trend) -> Markup:
    return tag(
        "section",
        tag("h2", settings_label(trend.parameters) or "Median of each run"),
        trend_chart(trend),
        tag("ul", *(tag("li", line) for line in step_lines(trend)), class_="notes"),
        *(tag("p", line, class_="dim") for line in left_out_lines(trend)),
        html_table(trend_table(trend), name=f"runs-{place}"),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a run and a time fall in the drawing."""

    runs: int
    low_s: float
    high_s: float

    def x(self, place: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (place + 0.5) / self.runs

    def y(self, value_s: float) -> float:
        share = (value_s - self.low_s) / (self.high_s - self.low_s)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share


def trend_chart(trend: Trend) -> Markup:
    """Return the runs as points with their intervals, their levels as strokes, steps as lines.

    The scale begins below the lowest, not at 0.
    """
    values = [
        value
        for run in trend.runs
        for value in (run.point.low_s, run.point.median_s, run.point.high_s)
        if value is not None
    ]
    if not values:
        return Markup("")
    room_s = 0.08 * (max(values) - min(values)) or 0.1 * max(values) or 1.0
    scale = _Scale(len(trend.runs), max(min(values) - room_s, 0.0), max(values) + room_s)
    return tag(
        "svg",
        *_axes(trend.runs, scale),
        *_steps(trend, scale),
        *(_run(run, scale.x(place), scale) for place, run in enumerate(trend.runs)),
        viewBox=f"0 0 {WIDTH:g} {_HEIGHT:g}",
        role="img",
        aria_label="the median boot time of each run",
        class_="trend",
    )


def _axes(runs: Sequence[TrendRun], scale: _Scale) -> list[Markup]:
    parts = []
    for value_s in marks(scale.low_s, scale.high_s, 6):
        y = scale.y(value_s)
        parts.append(tag("line", class_="grid", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y))
        shown = f"{value_s:.6g} s"
        parts.append(tag("text", shown, class_="end", x=_LEFT - 8, y=y + 4))
    floor = _HEIGHT - _BOTTOM
    every = -(-len(runs) // _MOST_DATES)
    for place in range(0, len(runs), every):
        date = moment(runs[place].wall_ns).partition(" ")[0]
        x = scale.x(place)
        parts.append(tag("line", class_="tick", x1=x, x2=x, y1=floor, y2=floor + 5))
        parts.append(tag("text", date, class_="middle", x=x, y=floor + 19))
    parts.append(tag("line", class_="axis", x1=_LEFT, x2=WIDTH - _RIGHT, y1=floor, y2=floor))
    return parts


def _steps(trend: Trend, scale: _Scale) -> list[Markup]:
    parts = []
    for first, last, median_s in trend.levels():
        ends = {"x1": scale.x(first - 0.5), "x2": scale.x(last - 0.5)}
        y = scale.y(median_s)
        parts.append(tag("line", class_="level", y1=y, y2=y, **ends))
    for step in trend.steps:
        x = scale.x(step.at - 0.5)
        parts.append(tag("line", class_="step", x1=x, x2=x, y1=_TOP, y2=_HEIGHT - _BOTTOM))
        text = f"{signed(step.percent)} %"
        parts.append(tag("text", text, class_="middle told", x=x, y=_TOP - 8))
    return parts


def _run(run: TrendRun, x: float, scale: _Scale) -> Markup:
    point = run.point
    parts = [tag("title", f"{run.label}, {moment(run.wall_ns)}: {exact_seconds(point.median_s)}")]
    if point.low_s is not None and point.high_s is not None:
        ends = {"y1": scale.y(point.low_s), "y2": scale.y(point.high_s)}
        parts.append(tag("line", class_="whisker", x1=x, x2=x, **ends))
    if point.median_s is not None:
        parts.append(tag("circle", class_="point", cx=x, cy=scale.y(point.median_s), r=4.5))
    return tag("g", *parts)
