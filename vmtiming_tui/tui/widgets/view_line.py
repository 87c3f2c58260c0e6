"""What is shown: filter, order, marks; and what the signs of the pictures mean."""

from collections.abc import Iterable

from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.config import BootMode
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.tui.drawing.host_table import about
from vmtiming_tui.tui.drawing.legend import SIGNS_OF_AREAS, SIGNS_OF_BARS, legend
from vmtiming_tui.tui.drawing.styled import Part, clip, flowing, parts_width, shown
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.view import Sort
from vmtiming_tui.tui.widgets.lines_widget import ModelLines

_OVER = 40


class ViewLine(ModelLines):
    """What is shown, and the signs that the pictures below and above it are drawn with.

    ``signs`` are their names, ``scale_ns`` how long a full bar is where no axis tells it, and
    ``blur_ns`` how far hosts' clocks are off where that can be seen on the axis above.
    """

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(model, id=id)
        self.signs: frozenset[str] = frozenset()
        self.scale_ns: int | None = None
        self.blur_ns: int | None = None

    def height_wanted(self, width: int) -> int:
        """Return how many lines any signs would take.

        Those that are drawn do not count: which they are depends on the room that is left.
        """
        return len(self._laid_out(width, self._possible(), "full bar 0.75 s"))

    def lines(self, width: int) -> list[list[Part]]:
        """Return the view at the left and the legend at the right; below it where it must be."""
        return self._laid_out(width, self.signs, self._scale_words())

    def _possible(self) -> frozenset[str]:
        """Return the signs that a picture of these VMs may have."""
        model, signs = self.model, SIGNS_OF_BARS
        if model.config.boot is not BootMode.FIRMWARE:
            signs -= {str(Stage.LOADER)}
        return signs | SIGNS_OF_AREAS if model.plan.number > 1 else signs

    def _laid_out(self, width: int, signs: frozenset[str], scale_words: str) -> list[list[Part]]:
        palette, glyphs, model = self.host.palette, self.host.glyphs, self.model
        begin: Part = (f"{glyphs.rule} ", palette.faint)
        said = self._said()
        groups = legend(
            signs, palette, glyphs,
            typical=model.figures.typical, median_ns=model.figures.median_ns,
            scale_words=scale_words,
            is_booting=bool(model.fleet.counts[VmState.CONNECTED]),
        )  # fmt: skip
        needed = sum(map(parts_width, groups)) + 1
        if not said:
            count = f"{plural(len(model.fleet.vms) or model.plan.number, 'VM')} "
            said = [(count, palette.dim)] if needed + len(count) + 2 <= width else []
        left = [begin, *said]
        if parts_width(left) + needed <= width or not groups:
            return [self._line(left, groups, width)]
        below = flowing(groups, width - 3)
        above = [self._line(left, [], width)] if said else []
        return [*above, *(self._line([begin], [line], width) for line in below)]

    def _line(self, left: list[Part], groups: Iterable[list[Part]], width: int) -> list[Part]:
        glyphs, palette = self.host.glyphs, self.host.palette
        right = [part for group in groups for part in group]
        rule = glyphs.rule * (width - parts_width(left) - parts_width(right) - bool(right))
        gap: list[Part] = [(" ", palette.text)] if right else []
        return [*left, (rule, palette.faint), *gap, *right]

    def _scale_words(self) -> str:
        return "" if self.scale_ns is None else f"full bar {self.scale_ns / 1e9:g} s"

    def _said(self) -> list[Part]:
        """Return what differs from all VMs by their ids, and what else is to be said."""
        palette, glyphs, model = self.host.palette, self.host.glyphs, self.model
        view, order = model.view, model.view.order
        arrow = glyphs.descending if order.descending else glyphs.ascending
        parts: list[Part] = []
        if view.filter_text:
            parts += [
                (f"{len(view.shown):,} of {plural(len(model.fleet.vms), 'VM')}", palette.strong),
                ("  filter ", palette.dim),
                (shown(view.filter_text), palette.accent),
                ("  ", palette.text),
            ]
        if view.fault:
            parts.append((f"no such filter: {view.fault}  ", palette.error))
        if view.marked:
            parts.append((f"{len(view.marked):,} marked  ", palette.accent))
        if order.sort is not Sort.ID or order.descending:
            parts += [("by ", palette.dim), (f"{order.sort} {arrow}  ", palette.strong)]
        if self.blur_ns is not None:
            words = f"clocks of hosts {about(self.blur_ns, glyphs)}  "
            parts.append((words, palette.warning))
        if model.is_frozen:
            words = f"held, {plural(model.waiting, 'event')} waiting"
            goes_on = f"{self.host.key_for('main.freeze')} goes on"
            parts.append((f"{words}, {goes_on}  ", palette.warning))
        if model.baseline is not None and model.figures.booted:
            parts.append((f"against {shown(str(model.baseline.identity))}  ", palette.dim))
        if over := model.figures.over:
            limits = clip(shown(", ".join(over)), _OVER, glyphs.ellipsis)
            parts.append((f"over {limits}  ", palette.warning))
        return parts
