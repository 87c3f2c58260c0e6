"""The line that says what went wrong last."""

from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.tui.drawing.styled import Part, clock, shown, spread
from vmtiming_tui.tui.widgets.lines_widget import ModelLines


class TroubleLine(ModelLines):
    """What went wrong last, and how much more there is."""

    def lines(self, width: int) -> list[list[Part]]:
        """Return the newest trouble; empty while all is well."""
        palette, glyphs, model = self.host.palette, self.host.glyphs, self.model
        troubles = model.fleet.troubles
        if not troubles:
            return [[("", palette.text)]]
        newest = troubles[0]
        since = f"{clock(newest.at_ns - model.fleet.run.at_ns)} " if model.fleet.run else ""
        who = f"VM {newest.vm}: " if newest.vm is not None else ""
        style = palette.warning
        glyph = glyphs.states[VmState.TIMED_OUT]
        attempt = model.attempt_of(newest.vm) if newest.vm is not None else None
        if attempt is not None and attempt.state.is_lost:
            style, glyph = palette.states[attempt.state], glyphs.states[attempt.state]
        more = f" {glyphs.dot} {len(troubles) - 1} more" if len(troubles) > 1 else ""
        right: list[Part] = [(f"{more} ", palette.dim)] if more else []
        left: list[Part] = [
            (f" {glyph} ", style),
            (since, palette.dim),
            (f"{who}{shown(newest.text)}", style),
        ]
        return [spread(left, right, width, glyphs.ellipsis)]
