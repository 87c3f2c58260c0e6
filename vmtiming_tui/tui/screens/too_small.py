"""What is left of the dashboard on a terminal too small for it: the counts, and a way out."""

from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from vmtiming_tui.analysis.phase_count import phase_count
from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.tui.app_protocol import HostedScreen
from vmtiming_tui.tui.drawing.styled import Part, clock, seconds
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Change, Model
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.widgets.lines_widget import ModelLines


class Counts(ModelLines):
    """Counts and figures, as many lines as there are."""

    asks = False

    def lines(self, width: int) -> list[list[Part]]:
        """Return the most telling line first."""
        palette, glyphs, model = self.host.palette, self.host.glyphs, self.model
        fleet = model.fleet
        counts: list[Part] = []
        for state in VmState:
            if count := fleet.counts[state]:
                counts.append((f"{glyphs.states[state]}{count:,} ", palette.states[state]))
        elapsed = model.elapsed_ns
        counts.append((clock(elapsed) if elapsed is not None else "starting", palette.strong))
        lines = [counts]
        if model.figures.median_ns is not None:
            lines.append([(f"median {seconds(model.figures.median_ns)} s", palette.text)])
        at = phase_count(fleet) or fleet.state
        lines.append([(f"{plural(model.plan.number, 'VM')}, {at}", palette.dim)])
        if fleet.hosts.lost:
            lost = f"{fleet.hosts.lost:,} of {plural(len(fleet.hosts), 'host')} lost"
            lines.append([(lost, palette.error)])
        leave = self.host.key_for("quit")
        if self.asks:
            lines.insert(0, [(f"VMs run: {leave} ends them", palette.warning)])
        else:
            lines.append([("Too small: 80x24 needed", palette.dim)])
            lines.append([(f"{leave} quits", palette.dim)])
        return lines


class TooSmallScreen(HostedScreen, Screen[None]):
    """Lies over everything else till there is room again."""

    SCOPE = Scope.ANYWHERE
    BINDINGS: ClassVar[list[BindingType]] = [
        replace(keymap.BY_ID["quit"], action="leave_small", comes_first=True).binding()
    ]

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.summary = Counts(model, id="summary")
        self._model = model

    def compose(self) -> ComposeResult:
        """Nothing but the summary."""
        yield self.summary

    def tick(self, change: Change) -> None:
        """Show what one turn brought."""
        self.summary.renew()

    async def action_leave_small(self) -> None:
        """Leave; while VMs run only when asked twice."""
        if self._model.is_busy and not self.summary.asks:
            self.summary.asks = True
            self.summary.renew()
            return
        self.app.run_worker(self.host.leave(), group="leave")
