"""Every VM as one sign: its stage while it boots, its state before and after."""

from collections.abc import Iterable, Sequence

from rich.style import Style

from vmtiming_tui.model.attempt import Attempt, VmState
from vmtiming_tui.tui.drawing.cell_shape import Blocks, CellShape, cell_shape
from vmtiming_tui.tui.drawing.host_names import host_width
from vmtiming_tui.tui.drawing.scale_bars import UNSEEN, BarMaker
from vmtiming_tui.tui.drawing.styled import Part, clip, filled, shown
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.widgets.vm_area import Line, SignedArea


def blocks_of(model: Model) -> Blocks | None:
    """Return the blocks that VMs stand in, where they stand by their hosts."""
    if not (blocks := model.host_blocks):
        return None
    return Blocks([len(block) for block in blocks], host_width(model.fleet.hosts))


class VmCells(SignedArea):
    """Cells of one sign; nothing in them moves by the clock alone."""

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(model, id=id)
        self._shape = CellShape(1, 1, 2, 0)
        self._bars: BarMaker | None = None
        self._blocks: Sequence[range] = ()

    @property
    def cell_width(self) -> int:
        """How wide one VM is."""
        return self._shape.cell

    @property
    def left(self) -> int:
        """How much room there is before the first VM of a row."""
        return self._shape.label

    def reshape(self) -> None:
        """Lay out for the size."""
        size, shown, fleet = self.room, self.model.view.shown, self.model.fleet
        highest = max(fleet.vms, default=0)
        blocks, self._blocks = blocks_of(self.model), self.model.host_blocks
        self._shape = cell_shape(size.width, size.height, len(shown), highest, blocks)
        self.columns, self.row_height = self._shape.columns, 1
        self._bars = BarMaker(self.host.palette, self.host.glyphs)

    def rows_begin(self) -> Sequence[int]:
        """Begin a row at each host where VMs stand by their hosts."""
        if not self._blocks:
            return super().rows_begin()
        return [at for block in self._blocks for at in block[:: self.columns]]

    def forget(self, vms: Iterable[int]) -> None:
        """Nothing is kept of a VM by itself."""

    def draw_row(self, row: int, now_ns: int) -> tuple[list[Line], bool]:
        """Return a row's line; the clock does not change it."""
        view, vms, shape = self.model.view, self.model.fleet.vms, self._shape
        palette, glyphs, marked = self.host.palette, self.host.glyphs, view.marked
        wide, room, has_ids = shape.sign, shape.sign + shape.gap, shape.has_ids
        first, here = self.begins[row], self.ids_of(row)
        parts = self._host(row, vms[here[0]].newest) if shape.name else []
        if shape.label:
            parts.append((f"{here[0]:>{shape.id_width + 1}} ", palette.dim))
        signs: set[str] = set()
        for index, vm_id in enumerate(here, first):
            name, sign, style = self._sign(vms[vm_id].attempts[-1])
            if name:
                signs.add(name)
                sign = glyphs.here or sign if index == self.cursor else sign
            if index != self.cursor:
                sign *= wide
            cell = [(sign.ljust(room), style)]
            if vm_id in marked:
                mark = (glyphs.mark, palette.accent)
                cell = [mark, (f"{sign[: room - 1]:<{room - 1}}", style)]
            if has_ids:
                cell.insert(0, (f"{vm_id:>{shape.id_width + 1}} ", palette.dim))
            if index == self.cursor:
                cell = [(text, style + palette.cursor) for text, style in cell]
            parts += cell
        self.note_signs(row, frozenset(signs))
        return [(parts, shape.label + len(here) * shape.cell)], False

    def _host(self, row: int, attempt: Attempt) -> list[Part]:
        """Return the host of a row's VMs, where the row is the first of it; a lost one signed."""
        width, palette, glyphs = self._shape.name, self.host.palette, self.host.glyphs
        if all(block.start != self.begins[row] for block in self._blocks):
            return [(" " * (width + 1), palette.text)]
        name = filled(clip(shown(attempt.host), width, glyphs.ellipsis), width)
        host = self.model.fleet.hosts.get(attempt.host)
        if host is not None and host.lost is not None:
            return [(f"{glyphs.states[VmState.FAILED]}{name}", palette.error)]
        return [(f" {name}", palette.strong)]

    def _sign(self, attempt: Attempt) -> tuple[str, str, Style]:
        """Return the name of the stage that is drawn, if it is one, its sign and its style."""
        if attempt.state is VmState.CONNECTED and attempt.go_ns is not None:
            assert self._bars is not None  # noqa: S101  made by reshape, before anything is drawn
            name = str(attempt.stage_seen or UNSEEN)
            return name, *self._bars.stage_part(name, 1)
        state = attempt.state
        return "", self.host.glyphs.states[state], self.host.palette.states[state]
