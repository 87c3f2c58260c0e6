"""The boot chart as SVG: stages on top, then a bar a unit, each named beside its bar.

Colours are classes, which ``boot_chart.css`` gives for dark and light alike; it stands in a page's
style, or in the drawing itself where that is a file of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

from vmtiming_tui.analysis.units.boot_chart import Bar, BarKind, BootChart, StageBar, UnitRow
from vmtiming_tui.escape import plural
from vmtiming_tui.report.export.html.axes import tick_text, ticks
from vmtiming_tui.report.export.html.markup import Markup, join, tag

WIDTH = 1100.0
_LEFT, _RIGHT, _TOP = 58.0, 18.0, 34.0
_STAGE, _ROW, _BAR = 24.0, 19.0, 11.0
_LEGEND, _HEADING = 60.0, 26.0
_CHAR = 6.7  # a name's letter, of the widest fonts that are usual
_BOLD = 8.0
_GAP = 6.0
_SLIVER = 2.0
_RARE = 0.5

_OF_MANY = (
    ("activating", "starts (median)"),
    ("chain", "on the critical chain, in % of the boots"),
    ("activating chart-some", "in less than half of them"),
    ("failed", "✗ fails in most boots"),
)
_OF_ONE = (
    ("activating", "activating"),
    ("chain", "● the same, on the critical chain"),
    ("active", "active"),
    ("deactivating", "deactivating"),
    ("failed", "✗ failed"),
)


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where a moment (s) falls in the drawing."""

    end_s: float

    @property
    def right(self) -> float:
        return WIDTH - _RIGHT

    def x(self, moment_s: float) -> float:
        return _LEFT + (self.right - _LEFT) * min(max(moment_s / self.end_s, 0.0), 1.0)


def boot_chart(chart: BootChart, title: str) -> Markup:
    """Return the drawing for a page that has ``chart_style``; as high as its units need."""
    drawn, height = _drawn(chart)
    return tag("svg", drawn, viewBox=f"0 0 {WIDTH:g} {height:g}", **_about(title))


def boot_chart_alone(chart: BootChart, title: str) -> Markup:
    """Return the drawing as a document of its own, under its title."""
    drawn, height = _drawn(chart)
    height += _HEADING
    return tag(
        "svg",
        tag("style", Markup(chart_style())),
        tag("rect", class_="chart-back", width=WIDTH, height=height),
        tag("text", title, class_="chart-heading", x=_LEFT, y=_HEADING - 4),
        tag("g", drawn, transform=f"translate(0 {_HEADING:g})"),
        xmlns="http://www.w3.org/2000/svg",
        width=WIDTH,
        height=height,
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        **_about(title),
    )


def chart_style() -> str:
    """Return the style that gives charts their colours."""
    file = resources.files(__package__).joinpath("boot_chart.css")
    return file.read_text(encoding="utf-8")


def _about(title: str) -> dict[str, str]:
    return {"class_": "boot-chart", "role": "img", "aria_label": title}


def _drawn(chart: BootChart) -> tuple[Markup, float]:
    """Return all that is drawn, and how high it is."""
    axis = _Axis(chart.end_s or 1.0)
    first = _TOP + (_STAGE + _GAP if chart.stages else 0.0)
    floor = first + _ROW * len(chart.rows) + _GAP
    parts = [_scale(axis, floor), *(_stage(axis, bar, floor) for bar in chart.stages)]
    parts += [_row(axis, row, first + _ROW * at, chart.boots) for at, row in enumerate(chart.rows)]
    parts.append(_legend(_OF_ONE if chart.boots == 1 else _OF_MANY, chart, floor + 46))
    return join(*parts), floor + 22 + _LEGEND


def _scale(axis: _Axis, floor: float) -> Markup:
    parts = []
    for value in ticks(axis.end_s, 12):
        x, shown = axis.x(value), f"{tick_text(value)} s"
        parts.append(tag("line", class_="chart-grid", x1=x, x2=x, y1=_TOP - 8, y2=floor))
        for y in (_TOP - 14, floor + 16):
            parts.append(tag("text", shown, class_="chart-middle chart-dim", x=x, y=y))
    return join(*parts)


def _stage(axis: _Axis, bar: StageBar, floor: float) -> Markup:
    x, end = axis.x(bar.begin_s), axis.x(bar.end_s)
    name, took = str(bar.stage), f"{bar.end_s - bar.begin_s:.3f} s"
    parts = [
        tag("title", f"{name}: {took}"),
        tag("rect", class_=f"chart-{name}", x=x, y=_TOP, width=end - x, height=_STAGE - 4),
        tag("line", class_="chart-edge", x1=end, x2=end, y1=_TOP, y2=floor),
    ]
    said = next((text for text in (f"{name} {took}", name) if len(text) * _BOLD < end - x), "")
    if said:
        parts.append(tag("text", said, class_="chart-inside", x=(x + end) / 2, y=_TOP + 14.5))
    return tag("g", *parts)


