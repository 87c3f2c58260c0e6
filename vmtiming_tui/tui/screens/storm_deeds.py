"""What can be done from the screen of all VMs: boots, ends, and the screens it leads to."""

from vmtiming_tui.escape import plural
from vmtiming_tui.model.commands import Act, Rerun, VmAction
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.tui.screens.vm_screen import VmScreen
from vmtiming_tui.tui.state.dashboard import Model, is_running
from vmtiming_tui.tui.state.questions import about_killing
from vmtiming_tui.tui.state.view import OF_HOST
from vmtiming_tui.tui.widgets.vm_area import VmArea


class StormDeeds(VmScreen[None]):
    """Acts on the marked VMs, or on the one under the cursor of its area."""

    @property
    def area(self) -> VmArea:
        """What shows the VMs."""
        raise NotImplementedError

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

    def show_only(self, text: str) -> None:
        """Show only VMs that match."""
        raise NotImplementedError

    def action_hosts(self) -> None:
        """Show the hosts, and then the VMs of one."""
        from vmtiming_tui.tui.screens.hosts import HostsScreen

        def answered(name: str | None) -> None:
            if name is not None:
                self.show_only(f"{OF_HOST}{name}")

        self.app.push_screen(HostsScreen(self.model), answered)

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
