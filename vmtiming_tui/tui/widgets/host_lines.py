"""The hosts of a run on several: a line each where there is room, else the worst and the rest."""

from textual import events
from textual.message import Message

from vmtiming_tui.tui.drawing.host_table import HostTable
from vmtiming_tui.tui.drawing.styled import Part
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.host_rows import HostRow, ordered
from vmtiming_tui.tui.widgets.lines_widget import ModelLines

_LINES_A_HOST_LINE = 7


class HostLines(ModelLines):
    """Takes no line where the run is on one host."""

    class Chosen(Message):
        """A line was clicked: that of a host, or (None) that of the rest."""

        def __init__(self, host: str | None) -> None:
            super().__init__()
            self.host = host

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(model, id=id)
        self._drawn: list[HostRow] = []

    def height_wanted(self) -> int:
        """Return how many lines there are to show: headings, hosts, and a line for the rest."""
        hosts = self.model.fleet.hosts
        return min(len(hosts) + 1, self._most) if hosts.are_many else 0

    @property
    def _most(self) -> int:
        return max(self.app.size.height // _LINES_A_HOST_LINE, 3) + 1

    def lines(self, width: int) -> list[list[Part]]:
        """Return the lines: hosts as they were told; where there are more, the worst of them."""
        rows = self.model.hosts
        if not rows:
            return []
        run = self.model.fleet.run
        table = HostTable(rows, width, self.host.palette, self.host.glyphs, run.at_ns if run else 0)
        room, rest = self._most - 1, []
        if len(rows) > room:
            rows = ordered(rows)
            rows, rest = rows[: room - 1], rows[room - 1 :]
        self._drawn = rows
        lines = [table.head(), *map(table.row, rows)]
        if rest:
            lines.append(table.summary(rest, f"{self.host.key_for('main.hosts')} shows all"))
        return lines

    def on_click(self, event: events.Click) -> None:
        """Show the VMs of the host that was clicked; below the last, all hosts."""
        at = event.y - 1
        if at >= 0:
            self.post_message(self.Chosen(self._drawn[at].name if at < len(self._drawn) else None))
