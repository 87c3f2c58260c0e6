"""All VMs: header, figures, charts, the VMs in a picture or a list, what went wrong, the keys."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input

from vmtiming_tui.model.fleet import Fleet, RunState
from vmtiming_tui.tui.drawing.axis import LEAST_AXIS
from vmtiming_tui.tui.drawing.pictures import Picture, best_picture, charts_height, pictures_of
from vmtiming_tui.tui.drawing.styled import shown
from vmtiming_tui.tui.screens.reckoning import Reckoning
from vmtiming_tui.tui.screens.storm_deeds import StormDeeds
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Change, Model
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.state.outcome import Outcome, outcome_of
from vmtiming_tui.tui.state.view import OF_HOST, Sort
from vmtiming_tui.tui.widgets.answer import Answer
from vmtiming_tui.tui.widgets.cells import VmCells, blocks_of
from vmtiming_tui.tui.widgets.charts import Charts
from vmtiming_tui.tui.widgets.current_lane import CurrentLane
from vmtiming_tui.tui.widgets.field import Field
from vmtiming_tui.tui.widgets.grid import VmGrid, common_scale_ns
from vmtiming_tui.tui.widgets.host_lines import HostLines
from vmtiming_tui.tui.widgets.lane_axis import LaneAxis
from vmtiming_tui.tui.widgets.player_line import PlayerLine
from vmtiming_tui.tui.widgets.stats_line import StatsLine
from vmtiming_tui.tui.widgets.table import TableHead, VmTable, layout
from vmtiming_tui.tui.widgets.trouble_line import TroubleLine
from vmtiming_tui.tui.widgets.view_line import ViewLine
from vmtiming_tui.tui.widgets.vm_area import SignedArea, VmArea

_HEADER_AND_FOOTER = 2
_LEGEND_EVERY, _CHARTS_EVERY, _HOSTS_EVERY = 5, 10, 10
_FILTERS = "state, id, 3-7, >20, word; ! inverts"
_FILTERS_OF_HOSTS = "state, id, 3-7, >20, host:b, word; ! inverts"
_OF_TROUBLE = frozenset({"main.warnings"})


class StormScreen(StormDeeds):
    """The first screen and the one everything returns to."""

    SCOPE = Scope.MAIN
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.MAIN)]

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.stats = StatsLine(model, id="stats")
        self.answer = Answer(model, id="answer")
        self.host_lines = HostLines(model, id="host-lines")
        self._reckoning = Reckoning(self, model, self._outcome_of, self._show_outcome)
        self.charts = Charts(model, id="charts")
        self.view_line = ViewLine(model, id="view")
        self.table_head = TableHead(model, id="table-head")
        self.grid_area = VmGrid(model, id="grid")
        self.axis = LaneAxis(model, self.grid_area, id="axis")
        self.cells_area = VmCells(model, id="cells")
        self.lane = CurrentLane(model, lambda: self.cells_area.current, id="lane")
        self.table_area = VmTable(model, id="table")
        self.trouble = TroubleLine(model, id="trouble")
        self.filter = Field(placeholder=_FILTERS, id="filter")
        self._turns = 0
        self._chosen: Picture | None = None
        self._legend_height = 0  # as it was asked for last; the layout follows later

    def body(self) -> Iterable[Widget]:
        """Figures, charts, the VMs, and what went wrong."""
        yield self.stats
        yield self.answer
        yield self.host_lines
        yield self.charts
        yield self.view_line
        yield self.table_head
        yield self.axis
        yield self.grid_area
        yield self.cells_area
        yield self.lane
        yield self.table_area
        yield self.filter
        yield self.trouble

    def on_mount(self) -> None:
        """Begin with a picture."""
        self.table_area.display = self.table_head.display = self.filter.display = False
        self._fit()

    @property
    def area(self) -> VmArea:
        """The lanes, the cells or the list, whichever is seen."""
        areas = (self.table_area, self.grid_area, self.cells_area)
        return next((area for area in areas if area.display), self.grid_area)

    def on_resize(self) -> None:
        """Divide the height anew."""
        self._fit()

    @property
    def _count(self) -> int:
        """How many VMs there are to show, those that match where there is a filter."""
        shown = self.model.view.shown if self.model.view.filter_text else ()
        return len(shown) or len(self.model.fleet.vms) or self.model.plan.number

    @property
    def _highest(self) -> int:
        """The highest id of a VM, there or to come."""
        return max(self.model.fleet.vms, default=self._count - 1)

    @property
    def _room(self) -> tuple[int, int]:
        """The width, and the height there is for the VMs and their charts."""
        width, height = self.size
        taken = self.view_line.height_wanted(width) + self.answer.height_wanted(width)
        taken += self.host_lines.height_wanted()
        taken += self.stats.display + self.trouble.display + len(self.query(PlayerLine))
        return width, max(height - _HEADER_AND_FOOTER - taken, 1)

    @property
    def picture(self) -> Picture:
        """What the VMs are drawn as: what was chosen, else what suits their number."""
        width, height = self._room
        if self._chosen in pictures_of(self._count):
            return self._chosen
        is_by_host = self.model.is_by_host
        return best_picture(self._count, width, height - 1, self._highest, is_by_host=is_by_host)

    def _fit(self) -> None:
        """Show the picture, and give the charts the lines that its VMs leave."""
        area, vm = self.area, self.area.current
        told = self.answer.height_wanted(self.size.width)
        self.answer.styles.height, self.answer.display = told, told > 0
        hosts = self.host_lines.height_wanted()
        self.host_lines.styles.height, self.host_lines.display = hosts, hosts > 0
        self.stats.display = not told or self.model.fleet.state is RunState.RUNNING
        picture, lists = self.picture, self.table_area.display
        has_lanes = picture is Picture.LANES
        self.grid_area.display = self.axis.display = has_lanes and not lists
        self.cells_area.display = self.lane.display = not has_lanes and not lists
        width, height = self._room
        self._legend_height = self.view_line.height_wanted(width)
        self.view_line.styles.height = self._legend_height
        blocks = blocks_of(self.model)
        high = charts_height(picture, self._count, width, height - 1, self._highest, blocks=blocks)
        self.charts.display = high > 0
        if high and (self.charts.styles.height is None or self.charts.size.height != high):
            self.charts.styles.height = high
        if self.area is not area:
            self.area.rebuild()
            if vm is not None:
                self.area.put_cursor_on(vm)

    # What changes.

    def tick(self, change: Change) -> None:
        """Show what one turn brought."""
        if self.model.is_decided:
            if change.vms or change.new_run or change.figures:
                self._reckoning.spoil()
            self._reckoning.tick()
        told, hosts = self.answer.height_wanted(self.size.width), self.host_lines.height_wanted()
        is_other = self.answer.size.height != told or self.host_lines.size.height != hosts
        if change.new_run or change.order or is_other:
            self._fit()
        self.answer.renew()
        self.area.tick(change)
        super().tick(change)
        self.trouble.renew()
        self.footer.left_out = frozenset() if self.trouble.count else _OF_TROUBLE
        self.footer.renew()
        self._turns += not change.between
        if self.lane.display:
            self.lane.renew()
        if change.figures or change.vms:
            self.stats.renew()
        if hosts and (change.figures or not (self._turns % _HOSTS_EVERY or change.between)):
            self.host_lines.renew()
        if change.order or not (self._turns % _LEGEND_EVERY or change.between):
            self.stats.renew()
            if change.order and change.figures:
                self.charts.spoil()
            if change.order or not self._turns % _CHARTS_EVERY:
                self.charts.renew()
                self.lane.scale_ns = common_scale_ns(self.model)
            self._renew_view_line()

    def _outcome_of(self, fleet: Fleet) -> Outcome | None:
        return outcome_of(fleet, self.model.baseline)

    def _show_outcome(self, outcome: Outcome | None) -> None:
        self.model.outcome = outcome
        self._fit()
        self.answer.renew()
        self.stats.renew()
        self.trouble.renew()

    def _renew_view_line(self) -> None:
        line, area = self.view_line, self.area
        signs = area.take_signs() if isinstance(area, SignedArea) else frozenset()
        if self.charts.display:
            signs |= self.charts.signs
        line.blur_ns = self.charts.blur_ns if self.charts.display else None
        if self.lane.display:
            signs |= self.lane.signs
        painter = self.grid_area.painter
        has_axis = painter is not None and painter.shape.bar >= LEAST_AXIS
        scales = (self.lane, self.lane.scale_ns), (self.grid_area, self.grid_area.scale_ns)
        line.scale_ns = next((ns for each, ns in scales if each.display), None)
        if area is self.grid_area and has_axis:
            line.scale_ns = None
        line.signs = signs
        if line.height_wanted(self.size.width) != self._legend_height:
            self._fit()
        line.renew()
        self.axis.renew()
        if self.table_head.display:
            self.table_head.renew()

    def on_signed_area_signs_changed(self) -> None:
        """Other stages are drawn: the legend follows."""
        self._renew_view_line()

    def _changed_view(self) -> None:
        """The filter, the order or the marks are others: show it at once."""
        area, vm = self.area, self.area.current
        self.model.reorder(now=True)
        self._fit()
        if self.area is area:
            area.rebuild()
        elif vm is not None:
            self.area.put_cursor_on(vm)
        self._renew_view_line()

    # Moving and choosing.

    def action_cursor(self, across: int, down: int) -> None:
        """Move the cursor."""
        self.area.move(across, down)

    def action_page(self, step: int) -> None:
        """Move by a page."""
        self.area.page(step)

    def action_first(self) -> None:
        """Go to the first VM."""
        self.area.put_cursor(0)

    def action_last(self) -> None:
        """Go to the last VM."""
        self.area.put_cursor(len(self.model.view.shown) - 1)

    def action_mark(self) -> None:
        """Mark the VM under the cursor and go on to the next."""
        self.area.mark_current()
        self.area.move(1, 0)

    def action_mark_all(self) -> None:
        """Mark all that are shown, or none."""
        self.model.view.toggle_all_marks()
        self._changed_view()

    def on_vm_area_moved(self) -> None:
        """The marks are counted in the line above."""
        self._renew_view_line()

    def action_detail(self) -> None:
        """Look into the VM under the cursor."""
        if (vm := self.area.current) is not None:
            self._open(vm)

    def on_vm_area_chosen(self, message: VmArea.Chosen) -> None:
        """A VM was clicked on twice."""
        self._open(message.vm)

    def _open(self, vm: int) -> None:
        from vmtiming_tui.tui.screens.detail import DetailScreen

        def returned(last: int | None) -> None:
            if last is not None:
                self.area.put_cursor_on(last)

        self.app.push_screen(DetailScreen(self.model, vm), returned)

    # What is shown.

    def action_toggle_view(self) -> None:
        """Switch between the picture and the list."""
        self._show_as(self._chosen, lists=not self.table_area.display)

    def action_next_picture(self) -> None:
        """Draw the VMs in another way, those that suit their number in turn."""
        pictures = pictures_of(self._count)
        if len(pictures) == 1:
            self.app.notify("One VM has one picture.", timeout=3)
            return
        was = self.picture
        after = (
            was if self.table_area.display else pictures[(pictures.index(was) + 1) % len(pictures)]
        )
        self._show_as(after, lists=False)

    def _show_as(self, picture: Picture | None, *, lists: bool) -> None:
        vm = self.area.current
        self._chosen = picture
        self.table_area.display = self.table_head.display = lists
        self.model.view.is_list = lists
        self.model.reorder(now=True)
        self._fit()
        self.area.rebuild()
        if vm is not None:
            self.area.put_cursor_on(vm)
        self._renew_view_line()

    def action_freeze(self) -> None:
        """Hold the picture still, or let it go on."""
        self.model.freeze(on=not self.model.is_frozen)
        self.header.renew()
        self._renew_view_line()

    def action_sort(self, step: int) -> None:
        """Order by the next column, or the one before."""
        has_hosts = self.model.fleet.hosts.are_many
        sorts = [sort for sort in Sort if has_hosts or sort is not Sort.HOST]
        if self.table_area.display:
            sorts = [sort for sort, _, _ in layout(self.model, self.size.width)]
        self.model.view.step_sort(step, sorts)
        self._changed_view()

    def on_table_head_sorted(self, message: TableHead.Sorted) -> None:
        """Order by the column that was clicked."""
        self.model.view.sort_by(message.sort)
        self._changed_view()

    def action_reverse(self) -> None:
        """Turn the order around."""
        order = self.model.view.order
        order.descending = not order.descending
        self._changed_view()

    def action_by_state(self, number: int) -> None:
        """Show only VMs in this state, or all again."""
        name = keymap.STATE_KEYS[number - 1]
        self.show_only("" if self.model.view.filter_text == name else name)

    def show_only(self, text: str) -> None:
        """Show only VMs that match."""
        self.model.view.set_filter(text, self.model.fleet.hosts)
        self._changed_view()

    def on_host_lines_chosen(self, message: HostLines.Chosen) -> None:
        """A line of the hosts was clicked."""
        if message.host is None:
            self.action_hosts()
        else:
            self.show_only(f"{OF_HOST}{message.host}")

    def action_filter(self) -> None:
        """Ask what to show."""
        if hosts := [row.name for row in self.model.hosts]:
            words = (f"{sign}{OF_HOST}{shown(name)}" for name in hosts for sign in ("", "!"))
            self.filter.suggester = SuggestFromList(words, case_sensitive=False)
        self.filter.placeholder = _FILTERS_OF_HOSTS if hosts else _FILTERS
        self.filter.value = self.model.view.filter_text
        self.filter.display = True
        self.filter.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while typing."""
        if self.filter.display:
            self.show_only(event.value)

    def on_input_submitted(self) -> None:
        """Keep the filter and go back to the VMs."""
        self._end_filter()

    def _end_filter(self) -> None:
        view = self.model.view
        if fault := view.drop_fault():
            stays = f"{shown(view.filter_text)} stays" if view.filter_text else "all are shown"
            self.app.notify(f"No such filter: {fault}; {stays}.", severity="warning", markup=False)
        self._renew_view_line()
        self.filter.display = False
        self.set_focus(None)

    def action_back(self) -> None:
        """Leave the filter's line; drop the filter; drop the marks: one after the other."""
        view = self.model.view
        if self.filter.display:
            self._end_filter()
        elif view.filter_text:
            self.show_only("")
        elif view.marked:
            view.marked.clear()
            self._changed_view()
