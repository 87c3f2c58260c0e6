"""The units of a boot chart: axis and stages stay on top, the rows scroll, one is pointed at."""

from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from vmtiming_tui.analysis.units.boot_chart import UnitRow
from vmtiming_tui.tui.app_protocol import Hosted
from vmtiming_tui.tui.drawing.styled import Part, segments
from vmtiming_tui.tui.drawing.unit_rows import UnitRows
from vmtiming_tui.tui.widgets.lines_widget import LinesWidget, ground


class UnitHead(LinesWidget):
    """What stands above the rows."""

    DEFAULT_CSS = "UnitHead { height: 2; }"

    def __init__(self, *, id: str) -> None:  # noqa: A002  Textual's name
        super().__init__(id=id)
        self.drawn: UnitRows | None = None

    def lines(self, width: int) -> list[list[Part]]:
        """Return axis and stages."""
        return self.drawn.head() if self.drawn is not None else []


class UnitFoot(LinesWidget):
    """What is said of the unit that is pointed at."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  Textual's name
        super().__init__(id=id)
        self.words: list[Part] = []

    def lines(self, width: int) -> list[list[Part]]:
        """Return the line."""
        return [self.words]


class UnitList(Hosted, ScrollView, can_focus=False):
    """The rows, each one line; the cursor stays on its unit when they are shown anew."""

    DEFAULT_CSS = (
        "UnitList { height: 1fr; width: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }"
    )

    class Moved(Message):
        """Another unit is pointed at."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  Textual's name
        super().__init__(id=id)
        self._drawn: UnitRows | None = None
        self.rows: list[UnitRow] = []
        self._at = 0

    @property
    def current(self) -> UnitRow | None:
        """The unit that is pointed at."""
        return self.rows[self._at] if self.rows else None

    def show(self, drawn: UnitRows, rows: list[UnitRow], *, top: bool = False) -> None:
        """Show these rows; ``top`` goes to the first, else the cursor stays on its unit."""
        name = self.current.name if self.current is not None else ""
        self._drawn, self.rows = drawn, rows
        places = (at for at, row in enumerate(rows) if row.name == name)
        self.virtual_size = Size(self.size.width, len(rows))
        self.refresh()
        self.point(0 if top else next(places, 0))

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
        """Point at the row that was clicked."""
        self.point(event.y + self.scroll_offset.y)
