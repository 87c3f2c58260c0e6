"""All VMs at once: how many are in which stage over time, and how boot times are spread."""

import time

from vmtiming_tui.analysis.stage_counts import Rung, StageCounts, stage_counts
from vmtiming_tui.tui.drawing.axis import axis, ruled
from vmtiming_tui.tui.drawing.histogram import Histogram, bar_rows, histogram
from vmtiming_tui.tui.drawing.scale_bars import (
    BEYOND,
    FENCE,
    QUARTERED,
    nice_ceiling,
)
from vmtiming_tui.tui.drawing.stage_chart import StageChart
from vmtiming_tui.tui.drawing.styled import Part, clip, filled
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.live_figures import last_decided_ns, shown_storm
from vmtiming_tui.tui.widgets.lines_widget import ModelLines

_BOTH_FROM = 100
_HISTOGRAM_SHARE = 0.4
_GAP = 2
_MOST = 0.9
_ROOM_AFTER = 30
_COST_SHARE = 100
_SEEN = 0.01


class Charts(ModelLines):
    """The stages over time at the left; at the right, where there is room, a histogram."""

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(model, id=id)
        self._counts = StageCounts()
        self._kept: dict[tuple[int, int], list[tuple[Rung, int]]] = {}
        self._of: object = None
        self._due_ns = 0
        self.signs: frozenset[str] = frozenset()
        self._span_of_axis_ns = 0

    def renew(self) -> None:
        """Count and draw anew, no more often than can be afforded."""
        began_ns, storm = time.perf_counter_ns(), shown_storm(self.model.fleet)
        if storm is self._of and began_ns < self._due_ns:
            return
        if storm is not self._of:
            self._kept.clear()
        self._of = storm
        self._count()
        super().renew()
        self._due_ns = began_ns + _COST_SHARE * (time.perf_counter_ns() - began_ns)

    def spoil(self) -> None:
        """Have it renewed next, whatever that costs."""
        self._due_ns = 0

    @property
    def blur_ns(self) -> int | None:
        """How far the clocks of several hosts are off at the most, where that can be seen."""
        hosts = self.model.fleet.hosts
        worst_ns = max((host.clock_error_ns for host in hosts.values()), default=0)
        return worst_ns if worst_ns > _SEEN * self._span_of_axis_ns > 0 else None

    def restyle(self) -> None:
        """Draw again, whatever has changed."""
        self._count()
        super().restyle()

    def _count(self) -> None:
        storm = shown_storm(self.model.fleet)
        self._counts = stage_counts(storm.attempts.values() if storm else (), self._kept)

    def lines(self, width: int) -> list[list[Part]]:
        """Return as many lines as the widget is high."""
        height = self.size.height
        if height < 2:
            return []
        right = round(width * _HISTOGRAM_SHARE) if width >= _BOTH_FROM else 0
        left = self._stages(width - right - _GAP * bool(right), height)
        if not right:
            return left
        beside = self._histogram(right, height)
        gap: Part = (" " * _GAP, self.host.palette.text)
        return [[*one, gap, *other] for one, other in zip(left, beside, strict=True)]

    # The stages over time.

    def _until_ns(self) -> int:
        """Return up to when it is drawn: now, or a little after the last VM was decided."""
        figures, model = self.model.figures, self.model
        if figures.curve_start_ns is None:
            return 0
        storm, now_ns = shown_storm(model.fleet), model.now_ns
        if storm is not None:
            last_ns = last_decided_ns(storm)
            if last_ns is not None:
                is_over = all(attempt.state.is_decided for attempt in storm.attempts.values())
                room_ns = (last_ns - figures.curve_start_ns) // _ROOM_AFTER if is_over else 0
                now_ns = last_ns + room_ns
            elif model.fleet.ended_ns is not None:
                now_ns = model.fleet.ended_ns
        return max(now_ns - figures.curve_start_ns, 0)

    def _span_ns(self, until_ns: int, top: int) -> tuple[int, bool]:
        """Return how long the axis is, and whether few VMs are so late that it ends before them."""
        counts, goes_on = self._counts, False
        if len(counts.booted) * 2 >= top:
            limit_ns = round(FENCE * counts.booted[len(counts.booted) // 2])
            in_time = counts.at(limit_ns)
            goes_on = until_ns > limit_ns and in_time.booted + in_time.lost >= _MOST * top
            if goes_on:
                until_ns = round(1.1 * max(ns for ns in counts.booted if ns <= limit_ns))
        end_s = nice_ceiling(until_ns / 1e9, QUARTERED)
        return max(round(end_s * 1e9), 1_000_000_000), goes_on

    def _stages(self, width: int, height: int) -> list[list[Part]]:
        palette, glyphs = self.host.palette, self.host.glyphs
        top = self.model.figures.curve_number or self.model.plan.number
        label_width = max(len(f"{top:,}"), 2) + 1
        plot = max(width - label_width - 2, 8)
        until_ns = self._until_ns()
        span_ns, goes_on = self._span_ns(until_ns, top)
        self._span_of_axis_ns = span_ns
        chart = StageChart(palette, glyphs)
        rows = chart.rows(
            self._counts, until_ns=until_ns, span_ns=span_ns, top=top, width=plot, height=height - 1
        )
        self.signs = frozenset(chart.drawn | ({BEYOND} if goes_on else set()))
        corner = "└" if glyphs.braille else "+"
        lines = [
            [*self._label(f"{top:,}" if row == 0 else "", label_width), *parts, (" ", palette.text)]
            for row, parts in enumerate(rows)
        ]
        foot = axis(
            span_ns, plot, palette, glyphs, title="VMs in each stage over time", goes_on=goes_on
        )
        head: list[Part] = [(f"{'0':>{label_width}}", palette.dim), (corner, palette.faint)]
        return [*lines, [*head, *foot, (" ", palette.text)]]

    def _label(self, text: str, width: int) -> list[Part]:
        palette = self.host.palette
        edge = ("┤" if text else "│") if self.host.glyphs.braille else "|"
        return [(f"{text:>{width}}", palette.dim), (edge, palette.faint)]

    # How boot times are spread.

    def _histogram(self, width: int, height: int) -> list[list[Part]]:
        palette, glyphs, figures = self.host.palette, self.host.glyphs, self.model.figures
        label_width = max(len(f"{len(figures.boots_ns):,}"), 2) + 1
        plot = max(width - label_width - 2, 8)
        wide = 2
        spread = histogram(figures.boots_ns, figures.median_ns, plot // wide)
        if spread is None:
            return self._nothing(label_width, plot, height)
        rows = bar_rows(spread.counts, height - 1, glyphs.blocks, wide=wide)
        style = palette.curve[-1]
        most = f"{max(spread.counts, default=0):,}"
        lines = [
            [
                *self._label(most if row == 0 else "", label_width),
                (filled(text, plot), style),
                (" ", palette.text),
            ]
            for row, text in enumerate(rows)
        ]
        return [*lines, self._foot(spread, label_width, plot, wide)]

    def _nothing(self, label_width: int, plot: int, height: int) -> list[list[Part]]:
        palette = self.host.palette
        words = clip("no VM has booted yet", plot, self.host.glyphs.ellipsis)
        middle = (height - 1) // 2
        lines = [
            [*self._label("", label_width), (filled(words if row == middle else "", plot + 1),
             palette.dim)]
            for row in range(height - 1)
        ]  # fmt: skip
        foot = ruled([], plot, palette, self.host.glyphs, title="boots by how long they took")
        return [*lines, [*self._corner(label_width), *foot, (" ", palette.text)]]

    def _corner(self, label_width: int) -> list[Part]:
        palette = self.host.palette
        corner = "└" if self.host.glyphs.braille else "+"
        return [(f"{'0':>{label_width}}", palette.dim), (corner, palette.faint)]

    def _foot(self, spread: Histogram, label_width: int, plot: int, wide: int) -> list[Part]:
        palette, glyphs, figures = self.host.palette, self.host.glyphs, self.model.figures
        used = len(spread.counts) * wide
        places = {0: spread.begin_ns, used // 2: (spread.begin_ns + spread.end_ns) // 2}
        labels = [(at, f"{ns / 1e9:.4g} s") for at, ns in places.items()]
        labels.append((used, f"{spread.end_ns / 1e9:.4g} s"))
        if spread.beyond:
            labels.append((plot, f"{spread.beyond:,} {glyphs.beyond}"))
        mark = None
        if figures.median_ns is not None and spread.begin_ns <= figures.median_ns < spread.end_ns:
            share = (figures.median_ns - spread.begin_ns) / (spread.end_ns - spread.begin_ns)
            mark = int(share * used)
        foot = ruled(labels, plot, palette, glyphs, mark=mark)
        return [*self._corner(label_width), *foot, (" ", palette.text)]
