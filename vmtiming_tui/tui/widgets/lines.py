"""A widget of one line, or few, made of styled parts; drawn again only when they differ."""

from typing import TYPE_CHECKING, ClassVar, cast

from rich.style import Style
from textual.geometry import Region
from textual.scrollbar import ScrollBarRender
from textual.strip import Strip
from textual.widget import Widget

from vmtiming_tui.tui.drawing.styled import Part, segments

if TYPE_CHECKING:
    from vmtiming_tui.tui.app import VmTimingApp


def ground(widget: Widget) -> Style:
    """Return a widget's background as a style; none without colour."""
    host = cast("VmTimingApp", widget.app)
    if not host.palette.colour:
        return Style()
    return Style(bgcolor=widget.background_colors[1].rich_color)


class AsciiScrollBar(ScrollBarRender):
    """A scrollbar of whole cells, without the signs for parts of one."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8


def fit_scrollbar(widget: Widget) -> None:
    """Have a widget's scrollbar drawn in ASCII where everything is."""
    if not cast("VmTimingApp", widget.app).glyphs.braille:
        vars(widget.vertical_scrollbar)["renderer"] = AsciiScrollBar


class Drawn(Widget):
    """A widget that draws for itself with the app's palette and glyphs."""

    @property
    def host(self) -> "VmTimingApp":
        """The app, as what it is."""
        return cast("VmTimingApp", self.app)


class LinesWidget(Drawn):
    """Shows what ``lines(width)`` returns; ``renew`` looks whether that has changed."""

    DEFAULT_CSS = "LinesWidget { height: 1; width: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  Textual's name
        super().__init__(id=id)
        self._now: list[list[Part]] = []
        self._strips: list[Strip] = []
        self._drawn_width = -1
        self._under = Style()

    def lines(self, width: int) -> list[list[Part]]:
        """Return the lines, each of at most ``width`` cells."""
        raise NotImplementedError

    def renew(self) -> None:
        """Draw again if what is to be shown has changed."""
        width = self.size.width
        if width and (width != self._drawn_width or self.lines(width) != self._now):
            self._draw(width)
            self.refresh()

    def redraw(self) -> None:
        """Draw again whatever has changed, as after a change of theme."""
        self._drawn_width = -1
        self.refresh()

    def on_resize(self) -> None:
        """Draw again for the new size."""
        self.redraw()

    def _draw(self, width: int) -> None:
        self._now, self._drawn_width, self._under = self.lines(width), width, ground(self)
        self._strips = [
            Strip(segments(parts, self._under)).adjust_cell_length(width, self._under)
            for parts in self._now
        ]

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines of a region; they carry their background, there is nothing to add."""
        strips = [self.render_line(y) for y in crop.line_range]
        if crop.width != self._drawn_width:
            return [strip.crop(crop.x, crop.right) for strip in strips]
        return strips

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        width = self.size.width
        if width != self._drawn_width:
            self._draw(width)
        if y >= len(self._strips):
            return Strip.blank(width, self._under)
        return self._strips[y]
