"""The list of VMs: a row each, with what is known of its stages and of its QEMU process."""

from collections.abc import Iterable

from textual import events
from textual.message import Message

from vmtiming_tui.analysis.failures import alike
from vmtiming_tui.analysis.stages import Stages, stages_of
from vmtiming_tui.model.attempt import Attempt, Phase
from vmtiming_tui.model.config import BootMode
from vmtiming_tui.tui.drawing.boot_sign import AFTER_WORD, boot_sign, phase_part
from vmtiming_tui.tui.drawing.host_names import host_width
from vmtiming_tui.tui.drawing.styled import Part, clip, filled, parts_width, shown, with_sign
from vmtiming_tui.tui.drawing.table_columns import columns_for, value
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.phases import told_phase
from vmtiming_tui.tui.state.view import Sort
from vmtiming_tui.tui.widgets.lines_widget import ModelLines
from vmtiming_tui.tui.widgets.vm_area import Line, VmArea

STATE_WIDTH = 12
_WORDS_FROM = 116
_LEAST_WORDS = 20
_SCROLL_BAR = 1
_BEFORE_WORDS = 3
_FIRST = frozenset({Sort.ID, Sort.HOST, Sort.STATE})


def _id_width(model: Model) -> int:
    return max(len(str(max(model.fleet.vms, default=0))), 3)


def layout(model: Model, width: int) -> list[tuple[Sort, str, int]]:
    """Return (sort, heading, width) of every column on this width; the first has the mark in it.

    Room is left for a scroll bar, and where it is wide for words beside them.
    """
    first = [(Sort.ID, "VM", _id_width(model) + 1)]
    if hosts := host_width(model.fleet.hosts):
        first.append((Sort.HOST, "host", hosts + 1))
    first.append((Sort.STATE, "state", STATE_WIDTH))
    room = width - _SCROLL_BAR - 1 - sum(cells for _, _, cells in first)
    room -= _LEAST_WORDS + _BEFORE_WORDS if width >= _WORDS_FROM else 0
    without = () if model.config.boot is BootMode.FIRMWARE else (Sort.LOADER,)
    columns = columns_for(room, without)
    return [*first, *((each.sort, each.heading, each.width) for each in columns)]


class VmTable(VmArea):
    """One VM a row."""

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(model, id=id)
        self._stages: dict[int, Stages] = {}
        self._first_lost: dict[str, int] | None = None

    def reshape(self) -> None:
        """A row is a line, always."""
        self.columns = self.row_height = 1

    def forget(self, vms: Iterable[int]) -> None:
        """Drop the stages kept of these VMs, and who was lost first."""
        self._first_lost = None
        for vm in vms:
            self._stages.pop(vm, None)

    def draw_row(self, row: int, now_ns: int) -> tuple[list[Line], bool]:
        """Return the row's line, and whether its clock runs."""
        model, palette, glyphs = self.model, self.host.palette, self.host.glyphs
        vm_id = model.view.shown[row]
        vm = model.fleet.vms[vm_id]
        attempt = vm.newest
        stages = self._stages.get(vm_id)
        if stages is None:
            stages = self._stages[vm_id] = stages_of(attempt)
        style = palette.states[attempt.state]
        phase = told_phase(model.fleet, attempt)
        marked = vm_id in model.view.marked
        width = self.room.width
        state = f"{glyphs.states[attempt.state]} {attempt.state:<{STATE_WIDTH - 3}}"
        parts: list[Part] = [
            (glyphs.mark if marked else " ", palette.accent),
            (f"{vm_id:>{_id_width(model)}} ", palette.strong if marked else palette.dim),
            *self._host(attempt),
            *with_sign(state, AFTER_WORD, style, phase_part(phase, palette, glyphs)),
            (boot_sign(vm, glyphs) or " ", palette.warning),
        ]
        used = parts_width(parts)
        for sort, _, cells in layout(model, self.outer_size.width):
            if sort in _FIRST:
                continue
            text = value(sort, attempt, stages, now_ns)
            parts.append((f"{text:>{cells}}", style if sort is Sort.TIME else palette.text))
            used += cells
        room = width - used - _BEFORE_WORDS
        if room >= _LEAST_WORDS and (words := self._words(attempt, stages)):
            parts.append((f"   {clip(words, room, glyphs.ellipsis)}", palette.dim))
        text_width = parts_width(parts)
        parts.append((" " * max(width - text_width, 0), palette.text))
        if row == self.cursor:
            parts = [(text, style + palette.cursor) for text, style in parts]
        moving = attempt.go_ns is not None and not attempt.state.is_decided
        return [(parts, width)], moving

    def _host(self, attempt: Attempt) -> list[Part]:
        """Return the name of a VM's host, where there are several."""
        width = host_width(self.model.fleet.hosts)
        if not width:
            return []
        name = clip(shown(attempt.host), width, self.host.glyphs.ellipsis)
        return [(f"{filled(name, width)} ", self.host.palette.text)]

    def _words(self, attempt: Attempt, stages: Stages) -> str:
        """Return what the columns do not say of a VM: why it was lost, what it does, or says."""
        if attempt.state.is_lost:
            return self._why(attempt)
        if not attempt.state.is_decided:
            return shown(attempt.console_line)
        if not stages.known and attempt.text:
            return shown(attempt.text)
        phase = told_phase(self.model.fleet, attempt)
        return str(phase) if phase not in (None, Phase.OFF) else ""

    def _why(self, attempt: Attempt) -> str:
        """Return why a VM was lost; of those lost alike all but the first shown name that one."""
        if self._first_lost is None:
            vms = self.model.fleet.vms
            lost = (vm for vm in self.model.view.shown if vms[vm].state.is_lost)
            self._first_lost = {}
            for vm in lost:
                self._first_lost.setdefault(alike(vms[vm].newest.why), vm)
        first = self._first_lost.get(alike(attempt.why), attempt.vm)
        return shown(attempt.why) if first == attempt.vm else f"as VM {first}"


class TableHead(ModelLines):
    """The list's headings; a click sorts by one."""

    class Sorted(Message):
        """A heading was clicked."""

        def __init__(self, sort: Sort) -> None:
            super().__init__()
            self.sort = sort

    def lines(self, width: int) -> list[list[Part]]:
        """Return the headings, the sorted one with its arrow."""
        palette, glyphs, view = self.host.palette, self.host.glyphs, self.model.view
        order = view.order
        arrow = glyphs.descending if order.descending else glyphs.ascending
        parts: list[Part] = [(" ", palette.dim)]
        for sort, heading, cells in layout(self.model, width):
            is_sorted = sort is order.sort
            style = palette.accent if is_sorted else palette.dim
            text = f"{heading}{arrow}" if is_sorted else heading
            if sort in (Sort.STATE, Sort.HOST):
                parts.append((f"{text:<{cells}}", style))
            elif sort is Sort.ID:
                parts.append((f"{text:>{cells - 1}} ", style))
            else:
                parts.append((f"{text:>{cells}}", style))
        return [parts]

    def on_click(self, event: events.Click) -> None:
        """Sort by the heading that was clicked."""
        x = 1
        for sort, _, cells in layout(self.model, self.size.width):
            if event.x < x + cells:
                self.post_message(self.Sorted(sort))
                return
            x += cells
