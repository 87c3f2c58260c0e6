"""All VMs: header, figures, the curve, the grid or the list, what went wrong, and the keys."""

from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Input

from vmtiming_tui.escape import plural
from vmtiming_tui.model.commands import Act, Rerun, VmAction
from vmtiming_tui.model.fleet import RunState
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.tui.drawing.styled import shown
from vmtiming_tui.tui.screens.reckoning import Reckoning
from vmtiming_tui.tui.screens.vm_screen import VmScreen
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Change, Model, is_running
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.state.outcome import Outcome, outcome_of
from vmtiming_tui.tui.state.questions import about_killing
from vmtiming_tui.tui.state.view import Sort
from vmtiming_tui.tui.widgets.answer import Answer
from vmtiming_tui.tui.widgets.curve import Curve
from vmtiming_tui.tui.widgets.field import Field
from vmtiming_tui.tui.widgets.grid import VmGrid
from vmtiming_tui.tui.widgets.player_line import PlayerLine
from vmtiming_tui.tui.widgets.status_lines import StatsLine, TroubleLine, ViewLine
from vmtiming_tui.tui.widgets.table import TableHead, VmTable, layout
from vmtiming_tui.tui.widgets.vm_area import VmArea

_LINES_AROUND = 5
_LEAST_CURVE, _MOST_CURVE = 4, 24
_BIG_FLEET_CURVE = 8
_CURVE_EVERY = 5
_OF_TROUBLE = frozenset({"main.warnings"})


