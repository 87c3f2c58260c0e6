"""The completion curve: how many of N had booted by when; grows while the storm runs."""

from vmtiming_tui.tui.drawing.braille import ascii_rows, braille_rows, step_heights
from vmtiming_tui.tui.drawing.scale_bars import QUARTERED, nice_ceiling
from vmtiming_tui.tui.drawing.styled import Part
from vmtiming_tui.tui.state.dashboard import LiveFigures, Model, last_decided_ns, shown_storm
from vmtiming_tui.tui.widgets.lines_widget import ModelLines

_MARGIN = 1
_ROOM_AFTER = 30


class Curve(ModelLines):
    """Filled steps over the time since the storm's first start, with its two axes."""

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(model, id=id)
        self._drawn: list[str] = []
        self._drawn_key: object = None

    def _until_ns(self, figures: LiveFigures) -> int:
        if figures.curve_start_ns is None:
            return 0
        storm = shown_storm(self.model.fleet)
        now_ns = self.model.now_ns
        if storm is not None:
            last_ns = last_decided_ns(storm)
            if last_ns is not None:
                is_over = all(attempt.state.is_decided for attempt in storm.attempts.values())
                room_ns = (last_ns - figures.curve_start_ns) // _ROOM_AFTER if is_over else 0
                now_ns = last_ns + room_ns
            elif self.model.fleet.ended_ns is not None:
                now_ns = self.model.fleet.ended_ns
        return max(now_ns - figures.curve_start_ns, 0)

    def lines(self, width: int) -> list[list[Part]]:
        """Return the rows of the curve and its time axis."""
        palette, glyphs, figures = self.host.palette, self.host.glyphs, self.model.figures
        rows = max(self.size.height - 1, 1)
        top = figures.curve_number or self.model.plan.number
        label_width = max(len(f"{top:,}"), 2) + _MARGIN
        plot = max(width - label_width - 3, 8)
        until_ns = self._until_ns(figures)
        span_ns = max(round(nice_ceiling(until_ns / 1e9, QUARTERED) * 1e9), 1_000_000_000)
        braille = glyphs.braille
        heights = step_heights(
            figures.curve,
            until_ns=until_ns,
            span_ns=span_ns,
            top=top,
            columns=plot * 2 if braille else plot,
            levels=rows * (4 if braille else 2),
        )
        key = (tuple(max(height, 0) for height in heights), rows)
        if key != self._drawn_key:
            self._drawn = (braille_rows if braille else ascii_rows)(heights, rows)
            self._drawn_key = key
        drawn = self._drawn
        lines: list[list[Part]] = []
        for row, text in enumerate(drawn):
            label = self._label(row, rows, top)
            shade = palette.curve[(rows - 1 - row) * len(palette.curve) // rows]
            edge = "┤" if label and braille else "│" if braille else "|"
            lines.append(
                [(f"{label:>{label_width}}", palette.dim), (edge, palette.faint), (text, shade)]
            )
        lines.append(self._axis(label_width, plot, span_ns))
        return lines

    def _label(self, row: int, rows: int, top: int) -> str:
        if row == 0:
            return f"{top:,}"
        if rows >= 5 and row == rows // 2 and top >= 4:
            return f"{top / 2:,.0f}" if top % 2 == 0 else ""
        return ""

    def _axis(self, label_width: int, plot: int, span_ns: int) -> list[Part]:
        palette = self.host.palette
        corner = "└" if self.host.glyphs.braille else "+"
        rule = self.host.glyphs.rule
        marks = 4 if plot >= 90 else 2
        parts: list[Part] = [(f"{'0':>{label_width}}", palette.dim), (corner, palette.faint)]
        title = f"{rule} booted over time "
        drawn = 0
        for mark in range(1, marks + 1):
            label = f" {span_ns * mark / marks / 1e9:g} s"
            room = plot * mark // marks - drawn - len(label)
            if mark == 1 and len(title) < room:
                parts += [(title, palette.dim), (rule * (room - len(title)), palette.faint)]
            else:
                parts.append((rule * room, palette.faint))
            parts.append((label, palette.dim))
            drawn = plot * mark // marks
        return parts
