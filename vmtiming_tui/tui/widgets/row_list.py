"""Rows that scroll below heads that stay: each a line with a name, one of them pointed at."""

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from vmtiming_tui.tui.app_protocol import Hosted
from vmtiming_tui.tui.drawing.styled import Part, segments
from vmtiming_tui.tui.widgets.lines_widget import LinesWidget, ground


class Named(Protocol):
    """What a row is of."""

    @property
    def name(self) -> str:
        """What tells it from others."""
        ...


Row = TypeVar("Row", bound=Named)
Drawn_contra = TypeVar("Drawn_contra", bound=Named, contravariant=True)


class RowDrawing(Protocol[Drawn_contra]):
    """What draws rows."""

    def row(self, row: Drawn_contra) -> list[Part]:
        """Return a row's line, as wide as it may be."""
        ...


class RowWords(LinesWidget):
    """Lines that stand above the rows or below them; ``told`` is what they say."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  Textual's name
        super().__init__(id=id)
        self.told: list[list[Part]] = []

    def tell(self, told: list[list[Part]]) -> None:
        """Say something else."""
        self.told = told
        self.restyle()

    def lines(self, width: int) -> list[list[Part]]:
        """Return what they say."""
        return self.told


class RowList(Hosted, ScrollView, Generic[Row], can_focus=False):
    """The rows, each one line; the cursor stays on its row when they are shown anew."""

    DEFAULT_CSS = (
        "RowList { height: 1fr; width: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }"
    )

    class Moved(Message):
        """Another row is pointed at."""

    class Chosen(Message):
        """The row that is pointed at was clicked on once more."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  Textual's name
        super().__init__(id=id)
        self._drawn: RowDrawing[Row] | None = None
        self.rows: Sequence[Row] = []
        self._at = 0

    @property
    def current(self) -> Row | None:
        """What is pointed at."""
        return self.rows[self._at] if self.rows else None

    def show(self, drawn: RowDrawing[Row], rows: Sequence[Row], *, top: bool = False) -> None:
        """Show these rows; ``top`` goes to the first, else the cursor stays on its row."""
        name = self.current.name if self.current is not None else ""
        self._drawn, self.rows = drawn, rows
        places = (at for at, row in enumerate(rows) if row.name == name)
        self.virtual_size = Size(self.size.width, len(rows))
        at = 0 if top else next(places, 0)
        if top or at != self._at:
            self.point(at)
        else:
            self.refresh()
            self.post_message(self.Moved())

    def point(self, at: int) -> None:
        """Point at a row, and scroll it into view."""
        self._at = max(0, min(at, len(self.rows) - 1))
        self.scroll_to_region(Region(0, self._at, 1, 1), animate=False, force=True)
        self.refresh()
        self.post_message(self.Moved())

    def move(self, step: int) -> None:
        """Point at another row, so many below."""
        self.point(self._at + step)

    def page(self, step: int) -> None:
        """Point at another row, by the rows that are seen."""
        self.move(step * max(self.size.height - 1, 1))

    def to_end(self, way: int) -> None:
        """Point at the first or the last row."""
        self.point(0 if way < 0 else len(self.rows) - 1)

    def render_line(self, y: int) -> Strip:
        """Return one visible line."""
        width = self.scrollable_content_region.width
        at, under = y + self.scroll_offset.y, ground(self, self.host.palette)
        if self._drawn is None or at >= len(self.rows):
            return Strip.blank(width, under)
        if at == self._at:
            under += self.host.palette.cursor
        parts = segments(self._drawn.row(self.rows[at]), under)
        return Strip(parts).adjust_cell_length(width, under)

    def on_click(self, event: events.Click) -> None:
        """Point at the row that was clicked; a second click chooses it."""
        at = event.y + self.scroll_offset.y
        if at == self._at:
            self.post_message(self.Chosen())
        elif at < len(self.rows):
            self.point(at)
