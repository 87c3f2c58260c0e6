"""A widget of one line, or few, made of styled parts; drawn again only when they differ."""

from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from vmtiming_tui.tui.app_protocol import Hosted
from vmtiming_tui.tui.drawing.styled import BLANK, Part, segments
from vmtiming_tui.tui.drawing.theme import Palette
from vmtiming_tui.tui.state.dashboard import Model


def ground(widget: Widget, palette: Palette) -> Style:
    """Return a widget's background as a style; none without colour."""
    if not palette.colour:
        return BLANK
    return Style(bgcolor=widget.background_colors[1].rich_color)


class LinesWidget(Hosted, Widget):
    """Shows what ``lines(width)`` returns; ``renew`` looks whether that has changed."""

    DEFAULT_CSS = "LinesWidget { height: 1; width: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  Textual's name
        super().__init__(id=id)
        self._now: list[list[Part]] = []
        self._strips: list[Strip] = []
        self._drawn_width = -1
        self._under = BLANK

    def lines(self, width: int) -> list[list[Part]]:
        """Return the lines, each of at most ``width`` cells."""
        raise NotImplementedError

    def renew(self) -> None:
        """Draw again if what is to be shown has changed."""
        width = self.size.width
        if not width:
            return
        lines = self.lines(width)
        if width != self._drawn_width or lines != self._now:
            self._draw(lines, width)
            self.refresh()

    def restyle(self) -> None:
        """Draw again, whatever has changed."""
        self._drawn_width = -1
        self.refresh()

    def on_resize(self) -> None:
        """Draw again for the new size."""
        self.restyle()

    def _draw(self, lines: list[list[Part]], width: int) -> None:
        self._now, self._drawn_width = lines, width
        self._under = ground(self, self.host.palette)
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
            self._draw(self.lines(width), width)
        if y >= len(self._strips):
            return Strip.blank(width, self._under)
        return self._strips[y]


class ModelLines(LinesWidget):
    """Lines about the model."""

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.model = model
