"""The first line of every screen: what runs, how many VMs are in each state, and since when."""

from vmtiming_tui.analysis.phase_count import phase_count
from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.fleet import RunState
from vmtiming_tui.tui.drawing.styled import Part, clip, clock, parts_width, seconds, shown, spread
from vmtiming_tui.tui.state.keymap import Need
from vmtiming_tui.tui.state.played_run import PlayedRun
from vmtiming_tui.tui.state.storm_words import storm_words
from vmtiming_tui.tui.widgets.lines_widget import ModelLines
from vmtiming_tui.tui.widgets.player_line import chip_of


class Header(ModelLines):
    """What runs, how many VMs are in each state, since when, on what, and whether it still runs."""

    def _chip(self) -> Part:
        palette, model = self.host.palette, self.model
        if isinstance(model, PlayedRun):
            return chip_of(model, palette)
        if model.is_frozen:
            return " HELD ", palette.chip_bad
        if model.engine_is_lost:
            return " ENGINE LOST ", palette.chip_bad
        if model.is_beginning:
            return " STARTING ", palette.chip_live
        match model.fleet.state:
            case RunState.RUNNING:
                return self._chip_of_storm()
            case RunState.FINISHED:
                return " FINISHED ", palette.chip_done
            case RunState.WAITING:
                return " STARTING ", palette.chip_live
            case state:
                return f" {state.upper()} ", palette.chip_bad

    def _chip_of_storm(self) -> Part:
        """Say how many have booted once that is decided, and in what time where all have."""
        palette, figures = self.host.palette, self.model.figures
        if phase_count(self.model.fleet) is None or not figures.curve:
            return " RUNNING ", palette.chip_live
        last_ns, booted = figures.curve[-1]
        if booted == figures.curve_number:
            return f" ALL BOOTED in {seconds(last_ns, 1)} s ", palette.chip_done
        return f" {booted:,} of {figures.curve_number:,} BOOTED ", palette.chip_live

    def _watching(self) -> list[Part]:
        """Say that another process makes the run, where one is followed."""
        there = self.model.there
        is_followed = Need.ENGINE not in there and Need.PLAYER not in there
        return [("WATCHING  ", self.host.palette.accent)] if is_followed else []

    def _title(self, *, long: bool) -> list[Part]:
        palette, glyphs, model = self.host.palette, self.host.glyphs, self.model
        config = model.config
        number = len(model.fleet.vms) or model.plan.number
        name = shown(model.plan.name or config.prefix)
        parts: list[Part] = [
            (f" {clip(name, 28, glyphs.ellipsis)} ", palette.strong),
            (f"{glyphs.times}{number:,}", palette.strong),
        ]
        parts += self._hosts()
        if long:
            parts.append(
                (
                    f"  {config.memory_mib} MiB {glyphs.dot} {plural(config.smp, 'vCPU')}",
                    palette.dim,
                )
            )
        may_end_sooner = model.plan.until_decided and not model.fleet.concluded
        at_most = glyphs.at_most if may_end_sooner else ""
        if storm := storm_words(model.fleet, model.plan, at_most):
            parts.append((f"  {shown(storm)}", palette.accent))
        return [*parts, ("  ", palette.text)]

    def _hosts(self) -> list[Part]:
        """Say on how many hosts it is, and how many of them are lost, where there are several."""
        palette, hosts = self.host.palette, self.model.fleet.hosts
        if not hosts.are_many:
            return []
        parts: list[Part] = [(f"  {plural(len(hosts), 'host')}", palette.strong)]
        if hosts.lost:
            sign = self.host.glyphs.states[VmState.FAILED]
            parts.append((f" {sign} {hosts.lost:,} lost", palette.error))
        return parts

    def _counts(self, *, words: bool) -> list[Part]:
        palette, glyphs, counts = self.host.palette, self.host.glyphs, self.model.fleet.counts
        parts: list[Part] = []
        for state in VmState:
            if not (count := counts[state]):
                continue
            word = f" {state}" if words else ""
            space = " " if words else ""
            parts.append((f"{glyphs.states[state]}{space}{count:,}{word}", palette.states[state]))
            parts.append(("  " if words else " ", palette.text))
        return parts

    def lines(self, width: int) -> list[list[Part]]:
        """Return the header, with as many words as fit."""
        palette, model = self.host.palette, self.model
        fleet = model.fleet
        accel = (fleet.storm.accel if fleet.storm else fleet.accel).upper()
        elapsed = model.elapsed_ns
        right: list[Part] = [
            (f"{shown(accel)}  " if accel else "", palette.dim),
            (f"{clock(elapsed)}  " if elapsed is not None else "", palette.strong),
            *self._watching(),
            self._chip(),
        ]
        room = width - parts_width(right)
        left: list[Part] = []
        for long, words in ((True, True), (False, True), (True, False), (False, False)):
            left = [*self._title(long=long), *self._counts(words=words)]
            if parts_width(left) <= room:
                break
        return [spread(left, right, width, self.host.glyphs.ellipsis)]
