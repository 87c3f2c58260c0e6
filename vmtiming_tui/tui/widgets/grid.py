"""The grid of VMs: one widget on Textual's Line API, for 8 VMs and for 5,000 alike."""

import time
from collections.abc import Iterable

from vmtiming_tui.model.attempt import Vm
from vmtiming_tui.tui.drawing.grid_cell import CellPainter, Simple
from vmtiming_tui.tui.drawing.grid_shape import GridShape, shape_for
from vmtiming_tui.tui.drawing.scale_bars import scale_for
from vmtiming_tui.tui.drawing.styled import Part
from vmtiming_tui.tui.state.dashboard import Change, Model
from vmtiming_tui.tui.state.phases import phase_words, told_phase
from vmtiming_tui.tui.widgets.vm_area import Line, VmArea

_SCALE_EVERY_NS = 500_000_000


class VmGrid(VmArea):
    """Cells of id, glyph, seconds and a bar to a common scale."""

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(model, id=id)
        self._painter: CellPainter | None = None
        self._still: dict[int, list[Part]] = {}
        self._simple: dict[int, Simple] = {}
        self._scale_due_ns = 0
        self.scale_ns = 1_000_000_000

    @property
    def cell_width(self) -> int:
        """How wide one VM is."""
        return self._painter.shape.cell if self._painter else 1

    def shape(self, width: int, height: int) -> GridShape:
        """Return the layout on so much room."""
        shown, fleet = self.model.view.shown, self.model.fleet
        return shape_for(width, height, len(shown), max(fleet.vms, default=0))

    def reshape(self) -> None:
        """Lay out for the size; wider where no scrollbar is needed."""
        size = self.room
        shape = self.shape(size.width, size.height)
        self.columns, self.row_height = shape.columns, shape.row_height
        self._painter = CellPainter(self.host.palette, self.host.glyphs, shape)
        self._still.clear()
        self._simple.clear()
        self._scale_due_ns = 0
        self._rescale()

    def tick(self, change: Change) -> None:
        """Repaint what changed; everything when the common scale did."""
        if self._rescale() and not (change.new_run or change.order):
            self._still.clear()
            self._rows.clear()
            self.refresh()
        super().tick(change)

    def _rescale(self) -> bool:
        model, painter = self.model, self._painter
        now_ns, this_ns = model.now_ns, time.perf_counter_ns()
        if painter is None or this_ns < self._scale_due_ns:
            return False
        self._scale_due_ns = this_ns + _SCALE_EVERY_NS
        longest = max(
            (attempt.elapsed_ns(now_ns) or 0 for attempt in model.fleet.newest), default=0
        )
        scale_ns, median_ns = scale_for(longest, model.figures.median_ns), model.figures.median_ns
        same = scale_ns == painter.scale_ns and (
            median_ns == painter.median_ns or painter.shape.bar < 10
        )
        painter.set_scale(scale_ns, median_ns)
        self.scale_ns = scale_ns
        return not same

    def forget(self, vms: Iterable[int]) -> None:
        """Drop the cells kept of these VMs."""
        for vm in vms:
            self._still.pop(vm, None)
            self._simple.pop(vm, None)

    def draw_row(self, row: int, now_ns: int) -> tuple[list[Line], bool]:
        """Return a row's lines, and whether a clock runs in it."""
        painter = self._painter
        assert painter is not None  # noqa: S101  made by reshape, before anything is drawn
        view, vms, still = self.model.view, self.model.fleet.vms, self._still
        marked, simple, tail, style = view.marked, self._simple, painter.tail, painter.booting_style
        first = row * self.columns
        parts: list[Part] = []
        any_moving = False
        for index, vm_id in enumerate(view.shown[first : first + self.columns], first):
            if index != self.cursor and (quick := simple.get(vm_id)):
                head, zero_ns = quick
                parts.append((head + tail((now_ns - zero_ns) // 100_000_000), style))
                any_moving = True
                continue
            cell = still.get(vm_id)
            if cell is None:
                vm = vms[vm_id]
                phase = told_phase(self.model.fleet, vm.attempts[-1])
                cell = painter.line(vm, now_ns, marked=vm_id in marked, phase=phase)
                if painter.is_moving(vm.attempts[-1]):
                    any_moving = True
                    if vm_id not in marked and (quick := painter.simple(vm)):
                        simple[vm_id] = quick
                else:
                    still[vm_id] = cell
            parts += painter.under_cursor(cell) if index == self.cursor else cell
        count = min(self.columns, len(view.shown) - first)
        lines: list[Line] = [(parts, count * painter.shape.cell)]
        if self.row_height > 1:
            lines += self._lower_lines(painter, vms[view.shown[first]], first == self.cursor)
        return lines, any_moving

    def _lower_lines(self, painter: CellPainter, vm: Vm, has_cursor: bool) -> list[Line]:
        if self.row_height == 2:
            return [([], 0)]
        lines = [painter.second_line(vm, phase_words(self.model.fleet, vm.newest))]
        if self.row_height > 3:
            lines.append(painter.third_line(vm))
        if has_cursor:
            lines = [painter.under_cursor(parts) for parts in lines]
        return [*((parts, painter.shape.cell) for parts in lines), ([], 0)]
