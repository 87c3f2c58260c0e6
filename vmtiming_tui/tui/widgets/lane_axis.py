"""The line above the lanes: what stands in their columns, and the time axis of all bars."""

from vmtiming_tui.tui.drawing.axis import LEAST_AXIS, axis
from vmtiming_tui.tui.drawing.grid_shape import SECONDS_WIDTH
from vmtiming_tui.tui.drawing.styled import BLANK, Part
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.widgets.grid import VmGrid
from vmtiming_tui.tui.widgets.lines_widget import ModelLines


class LaneAxis(ModelLines):
    """The heads of a grid's columns."""

    def __init__(self, model: Model, grid: VmGrid, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(model, id=id)
        self._grid = grid

    def lines(self, width: int) -> list[list[Part]]:
        """Return one line; empty before there are VMs."""
        painter = self._grid.painter
        if painter is None or not self.model.view.shown:
            return [[(" " * width, BLANK)]]
        shape, palette = painter.shape, self.host.palette
        host = f"{'host':<{shape.host}}" if shape.host else ""
        head = f" {'VM':>{shape.id_width}} {host}  "
        if shape.word:
            head += f"{'stage':<9} "
        head += f"{'s':>{SECONDS_WIDTH}}"
        one: list[Part] = [(f"{head:<{shape.bar_at}}", palette.dim)]
        if shape.bar >= LEAST_AXIS:
            median_ns = painter.typical.median_ns if painter.typical else painter.median_ns
            one += axis(painter.scale_ns, shape.bar, palette, self.host.glyphs, mark_ns=median_ns)
        else:
            one.append((" " * shape.bar, BLANK))
        rest = max(shape.cell - shape.bar_at - shape.bar, 0)
        words = " console" if shape.note else ""
        one.append((f"{words:<{rest}}", palette.dim))
        count = min(shape.columns, len(self.model.view.shown))
        return [one * count]
