"""How boot times went from run to run: each run's median, drawn to one scale, and the steps."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from vmtiming_tui.analysis.trend import Trend
from vmtiming_tui.report.trend import ASCII, UNICODE, left_out_lines, run_lines, step_lines
from vmtiming_tui.tui.drawing.styled import Part
from vmtiming_tui.tui.screens.words_screen import WordsScreen
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.widgets.pane import Pane

_ALL_COLUMNS_FROM = 110


class TrendScreen(WordsScreen):
    """A trend for each setting of the run it was asked for."""

    SCOPE = Scope.TREND
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.TREND)]

    def __init__(self, model: Model, trends: Sequence[Trend]) -> None:
        super().__init__(model)
        self._trends = trends
        self.pane = Pane(id="trend", title="Trend")

    def body(self) -> Iterable[Widget]:
        """What was found, and the runs it was found in."""
        return (self.pane,)

    def words(self) -> list[Part]:
        """Return what there is to say, a line each."""
        palette = self.host.palette
        signs = UNICODE if self.host.glyphs.braille else ASCII
        narrow = self.size.width < _ALL_COLUMNS_FROM
        lines: list[Part] = []
        for place, trend in enumerate(self._trends):
            first, *rows = run_lines(trend, signs, narrow=narrow)
            steps = {step.at for step in trend.steps}
            heads = len(rows) - len(trend.runs)
            lines += [("", palette.text)] * bool(place)
            found = [*step_lines(trend), *left_out_lines(trend)]
            lines += [
                (line, palette.warning if at < len(steps) else palette.dim)
                for at, line in enumerate(found)
            ]
            lines += [("", palette.text)]
            lines += [(line, palette.strong) for line in (first, *rows[:heads])]
            lines += [
                (line, palette.warning if at in steps else palette.text)
                for at, line in enumerate(rows[heads:])
            ]
        return lines
