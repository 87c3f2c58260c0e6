"""The grid of VMs: one widget on Textual's Line API, for 8 VMs and for 5,000 alike."""

import time
from collections.abc import Iterable

from vmtiming_tui.model.attempt import Vm
from vmtiming_tui.tui.drawing.grid_cell import CellPainter, SmallCell
from vmtiming_tui.tui.drawing.grid_shape import GridShape, shape_for
from vmtiming_tui.tui.drawing.host_names import host_width
from vmtiming_tui.tui.drawing.scale_bars import BEYOND, longest_of_most, scale_for
from vmtiming_tui.tui.drawing.styled import Part
from vmtiming_tui.tui.state.dashboard import Change, Model
from vmtiming_tui.tui.state.phases import phase_words, told_phase
from vmtiming_tui.tui.widgets.vm_area import Line, SignedArea

_SCALE_EVERY_NS = 500_000_000
_HEADROOM_NS = 2 * _SCALE_EVERY_NS


def common_scale_ns(model: Model) -> int:
    """Return how long the axis of all bars is; none outgrows it before this is asked again."""
    now_ns, figures = model.now_ns, model.figures
    lengths = [
        elapsed_ns if vm.state.is_decided else elapsed_ns + _HEADROOM_NS
        for vm in model.fleet.vms.values()
        if (elapsed_ns := vm.attempts[-1].elapsed_ns(now_ns)) is not None
    ]
    usual_ns = figures.typical.median_ns if figures.typical is not None else figures.median_ns
    return scale_for(longest_of_most(lengths, usual_ns), usual_ns)


class VmGrid(SignedArea):
    """Cells of id, glyph, seconds and a bar to a common scale."""

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(model, id=id)
        self._painter: CellPainter | None = None
        self._still: dict[int, tuple[list[Part], frozenset[str]]] = {}
        self._small: dict[int, SmallCell] = {}
        self._scale_due_ns = 0
        self._marks: tuple[object, ...] = ()
        self.scale_ns = 1_000_000_000

    @property
    def painter(self) -> CellPainter | None:
        """What draws the cells, once there is a layout."""
        return self._painter

    @property
    def cell_width(self) -> int:
        """How wide one VM is."""
        return self._painter.shape.cell if self._painter else 1

    def shape(self, width: int, height: int) -> GridShape:
        """Return the layout on so much room."""
        shown, fleet = self.model.view.shown, self.model.fleet
        host = host_width(fleet.hosts) if self.model.is_by_host else 0
        return shape_for(width, height, len(shown), max(fleet.vms, default=0), host)

    def reshape(self) -> None:
        """Lay out for the size; wider where no scrollbar is needed."""
        size = self.room
        shape = self.shape(size.width, size.height)
        self.columns, self.row_height = shape.columns, shape.row_height
        self._painter = CellPainter(self.host.palette, self.host.glyphs, shape)
        self._still.clear()
        self._small.clear()
        self._signs.clear()
        self._scale_due_ns = 0
        self._rescale()

    def tick(self, change: Change) -> None:
        """Repaint what changed; everything when the common scale did."""
        if self._rescale() and not (change.new_run or change.order):
            self._still.clear()
            self._small.clear()
            self._rows.clear()
            self.refresh()
        super().tick(change)

    def _rescale(self) -> bool:
        model, painter, this_ns = self.model, self._painter, time.perf_counter_ns()
        if painter is None or this_ns < self._scale_due_ns:
            return False
        self._scale_due_ns = this_ns + _SCALE_EVERY_NS
        figures = model.figures
        typical, median_ns, scale_ns = figures.typical, figures.median_ns, common_scale_ns(model)
        painter.set_scale(scale_ns, median_ns, typical)
        before, self._marks = self._marks, (scale_ns, *painter.marks())
        self.scale_ns = scale_ns
        return self._marks != before

    def forget(self, vms: Iterable[int]) -> None:
        """Drop the cells kept of these VMs."""
        for vm in vms:
            self._still.pop(vm, None)
            self._small.pop(vm, None)

    def draw_row(self, row: int, now_ns: int) -> tuple[list[Line], bool]:
        """Return a row's lines, and whether a clock runs in it."""
        painter = self._painter
        assert painter is not None  # noqa: S101  made by reshape, before anything is drawn
        view, vms, still = self.model.view, self.model.fleet.vms, self._still
        marked, small, draw_small = view.marked, self._small, painter.small_parts
        drawn = painter.bars.drawn
        first, cursor = row * self.columns, self.cursor if len(view.shown) > 1 else -1
        parts: list[Part] = []
        signs: set[str] = set()
        any_moving, end_ns = False, painter.scale_ns
        for index, vm_id in enumerate(view.shown[first : first + self.columns], first):
            if index != cursor and (cell := small.get(vm_id)):
                passed_ns = now_ns - cell.zero_ns
                parts += draw_small(cell, passed_ns)
                signs |= cell.signs
                if passed_ns > end_ns:
                    signs.add(BEYOND)
                any_moving = True
                continue
            kept = still.get(vm_id)
            if kept is None:
                vm = vms[vm_id]
                phase = told_phase(self.model.fleet, vm.attempts[-1])
                drawn.clear()
                line = painter.line(vm, now_ns, marked=vm_id in marked, phase=phase)
                kept = line, frozenset(drawn)
                if painter.is_moving(vm.attempts[-1]):
                    any_moving = True
                    if vm_id not in marked and (cell := painter.small(vm, now_ns)):
                        small[vm_id] = cell
                else:
                    still[vm_id] = kept
            line, names = kept
            signs |= names
            parts += painter.under_cursor(line) if index == cursor else line
        count = min(self.columns, len(view.shown) - first)
        lines: list[Line] = [(parts, count * painter.shape.cell)]
        drawn.clear()
        if self.row_height > 1:
            lines += self._lower_lines(vms[view.shown[first]], now_ns)
        self.note_signs(row, frozenset(signs | drawn))
        return lines, any_moving

    def _lower_lines(self, vm: Vm, now_ns: int) -> list[Line]:
        painter = self._painter
        assert painter is not None  # noqa: S101
        words = phase_words(self.model.fleet, vm.newest)
        lines = painter.lower.of(vm.newest, now_ns, words, painter.scale_ns, painter.typical)
        return [(parts, painter.shape.cell) for parts in lines]
