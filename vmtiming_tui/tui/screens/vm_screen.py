"""What the screen of all VMs and that of one have in common: what can be done to VMs."""

from textual.app import ComposeResult

from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.commands import Act
from vmtiming_tui.tui.drawing.pane_text import command_line
from vmtiming_tui.tui.screens.full_screen import Answer, FullScreen
from vmtiming_tui.tui.state.dashboard import Change
from vmtiming_tui.tui.state.played_run import PlayedRun
from vmtiming_tui.tui.widgets.player_line import PlayerLine


class VmScreen(FullScreen[Answer]):
    """A screen whose keys act on VMs, or on what plays a stored run."""

    def compose(self) -> ComposeResult:
        """Put what says how far a stored run is played above the keys."""
        *above, keys = super().compose()
        yield from above
        if isinstance(self.model, PlayedRun):
            yield PlayerLine(self.model, id="player")
        yield keys

    def tick(self, change: Change) -> None:
        """Show how far a stored run is played."""
        super().tick(change)
        for line in self.query(PlayerLine):
            line.renew()

    def action_play(self, how: str) -> None:
        """Do what a key of the player is for."""
        if isinstance(self.model, PlayedRun):
            self.model.play(how)
            self._get_there(self.model)

    def on_player_line_sought(self, message: PlayerLine.Sought) -> None:
        """Put the run at the moment that was clicked on."""
        if isinstance(self.model, PlayedRun):
            self.model.head_for(message.place_ns)
            self._get_there(self.model)

    def _get_there(self, played: PlayedRun) -> None:
        if played.is_elsewhere:
            self.app.run_worker(played.arrive())
        self.tick(Change(between=True))

    def act_if_sure(self, act: Act, title: str, question: str) -> None:
        """Ask, and send the command where the answer is yes."""
        from vmtiming_tui.tui.screens.confirm import ConfirmScreen

        def answered(yes: bool | None) -> None:
            if yes:
                self.host.send(act)

        self.app.push_screen(ConfirmScreen(title, question, yes=title), answered)

    def say_rerun(self, who: str) -> None:
        """Say that a rerun was asked for, and when it begins."""
        storm = self.model.fleet.storm
        waits = storm is not None and storm.ended_ns is None
        when = ": it begins once this storm is over" if waits else ""
        self.app.notify(f"Rerun of {who} asked for{when}.", timeout=3)

    def copy_command(self, vm: int | None, attempt: Attempt | None) -> None:
        """Copy the QEMU command of a VM's attempt, once there is one."""
        if attempt is None or not attempt.argv:
            self.app.notify("QEMU has not been started yet.", severity="warning")
            return
        self.host.copy(command_line(attempt), f"QEMU command of VM {vm}")

    def action_export(self) -> None:
        """Ask where to write the figures, or as what a browser is to have them."""
        from vmtiming_tui.tui.screens.exporting import export_of_run

        self.app.push_screen(export_of_run(self.model))
