"""Everything that went wrong, was warned of or noticed: each sentence once, with when and who."""

from collections.abc import Iterable
from functools import partial
from itertools import groupby
from typing import ClassVar

from rich.style import Style
from textual.binding import BindingType
from textual.widget import Widget

from vmtiming_tui.model.events import Level
from vmtiming_tui.report.result import ranges, vms_words
from vmtiming_tui.tui.drawing.styled import Part, clock, shown
from vmtiming_tui.tui.screens.reckoning import Reckoning
from vmtiming_tui.tui.screens.words_screen import WordsScreen
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Change, Model
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.state.sayings import Saying, sayings_of
from vmtiming_tui.tui.widgets.pane import Pane

_NAMED = 40


class WarningsScreen(WordsScreen):
    """By what it is about, newest first; it grows with the run."""

    SCOPE = Scope.WARNINGS
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.WARNINGS)]

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.pane = Pane(id="warnings", title="Warnings and notices", hang=2)
        self._sayings: tuple[Saying, ...] | None = None
        reckon = partial(sayings_of, baseline=model.baseline)
        self._reckoning = Reckoning(self, model, reckon, self._say)

    def body(self) -> Iterable[Widget]:
        """All of it in one pane."""
        yield self.pane

    def on_mount(self) -> None:
        """Look for what there is."""
        self._reckoning.spoil()
        self._reckoning.tick()

    def tick(self, change: Change) -> None:
        """Look again where something may have come."""
        super().tick(change)
        if change.vms or change.figures or change.new_run:
            self._reckoning.spoil()
        self._reckoning.tick()

    def _say(self, sayings: tuple[Saying, ...]) -> None:
        if sayings != self._sayings:
            self._sayings = sayings
            self.pane.show(self.words())

    def words(self) -> list[Part]:
        """Return what there is to say, a line each."""
        palette = self.host.palette
        if not self._sayings:
            words = "Looking ..." if self._sayings is None else "Nothing so far."
            return [(words, palette.dim)]
        lines: list[Part] = []
        for topic, sayings in groupby(self._sayings, key=lambda each: each.topic):
            lines += [("", palette.text)] * bool(lines)
            lines.append((str(topic), palette.accent))
            for saying in sayings:
                lines += self._lines(saying)
        return lines

    def _lines(self, saying: Saying) -> list[Part]:
        palette = self.host.palette
        such = f"such as VM {saying.newest_vm}: " if saying.varies and saying.vms else ""
        lines = [(f"  {such}{shown(saying.text)}", self._style(saying))]
        for words in (self._when_and_who(saying), shown(saying.hint)):
            lines += [(f"    {words}", palette.dim)] * bool(words)
        return lines

    def _style(self, saying: Saying) -> Style:
        palette = self.host.palette
        if saying.state is not None:
            return palette.states[saying.state]
        match saying.level:
            case Level.ERROR:
                return palette.error
            case Level.WARNING:
                return palette.warning
            case Level.INFO:
                return palette.text

    def _when_and_who(self, saying: Saying) -> str:
        run = self.model.fleet.run
        words = []
        if saying.first_ns is not None and saying.last_ns is not None and run is not None:
            ends = (clock(ns - run.at_ns) for ns in (saying.first_ns, saying.last_ns))
            words.append(" to ".join(dict.fromkeys(ends)))
        if saying.count > max(len(saying.vms), 1):
            words.append(f"{saying.count:,} times")
        if len(saying.vms) > 1:
            words.append(f"{len(saying.vms):,} VMs: {ranges(saying.vms, _NAMED)}")
        elif saying.vms:
            words.append(vms_words(saying.vms))
        return f" {self.host.glyphs.dot} ".join(words)
