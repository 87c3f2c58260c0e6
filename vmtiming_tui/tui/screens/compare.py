"""Two runs held beside each other: completion curves, stages to scale, verdict and stragglers."""

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from vmtiming_tui.compare import compare_sides
from vmtiming_tui.counted import counted_attempts
from vmtiming_tui.fleet import Fleet
from vmtiming_tui.sides import Side
from vmtiming_tui.straggler import straggler
from vmtiming_tui.tables import comparison_lines, straggler_lines
from vmtiming_tui.tui import keymap
from vmtiming_tui.tui.model import Change, Model
from vmtiming_tui.tui.text import Part, shown
from vmtiming_tui.tui.widgets.bars import Footer, Header
from vmtiming_tui.tui.widgets.pair import CurvePair, StagePair
from vmtiming_tui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from vmtiming_tui.tui.app import VmTimingApp


_ALL_COLUMNS_FROM = 124


class CompareScreen(Screen[None]):
    """The first run is what the second is held against."""

    KEYS = keymap.COMPARE
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.COMPARE)]
    AUTO_FOCUS = ""

    def __init__(self, model: Model, first: tuple[Fleet, Side], second: tuple[Fleet, Side]) -> None:
        super().__init__()
        self.model = model
        self._runs = (first, second)
        labels = (shown(first[1].label), shown(second[1].label))
        fleets = (first[0], second[0])
        self.header = Header(model, id="header")
        self.curves = CurvePair(labels, fleets, id="curves")
        self.stages = StagePair(labels, fleets, id="stage-pair")
        self.pane = Pane("Comparison", id="comparison")
        self.footer = Footer((*keymap.COMPARE, *keymap.ANYWHERE), id="footer")

    @property
    def host(self) -> "VmTimingApp":
        """The app, as what it is."""
        return cast("VmTimingApp", self.app)

    def compose(self) -> ComposeResult:
        """From the top down."""
        yield self.header
        yield self.curves
        yield self.stages
        yield self.pane
        yield self.footer

    def on_resize(self) -> None:
        """Say what there is to say in the width there is."""
        self.pane.show(self._lines())

    def _lines(self) -> list[Part]:
        palette = self.host.palette
        (_, first), (_, second) = self._runs
        lines: list[Part] = []
        for text in comparison_lines(
            compare_sides(first, second), narrow=self.size.width < _ALL_COLUMNS_FROM
        ):
            style = palette.warning if text.startswith("Warning:") else palette.text
            lines.append((text, style))
        for fleet, side in self._runs:
            found = straggler(counted_attempts(fleet))
            if found is not None:
                lines += [("", palette.text), (f"The straggler of {side.label}", palette.strong)]
                lines += [(text, palette.text) for text in straggler_lines(found)]
        return [(shown(text) if text.strip() == text else text, style) for text, style in lines]

    def tick(self, _: Change) -> None:
        """Keep the header true."""
        self.header.renew()

    def action_back(self) -> None:
        """Go back to the history."""
        self.dismiss()

    def action_scroll_by(self, lines: int) -> None:
        """Scroll the words."""
        self.pane.scroll_relative(y=lines, animate=False)

    def action_swap(self) -> None:
        """Hold the first against the second."""
        first, second = self._runs
        self.app.switch_screen(CompareScreen(self.model, second, first))
