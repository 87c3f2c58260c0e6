"""What was varied, a row a setting, and what each setting is against the first."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from vmtiming_tui.analysis.sweep import Sweep
from vmtiming_tui.report.findings import sweep_lines
from vmtiming_tui.tui.drawing.styled import shown
from vmtiming_tui.tui.screens.full_screen import FullScreen
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.widgets.pane import Pane


class SweepScreen(FullScreen[None]):
    """The sweep as it stood when this was opened: open it again for what came since."""

    SCOPE = Scope.SWEEP
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.SWEEP)]

    def __init__(self, model: Model, sweep: Sweep) -> None:
        super().__init__(model)
        self._lines = sweep_lines(sweep)
        self.pane = Pane(id="sweep", title="Sweep")

    def body(self) -> Iterable[Widget]:
        """The table and the words about it."""
        yield self.pane

    def on_mount(self) -> None:
        """Say what there is to say."""
        self.restyle()

    def restyle(self) -> None:
        """Say it in the new colours."""
        self.pane.show([(shown(line), self.host.palette.text) for line in self._lines])

    def action_back(self) -> None:
        """Go back to the VMs."""
        self.dismiss()

    def action_scroll_by(self, lines: int) -> None:
        """Scroll the words."""
        self.pane.scroll_relative(y=lines, animate=False)
