"""How boot times are spread: a histogram for each setting on one axis, with median and p95.

A boot far beyond the others does not flatten them: what lies beyond the axis is counted at its end.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.summary import Group, boots_s, lost_of
from vmtiming_tui.escape import plural
from vmtiming_tui.report.export.html.axes import LEFT, RIGHT, WIDTH, marks, svg, tick_text
from vmtiming_tui.report.export.html.markup import Markup, join, tag
from vmtiming_tui.report.wording import exact_seconds

MOST_SPREADS = 12
_FEWEST_IN_BARS = 16
_MOST_STROKES = 120
_MOST_BARS = 40
_FAR = 2.0  # beyond p95, in distances from the fastest to it
_LABELS, _STROKES, _BOTTOM, _GAP = 36.0, 12.0, 40.0, 8.0
_END = WIDTH - RIGHT
_LABEL_WIDTH = 170.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The boot times of one setting (s), the shortest first; lost ones rank as slower than all.

    ``style`` is the class of its colour, ``label`` what varied, empty where nothing did.
    """

    label: str
    style: str
    times: tuple[float, ...]
    lost: int
    median: float | None
    interval: stats.Interval | None
    p95: float | None

    @property
    def words(self) -> str:
        """What the drawing shows, in words."""
        ends = f"{exact_seconds(self.times[0])} to {exact_seconds(self.times[-1])}"
        return f"{f'{self.label}: ' if self.label else ''}{self.figures}, {ends}"

    @property
    def figures(self) -> str:
        """How many boots they are, their median and p95, as far as lost ones do not hide these."""
        known = [
            f"{name} {exact_seconds(value)}"
            for name, value in (("median", self.median), ("p95", self.p95))
            if value is not None
        ]
        lost = [f"{self.lost} more did not boot"] if self.lost else []
        return ", ".join([plural(len(self.times), "boot"), *known, *lost])


def spread_of(label: str, style: str, times: Iterable[float], lost: int = 0) -> Spread:
    """Return boot times (s) as they are drawn."""
    ordered = sorted(times)
    interval = stats.median_interval(ordered, lost=lost)
    return Spread(
        label=label,
        style=style,
        times=tuple(ordered),
        lost=lost,
        median=stats.worst_rank_percentile(ordered, lost, 50),
        interval=interval if interval is not None and interval.is_bounded else None,
        p95=stats.worst_rank_percentile(ordered, lost, 95),
    )


def spreads_of(groups: Sequence[Group], styles: int) -> list[Spread]:
    """Return the spread of each setting of which a VM booted; there are so many colours."""
    return [
        spread_of(
            group.label,
            f"series-{place % styles}",
            boots_s(group.attempts),
            lost_of(group.attempts),
        )
        for place, group in enumerate(groups)
        if boots_s(group.attempts)
    ]


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where times fall; ``low`` and ``high`` are multiples of ``bin``, the width of a bar (s)."""

    low: float
    high: float
    bin: float

    @classmethod
    def of(cls, spreads: Sequence[Spread]) -> "_Axis":
        low = min(spread.times[0] for spread in spreads)
        high = max(_reach(spread) for spread in spreads)
        width = min(_bin_width(spread.times) for spread in spreads)
        raw = max(width, (high - low) / _MOST_BARS, 0.001)
        step = _round(raw)
        return cls(math.floor(low / step) * step, (math.floor(high / step) + 1) * step, step)

    def x(self, value: float) -> float:
        return LEFT + (_END - LEFT) * (value - self.low) / (self.high - self.low)

    def place(self, value: float) -> int:
        return math.floor((value - self.low) / self.bin + 1e-9)


def _reach(spread: Spread) -> float:
    """Return where the axis may end for a spread: at its slowest, unless that is far from most."""
    slowest = spread.times[-1]
    if len(spread.times) < _FEWEST_IN_BARS:
        return slowest
    most = stats.percentile(spread.times, 95)
    far = most + _FAR * (most - spread.times[0])
    return slowest if slowest <= far else max(time for time in spread.times if time <= far)


def _round(width: float) -> float:
    """Return the nearest of 1, 2 and 5 times 10^n."""
    power = 10.0 ** math.floor(math.log10(width))
    return min(
        (power * part for part in (1, 2, 5, 10)), key=lambda each: abs(math.log(each / width))
    )


def _bin_width(times: Sequence[float]) -> float:
    """Return a bar's width by Freedman and Diaconis (1981): 2 IQR / n^(1/3)."""
    middle_half = stats.percentile(times, 75) - stats.percentile(times, 25)
    return float(2 * middle_half / len(times) ** (1 / 3))


def distribution_chart(spreads: Sequence[Spread]) -> Markup:
    """Return the spreads beneath each other; nothing where there are not two boots of any."""
    if max((len(spread.times) for spread in spreads), default=0) < 2:
        return Markup("")
    shown = spreads[:MOST_SPREADS]
    axis = _Axis.of(shown)
    is_many = len(shown) > 1 or len(shown[0].times) < _FEWEST_IN_BARS
    tall = 60.0 if is_many else 150.0
    each = _LABELS + tall + _STROKES + _GAP
    height = each * len(shown) + _BOTTOM
    rows = [
        tag("g", _row(axis, spread, tall), transform=f"translate(0 {each * place:g})")
        for place, spread in enumerate(shown)
    ]
    words = "; ".join(spread.words for spread in shown)
    return svg(height, f"Distribution of boot times. {words}", _scale(axis, height), *rows)


