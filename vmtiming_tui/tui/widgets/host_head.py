"""The headings of the table of hosts."""

from textual import events
from textual.message import Message

from vmtiming_tui.tui.drawing.host_table import HostTable
from vmtiming_tui.tui.drawing.styled import Part
from vmtiming_tui.tui.state.host_rows import HostSort, HostView
from vmtiming_tui.tui.widgets.lines_widget import LinesWidget


class HostHead(LinesWidget):
    """Those of ``table``, once there is one; a click sorts by one."""

    class Sorted(Message):
        """A heading was clicked."""

        def __init__(self, sort: HostSort) -> None:
            super().__init__()
            self.sort = sort

    def __init__(self, view: HostView, *, id: str) -> None:  # noqa: A002  Textual's name
        super().__init__(id=id)
        self._view = view
        self.table: HostTable | None = None

    def lines(self, width: int) -> list[list[Part]]:
        """Return the headings, the sorted one with its arrow."""
        if self.table is None:
            return []
        return [self.table.head(self._view.sort, descending=self._view.descending)]

    def on_click(self, event: events.Click) -> None:
        """Sort by the heading that was clicked."""
        at = 1
        for sort, cells in self.table.columns.items() if self.table is not None else ():
            if event.x < at + cells:
                self.post_message(self.Sorted(sort))
                return
            at += cells
