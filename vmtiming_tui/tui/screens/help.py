"""Every key that works on a screen, from the very bindings."""

from itertools import zip_longest
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from vmtiming_tui.model.attempt import Phase, VmState
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.tui.drawing.scale_bars import UNSEEN, BarMaker
from vmtiming_tui.tui.drawing.styled import filled
from vmtiming_tui.tui.screens.dialog import Dialog
from vmtiming_tui.tui.screens.scrolling import Scrolling
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.keymap import Scope

_KEYS_WIDTH = 14
_TWO_COLUMNS_FROM = 132
_PHASES = {
    Phase.UP: "booted, and runs",
    Phase.FROZEN: "booted, and stands still while others boot",
    Phase.COLLECTING: "booted, and tells details",
    Phase.ENDING: "booted, and shuts down",
    Phase.OFF: "booted, and is off",
}


class HelpScreen(Scrolling, Dialog[None]):
    """Keys by group; two columns where there is room."""

    SCOPE = Scope.HELP
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.HELP)]

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self._scope = scope

    @property
    def scrolled(self) -> Widget:
        """The box."""
        return self.query_one("#help")

    def compose(self) -> ComposeResult:
        """One scrolling box."""
        with VerticalScroll(classes="box wide", id="help", can_focus=False) as box:
            box.border_title = "Keys"
            box.border_subtitle = f"{self.host.key_for('dialog.cancel')} closes"
            yield Static(id="help-text", markup=False)

    def on_mount(self) -> None:
        """Write the text for the width there is."""
        self._write()

    def on_resize(self) -> None:
        """Write it anew."""
        self._write()

    def restyle(self) -> None:
        """Write it in the new colours."""
        self._write()

    def _blocks(self, width: int) -> list[list[Text]]:
        palette = self.host.palette
        groups: dict[str, list[Text]] = {}
        for key in keymap.useful(self._scope, self.host.there):
            line = Text(no_wrap=True, overflow="ellipsis")
            line.append(f"{filled(self.host.keys_for(key.id), _KEYS_WIDTH)} ", palette.key)
            words = Text(key.help, palette.text)
            wrapped = words.wrap(self.app.console, max(width - _KEYS_WIDTH - 2, 20))
            line.append_text(wrapped[0])
            block = groups.setdefault(key.group, [Text(key.group, palette.strong)])
            block.append(line)
            block += [Text(" " * (_KEYS_WIDTH + 1)).append_text(rest) for rest in wrapped[1:]]
        return [*groups.values(), self._legend()]

    def _legend(self) -> list[Text]:
        palette, glyphs = self.host.palette, self.host.glyphs
        lines = [Text("States and signs", palette.strong)]
        for state in VmState:
            line = Text(f"{glyphs.states[state]} ", palette.states[state])
            lines.append(line.append(str(state), palette.text))
        bars = BarMaker(palette, glyphs)
        for stage in (*Stage, UNSEEN):
            sign, style = bars.stage_part(str(stage), 1)
            words = "a stage that is not seen yet" if stage == UNSEEN else f"the stage {stage}"
            lines.append(Text(f"{sign} ", style).append(words, palette.text))
        for phase, words in _PHASES.items():
            line = Text(f"{glyphs.phases[phase]} ", palette.dim)
            lines.append(line.append(words, palette.text))
        for sign, words in (
            (glyphs.slower, "slower than this VM's boot before, by more than 20 %"),
            (glyphs.faster, "faster than this VM's boot before, by more than 20 %"),
            (glyphs.paused, "paused"),
            (glyphs.reset, "was reset while it booted"),
            (glyphs.resumed, "was resumed by hand after its report"),
            (glyphs.median, "where the median boot ends"),
            (glyphs.shadow, "the median boot, where this one has not come yet"),
            (glyphs.beyond, "goes on beyond the axis"),
        ):
            line = Text(f"{sign} ", palette.warning)
            lines.append(line.append(words, palette.text))
        return lines

    def _write(self) -> None:
        columns = 2 if self.size.width >= _TWO_COLUMNS_FROM else 1
        width = (min(self.size.width, 150) - 10) // columns
        flows: list[list[Text]] = [[] for _ in range(columns)]
        blocks = self._blocks(width)
        total = sum(len(block) + 1 for block in blocks)
        for block in blocks:
            first = flows[0]
            flow = first if columns == 1 or len(first) + len(block) / 2 < total / 2 else flows[-1]
            flow += [*([Text()] if flow else []), *block]
        rows = []
        for row in zip_longest(*flows, fillvalue=Text()):
            line = Text()
            for cell in row:
                padded = cell.copy()
                padded.truncate(width - 1, overflow="ellipsis", pad=True)
                line.append_text(padded)
                line.append(" ")
            line.rstrip()
            rows.append(line)
        self.query_one("#help-text", Static).update(Text("\n").join(rows))
