"""What a storm came to, in a few lines: the figures, the slowest VM and why, losses, verdicts."""

from collections.abc import Iterator

from rich.style import Style

from vmtiming_tui.escape import plural
from vmtiming_tui.report.result import lost_words
from vmtiming_tui.report.straggler import straggler_words
from vmtiming_tui.tui.drawing.styled import Part, clip, fitting, shown
from vmtiming_tui.tui.drawing.wrapping import wrapped
from vmtiming_tui.tui.state.outcome import Outcome
from vmtiming_tui.tui.widgets.lines_widget import ModelLines

_OF_A_KIND = 3
_HIGH_SCREEN = 36
_MOST_LINES, _MOST_LINES_LOW = 8, 4


class Answer(ModelLines):
    """Shows the model's outcome, where there is one."""

    def height_wanted(self, width: int) -> int:
        """Return how many lines there are to show."""
        return len(self.lines(width))

    def lines(self, width: int) -> list[list[Part]]:
        """Return the figures, then a sentence for all else; cut to a line each if room is short.

        While others boot it is the figures so far alone.
        """
        if (outcome := self.model.outcome) is None:
            return []
        if not self.model.is_decided:
            return [
                fitting([[(" so far:", self.host.palette.dim)], *self._figures(outcome)], width)
            ]
        ellipsis, is_high = self.host.glyphs.ellipsis, self.app.size.height >= _HIGH_SCREEN
        most = _MOST_LINES if is_high else _MOST_LINES_LOW
        sentences = list(self._sentences(outcome, _OF_A_KIND if is_high else 1))
        lines: list[list[Part]] = [
            [(line, style)]
            for words, style in sentences
            for line in wrapped(f" {words}", width, hang=2)
        ]
        if len(lines) >= most:
            lines = [[(clip(f" {words}", width, ellipsis), style)] for words, style in sentences]
        return [fitting(self._figures(outcome), width), *lines[: most - 1]]

    def _figures(self, outcome: Outcome) -> Iterator[list[Part]]:
        palette, dot = self.host.palette, self.host.glyphs.dot
        for at, (name, figure) in enumerate(outcome.figures):
            before = f" {dot} " if at else " "
            yield [(f"{before}{name} ", palette.dim), (figure, palette.strong)]

    def _sentences(self, outcome: Outcome, most: int) -> Iterator[tuple[str, Style]]:
        """Yield what is told beside the figures, so many of a kind at the most."""
        palette = self.host.palette
        for verdict in outcome.verdicts[:most]:
            yield shown(verdict), palette.strong
        for lost in outcome.lost[:most]:
            yield shown(lost_words(lost)), palette.states[lost.state]
        if (more := outcome.lost[most:]) and most > 1:
            boots = plural(sum(len(each.attempts) for each in more), "more boot")
            yield f"{boots} lost for {plural(len(more), 'other reason')}", palette.warning
        if outcome.slowest is not None:
            yield shown(straggler_words(outcome.slowest)), palette.text
        for words in outcome.between[:most]:
            yield words, palette.text
