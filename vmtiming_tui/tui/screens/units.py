"""The boot chart: what each unit of the guests took, of all boots or of one VM beside them."""

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Static

from vmtiming_tui.analysis.counted import counted_by_storm
from vmtiming_tui.analysis.units.boot_chart import UnitRow
from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.tui.drawing.unit_rows import UnitRows
from vmtiming_tui.tui.screens.full_screen import FullScreen
from vmtiming_tui.tui.screens.pointing import Pointing
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Change, Model
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.state.unit_view import UnitOrdering, UnitView, view_of_boot, view_of_boots
from vmtiming_tui.tui.widgets.row_list import RowList, RowWords

_RECKON_EVERY = 20
_SCROLLBAR = 1
NOTHING_YET = "No guest has told of its units yet: they do so when all of a storm have booted."


class UnitsScreen(Pointing, FullScreen[None]):
    """Of all boots that count, or of one ``attempt`` beside them; it grows with the run."""

    SCOPE = Scope.UNITS
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.UNITS)]

    def __init__(self, model: Model, attempt: Attempt | None = None) -> None:
        super().__init__(model)
        self._attempt = attempt
        self._view: UnitView | None = None
        self._drawn: UnitRows | None = None
        self._ordering = UnitOrdering.BEGIN
        self._turns = 0
        self._is_stale = False
        self.words = Static(NOTHING_YET, id="unit-words", markup=False)
        self.head = RowWords(id="unit-head")
        self.list: RowList[UnitRow] = RowList(id="units")
        self.foot = RowWords(id="unit-foot")

    def body(self) -> Iterable[Widget]:
        """What it is of, the axis, the units, and what is said of one."""
        return self.words, self.head, self.list, self.foot

    def on_mount(self) -> None:
        """Reckon the first picture."""
        self._reckon()

    def tick(self, change: Change) -> None:
        """Take in what has come, now and then."""
        super().tick(change)
        self._is_stale |= bool(change.vms) or change.new_run
        self._turns += not change.between
        if self._is_stale and not self._turns % _RECKON_EVERY:
            self._reckon()

    def _reckon(self) -> None:
        self._is_stale = False
        self.run_worker(self._show_newest(), exclusive=True, group="units")

    async def _show_newest(self) -> None:
        fleet = self.model.fleet
        storms, order = list(counted_by_storm(fleet).values()), fleet.unit_order
        if self._attempt is None:
            view = await asyncio.to_thread(view_of_boots, storms, order)
        else:
            view = await asyncio.to_thread(view_of_boot, self._attempt, storms, order)
        if view is not None and view != self._view:
            self._view = view
            self._show()

    def on_resize(self) -> None:
        """Draw for the width there is."""
        self._show()

    def restyle(self) -> None:
        """Draw in the new colours."""
        self._show()

    def _show(self, *, top: bool = False) -> None:
        if (view := self._view) is None:
            return
        width = max(self.size.width - _SCROLLBAR, 1)
        self._drawn = drawn = UnitRows(view, width, self.host.palette, self.host.glyphs)
        self.words.update(self._title(view))
        self.head.tell(drawn.head())
        self.list.show(drawn, view.rows(self._ordering), top=top)

    def _title(self, view: UnitView) -> str:
        units, boots = plural(len(view.chart.rows), "unit"), plural(view.chart.boots, "boot")
        of = f"median of {boots}"
        if self._attempt is not None:
            usual = f"the median of all boots ({self.host.glyphs.median})"
            of = f"VM {self._attempt.vm}, beside {usual}"
        zero = "the start of the guest's kernel" if view.chart.from_kernel else "the VM's go"
        return f"Units, {of}: {units} {self._ordering}; seconds from {zero}"

    def on_row_list_moved(self) -> None:
        """Say what there is to say of another unit."""
        row = self.list.current
        self.foot.tell([self._drawn.told(row)] if row and self._drawn else [])

    def action_sort(self, step: int) -> None:
        """Take the next order, or the one before."""
        if self._view is not None:
            known = self._view.orderings
            self._ordering = known[(known.index(self._ordering) + step) % len(known)]
            self._show(top=True)

    def action_back(self) -> None:
        """Go back to where one came from."""
        self.dismiss()
