"""The lane of the VM under the cursor, where VMs are drawn too small to have one each."""

from collections.abc import Callable, Collection

from vmtiming_tui.tui.drawing.grid_cell import CellPainter
from vmtiming_tui.tui.drawing.grid_shape import shape_for
from vmtiming_tui.tui.drawing.host_names import host_width
from vmtiming_tui.tui.drawing.styled import BLANK, Part
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.phases import told_phase
from vmtiming_tui.tui.widgets.lines_widget import ModelLines


class CurrentLane(ModelLines):
    """One VM's lane, a full bar of it ``scale_ns`` long."""

    def __init__(
        self,
        model: Model,
        current: Callable[[], int | None],
        *,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(model, id=id)
        self._current = current
        self._number = self._highest = 0
        self.scale_ns = 1_000_000_000
        self.signs: frozenset[str] = frozenset()
        self._painter: CellPainter | None = None

    def restyle(self) -> None:
        """Draw again, in other colours."""
        self._painter = None
        super().restyle()

    def _painter_for(self, width: int, highest_id: int) -> CellPainter:
        shape = shape_for(width, 1, 1, highest_id, host_width(self.model.fleet.hosts))
        if self._painter is None or self._painter.shape != shape:
            self._painter = CellPainter(self.host.palette, self.host.glyphs, shape)
        return self._painter

    def _highest_of(self, vms: Collection[int]) -> int:
        """Return the highest number of a VM, looked for where VMs have come or gone."""
        if len(vms) != self._number:
            self._number, self._highest = len(vms), max(vms)
        return self._highest

    def lines(self, width: int) -> list[list[Part]]:
        """Return one line; a blank one where no VM is shown."""
        model, vm_id = self.model, self._current()
        vm = model.fleet.vms.get(vm_id) if vm_id is not None else None
        if vm is None:
            return [[(" " * width, BLANK)]]
        painter = self._painter_for(width, self._highest_of(model.fleet.vms))
        painter.set_scale(self.scale_ns, model.figures.median_ns, model.figures.typical)
        painter.bars.drawn.clear()
        phase = told_phase(model.fleet, vm.newest)
        marked = vm.id in model.view.marked
        line = painter.line(vm, model.now_ns, marked=marked, phase=phase)
        self.signs = frozenset(painter.bars.drawn)
        return [line]
