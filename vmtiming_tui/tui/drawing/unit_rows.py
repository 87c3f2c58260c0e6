"""The boot chart in cells: axis and stages on top, then a row a unit with its bar; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from rich.style import Style

from vmtiming_tui.analysis.units.boot_chart import BarKind, UnitRow
from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.report.export.html.axes import tick_text, ticks
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.styled import BLANK, Part, clip, filled, fitting, shown
from vmtiming_tui.tui.drawing.theme import Palette
from vmtiming_tui.tui.state.unit_view import UnitView

_SHARE = 7
_TOOK = 9
_OVER = 9
_LEAST_BARS = 24
_NARROWEST_NAME, _WIDEST_NAME = 12, 44
_CELLS_A_TICK = 9
_MOSTLY = 0.5


@dataclass(frozen=True)
class UnitRows:
    """Draws a view's rows in so many cells, all bars on one axis."""

    view: UnitView
    width: int
    palette: Palette
    glyphs: Glyphs

    @property
    def _figures(self) -> int:
        return _TOOK + (_OVER if self.view.usual else 0)

    @cached_property
    def name_width(self) -> int:
        """How many cells names get: what the longest needs, while bars keep enough."""
        longest = max((len(row.name) for row in self.view.chart.rows), default=0) + 2
        rest = self.width - _SHARE - self._figures - _LEAST_BARS
        return max(min(longest, rest, _WIDEST_NAME), _NARROWEST_NAME)

    @cached_property
    def bar_width(self) -> int:
        """How many cells the axis gets."""
        return max(self.width - _SHARE - self.name_width - self._figures, 1)

    def _cell(self, moment_s: float) -> int:
        """Return the cell a moment falls into; the axis' end is its last."""
        share = moment_s / (self.view.chart.end_s or 1.0)
        return max(0, min(int(share * self.bar_width), self.bar_width - 1))

    def head(self) -> list[list[Part]]:
        """Return the axis and the stages."""
        dim = self.palette.dim
        shares = "chain" if self.view.chart.boots > 1 else ""
        unit = filled(f"{shares:>{_SHARE - 1}} unit", _SHARE + self.name_width)
        took = f"{'time':>{_TOOK}}" + (f"{'over':>{_OVER}}" if self.view.usual else "")
        left, right = (unit, dim), (took, dim)
        lines = [[left, (self._scale(), dim), right]]
        if self.view.chart.stages:
            words = filled(f"{'':{_SHARE}}stages", _SHARE + self.name_width)
            lines.append([(words, dim), *self._stages()])
        return lines

    def _scale(self) -> str:
        axis = [" "] * self.bar_width
        for value in ticks(self.view.chart.end_s, max(self.bar_width // _CELLS_A_TICK, 1)):
            at, text = self._cell(value), f"{tick_text(value)} s"
            if at + len(text) <= self.bar_width:
                axis[at : at + len(text)] = text
        return "".join(axis)

    def _stages(self) -> list[Part]:
        parts: list[Part] = []
        drawn = 0
        for bar in self.view.chart.stages:
            end = min(round(bar.end_s / self.view.chart.end_s * self.bar_width), self.bar_width)
            if end > drawn:
                sign = self.glyphs.stages[bar.stage]
                parts.append((sign * (end - drawn), self.palette.stages[bar.stage]))
                drawn = end
        return parts

    def row(self, row: UnitRow) -> list[Part]:
        """Return a unit's line, as wide as it may be."""
        palette, failed = self.palette, row.bars[-1].kind is BarKind.FAILED
        sign = f"{self.glyphs.states[VmState.FAILED]} " if failed else ""
        name = clip(f"{sign}{shown(row.name)}", self.name_width - 1, self.glyphs.ellipsis)
        style = palette.error if failed else palette.text
        return [
            (f"{self._share(row):>{_SHARE - 1}} ", palette.accent),
            (filled(name, self.name_width), style),
            *self._bars(row),
            (f"{_seconds(row.took_s):>{_TOOK}}", palette.text),
            *self._over(row),
        ]

    def _share(self, row: UnitRow) -> str:
        if not row.chain_share:
            return ""
        if self.view.chart.boots == 1:
            return self.glyphs.live
        return f"{100 * row.chain_share:.0f} %"

    def _bars(self, row: UnitRow) -> list[Part]:
        """Return the bar on its axis, and behind it up to when it usually is up, or was."""
        cells: list[Part] = [(" ", BLANK)] * self.bar_width
        for bar in reversed(row.bars):  # a start that took no time is not to be covered
            begin = self._cell(bar.begin_s)
            drawn = (self._sign(bar.kind), self._style(bar.kind, row))
            for at in range(begin, max(self._cell(bar.end_s), begin + 1)):
                cells[at] = drawn
        self._mark_reach(cells, row)
        return _joined(cells)

    def _mark_reach(self, cells: list[Part], row: UnitRow) -> None:
        """Draw to where three quarters of the boots have it up; for one boot, the usual moment."""
        begin, drawn = self._cell(row.begin_s), self._cell(row.bars[0].end_s)
        figures = self.view.usual.get(row.name)
        if row.reach is not None:
            for at in range(max(drawn, begin + 1), self._cell(row.reach[1])):
                cells[at] = (self.glyphs.rule, self.palette.dim)
        elif figures is not None and figures.start is not None and figures.took is not None:
            at = self._cell(figures.start.median + figures.took.median)
            cells[at] = (self.glyphs.median, self.palette.strong)

    def _sign(self, kind: BarKind) -> str:
        return self.glyphs.rule if kind is BarKind.ACTIVE else self.glyphs.bar

    def _style(self, kind: BarKind, row: UnitRow) -> Style:
        palette = self.palette
        match kind:
            case BarKind.FAILED:
                return palette.error
            case BarKind.ACTIVE:
                return palette.faint
            case BarKind.DEACTIVATING:
                return palette.dim
        is_awaited = row.chain_share >= _MOSTLY
        return palette.accent if is_awaited else palette.stages[Stage.USERSPACE]

    def _over(self, row: UnitRow) -> list[Part]:
        if not self.view.usual:
            return []
        over_s = self.view.over_s(row)
        text = "" if over_s is None else f"{over_s:+.3f}"
        slow = over_s is not None and over_s > 0.1 * (row.took_s or 0.0)
        return [(f"{text:>{_OVER}}", self.palette.warning if slow else self.palette.dim)]

    def told(self, row: UnitRow) -> list[Part]:
        """Return what there is to say of the unit under the cursor, as much as fits a line."""
        groups = [f" {shown(row.name)} ", f" begins at {row.begin_s:.3f} s "]
        if row.took_s is None:
            groups.append(" was not up ")
        elif row.reach is not None:
            low_s, high_s = (moment - row.begin_s for moment in row.reach)
            groups.append(f" takes {row.took_s:.3f} s (mostly {low_s:.3f} to {high_s:.3f}) ")
        else:
            groups.append(f" took {row.took_s:.3f} s ")
        is_of_many = self.view.chart.boots > 1
        if is_of_many:
            groups.append(f" ran in {row.ran} of {plural(row.boots, 'boot')} ")
            groups.append(f" on the chain in {row.on_chain} ")
        groups += self._usual_words(row)
        if row.failed:
            groups.append(f" failed in {row.failed} " if is_of_many else " failed ")
        return fitting([[(text, self.palette.text)] for text in groups], self.width)

    def _usual_words(self, row: UnitRow) -> Sequence[str]:
        figures = self.view.usual.get(row.name)
        if figures is None or figures.took is None:
            return []
        took = figures.took
        return [f" usually {took.median:.3f} s ({took.low:.3f} to {took.high:.3f}) "]


def _seconds(value_s: float | None) -> str:
    return "" if value_s is None else f"{value_s:.3f}"


def _joined(cells: Sequence[Part]) -> list[Part]:
    """Return cells as parts, neighbours of one style together."""
    parts: list[Part] = []
    for text, style in cells:
        if parts and parts[-1][1] is style:
            parts[-1] = (parts[-1][0] + text, style)
        else:
            parts.append((text, style))
    return parts
