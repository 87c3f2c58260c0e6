"""Two runs drawn over and beneath each other: their completion curves, and their stages."""

from rich.style import Style

from vmtiming_tui.analysis.summary import Summary
from vmtiming_tui.tui.drawing.braille import ascii_rows, braille_rows, outline_rows, step_heights
from vmtiming_tui.tui.drawing.legend import legend
from vmtiming_tui.tui.drawing.scale_bars import QUARTERED, BarMaker, cells_of, nice_ceiling
from vmtiming_tui.tui.drawing.styled import Part, clip, filled, shown
from vmtiming_tui.tui.state.run_pair import HeldRun
from vmtiming_tui.tui.widgets.lines_widget import LinesWidget

_LABEL = 16
_LEFT_OUT = 16


class _Pair(LinesWidget):
    """Draws two runs, which have ended."""

    def __init__(
        self,
        runs: tuple[HeldRun, HeldRun],
        *,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._runs = runs
        self._labels = tuple(shown(run.side.label) for run in runs)


class CurvePair(_Pair):
    """The first run filled, the second as a line over it, each as a share of its own VMs."""

    DEFAULT_CSS = "CurvePair { height: 9; }"

    def lines(self, width: int) -> list[list[Part]]:
        """Return a legend, the rows of both curves, and the time axis."""
        palette, glyphs = self.host.palette, self.host.glyphs
        rows = max(self.size.height - 2, 1)
        plot = max(width - 8, 8)
        longest_ns = max((run.curve[-1][0] for run in self._runs if run.curve), default=1)
        span_ns = round(nice_ceiling(longest_ns / 1e9, QUARTERED) * 1e9)
        factor, levels = (2, 4) if glyphs.braille else (1, 2)
        heights = [
            step_heights(
                run.curve, until_ns=span_ns, span_ns=span_ns, top=run.number,
                columns=plot * factor, levels=rows * levels,
            )
            for run in self._runs
        ]  # fmt: skip
        fill_rows = (braille_rows if glyphs.braille else ascii_rows)(heights[0], rows)
        line = outline_rows(heights[1], rows, braille=glyphs.braille)
        fill, over = palette.curve[0], palette.warning
        legend: list[Part] = [
            (" booted over time   ", palette.dim), (glyphs.bar * 2, fill),
            (f" {self._labels[0]}   ", palette.text), (glyphs.bar * 2, over),
            (f" {self._labels[1]}", palette.text),
        ]  # fmt: skip
        drawn: list[list[Part]] = [legend]
        for row in range(rows):
            mark = "100 %" if row == 0 else "     "
            body = _laid_over(fill_rows[row], fill, line[row], over)
            drawn.append([(f" {mark} ", palette.dim), *body])
        end = f"{span_ns / 1e9:g} s"
        axis = glyphs.rule * max(plot - len(end) - 1, 0)
        drawn.append([("     0 ", palette.dim), (axis, palette.faint), (f" {end}", palette.dim)])
        return drawn


def _laid_over(under: str, below: Style, over: str, above: Style) -> list[Part]:
    """Return one row: ``over`` where it has a sign, else ``under``."""
    parts: list[tuple[str, Style]] = []
    for low, high in zip(under, over, strict=True):
        char, style = (low, below) if high == " " else (high, above)
        if parts and parts[-1][1] is style:
            parts[-1] = (parts[-1][0] + char, style)
        else:
            parts.append((char, style))
    return list(parts)


class StagePair(_Pair):
    """Each run's median stages on one scale, one beneath the other."""

    DEFAULT_CSS = "StagePair { height: 3; }"

    def lines(self, width: int) -> list[list[Part]]:
        """Return two bars and what their pieces are."""
        maker = BarMaker(self.host.palette, self.host.glyphs)
        pieces = [_pieces(run.summary) for run in self._runs]
        scale_ns = max((sum(ns for _, ns in each) for each in pieces), default=1)
        room = max(
            width - _LABEL - 12 - _LEFT_OUT * any(run.summary.doubtful for run in self._runs), 8
        )
        lines = [
            self._bar(maker, label, run.summary, scale_ns, room)
            for label, run in zip(self._labels, self._runs, strict=True)
        ]
        names = {name for each in pieces for name, _ in each}
        means = [part for group in legend(names, self.host.palette, self.host.glyphs)
                 for part in group]  # fmt: skip
        return [*lines, [(" " * _LABEL, self.host.palette.text), *means]]

    def _bar(
        self, maker: BarMaker, label: str, summary: Summary, scale_ns: int, room: int
    ) -> list[Part]:
        palette, pieces = self.host.palette, _pieces(summary)
        bar = [
            maker.stage_part(name, count)
            for name, count in cells_of(pieces, scale_ns, room)
            if count
        ]
        total_s = sum(ns for _, ns in pieces) / 1e9
        words = f" {total_s:.2f} s" if pieces else "stages unknown"
        words += f" ({summary.doubtful} left out)" if summary.doubtful else ""
        name = filled(clip(label, _LABEL - 2), _LABEL - 2)
        return [(f" {name} ", palette.text), *bar, (words, palette.dim)]


def _pieces(summary: Summary) -> list[tuple[str, int]]:
    return [
        (str(stage), max(round(value_s * 1e9), 0))
        for stage, value_s in summary.stage_medians_s.items()
    ]
