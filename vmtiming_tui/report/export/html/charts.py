"""The drawings of the HTML page: the completion curve, stage bars and the storms, as SVG.

Colours are classes, so that the page's style gives them for dark and light alike.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vmtiming_tui.analysis.summary import StormSummary, boots_s, settings_label
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.report.export.document import ExportedBoot
from vmtiming_tui.report.export.html.axes import (
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Frame,
    marks,
    svg,
    tick_text,
    ticks,
)
from vmtiming_tui.report.export.html.markup import Markup, tag
from vmtiming_tui.report.wording import exact_seconds

BAR_WIDTH = 240.0
_MOST_POINTS = 400
_MOST_DOTS = 200
_ROW_HEIGHT = 52.0


@dataclass(frozen=True, slots=True)
class Series:
    """One curve: (seconds, how many had booted), rising in both; ``number`` is how many there are.

    ``style`` is its class: ``series-0`` and on, or ``faint``.
    """

    label: str
    style: str
    number: int
    points: Sequence[tuple[float, int]]


def _thinned(points: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    step = max(1, len(points) // _MOST_POINTS)
    return [*points[:-1:step], *points[-1:]]


def completion_chart(
    all_series: Sequence[Series],
    title: str = "VMs booted over time",
    x_label: str = "seconds since the first start",
    unit: str = "",
    *,
    from_zero: bool = True,
) -> Markup:
    """Return how many VMs had booted over the time since the storm's first start.

    Another title, and what it counts in, say what else it is of. Where the time does not begin at
    0, the axis begins before the first.
    """
    drawn = [series for series in all_series if series.points]
    if not drawn:
        return Markup("")
    last = max(series.points[-1][0] for series in drawn)
    first = 0.0 if from_zero else min(series.points[0][0] for series in drawn)
    room = 0.02 * (last - first) or 0.02 * last or 1.0
    low, high = max(first - room, 0.0), last + room
    number = float(max(series.number for series in drawn))
    frame = Frame(300.0, high, number, low_x=low)
    whole = [value for value in ticks(frame.top_y, 6) if value == int(value)]
    below = [value for value in whole if value < 0.93 * frame.top_y]
    y_ticks = [(value, f"{value:g}{unit}") for value in (*below, frame.top_y)]
    curves = [_curve(frame, series, unit) for series in drawn]
    return svg(
        frame.height,
        title,
        frame.axes(x_label, y_ticks),
        *curves,
        tag("line", class_="cursor", y1=TOP, y2=frame.y(frame.low_y), x1=-9, x2=-9),
        tag("text", "", class_="readout", x=LEFT + 10, y=TOP + 14),
        class_="curve",
        data_left=LEFT,
        data_right=WIDTH - RIGHT,
        data_low=f"{frame.low_x!r}",
        data_top=f"{frame.top_x!r}",
    )


def _curve(frame: Frame, series: Series, unit: str) -> Markup:
    points = _thinned(series.points)
    steps = [f"M{LEFT:.1f} {frame.y(frame.low_y):.1f}"]
    steps += [f"H{frame.x(at):.1f}V{frame.y(k):.1f}" for at, k in points]
    return tag(
        "g",
        tag("title", f"{series.label}: {points[-1][1]} of {series.number}{unit} booted"),
        tag("path", class_="curve", d="".join(steps)),
        class_=series.style,
        data_points=" ".join(f"{at:.3f},{k}" for at, k in points)
        if series.style != "faint"
        else None,
        data_label=series.label,
        data_number=f"{series.number}{unit}",
    )


def stage_bar(boot: ExportedBoot, longest_ns: int) -> Markup:
    """Return one VM's boot as a bar of its stages, to the scale of the slowest.

    It says nothing that the figures beside it do not.
    """
    boot_ns = boot.attempt.boot_ns
    if boot_ns is None or longest_ns <= 0:
        return Markup("")
    known = [(stage, ns) for stage, ns in boot.stages.known if ns > 0]
    parts, at = [], 0.0
    for stage, ns in known:
        width = BAR_WIDTH * ns / longest_ns
        parts.append(tag("rect", class_=f"stage-{stage}", x=at, width=width, height=12))
        at += width
    rest = BAR_WIDTH * boot_ns / longest_ns - at
    if rest > 0.5:
        parts.append(tag("rect", class_="rest", x=at, width=rest, height=12))
    return tag(
        "svg",
        *parts,
        class_="bar",
        viewBox=f"0 0 {BAR_WIDTH:g} 12",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def stage_rows(rows: Sequence[tuple[str, Mapping[Stage, float]]]) -> Markup:
    """Return stages' medians (s) of each row as a bar, all to the scale of the longest."""
    longest = max((math.fsum(medians.values()) for _, medians in rows), default=0.0)
    if not longest:
        return Markup("")
    parts, words, room = [], [], WIDTH - 90
    for place, (label, medians) in enumerate(rows):
        y, at = place * _ROW_HEIGHT, 0.0
        parts.append(tag("text", label, class_="told-of", x=0, y=y + 13))
        for stage, value in medians.items():
            width = room * max(value, 0) / longest
            title = tag("title", f"{label}, {stage}: {exact_seconds(value)}")
            rect = tag("rect", class_=f"stage-{stage}", x=at, y=y + 19, width=width, height=20)
            parts.append(tag("g", title, rect))
            at += width
        whole = exact_seconds(math.fsum(medians.values()))
        parts.append(tag("text", whole, x=at + 8, y=y + 34))
        told = ", ".join(f"{stage} {exact_seconds(value)}" for stage, value in medians.items())
        words.append(f"{label}: {told}")
    return svg(len(rows) * _ROW_HEIGHT, f"Median stages. {'; '.join(words)}", *parts)


