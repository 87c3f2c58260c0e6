"""What every dialog has in common: a box in the middle, and escape to leave it."""

from typing import ClassVar, TypeVar

from textual.binding import BindingType
from textual.screen import ModalScreen

from vmtiming_tui.tui.app_protocol import HostedScreen
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.keymap import Scope

Answer = TypeVar("Answer")


class Dialog(HostedScreen, ModalScreen[Answer]):
    """A modal box; ``escape`` leaves it without an answer."""

    SCOPE = Scope.DIALOG
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.reached(Scope.DIALOG))]

    def way_out(self, word: str) -> str:
        """Return what the button says that does what the key of every dialog does."""
        return f"{word} ({self.host.key_for('dialog.cancel')})"

    def action_cancel(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)