def _scale(axis: _Axis, height: float) -> Markup:
    floor = height - _BOTTOM
    parts = [tag("line", class_="axis", x1=LEFT, x2=_END, y1=floor, y2=floor)]
    for value in marks(axis.low, axis.high, 10):
        x = axis.x(value)
        parts.append(tag("line", class_="grid", x1=x, x2=x, y1=_LABELS, y2=floor))
        parts.append(tag("text", tick_text(value), class_="middle", x=x, y=floor + 19))
    middle = (LEFT + WIDTH) / 2
    words = "seconds from a VM's start to its report"
    return join(*parts, tag("text", words, class_="middle dim", x=middle, y=height - 4))


def _row(axis: _Axis, spread: Spread, tall: float) -> Markup:
    """Return one setting: its bars, each boot as a stroke below them where these are few."""
    floor = _LABELS + tall
    parts = [tag("title", spread.words), *_band(axis, spread, floor)]
    if len(spread.times) >= _FEWEST_IN_BARS:
        parts += _bars(axis, spread, tall)
    if len(spread.times) <= _MOST_STROKES:
        parts += _strokes(axis, spread, floor)
    parts.append(tag("line", class_="axis", x1=LEFT, x2=_END, y1=floor, y2=floor))
    if spread.label:
        label = tag("tspan", spread.label, class_="told-of")
        parts.append(tag("text", label, f"  {spread.figures}", x=LEFT, y=22))
    parts += _quantiles(axis, spread, floor)
    return tag("g", *parts, class_=spread.style)


def _bars(axis: _Axis, spread: Spread, tall: float) -> list[Markup]:
    """Return the bars, and how many boots lie beyond the axis."""
    counts = Counter(axis.place(time) for time in spread.times if time < axis.high)
    most, floor = max(counts.values(), default=1), _LABELS + tall
    width = axis.x(axis.low + axis.bin) - LEFT
    bars = []
    for place, count in sorted(counts.items()):
        low = axis.low + place * axis.bin
        high = tall * count / most
        ends = f"{tick_text(low)} to {tick_text(low + axis.bin)} s: {plural(count, 'boot')}"
        shape = {"x": axis.x(low) + 0.5, "width": max(width - 1, 1.0)}
        bars.append(
            tag("rect", tag("title", ends), class_="bar", y=floor - high, height=high, **shape)
        )
    parts = [tag("text", str(most), class_="end dim", x=LEFT - 8, y=_LABELS + 10), *bars]
    if beyond := len(spread.times) - counts.total():
        words = f"{beyond} beyond, up to {spread.times[-1]:.4g} s ▸"
        parts.append(tag("text", words, class_="end told", x=_END, y=floor - 8))
    return parts


def _strokes(axis: _Axis, spread: Spread, floor: float) -> list[Markup]:
    within = [time for time in spread.times if time < axis.high]
    if len(spread.times) < _FEWEST_IN_BARS:
        middle = (floor + _LABELS) / 2
        return [tag("circle", class_="dot", cx=axis.x(time), cy=middle, r=6) for time in within]
    path = "".join(f"M{axis.x(time):.1f} {floor + 3:.1f}v{_STROKES - 4:g}" for time in within)
    return [tag("path", class_="strokes", d=path)]


def _band(axis: _Axis, spread: Spread, floor: float) -> list[Markup]:
    """Return the interval of the median, as a band behind it."""
    if spread.interval is None:
        return []
    left, right = (
        axis.x(min(end, axis.high)) for end in (spread.interval.low, spread.interval.high)
    )
    return [
        tag("rect", class_="band", x=left, width=right - left, y=_LABELS, height=floor - _LABELS)
    ]


def _quantiles(axis: _Axis, spread: Spread, floor: float) -> list[Markup]:
    """Return a line at p95 and at the median, their figures where no label stands there."""
    parts = []
    for name, value, height in (("p95", spread.p95, 12.0), ("median", spread.median, 27.0)):
        if value is None or value > axis.high:
            continue
        x, top = axis.x(value), _LABELS - 6 if spread.label else height - 9
        parts.append(tag("line", class_=f"quantile {name}", x1=x, x2=x, y1=top, y2=floor))
        if not spread.label:
            is_at_end = x > _END - _LABEL_WIDTH
            where = {"class_": "end", "x": x - 5} if is_at_end else {"x": x + 5}
            parts.append(tag("text", f"{name} {exact_seconds(value)}", y=height, **where))
    return parts


def distribution_notes(spreads: Sequence[Spread]) -> list[Markup]:
    """Return what the lines mean, and how many settings are not drawn."""
    lines = ["Line: the median, and its 95 % interval as a band where it is known; dashed: p95."]
    if len(spreads) > MOST_SPREADS:
        lines.append(f"{plural(len(spreads) - MOST_SPREADS, 'more setting')} left out.")
    return [tag("p", line, class_="dim") for line in lines]
