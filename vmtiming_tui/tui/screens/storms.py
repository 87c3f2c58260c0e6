"""The storms of a run: a row a storm or a setting, what is left of the plan, the verdict so far."""

from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from vmtiming_tui.model.fleet import RunState
from vmtiming_tui.tui.drawing.storm_lines import storm_lines
from vmtiming_tui.tui.drawing.styled import Part, fitting
from vmtiming_tui.tui.screens.reckoning import Reckoning
from vmtiming_tui.tui.screens.words_screen import WordsScreen
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Change, Model
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.state.storms import Storms, storms_of
from vmtiming_tui.tui.widgets.lines_widget import ModelLines
from vmtiming_tui.tui.widgets.pane import Pane
from vmtiming_tui.tui.widgets.stats_line import left_words

_FRAME = 5
HOW = "-r 5 boots as many storms alike, -L VAR A,B settings in turn"


class PlanLine(ModelLines):
    """How many of the storms that count are over, and how long the rest takes."""

    found: Storms | None = None

    def lines(self, width: int) -> list[list[Part]]:
        """Return the line."""
        palette, glyphs, model = self.host.palette, self.host.glyphs, self.model
        if (found := self.found) is None:
            return [[(" Looking ...", palette.dim)]]
        over = sum(row.is_over for row in found.counted)
        may_end_sooner = model.plan.until_decided is not None and model.fleet.concluded is None
        most = "at most " if may_end_sooner else ""
        groups: list[list[Part]] = [
            [(f" {over:,}", palette.strong), (f" of {most}{found.planned:,} storms over ",
                                              palette.dim)]
        ]  # fmt: skip
        if model.fleet.state is RunState.RUNNING:
            left = left_words(model.figures.left, glyphs)
            groups.append([(f"{glyphs.dot} left ", palette.dim), (f"{left} ", palette.strong)])
        elif found.planned <= 1:
            groups.append([(f"{glyphs.dot} {HOW} ", palette.dim)])
        return [fitting(groups, width)]


class StormsScreen(WordsScreen):
    """It grows with the run."""

    SCOPE = Scope.STORMS
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.STORMS)]

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.plan_line = PlanLine(model, id="plan")
        self.pane = Pane(id="storms", title="Storms")
        self._found: Storms | None = None
        reckon = partial(storms_of, baseline=model.baseline)
        self._reckoning = Reckoning(self, model, reckon, self._take)

    def body(self) -> Iterable[Widget]:
        """What is left of the plan, and the storms."""
        return self.plan_line, self.pane

    def on_mount(self) -> None:
        """Look at what there is."""
        self._reckoning.spoil()
        self._reckoning.tick()

    def tick(self, change: Change) -> None:
        """Look again where a boot was decided."""
        super().tick(change)
        if change.figures or change.new_run:
            self._reckoning.spoil()
        self._reckoning.tick()
        self.plan_line.renew()

    def _take(self, found: Storms) -> None:
        self.plan_line.found = found
        self.plan_line.renew()
        if found != self._found:
            self._found = found
            self.pane.show(self.words())

    def words(self) -> list[Part]:
        """Return what there is to say, a line each."""
        if self._found is None:
            return []
        width = max(self.size.width - _FRAME, 1)
        return storm_lines(self._found, width, self.host.palette, self.host.glyphs)
