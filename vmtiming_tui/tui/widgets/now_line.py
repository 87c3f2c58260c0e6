"""What a VM is doing now, as far as the host can see."""

from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.tui.drawing.styled import Part, clip, parts_width, passing, shown
from vmtiming_tui.tui.widgets.vm_lines import VmLine


class NowLine(VmLine):
    """While a VM boots: the stage it is in, since when, and the last line of its console."""

    def height_wanted(self, width: int) -> int:
        """Return how many lines there are to show."""
        return len(self.lines(width))

    def lines(self, width: int) -> list[list[Part]]:
        """Return the line; none before the start of a boot, nor once it is decided."""
        attempt = self.attempt
        if attempt is None or attempt.go_ns is None or attempt.state.is_decided:
            return []
        palette = self.host.palette
        parts = [("  now: ", palette.dim), *self._stage(attempt, attempt.go_ns)]
        room = width - parts_width(parts) - 2
        line = clip(shown(attempt.console_line), max(room, 0), self.host.glyphs.ellipsis)
        return [[*parts, (f"  {line}", palette.text)] if line else parts]

    def _stage(self, attempt: Attempt, go_ns: int) -> list[Part]:
        palette, now_ns = self.host.palette, self.model.now_ns
        if not attempt.stages_seen:
            since = f" for {passing(max(now_ns - go_ns, 0))} s"
            return [("no stage seen yet", palette.text), (since, palette.strong)]
        stage, seen_ns = attempt.stages_seen[-1]
        since = f" for {passing(max(now_ns - max(seen_ns, go_ns), 0))} s"
        return [(f"{stage}", palette.stages[stage]), (since, palette.strong)]