def _row(axis: _Axis, row: UnitRow, top: float, boots: int) -> Markup:
    middle = top + _ROW / 2
    # The first on top: a start that took no time is a sliver, which what follows would cover.
    bars = [_bar(axis, bar, row, middle) for bar in reversed(row.bars)]
    begin = axis.x(row.begin_s)
    ends = [axis.x(row.bars[0].end_s), begin + _SLIVER]
    marks = []
    if row.reach is not None and boots > 1:
        low, high = map(axis.x, row.reach)
        ends.append(high)
        marks.append(_whisker(low, high, middle))
    if row.chain_share:
        share = f"{100 * row.chain_share:.0f} %" if boots > 1 else "●"
        marks.append(tag("text", share, class_="chart-share", x=_LEFT - 8, y=middle + 4))
    rare = " chart-rare" if row.ran_share < _RARE else ""
    return tag(
        "g",
        tag("title", _told(row, boots)),
        tag("rect", class_="chart-row", x=0, y=top, width=WIDTH, height=_ROW),
        *bars,
        *marks,
        _name(axis, row, begin, max(ends), middle + 4),
        class_=f"chart-unit{rare}",
    )


def _bar(axis: _Axis, bar: Bar, row: UnitRow, middle: float) -> Markup:
    x = axis.x(bar.begin_s)
    width = max(axis.x(bar.end_s) - x, _SLIVER)
    is_start = bar.kind is BarKind.ACTIVATING
    style = "chain" if is_start and row.chain_share >= _RARE else str(bar.kind)
    style += " chart-some" if is_start and 0 < row.chain_share < _RARE else ""
    return tag(
        "rect", class_=f"chart-{style}", x=x, y=middle - _BAR / 2, width=width, height=_BAR, rx=1.5
    )


def _whisker(low: float, high: float, middle: float) -> Markup:
    """Return the line between a middle half's ends, with a stroke across at either."""
    if high - low < 1:
        return Markup("")
    edge = _BAR / 2 - 2
    path = f"M{low:.1f} {middle:.1f}H{high:.1f}" + "".join(
        f"M{x:.1f} {middle - edge:.1f}v{2 * edge:.1f}" for x in (low, high)
    )
    return tag("path", class_="chart-whisker", d=path)


def _name(axis: _Axis, row: UnitRow, begin: float, end: float, y: float) -> Markup:
    """Return a unit's name right of its bar, or left of it where there is more room."""
    took = f"  {row.took_s:.3f} s" if row.took_s else ""
    whole = f"✗ {row.name}" if row.bars[-1].kind is BarKind.FAILED else row.name
    right, left = axis.right - end - _GAP, begin - _LEFT - _GAP
    is_right = (len(whole) + len(took)) * _CHAR <= right or right >= left
    most = max(int((right if is_right else left) / _CHAR) - len(took), 8)
    name = whole if len(whole) <= most else f"{whole[: most - 1]}…"
    dim = tag("tspan", took, class_="chart-dim") if took else Markup("")
    x, style = (end + _GAP, None) if is_right else (begin - _GAP, "chart-end")
    return tag("text", name, dim, class_=style, x=x, y=y)


def _told(row: UnitRow, boots: int) -> str:
    """Return what is said of a unit where one points at it, a line each."""
    lines = [row.name, f"begins at {row.begin_s:.3f} s"]
    if row.took_s is None:
        lines.append("was not up")
    elif row.reach is None or boots == 1:
        lines.append(f"takes {row.took_s:.3f} s")
    else:
        low, high = (moment - row.begin_s for moment in row.reach)
        lines.append(f"takes {row.took_s:.3f} s ({low:.3f} s to {high:.3f} s in half of the boots)")
    if boots == 1:
        lines += ["on the critical chain"] * row.on_chain + ["failed"] * row.failed
        return "\n".join(lines)
    of_all = f"of {plural(row.boots, 'boot')}"
    lines.append(f"on the critical chain in {row.on_chain} {of_all}")
    if row.ran < row.boots:
        lines.append(f"ran in {row.ran} {of_all}")
    if row.failed:
        lines.append(f"failed in {row.failed} {of_all}")
    return "\n".join(lines)


def _legend(keys: Iterable[tuple[str, str]], chart: BootChart, y: float) -> Markup:
    """Return what the colours stand for, of those that are there, and where the axis begins."""
    parts, x = [], _LEFT
    for style, words in keys:
        parts.append(
            tag("rect", class_=f"chart-{style}", x=x, y=y - 9, width=16, height=_BAR, rx=1.5)
        )
        parts.append(tag("text", words, class_="chart-dim", x=x + 22, y=y))
        x += 42 + len(words) * _CHAR
    if chart.boots > 1:
        parts.append(_whisker(x, x + 16, y - 4))
        parts.append(tag("text", "middle half of the boots", class_="chart-dim", x=x + 22, y=y))
    zero = "the start of the guest's kernel" if chart.from_kernel else "the VM's go"
    words = f"seconds since {zero}"
    parts.append(tag("text", words, class_="chart-dim", x=_LEFT, y=y + 20))
    return join(*parts)
