"""The engine could not go on: why, what to do about it, and keys to do it with."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Static

from vmtiming_tui.escape import plural
from vmtiming_tui.model.events import EngineFailed
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.tui.drawing.styled import shown, shown_lines
from vmtiming_tui.tui.screens.dialog import Dialog
from vmtiming_tui.tui.state.model import Model


class EngineErrorScreen(Dialog[None]):
    """Says it in words; try again, change the settings, copy, look at what there is, or leave."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again", "Try again", show=False),
        Binding("n", "new_run", "New run", show=False),
        Binding("y", "copy", "Copy", show=False),
        Binding("q", "leave", "Quit", show=False),
        Binding("left,h,up,k", "app.focus_previous", "Before", show=False),
        Binding("right,l,down,j", "app.focus_next", "Next", show=False),
    ]
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
                yield Static(id="why", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Try again (r)", id="again", compact=True)
                yield Button("New run (n)", id="new_run", compact=True)
                yield Button("Copy (y)", id="copy", compact=True)
                yield Button("Look (esc)", id="look", compact=True)
                yield Button("Quit (q)", id="leave", compact=True)

    def on_mount(self) -> None:
        """Write the words; a host's or guest's text is never markup."""
        palette, fleet = self.host.palette, self._model.fleet
        text = Text("\n".join(shown_lines(self._failure.why)), palette.error)
        if self._failure.hint:
            text.append(f"\n\n{shown(self._failure.hint)}", palette.text)
        booted = sum(1 for attempt in fleet.newest if attempt.state.is_booted)
        if fleet.vms:
            kept = f"{plural(len(fleet.vms), 'VM')} of this run are known, {booted} booted; "
            text.append(f"\n\n{kept}they can still be looked at and exported.", palette.dim)
        self.query_one("#why", Static).update(text)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Do what was pressed."""
        match event.button.id:
            case "again":
                self.action_again()
            case "new_run":
                self.action_new_run()
            case "copy":
                self.action_copy()
            case "leave":
                self.action_leave()
            case _:
                self.action_cancel()

    def action_again(self) -> None:
        """Start the same run again."""
        self.dismiss(None)
        self.host.begin(self._model.asked)

    def action_new_run(self) -> None:
        """Ask for other settings."""
        from vmtiming_tui.tui.screens.new_run import NewRunScreen

        host = self.host

        def answered(plan: RunPlan | None) -> None:
            if plan is not None:
                host.begin(plan)

        self.dismiss(None)
        host.push_screen(NewRunScreen(self._model), answered)

    def action_copy(self) -> None:
        """Copy the words."""
        self.host.copy(self.words, "The error")

    def action_leave(self) -> None:
        """Leave."""
        self.host.run_worker(self.host.leave(), group="leave")
