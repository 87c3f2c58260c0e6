"""Which format the figures are to have, of which VMs: for a page, whose browser keeps the file."""

import asyncio
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Label, RadioSet, Static

from vmtiming_tui.report.export import NAMED, render
from vmtiming_tui.tui.screens.dialog import Dialog
from vmtiming_tui.tui.screens.export import partial_words, suggested_name
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.widgets.choice import Choice
from vmtiming_tui.tui.widgets.vm_scope import VmScope


class DownloadScreen(Dialog[None]):
    """Asks, makes the file off the loop, and hands it over; nothing is written on this host."""

    SCOPE = Scope.FORM
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.FORM)]
    AUTO_FOCUS = "#document"

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model

    def compose(self) -> ComposeResult:
        """Format and scope."""
        with Vertical(classes="box form") as box:
            box.border_title = "Download"
            yield Label("Format", classes="name-above")
            choices = (Choice(name, value=name == "html", id=name) for name in NAMED)
            yield RadioSet(*choices, id="document", compact=True)
            yield Label("VMs", classes="name-above")
            yield VmScope(self._model)
            partial = Static(partial_words(self._model), markup=False, classes="warn")
            partial.display = bool(partial.content)
            yield partial
            with Horizontal(classes="buttons"):
                yield Button(self.way_out("Cancel"), id="cancel", compact=True)
                yield Button("Download", id="download", variant="primary", compact=True)

    async def on_button_pressed(self, event: Button.Pressed) -> None:
        """Download, or leave."""
        if event.button.id == "download":
            await self._download()
        self.dismiss(None)

    async def _download(self) -> None:
        """Make the file in a thread; the fleet is left alone meanwhile, its events wait."""
        model, scope = self._model, self.query_one(VmScope).chosen
        pressed = self.query_one("#document", RadioSet).pressed_button
        ending = NAMED[pressed.id if pressed and pressed.id else "html"]
        with model.held():
            text = await asyncio.to_thread(render, ending, model.fleet, scope, model.baseline)
        self.host.deliver(text, Path(suggested_name(model)).stem + ending)
