"""What the keys do that scroll the words on a screen."""

from textual.widget import Widget


class Scrolling:
    """A screen of which one widget is scrolled."""

    @property
    def scrolled(self) -> Widget:
        """The widget that is scrolled."""
        raise NotImplementedError

    def action_scroll_by(self, lines: int) -> None:
        """Scroll by lines."""
        self.scrolled.scroll_relative(y=lines, animate=False)

    def action_scroll_pages(self, pages: int) -> None:
        """Scroll by what is seen at once, but for a line."""
        height = self.scrolled.scrollable_content_region.height
        self.action_scroll_by(pages * max(height - 1, 1))

    def action_to_end(self, way: int) -> None:
        """Go to the first or the last line."""
        if way < 0:
            self.scrolled.scroll_home(animate=False)
        else:
            self.scrolled.scroll_end(animate=False)
