"""The keys at the bottom of a screen."""

from operator import attrgetter

from rich.cells import cell_len
from textual import events
from textual.message import Message

from vmtiming_tui.tui.drawing.styled import Part
from vmtiming_tui.tui.state.keymap import Scope, useful
from vmtiming_tui.tui.widgets.lines_widget import LinesWidget


class Footer(LinesWidget):
    """The keys that work here, the most wanted ones first, as many as fit; each can be clicked.

    Keys that are ``left_out`` would show nothing yet.
    """

    class Pressed(Message):
        """A key's name was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, scope: Scope, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._scope = scope
        self.left_out: frozenset[str] = frozenset()
        self._spots: list[tuple[int, int, str]] = []

    def lines(self, width: int) -> list[list[Part]]:
        """Return the keys that fit."""
        palette = self.host.palette
        parts: list[Part] = []
        self._spots = []
        x = 0
        for key in sorted(useful(self._scope, self.host.there), key=attrgetter("rank")):
            if not key.rank or key.id in self.left_out:
                continue
            name = self.host.key_for(key.id)
            text = f" {name} "
            cells = cell_len(text) + cell_len(key.label) + 1
            if x + cells > width:
                continue
            parts += [(text, palette.key), (f"{key.label} ", palette.dim)]
            self._spots.append((x, x + cells, key.action))
            x += cells
        return [parts]

    def on_click(self, event: events.Click) -> None:
        """Do what the clicked key does."""
        for first, end, action in self._spots:
            if first <= event.x < end:
                self.post_message(self.Pressed(action))
                return
