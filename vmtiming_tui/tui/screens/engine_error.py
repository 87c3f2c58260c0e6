"""The engine could not go on: why, what to do about it, and keys to do it with."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Static

from vmtiming_tui.escape import plural
from vmtiming_tui.model.events import EngineFailed
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.tui.drawing.styled import shown, shown_lines
from vmtiming_tui.tui.screens.dialog import Dialog
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.keymap import Scope

_BUTTONS = {
    "Try again": "engine_error.again",
    "New run": "engine_error.new_run",
    "Copy": "engine_error.copy",
    "Look": "dialog.cancel",
    "Quit": "engine_error.quit",
}


class EngineErrorScreen(Dialog[None]):
    """Says it in words; try again, change the settings, copy, look at what there is, or leave."""

    SCOPE = Scope.ENGINE_ERROR
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.ENGINE_ERROR)]
    AUTO_FOCUS = "#again"

    def __init__(self, failure: EngineFailed, model: Model) -> None:
        super().__init__()
        self._failure, self._model = failure, model

    @property
    def words(self) -> str:
        """The whole of it as plain text."""
        return f"{self._failure.why}\n{self._failure.hint}".strip()

    def compose(self) -> ComposeResult:
        """Why, what to do, and what can be done here."""
        with Vertical(classes="box broad") as box:
            box.border_title = "The run cannot go on"
            with VerticalScroll(classes="words", can_focus=False):
                yield from self._told()
            with Horizontal(classes="buttons"):
                for word, name in _BUTTONS.items():
                    action, key = keymap.BY_ID[name].action, self.host.key_for(name)
                    yield Button(f"{word} ({key})", id=action, compact=True)

    def _told(self) -> Iterable[Static]:
        """Return what is to be said; a host's or guest's text is never markup."""
        fleet = self._model.fleet
        yield Static("\n".join(shown_lines(self._failure.why)), id="why", markup=False)
        if self._failure.hint:
            yield Static(shown(self._failure.hint), classes="paragraph", markup=False)
        if fleet.vms:
            booted = sum(1 for attempt in fleet.newest if attempt.state.is_booted)
            kept = f"{plural(len(fleet.vms), 'VM')} of this run are known, {booted} booted; "
            rest = "they can still be looked at and exported."
            yield Static(f"{kept}{rest}", classes="paragraph note", markup=False)

    async def on_button_pressed(self, event: Button.Pressed) -> None:
        """Do what the button's key does."""
        if event.button.id is not None:
            await self.run_action(event.button.id)

    def action_again(self) -> None:
        """Start the same run again."""
        self.dismiss(None)
        self.host.begin(self._model.asked)

    def action_new_run(self) -> None:
        """Ask for other settings."""
        from vmtiming_tui.tui.screens.new_run import NewRunScreen

        app, host = self.app, self.host

        def answered(plan: RunPlan | None) -> None:
            if plan is not None:
                host.begin(plan)

        self.dismiss(None)
        app.push_screen(NewRunScreen(self._model), answered)

    def action_copy(self) -> None:
        """Copy the words."""
        self.host.copy(self.words, "The error")

    def action_leave(self) -> None:
        """Leave."""
        self.app.run_worker(self.host.leave(), group="leave")
