"""A widget of one line, or few, made of styled parts; drawn again only when they differ."""

from typing import TYPE_CHECKING, cast

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from vmtiming_tui.tui.text import Part, segments

if TYPE_CHECKING:
    from vmtiming_tui.tui.app import VmTimingApp


def ground(widget: Widget) -> Style:
    """Return a widget's background as a style; none without colour."""
    host = cast("VmTimingApp", widget.app)
    if not host.palette.colour:
        return Style()
    return Style(bgcolor=widget.background_colors[1].rich_color)


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
        self._now_width = -1

    def lines(self, width: int) -> list[list[Part]]:
        """Return the lines, each of at most ``width`` cells."""
        raise NotImplementedError

    def renew(self) -> None:
        """Draw again if what is to be shown has changed."""
        if self.size.width and (lines := self.lines(self.size.width)) != self._now:
            self._now, self._now_width = lines, self.size.width
            self.refresh()

    def redraw(self) -> None:
        """Draw again whatever has changed, as after a change of theme."""
        self._now_width = -1
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        width = self.size.width
        if width != self._now_width:
            self._now, self._now_width = self.lines(width), width
        under = ground(self)
        if y >= len(self._now):
            return Strip.blank(width, under)
        return Strip(segments(self._now[y], under)).adjust_cell_length(width, under)
