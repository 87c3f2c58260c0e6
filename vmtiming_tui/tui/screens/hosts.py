"""The hosts of a run on several: a row each, the worst first; one leads to its VMs."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Input, Static

from vmtiming_tui.escape import plural
from vmtiming_tui.tui.drawing.host_table import HostTable
from vmtiming_tui.tui.drawing.styled import shown
from vmtiming_tui.tui.screens.full_screen import FullScreen
from vmtiming_tui.tui.screens.pointing import Pointing
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Change, Model
from vmtiming_tui.tui.state.host_rows import HostRow, HostView
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.widgets.field import Field
from vmtiming_tui.tui.widgets.host_head import HostHead
from vmtiming_tui.tui.widgets.row_list import RowList, RowWords

_EVERY = 5
_SCROLLBAR = 1


class HostsScreen(Pointing, FullScreen[str]):
    """Answers with the host whose VMs are to be shown; it goes on with the run."""

    SCOPE = Scope.HOSTS
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.HOSTS)]

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.view = HostView()
        self.words = Static("", id="host-words", markup=False)
        self.head = HostHead(self.view, id="host-head")
        self.list: RowList[HostRow] = RowList(id="hosts")
        self.filter = Field(placeholder="name, state, address; ! inverts", id="host-filter")
        self.foot = RowWords(id="host-foot")
        self._turns = 0

    def body(self) -> Iterable[Widget]:
        """How many there are, the hosts, and what is said of one."""
        return self.words, self.head, self.list, self.filter, self.foot

    def on_mount(self) -> None:
        """Begin with the worst."""
        self.filter.display = False
        self._show(top=True)

    def on_resize(self) -> None:
        """Draw for the width there is."""
        self._show()

    def restyle(self) -> None:
        """Draw in the new colours."""
        self._show()

    def tick(self, change: Change) -> None:
        """Take in what has come, now and then."""
        super().tick(change)
        self._turns += not change.between
        if change.figures or change.new_run or not self._turns % _EVERY:
            self._show()

    def _show(self, *, top: bool = False) -> None:
        model, run = self.model, self.model.fleet.run
        rows = model.hosts
        self.view.refresh(rows)
        width = max(self.size.width - _SCROLLBAR, 1)
        zero_ns = run.at_ns if run else 0
        self.head.table = HostTable(rows, width, self.host.palette, self.host.glyphs, zero_ns)
        self.head.renew()
        self.words.update(self._title(rows))
        self.list.show(self.head.table, self.view.shown, top=top)

    def _title(self, rows: list[HostRow]) -> str:
        lost = self.model.fleet.hosts.lost
        words = plural(len(rows), "host") + (f", {lost:,} lost" if lost else "")
        if self.view.filter_text:
            words = f"{len(self.view.shown):,} of {words}, filter {shown(self.view.filter_text)}"
        return words

    def on_row_list_moved(self) -> None:
        """Say what there is to say of another host."""
        row, table = self.list.current, self.head.table
        self.foot.tell(table.told(row) if row is not None and table is not None else [])

    # Order and filter.

    def action_sort(self, step: int) -> None:
        """Order by the next column, or the one before."""
        if self.head.table is not None:
            self.view.step_sort(step, list(self.head.table.columns))
            self._show(top=True)

    def on_host_head_sorted(self, message: HostHead.Sorted) -> None:
        """Order by the column that was clicked."""
        self.view.sort_by(message.sort)
        self._show(top=True)

    def action_reverse(self) -> None:
        """Turn the order around."""
        self.view.descending = not self.view.descending
        self._show(top=True)

    def action_filter(self) -> None:
        """Ask which hosts to show."""
        self.filter.value = self.view.filter_text
        self.filter.display = True
        self.filter.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while typing."""
        if self.filter.display:
            self.view.filter_text = event.value.strip()
            self._show(top=True)

    def on_input_submitted(self) -> None:
        """Keep the filter and go back to the hosts."""
        self.filter.display = False
        self.set_focus(None)

    # Choosing.

    def action_choose(self) -> None:
        """Go to the VMs of the host that is pointed at."""
        if (row := self.list.current) is not None:
            self.dismiss(row.name)

    def on_row_list_chosen(self) -> None:
        """A host was clicked on twice."""
        self.action_choose()

    def action_back(self) -> None:
        """Leave the filter's line; drop the filter; go back to all VMs: one after the other."""
        if self.filter.display:
            self.on_input_submitted()
        elif self.view.filter_text:
            self.view.filter_text = ""
            self._show()
        else:
            self.dismiss()
