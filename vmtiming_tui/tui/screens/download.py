"""Which format an export is to have, of which VMs: for a page, whose browser keeps the file."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Label, RadioSet, Static

from vmtiming_tui.tui.screens.dialog import Dialog
from vmtiming_tui.tui.screens.export import partial_words
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.widgets.choice import Choice
from vmtiming_tui.tui.widgets.vm_scope import VmScope


@dataclass(frozen=True, slots=True)
class Download:
    """What can be had: a file's name without its ending, the endings, and what makes its text.

    ``is_of_vms``: of some of them, too.
    """

    stem: str
    endings: Sequence[str]
    render: Callable[[str, Collection[int] | None], str]
    is_of_vms: bool


class DownloadScreen(Dialog[None]):
    """Asks, makes the file off the loop, and hands it over; nothing is written on this host."""

    SCOPE = Scope.FORM
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.FORM)]
    AUTO_FOCUS = "#document"

    def __init__(self, model: Model, download: Download) -> None:
        super().__init__()
        self._model, self._download = model, download

    def compose(self) -> ComposeResult:
        """Format and scope."""
        with Vertical(classes="box form") as box:
            box.border_title = "Download"
            yield Label("Format", classes="name-above")
            choices = (Choice(it.lstrip("."), value=it == ".html") for it in self._download.endings)
            yield RadioSet(*choices, id="document", compact=True)
            if self._download.is_of_vms:
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
            await self._hand_over()
        self.dismiss(None)

    async def _hand_over(self) -> None:
        """Make the file in a thread; the fleet is left alone meanwhile, its events wait."""
        scopes = self.query(VmScope)
        scope = scopes.first().chosen if scopes else None
        pressed = max(self.query_one("#document", RadioSet).pressed_index, 0)
        ending = self._download.endings[pressed]
        with self._model.held():
            text = await asyncio.to_thread(self._download.render, ending, scope)
        self.host.deliver(text, f"{self._download.stem}{ending}")
