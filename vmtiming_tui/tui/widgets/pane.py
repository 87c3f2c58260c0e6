"""A pane of text lines: scrolls, searches, follows its end; never reads text as markup."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from vmtiming_tui.tui.app_protocol import Hosted
from vmtiming_tui.tui.drawing.styled import Part, as_ascii
from vmtiming_tui.tui.drawing.wrapping import wrapped
from vmtiming_tui.tui.widgets.lines_widget import ground

_LEAST_WIDTH = 8


class Pane(Hosted, ScrollView, can_focus=False):
    """Lines of one style each, wrapped at words to the width; what goes on may ``hang``."""

    DEFAULT_CSS = """
    Pane {
        height: 1fr; width: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1;
        border: round $faint; padding: 0 1;
        border-title-color: $dim; border-subtitle-color: $dim;
    }
    Pane.-active { border: round $accent; border-title-color: $accent; border-title-style: bold; }
    """

    class Picked(Message):
        """The pane was clicked."""

        def __init__(self, pane: "Pane") -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, *, id: str, title: str = "", hang: int = 0) -> None:  # noqa: A002
        super().__init__(id=id)
        self._hang = hang
        self.border_title = title
        self.follows = False
        self.note = ""
        self._lines: list[Part] = []
        self._rows: list[tuple[str, Style]] = []
        self._first_row: list[int] = []
        self._needle = ""
        self._hits: list[int] = []
        self._hit = -1

    def show(self, lines: Sequence[Part]) -> None:
        """Show these lines; the place is kept, or the end followed."""
        lines = list(lines)
        if not self.host.glyphs.braille:
            lines = [(as_ascii(text), style) for text, style in lines]
        if lines == self._lines:
            return
        self._lines = lines
        self._wrap()

    def _wrap(self) -> None:
        """Wrap to the width there is, which is less where not all rows fit: a scrollbar comes."""
        whole = self.content_region.size
        for scrollbar in (0, self.styles.scrollbar_size_vertical):
            width = max(whole.width - scrollbar, _LEAST_WIDTH)
            self._rows, self._first_row = [], []
            for text, style in self._lines:
                self._first_row.append(len(self._rows))
                self._rows += [(piece, style) for piece in wrapped(text, width, hang=self._hang)]
            if len(self._rows) <= whole.height:
                break
        self.virtual_size = Size(width, len(self._rows))
        self._look()
        if self.follows:
            self.scroll_end(animate=False, force=True)
        self.refresh()

    def on_resize(self) -> None:
        """Wrap anew."""
        self._wrap()

    # Search.

    def search(self, needle: str) -> None:
        """Highlight every line with this text, and go to the first from here on."""
        self._needle = needle.lower()
        self._hit = -1
        self._look()
        if self._hits:
            top = round(self.scroll_y)
            first = next((at for at, row in enumerate(self._hits) if row >= top), 0)
            self._go_to_hit(first)
        self.refresh()

    def _look(self) -> None:
        needle = self._needle
        self._hits = [
            self._first_row[at]
            for at, (text, _) in enumerate(self._lines)
            if needle and needle in text.lower()
        ]
        self._say()

    def _say(self) -> None:
        words = self.note
        if self._needle:
            place = f"{self._hit + 1} of " if self._hit >= 0 and self._hits else ""
            words = f"{place}{len(self._hits)} found" if self._hits else "not found"
        elif self.follows:
            words = f"{self.note}, following" if self.note else "following"
        self.border_subtitle = words

    def go_to_match(self, step: int) -> None:
        """Go to the next match, or the one before; around the ends."""
        if self._hits:
            self._go_to_hit((self._hit + step) % len(self._hits))

    def _go_to_hit(self, hit: int) -> None:
        self._hit = hit
        self.set_follow(False)
        self.scroll_to(y=max(self._hits[hit] - 2, 0), animate=False, force=True)
        self._say()

    def set_follow(self, on: bool) -> None:
        """Stay at the end as lines are added, or not."""
        self.follows = on
        if on:
            self.scroll_end(animate=False, force=True)
        self._say()

    def set_note(self, note: str) -> None:
        """Say something at the pane's lower edge."""
        self.note = note
        self._say()

    # Drawing.

    def render_line(self, y: int) -> Strip:
        """Return one visible line."""
        width = self.scrollable_content_region.width
        row, under = y + self.scroll_offset.y, ground(self, self.host.palette)
        if row >= len(self._rows):
            return Strip.blank(width, under)
        text, style = self._rows[row]
        pieces = self._highlighted(text, under + style)
        return Strip(pieces).adjust_cell_length(width, under)

    def _highlighted(self, text: str, style: Style) -> list[Segment]:
        if not self._needle:
            return [Segment(text, style)]
        result, rest, low = [], text, text.lower()
        if len(low) != len(text):
            return [Segment(text, style)]
        found = self.host.palette.match
        while (at := low.find(self._needle)) >= 0:
            end = at + len(self._needle)
            result += [Segment(rest[:at], style), Segment(rest[at:end], found)]
            rest, low = rest[end:], low[end:]
        return [*result, Segment(rest, style)]

    def on_click(self, event: events.Click) -> None:
        """Make this the pane the keys are for."""
        self.post_message(self.Picked(self))

    def on_mouse_scroll_up(self) -> None:
        """Looking back ends following."""
        if self.follows:
            self.set_follow(False)
