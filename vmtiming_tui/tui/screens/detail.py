"""One VM: its boot to scale, all its attempts, the guest's words, console, QMP events and QEMU."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Input

from vmtiming_tui.model.attempt import Attempt, Phase
from vmtiming_tui.model.commands import Act, ReadConsole, Rerun, VmAction
from vmtiming_tui.tui.drawing.pane_text import console_lines, event_lines, guest_lines, qemu_lines
from vmtiming_tui.tui.screens.vm_screen import VmScreen
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Change, Model, is_running
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.state.phases import silence_words, told_phase
from vmtiming_tui.tui.state.questions import about_one, going_on, refusal
from vmtiming_tui.tui.widgets.field import Field
from vmtiming_tui.tui.widgets.now_line import NowLine
from vmtiming_tui.tui.widgets.pane import Pane
from vmtiming_tui.tui.widgets.vm_lines import AfterLine, StageBar, UsageLine, VmLine, VmTitle

_ALL_PANES_FROM = (120, 36)
_PANES = ("1 Guest", "2 Console", "3 QMP events", "4 QEMU")
_CONSOLE_EVERY = 5


class DetailScreen(VmScreen[int]):
    """Returns the VM it was left at."""

    SCOPE = Scope.DETAIL
    BINDINGS: ClassVar[list[BindingType]] = [
        *keymap.bindings((*keymap.DETAIL, *keymap.PLAYER_IN_DETAIL))
    ]

    def __init__(self, model: Model, vm: int) -> None:
        super().__init__(model)
        self.vm_id = vm
        self.attempt_number = 0
        self.title_line = VmTitle(model, id="vm-title")
        self.stages = StageBar(model, id="stages")
        self.now = NowLine(model, id="now")
        self.after = AfterLine(model, id="after")
        self.usage = UsageLine(model, id="usage")
        self.panes = Pane(id="guest"), Pane(id="console"), Pane(id="events"), Pane(id="qemu")
        self.guest_pane, self.console_pane, self.events_pane, self.qemu_pane = self.panes
        self.search = Field(placeholder="search in this pane", id="search")
        self._at_pane = 0
        self._turns = 0
        self._follows_newest = True

    def body(self) -> Iterable[Widget]:
        """The VM's lines, its panes, and the line to search with."""
        yield self.title_line
        yield self.stages
        yield self.now
        yield self.after
        yield self.usage
        yield Container(*self.panes, id="panes")
        yield self.search

    def on_mount(self) -> None:
        """Show the newest attempt."""
        self.search.display = False
        self.console_pane.set_follow(True)
        self._show_vm(self.vm_id)
        self._show_panes()

    # What is shown.

    @property
    def attempt(self) -> Attempt | None:
        """The attempt that is looked at."""
        return self.title_line.attempt

    def _show_vm(self, vm: int) -> None:
        self.vm_id = vm
        self._follows_newest = True
        self._renew(all_panes=True)
        self._ask_for_console()

    def _renew(self, *, all_panes: bool) -> None:
        vm = self.model.fleet.vms.get(self.vm_id)
        count = len(vm.attempts) if vm else 0
        if self._follows_newest or self.attempt_number > count:
            self.attempt_number = count
        for line in self.query(VmLine):
            line.vm_id, line.attempt_number = self.vm_id, self.attempt_number
        for lines in (self.stages, self.now, self.after):
            _give_height(lines, self.app.size.width)
        for line in self.query(VmLine):
            line.renew()
        if all_panes and self.attempt is not None:
            self._fill_panes(self.attempt)

    def _fill_panes(self, attempt: Attempt) -> None:
        palette = self.host.palette
        silence = silence_words(self.model.fleet, attempt)
        order = self.model.fleet.unit_order
        self.guest_pane.show(guest_lines(attempt, palette, silence, order))
        console, note = console_lines(attempt, palette)
        self.console_pane.set_note(note)
        self.console_pane.show(console)
        self.events_pane.show(event_lines(attempt, palette))
        self.qemu_pane.show(qemu_lines(attempt, palette))

    def restyle(self) -> None:
        """Fill the panes in the new colours."""
        self._renew(all_panes=True)

    def tick(self, change: Change) -> None:
        """Show what one turn brought."""
        super().tick(change)
        self._renew(all_panes=self.vm_id in change.vms or change.new_run)
        self._turns += not change.between
        if not (self._turns % _CONSOLE_EVERY or change.between or self.model.is_frozen):
            self._ask_for_console()

    def _ask_for_console(self) -> None:
        vm = self.model.fleet.vms.get(self.vm_id)
        if vm is not None and is_running(vm):
            console = vm.newest.console
            seen = console.total_bytes if console else 0
            self.host.send(ReadConsole(vm=self.vm_id, seen_bytes=seen))

    # Panes.

    def on_resize(self) -> None:
        """Show all panes side by side where there is room for them, else one."""
        self._show_panes()

    @property
    def shows_all(self) -> bool:
        """Whether there is room for all panes."""
        width, height = self.size
        return width >= _ALL_PANES_FROM[0] and height >= _ALL_PANES_FROM[1]

    def _show_panes(self) -> None:
        together = self.shows_all
        self.query_one("#panes").set_class(together, "-together")
        for at, pane in enumerate(self.panes):
            active = at == self._at_pane
            pane.display = together or active
            pane.set_class(active, "-active")
            pane.border_title = self._title_of(at) if together else self._all_titles()

    def _title_of(self, at: int) -> str:
        return f"> {_PANES[at]}" if at == self._at_pane else _PANES[at]

    def _all_titles(self) -> str:
        """Return what the one pane that is seen says of those that are not."""
        here = self._at_pane
        return "".join(
            f"\\[{name}]" if at == here else f" {name} " for at, name in enumerate(_PANES)
        )

    @property
    def pane(self) -> Pane:
        """The pane the keys are for."""
        return self.panes[self._at_pane]

    def action_show_pane(self, number: int) -> None:
        """Make a pane the one the keys are for."""
        self._at_pane = number - 1
        self._show_panes()

    def action_pane(self, step: int) -> None:
        """Go to the next pane, or the one before."""
        self.action_show_pane((self._at_pane + step) % len(self.panes) + 1)

    def on_pane_picked(self, message: Pane.Picked) -> None:
        """A pane was clicked."""
        self.action_show_pane(self.panes.index(message.pane) + 1)

    def action_scroll_by(self, lines: int) -> None:
        """Scroll the pane by lines."""
        if lines < 0:
            self.pane.set_follow(False)
        self.pane.scroll_relative(y=lines, animate=False, force=True)

    def action_scroll_pages(self, pages: int) -> None:
        """Scroll the pane by pages."""
        self.action_scroll_by(pages * max(self.pane.size.height - 3, 1))

    def action_to_end(self, way: int) -> None:
        """Go to the pane's first or last line."""
        if way < 0:
            self.pane.set_follow(False)
            self.pane.scroll_home(animate=False, force=True)
        else:
            self.pane.scroll_end(animate=False, force=True)

    def action_follow(self) -> None:
        """Stay at the console's end, or not."""
        if not self.shows_all:
            self.action_show_pane(2)
        self.console_pane.set_follow(not self.console_pane.follows)

    # Search.

    def action_search(self) -> None:
        """Ask for what."""
        self.search.display = True
        self.search.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search while typing."""
        if self.search.display:
            self.pane.search(event.value)

    def on_input_submitted(self) -> None:
        """Keep what was found and go back to the pane."""
        self.search.display = False
        self.set_focus(None)

    def action_match(self, step: int) -> None:
        """Go to the next match, or the one before."""
        self.pane.go_to_match(step)

    def action_back(self) -> None:
        """Leave the search; drop what was found; go back to all VMs."""
        if self.search.display or self.search.value:
            self.search.value = ""
            self.pane.search("")
            self.on_input_submitted()
        else:
            self.dismiss(self.vm_id)

    # Other VMs and attempts.

    def action_neighbour(self, step: int) -> None:
        """Go to the next VM in the order shown, or the one before; around the ends."""
        shown = self.model.view.shown or sorted(self.model.fleet.vms)
        if shown:
            at = shown.index(self.vm_id) if self.vm_id in shown else 0
            self._show_vm(shown[(at + step) % len(shown)])

    def action_attempt(self, step: int) -> None:
        """Look at an older or a newer attempt."""
        vm = self.model.fleet.vms.get(self.vm_id)
        if vm is not None:
            self.attempt_number = max(1, min(self.attempt_number + step, len(vm.attempts)))
            self._follows_newest = self.attempt_number == len(vm.attempts)
            self._renew(all_panes=True)

    # What is done to this VM.

    def _act(self, action: VmAction) -> None:
        """Do something to the VM where it can be done, after a question where it may lose much."""
        fleet = self.model.fleet
        vm = fleet.vms.get(self.vm_id)
        if vm is None or not is_running(vm):
            self.app.notify(f"VM {self.vm_id} is not running.", severity="warning")
            return
        if why_not := refusal(fleet, vm.newest, action):
            self.app.notify(why_not, severity="warning")
            return
        command = Act(action=action, vms=(self.vm_id,))
        question = about_one(fleet, vm.newest, action)
        if question is None:
            self.host.send(command)
        else:
            title = {"powerdown": "Power down"}.get(str(action), str(action).capitalize())
            self.act_if_sure(command, title, question)

    def action_pause(self) -> None:
        """Pause the VM, or let it go on; one that is frozen then runs while others may boot."""
        attempt = self.model.attempt_of(self.vm_id)
        is_frozen = attempt is not None and told_phase(self.model.fleet, attempt) is Phase.FROZEN
        if attempt is not None and is_frozen and self.host.live:
            self.app.notify(going_on(self.model.fleet, attempt), severity="warning")
        stands = is_frozen or (attempt is not None and attempt.paused)
        self._act(VmAction.RESUME if stands else VmAction.PAUSE)

    def action_powerdown(self) -> None:
        """Press the power button, after a question."""
        self._act(VmAction.POWERDOWN)

    def action_reset(self) -> None:
        """Reset, after a question."""
        self._act(VmAction.RESET)

    def action_kill(self) -> None:
        """Kill, after a question."""
        self._act(VmAction.KILL)

    def action_rerun(self) -> None:
        """Boot this VM again."""
        if self.host.engine_is_gone:
            self.host.offer_another()
            return
        vm = self.model.fleet.vms.get(self.vm_id)
        if vm is None or not vm.state.is_decided:
            self.app.notify(f"VM {self.vm_id} is booting now.", severity="warning")
            return
        self.host.send(Rerun(vms=(self.vm_id,)))
        self.say_rerun(f"VM {self.vm_id}")

    def action_units(self) -> None:
        """Show what each unit of the attempt that is looked at took."""
        from vmtiming_tui.tui.screens.units import UnitsScreen

        if self.attempt is None or self.attempt.units is None:
            self.app.notify("This guest has told of no unit yet.", severity="warning")
            return
        self.app.push_screen(UnitsScreen(self.model, self.attempt))

    def action_copy(self) -> None:
        """Copy the QEMU command of the attempt that is looked at."""
        self.copy_command(self.vm_id, self.attempt)


def _give_height(lines: StageBar | NowLine | AfterLine, width: int) -> None:
    height = lines.height_wanted(width)
    if lines.styles.height is None or lines.styles.height.value != height:
        lines.styles.height = height
        lines.display = height > 0
