"""What was varied, a row a setting, and what each setting is against the first."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from vmtiming_tui.analysis.sweep import Sweep
from vmtiming_tui.report.findings import sweep_lines
from vmtiming_tui.tui.drawing.styled import Part, shown
from vmtiming_tui.tui.screens.words_screen import WordsScreen
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.widgets.pane import Pane


class SweepScreen(WordsScreen):
    """The sweep as it stood when this was opened: open it again for what came since."""

    SCOPE = Scope.SWEEP
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.SWEEP)]

    def __init__(self, model: Model, sweep: Sweep) -> None:
        super().__init__(model)
        self._told = sweep_lines(sweep)
        self.pane = Pane(id="sweep", title="Sweep")

    def body(self) -> Iterable[Widget]:
        """The table and the words about it."""
        yield self.pane

    def words(self) -> list[Part]:
        """Return what there is to say, a line each."""
        return [(shown(line), self.host.palette.text) for line in self._told]
