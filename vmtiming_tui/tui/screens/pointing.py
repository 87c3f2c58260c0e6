"""What the keys do that move the cursor of a list of rows on a screen."""

from typing import Any

from vmtiming_tui.tui.widgets.row_list import RowList


class Pointing:
    """A screen with a list of which one row is pointed at."""

    list: RowList[Any]

    def action_move(self, step: int) -> None:
        """Point at another row."""
        self.list.move(step)

    def action_page(self, step: int) -> None:
        """Point at another row, a page away."""
        self.list.page(step)

    def action_to_end(self, way: int) -> None:
        """Point at the first or the last row."""
        self.list.to_end(way)