def median_bar(medians_s: Sequence[tuple[Stage, float]]) -> Markup:
    """Return the stages' medians as one bar over the whole width."""
    known = [(stage, value) for stage, value in medians_s if value > 0]
    whole = math.fsum(value for _, value in known)
    if not whole:
        return Markup("")
    parts, at = [], 0.0
    for stage, value in known:
        width = WIDTH * value / whole
        rect = tag("rect", class_=f"stage-{stage}", x=at, width=width, height=34)
        parts.append(tag("g", tag("title", f"{stage} {exact_seconds(value)}"), rect))
        if width > 78:
            share = f"{100 * value / whole:.0f} %"
            parts.append(tag("text", share, class_="inside", x=at + width / 2, y=22))
        at += width
    return svg(34, "median of each stage", *parts, class_="medians")


def storm_chart(storms: Sequence[StormSummary], styles: Mapping[str, str]) -> Markup:
    """Return each storm's boot times as dots over its number, its median as a stroke.

    The axis begins below the fastest, not at 0.

    ``styles`` are the classes of the settings' colours, where any varied.
    """
    samples = [(storm, sorted(boots_s(storm.attempts))) for storm in storms]
    booted = [times for _, times in samples if times]
    if not booted:
        return Markup("")
    low, high = min(times[0] for times in booted), max(times[-1] for times in booted)
    room = 0.15 * (high - low) or 0.1 * high or 1.0
    frame = Frame(240.0, float(len(storms) + 1), high + room, low_y=max(low - room, 0.0))
    y_ticks = [(value, f"{tick_text(value)} s") for value in marks(frame.low_y, frame.top_y, 5)]
    parts: list[Markup] = []
    for value, shown in y_ticks:
        y = frame.y(value)
        parts.append(tag("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y))
        parts.append(tag("text", shown, class_="end", x=LEFT - 8, y=y + 4))
    every = max(1, len(storms) // 20)
    for index, (storm, times) in enumerate(samples, start=1):
        style = styles.get(settings_label(storm.parameters))
        parts.append(_storm_column(frame, index, storm, times, style))
        if (index - 1) % every == 0:
            label = str(storm.number)
            parts.append(
                tag("text", label, class_="middle", x=frame.x(index), y=frame.y(frame.low_y) + 19)
            )
    floor = frame.y(frame.low_y)
    parts.append(tag("line", class_="axis", x1=LEFT, x2=WIDTH - RIGHT, y1=floor, y2=floor))
    parts.append(tag("text", "storm", class_="middle dim", x=(LEFT + WIDTH) / 2, y=236))
    return svg(frame.height, "boot times by storm", *parts, class_="storms")


def _storm_column(
    frame: Frame, index: int, storm: StormSummary, times: Sequence[float], style: str | None
) -> Markup:
    x = frame.x(index)
    dots = times[:: max(1, len(times) // _MOST_DOTS)]
    parts = [tag("circle", class_="dot", cx=x, cy=frame.y(value), r=3) for value in dots]
    median = storm.summary.median_s
    if median is not None:
        reach = min(14.0, (WIDTH - LEFT - RIGHT) / frame.top_x / 2.5)
        y = frame.y(median)
        parts.append(tag("line", class_="median", x1=x - reach, x2=x + reach, y1=y, y2=y))
    title = tag("title", f"{storm.label}: median {exact_seconds(median)}")
    return tag("g", title, *parts, class_=style)
