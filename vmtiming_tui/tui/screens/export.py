"""Where to write the figures, in which format, of which VMs; written as ``--export`` does."""

import asyncio
import contextlib
import time
from collections.abc import Collection
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Label, Static

from vmtiming_tui.errors import ExportError
from vmtiming_tui.escape import plural
from vmtiming_tui.report.export import FORMATS, ending_of, write_export
from vmtiming_tui.request.paths import unreachable
from vmtiming_tui.tui.drawing.styled import clip, shown
from vmtiming_tui.tui.screens.confirm import ConfirmScreen
from vmtiming_tui.tui.screens.dialog import Dialog
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.state.phases import awaits_details
from vmtiming_tui.tui.state.played_run import PlayedRun
from vmtiming_tui.tui.widgets.field import Field
from vmtiming_tui.tui.widgets.vm_scope import VmScope

_MOST_ENDING = 20


def suggested_name(model: Model) -> str:
    """Return a file name that says which run it is: ``vm-timing-debian-20250131-174502.json``."""
    run = model.fleet.run
    name = "".join(c if c.isalnum() or c in "-._" else "-" for c in model.config.prefix).strip("-.")
    when = time.strftime("%Y%m%d-%H%M%S", time.localtime(run.wall_ns / 1e9)) if run else "run"
    return f"vm-timing-{name[:40] or 'vms'}-{when}.json"


def partial_words(model: Model) -> str:
    """Return what an export made now would lack, empty for nothing."""
    fleet = model.fleet
    if isinstance(model, PlayedRun) and not (model.player.is_at_end or fleet.ran_to_end):
        return "The file will hold the run as it was at this moment, and say that it is partial."
    if model.goes_on:
        awaited = any(awaits_details(fleet, vm.newest) for vm in fleet.vms.values())
        later = " Details are collected when all have booted." if awaited else ""
        return f"The run goes on: the file will say that it is partial.{later}"
    return "The picture is held still: the file will hold what is on it." if model.is_frozen else ""


class ExportScreen(Dialog[None]):
    """Asks, writes off the loop, and says where the file is."""

    SCOPE = Scope.EXPORT
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings((*keymap.EXPORT, *keymap.FORM))]
    AUTO_FOCUS = "#path"
    ENDINGS: ClassVar[Collection[str]] = FORMATS.keys()

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model
        self._written: Path | None = None

    def compose(self) -> ComposeResult:
        """Path, scope, and what comes of it."""
        with Vertical(classes="box form") as box:
            box.border_title = "Export"
            yield Label("File; its ending is the format", classes="name-above")
            yield Field(suggested_name(self._model), id="path")
            yield Static("", id="format", markup=False, classes="note")
            yield Label("VMs", classes="name-above")
            yield VmScope(self._model)
            yield Static("", id="partial", markup=False, classes="warn")
            yield Static("", id="result", markup=False)
            with Horizontal(classes="buttons"):
                yield from self.buttons()

    def buttons(self) -> ComposeResult:
        """Leave, write, and what to do with the file once it is written."""
        yield Button(self.way_out("Cancel"), id="cancel", compact=True)
        yield Button("Write (enter)", id="write", variant="primary", compact=True)
        yield Button(f"Copy path ({self.host.key_for('export.copy')})", id="copy", compact=True)

    def on_mount(self) -> None:
        """Say what kind of export this would be."""
        self.query_one("#copy").display = False
        self.tell_partial()
        self._judge()

    def tell_partial(self) -> None:
        """Say of a run that goes on that not all of it will be in the file."""
        partial = self.query_one("#partial", Static)
        partial.update(partial_words(self._model))
        partial.display = bool(partial.content)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say which format the ending means."""
        self._judge()

    def ending_of(self, path: Path) -> str:
        """Return the ending that tells a file's format, empty where it is none of these."""
        return ending_of(path)

    def _path(self) -> Path:
        path = Path(self.query_one("#path", Input).value.strip())
        with contextlib.suppress(RuntimeError):  # ~ of a user nobody knows
            return path.expanduser()
        return path

    def _judge(self) -> None:
        path = self._path()
        fault = ""
        if not self.ending_of(path):
            ending = shown(clip(path.suffix, _MOST_ENDING))
            fault = f"Unknown ending {ending!r}; use one of {' '.join(self.ENDINGS)}"
        elif why := unreachable(path):
            fault = f"This cannot be written: {why}"
        elif path.is_dir():
            fault = "This is a folder; give a file's name"
        elif not path.parent.is_dir():
            fault = f"There is no folder {shown(str(path.parent))}; make it first"
        note = self.query_one("#format", Static)
        exists = " (exists; asks before it is replaced)" if not fault and path.exists() else ""
        note.update(fault or f"Format {self.ending_of(path).lstrip('.')}{exists}")
        note.set_class(bool(fault), "fault")
        self.query_one("#write", Button).disabled = bool(fault)

    def scope(self) -> Collection[int] | None:
        """Return the VMs that were chosen; None for all."""
        return self.query_one(VmScope).chosen

    def on_input_submitted(self) -> None:
        """Enter writes."""
        self._write()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Write, copy, or leave."""
        match event.button.id:
            case "write":
                self._write()
            case "copy":
                self.action_copy()
            case _:
                self.dismiss(None)

    def _write(self) -> None:
        if self.query_one("#write", Button).disabled:
            return
        path = self._path()
        if not path.exists():
            self.run_worker(self._write_to(path), exclusive=True)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(self._write_to(path), exclusive=True)

        question = f"{shown(str(path))} is there already. Replace it?"
        self.app.push_screen(ConfirmScreen("Replace", question, yes="Replace"), answered)

    async def _write_to(self, path: Path) -> None:
        """Write in a thread; the fleet is left alone meanwhile, its events wait."""
        result = self.query_one("#result", Static)
        result.remove_class("fault")
        result.add_class("-told")
        result.update("Writing ...")
        scope = self.scope()
        try:
            with self._model.held():
                size = await asyncio.to_thread(self._write_now, path, scope)
        except ExportError as error:
            result.add_class("fault")
            hint = f"\n{shown(error.hint)}" if error.hint else ""
            result.update(f"Not written: {shown(error.message)}{hint}")
            return
        result.update(f"Wrote {shown(str(self._written))} ({plural(size, 'byte')})")
        self.query_one("#copy").display = True
        self.query_one("#cancel", Button).label = self.way_out("Close")
        self.query_one("#copy").focus()

    def _write_now(self, path: Path, scope: Collection[int] | None) -> int:
        written = self.write_file(path, scope)
        try:
            self._written = written.resolve()
            return self._written.stat().st_size
        except OSError as error:
            raise ExportError(f"{path}, once written, is gone: {error.strerror}") from None

    def write_file(self, path: Path, scope: Collection[int] | None) -> Path:
        """Write the file and return its path; raises ``ExportError``."""
        model = self._model
        return write_export(path, model.fleet, scope=scope, baseline=model.baseline, overwrite=True)

    def action_copy(self) -> None:
        """Copy the path of the file written."""
        if self._written is not None:
            self.host.copy(str(self._written), "Path")