class StormScreen(VmScreen[None]):
    """The first screen and the one everything returns to."""

    SCOPE = Scope.MAIN
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.MAIN)]

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.stats = StatsLine(model, id="stats")
        self.answer = Answer(model, id="answer")
        self._reckoning = Reckoning(
            self, model, partial(outcome_of, baseline=model.baseline), self._show_outcome
        )
        self.curve = Curve(model, id="curve")
        self.view_line = ViewLine(model, id="view")
        self.table_head = TableHead(model, id="table-head")
        self.grid_area = VmGrid(model, id="grid")
        self.table_area = VmTable(model, id="table")
        self.trouble = TroubleLine(model, id="trouble")
        self.filter = Field(placeholder="state, id, 3-7, >20, word; ! inverts", id="filter")
        self._turns = 0

    def body(self) -> Iterable[Widget]:
        """Figures, the curve, the VMs, and what went wrong."""
        yield self.stats
        yield self.answer
        yield self.curve
        yield self.view_line
        yield self.table_head
        yield self.grid_area
        yield self.table_area
        yield self.filter
        yield self.trouble

    def on_mount(self) -> None:
        """Begin with the grid."""
        self.table_area.display = self.table_head.display = self.filter.display = False
        self._fit()

    @property
    def area(self) -> VmArea:
        """The grid or the list, whichever is seen."""
        return self.table_area if self.table_area.display else self.grid_area

    def on_resize(self) -> None:
        """Divide the height anew."""
        self._fit()

    def _fit(self) -> None:
        """Give the VMs the lines they need and the curve what is left, within reason."""
        height = self.size.height
        told = self.answer.height_wanted(self.size.width)
        self.answer.styles.height, self.answer.display = told, told > 0
        self.stats.display = not told or self.model.fleet.state is RunState.RUNNING
        around = _LINES_AROUND - (not self.stats.display) + len(self.query(PlayerLine))
        rest = height - around - self.table_head.display - told
        count = len(self.model.fleet.vms) or self.model.plan.number
        wanted = _BIG_FLEET_CURVE if height >= 36 else _LEAST_CURVE + (height >= 28)
        if count <= rest - _LEAST_CURVE - 2:
            room = rest - _LEAST_CURVE - 2
            lines = next(high for high in (4, 3, 2, 1) if high == 1 or count * high <= room)
            wanted = min(max(rest - count * lines, _LEAST_CURVE), _MOST_CURVE)
        curve_height = max(min(wanted, rest - 4), _LEAST_CURVE)
        if self.curve.styles.height is None or self.curve.size.height != curve_height:
            self.curve.styles.height = curve_height

    # What changes.

    def tick(self, change: Change) -> None:
        """Show what one turn brought."""
        if self.model.is_decided:
            if change.vms or change.new_run or change.figures:
                self._reckoning.spoil()
            self._reckoning.tick()
        told = self.answer.height_wanted(self.size.width)
        if change.new_run or change.order or self.answer.size.height != told:
            self._fit()
        self.answer.renew()
        self.area.tick(change)
        super().tick(change)
        self.trouble.renew()
        self.footer.left_out = frozenset() if self.trouble.count else _OF_TROUBLE
        self.footer.renew()
        self._turns += not change.between
        if change.figures or change.vms:
            self.stats.renew()
        if change.order or not (self._turns % _CURVE_EVERY or change.between):
            self.stats.renew()
            self.curve.renew()
            self._renew_view_line()

    def _show_outcome(self, outcome: Outcome | None) -> None:
        self.model.outcome = outcome
        self._fit()
        self.answer.renew()
        self.stats.renew()
        self.trouble.renew()

    def _renew_view_line(self) -> None:
        shows_grid = self.area is self.grid_area
        self.view_line.scale_ns = self.grid_area.scale_ns if shows_grid else None
        self.view_line.renew()
        if self.table_head.display:
            self.table_head.renew()

    def _changed_view(self) -> None:
        """The filter, the order or the marks are others: show it at once."""
        self.model.reorder(now=True)
        self.area.rebuild()
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
        """Switch between the grid and the list."""
        vm = self.area.current
        lists = not self.table_area.display
        self.table_area.display = self.table_head.display = lists
        self.grid_area.display = not lists
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
        sorts = list(Sort)
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
        self.model.view.set_filter("" if self.model.view.filter_text == name else name)
        self._changed_view()

    def action_filter(self) -> None:
        """Ask what to show."""
        self.filter.value = self.model.view.filter_text
        self.filter.display = True
        self.filter.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while typing."""
        if self.filter.display:
            self.model.view.set_filter(event.value)
            self._changed_view()

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
            view.set_filter("")
            self._changed_view()
        elif view.marked:
            view.marked.clear()
            self._changed_view()

    # What is done.

    def action_rerun(self) -> None:
        """Boot the marked VMs again, or the current one."""
        self._rerun(self.model.chosen(self.area.current))

    def action_rerun_failed(self) -> None:
        """Boot again what did not boot."""
        self._rerun(tuple(self.model.lost))

    def action_rerun_all(self) -> None:
        """Boot every VM again."""
        self._rerun(tuple(self.model.fleet.vms))

    def _rerun(self, vms: tuple[int, ...]) -> None:
        if self.host.engine_is_gone:
            self.host.offer_another()
            return
        fleet = self.model.fleet
        idle = tuple(vm for vm in vms if vm in fleet.vms and not _is_booting(self.model, vm))
        if not idle:
            self.app.notify("No such VM: those chosen are booting now." if vms else "No such VM.",
                            severity="warning")  # fmt: skip
            return
        self.host.send(Rerun(vms=idle))
        self.say_rerun(plural(len(idle), "VM"))

    def action_kill(self) -> None:
        """Kill the marked VMs or the current one, after a question."""
        fleet = self.model.fleet
        chosen = self.model.chosen(self.area.current)
        vms = tuple(vm for vm in chosen if vm in fleet.vms and is_running(fleet.vms[vm]))
        if not vms:
            self.app.notify("Not running, so there is nothing to kill.", severity="warning")
            return
        question = about_killing(fleet, [fleet.vms[vm].newest for vm in vms])
        self.act_if_sure(Act(action=VmAction.KILL, vms=vms), "Kill", question)

    def action_new_run(self) -> None:
        """Ask for other settings and start a run with them."""
        from vmtiming_tui.tui.screens.new_run import NewRunScreen

        def answered(plan: RunPlan | None) -> None:
            if plan is not None:
                self.host.begin(plan)

        self.app.push_screen(NewRunScreen(self.model), answered)

    def action_history(self) -> None:
        """Show past runs."""
        from vmtiming_tui.tui.screens.history import HistoryScreen

        self.app.push_screen(HistoryScreen(self.model))

    def action_compare(self) -> None:
        """Hold this run beside the newest one before it."""
        from vmtiming_tui.tui.screens.history import HistoryScreen

        screen = HistoryScreen(self.model, compares=True)
        self.app.push_screen(screen)

    def action_storms(self) -> None:
        """Show the storms so far, or each setting against the first."""
        from vmtiming_tui.tui.screens.storms import StormsScreen

        self.app.push_screen(StormsScreen(self.model))

    def action_warnings(self) -> None:
        """Show all that went wrong, was warned of or noticed."""
        from vmtiming_tui.tui.screens.warnings import WarningsScreen

        self.app.push_screen(WarningsScreen(self.model))

    def action_units(self) -> None:
        """Show what each unit took."""
        from vmtiming_tui.tui.screens.units import UnitsScreen

        self.app.push_screen(UnitsScreen(self.model))

    def action_copy(self) -> None:
        """Copy the QEMU command of the VM under the cursor."""
        vm = self.area.current
        self.copy_command(vm, self.model.attempt_of(vm) if vm is not None else None)


def _is_booting(model: Model, vm: int) -> bool:
    return not model.fleet.vms[vm].state.is_decided
