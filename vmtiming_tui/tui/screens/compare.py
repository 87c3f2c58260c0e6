"""Two runs held beside each other: completion curves, stages to scale, verdict and stragglers."""

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from vmtiming_tui.report.findings import found_lines, warning_lines
from vmtiming_tui.tui.drawing.styled import Part, shown
from vmtiming_tui.tui.screens.words_screen import WordsScreen
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.state.run_pair import RunPair, pair_of
from vmtiming_tui.tui.widgets.comparison_charts import CurvePair, StagePair
from vmtiming_tui.tui.widgets.pane import Pane

_ALL_COLUMNS_FROM = 124


class CompareScreen(WordsScreen):
    """The first run is what the second is held against."""

    SCOPE = Scope.COMPARE
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.COMPARE)]

    def __init__(self, model: Model, held: RunPair) -> None:
        super().__init__(model)
        self._held = held
        self.curves = CurvePair(held.runs, id="curves")
        self.stages = StagePair(held.runs, id="stage-pair")
        self.pane = Pane(id="comparison", title="Comparison")

    def body(self) -> Iterable[Widget]:
        """Both runs' curves, both runs' stages, and words."""
        return self.curves, self.stages, self.pane

    def words(self) -> list[Part]:
        """Return what there is to say, a line each."""
        palette = self.host.palette
        lines: list[Part] = []
        narrow = self.size.width < _ALL_COLUMNS_FROM
        lines += [
            (text, palette.text) for text in found_lines(self._held.comparison, narrow=narrow)
        ]
        lines += [(text, palette.warning) for text in warning_lines(self._held.comparison)]
        for run in self._held.runs:
            if run.slowest:
                title = f"The straggler of {run.side.label}"
                lines += [("", palette.text), (title, palette.strong)]
                lines += [(text, palette.text) for text in run.slowest]
        return [(shown(text) if text.strip() == text else text, style) for text, style in lines]

    def action_export(self) -> None:
        """Ask where to write the comparison."""
        from vmtiming_tui.report.export.comparison.document import ComparisonDocument
        from vmtiming_tui.tui.screens.exporting import export_of_comparison

        first, second = self._held.runs
        document = ComparisonDocument(
            sides=(first.side, second.side), comparisons=(self._held.comparison,)
        )
        self.app.push_screen(export_of_comparison(self.model, document))

    def action_swap(self) -> None:
        """Hold the first against the second."""
        self.run_worker(self._swap(), exclusive=True)

    async def _swap(self) -> None:
        turned = await asyncio.to_thread(pair_of, self._held.second, self._held.first)
        self.app.switch_screen(CompareScreen(self.model, turned))
