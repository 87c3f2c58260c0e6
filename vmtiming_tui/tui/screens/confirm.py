"""A question before something is lost; Cancel has the focus."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Label

from vmtiming_tui.tui.screens.dialog import Dialog
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.keymap import Scope


class ConfirmScreen(Dialog[bool]):
    """Answers True only for an explicit yes."""

    SCOPE = Scope.CONFIRM
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.CONFIRM)]
    AUTO_FOCUS = "#cancel"

    def __init__(self, title: str, question: str, *, yes: str) -> None:
        super().__init__()
        self._title, self._question, self._yes = title, question, yes

    def compose(self) -> ComposeResult:
        """Title as the box's, the question, two buttons."""
        no, yes = self.host.key_for("confirm.no"), self.host.key_for("confirm.yes")
        with Vertical(classes="box small") as box:
            box.border_title = self._title
            yield Label(self._question, markup=False, classes="question")
            with Horizontal(classes="buttons"):
                yield Button(f"Cancel ({no})", id="cancel", compact=True)
                yield Button(f"{self._yes} ({yes})", id="yes", variant="warning", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer as pressed."""
        self.dismiss(event.button.id == "yes")

    def action_switch(self) -> None:
        """Focus the other button."""
        self.focus_next()

    def action_yes(self) -> None:
        """Do it."""
        self.dismiss(True)

    def action_no(self) -> None:
        """Leave it."""
        self.dismiss(False)
