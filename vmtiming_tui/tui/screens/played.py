"""All VMs of a stored run: what the run was at any of its moments, with keys that play it."""

from typing import ClassVar

from textual.binding import BindingType

from vmtiming_tui.tui.screens.storm import StormScreen
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.state.played_run import PlayedRun


class PlayedScreen(StormScreen):
    """Lies over the run that goes on, where one does, and leaves it alone."""

    SCOPE = Scope.PLAYER
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.PLAYER)]

    def __init__(self, played: PlayedRun) -> None:
        super().__init__(played)

    def action_back(self) -> None:
        """Leave the filter; drop it; drop the marks; go back, where this was opened from."""
        view = self.model.view
        if self.filter.display or view.filter_text or view.marked:
            super().action_back()
        elif self.app.screen_stack[0] is not self:
            self.dismiss()
        else:
            self.app.notify(f"{self.host.key_for('quit')} leaves the replay.", timeout=3)
