"""A stored run's name, or its notes, given anew."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Label, Static

from vmtiming_tui.escape import printable
from vmtiming_tui.tui.drawing.styled import shown
from vmtiming_tui.tui.screens.dialog import Dialog
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.widgets.field import Field


class RunWordsScreen(Dialog[str]):
    """Answers with the words, which ``read`` takes; it raises ``ValueError`` with what is wrong."""

    SCOPE = Scope.FORM
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.FORM)]
    AUTO_FOCUS = "#words"

    def __init__(self, title: str, label: str, words: str, read: Callable[[str], str]) -> None:
        super().__init__()
        self._title, self._label, self._words, self._read = title, label, words, read

    def compose(self) -> ComposeResult:
        """One field, and what is wrong with it."""
        with Vertical(classes="box form") as box:
            box.border_title = self._title
            yield Label(self._label, markup=False, classes="name-above")
            yield Field(printable(self._words, keep=""), id="words")
            yield Static("", id="fault", markup=False, classes="fault")
            with Horizontal(classes="buttons"):
                yield Button(self.way_out("Cancel"), id="cancel", compact=True)
                yield Button("Keep (enter)", id="keep", variant="primary", compact=True)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say what is wrong as it is typed."""
        fault = self._fault()
        self.query_one("#fault", Static).update(shown(fault))
        self.query_one("#keep", Button).disabled = bool(fault)

    def _fault(self) -> str:
        try:
            self._read(self.query_one("#words", Input).value.strip())
        except ValueError as error:
            return str(error)
        return ""

    def on_input_submitted(self) -> None:
        """Enter keeps."""
        self._keep()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Keep the words, or leave it."""
        if event.button.id == "keep":
            self._keep()
        else:
            self.dismiss(None)

    def _keep(self) -> None:
        if not self._fault():
            self.dismiss(self._read(self.query_one("#words", Input).value.strip()))
