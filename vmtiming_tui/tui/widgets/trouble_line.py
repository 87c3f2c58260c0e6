"""The line that says what went wrong last."""

from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.tui.drawing.styled import Part, clock, shown, spread
from vmtiming_tui.tui.widgets.lines_widget import ModelLines


class TroubleLine(ModelLines):
    """What went wrong last, else what makes the figures doubtful; and how much more there is."""

    @property
    def _doubts(self) -> tuple[str, ...]:
        return self.model.outcome.doubts if self.model.outcome else ()

    @property
    def count(self) -> int:
        """How much there is to heed."""
        return len(self.model.fleet.troubles) + len(self._doubts)

    def lines(self, width: int) -> list[list[Part]]:
        """Return the newest trouble; empty while all is well."""
        palette, glyphs = self.host.palette, self.host.glyphs
        if not self.count:
            return [[("", palette.text)]]
        key = self.host.key_for("main.warnings")
        more = f"{self.count - 1:,} more: {key}" if self.count > 1 else f"{key} shows it whole"
        left = self._newest() if self.model.fleet.troubles else self._doubt(self._doubts[0])
        right: list[Part] = [(f" {glyphs.dot} {more} ", palette.dim)]
        return [spread(left, right, width, glyphs.ellipsis)]

    def _newest(self) -> list[Part]:
        palette, glyphs, model = self.host.palette, self.host.glyphs, self.model
        newest = model.fleet.troubles[0]
        since = f"{clock(newest.at_ns - model.fleet.run.at_ns)} " if model.fleet.run else ""
        who = f"VM {newest.vm}: " if newest.vm is not None else ""
        style = palette.warning
        glyph = glyphs.states[VmState.TIMED_OUT]
        attempt = model.attempt_of(newest.vm) if newest.vm is not None else None
        if attempt is not None and attempt.state.is_lost:
            style, glyph = palette.states[attempt.state], glyphs.states[attempt.state]
        return [
            (f" {glyph} ", style),
            (since, palette.dim),
            (f"{who}{shown(newest.text)}", style),
        ]

    def _doubt(self, words: str) -> list[Part]:
        glyph, style = self.host.glyphs.states[VmState.TIMED_OUT], self.host.palette.warning
        return [(f" {glyph} {shown(words)}", style)]
