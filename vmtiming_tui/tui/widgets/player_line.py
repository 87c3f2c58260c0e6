"""How far a stored run is played: its clock, a bar to click on, its speed, whether it stands."""

from textual import events
from textual.message import Message

from vmtiming_tui.tui.drawing.styled import Part, clock, parts_width
from vmtiming_tui.tui.drawing.theme import Palette
from vmtiming_tui.tui.state.played_run import PlayedRun
from vmtiming_tui.tui.widgets.lines_widget import LinesWidget

_LEAST_BAR = 8


def chip_of(played: PlayedRun, palette: Palette) -> Part:
    """Return what the header says of a stored run: that it is one, and how it is played."""
    player = played.player
    if player.is_at_end and not played.is_seeking:
        end = "SO FAR" if played.goes_on else str(played.fleet.state).upper()
        return f" REPLAY: {end} ", palette.chip_done
    if player.is_paused:
        return " REPLAY PAUSED ", palette.chip_bad
    speed = "" if player.speed == 1 else f" {player.speed:g}x"
    return f" REPLAY{speed} ", palette.chip_live


class PlayerLine(LinesWidget):
    """The moment and the length of the run, and between them a bar; a click on it seeks."""

    class Sought(Message):
        """Another moment was clicked on, in ns since the run's begin."""

        def __init__(self, place_ns: int) -> None:
            super().__init__()
            self.place_ns = place_ns

    def __init__(self, played: PlayedRun, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._played = played
        self._bar = range(0)

    def lines(self, width: int) -> list[list[Part]]:
        """Return one line; the bar takes what is left."""
        palette, glyphs, played = self.host.palette, self.host.glyphs, self._played
        left: list[Part] = [
            (f" {self._moment(played.place_ns)}", palette.strong),
            (f" / {self._moment(played.length_ns)} ", palette.dim),
        ]
        right: list[Part] = [
            (f" {glyphs.times}{played.player.speed:g} ", palette.strong),
            (f" {self._words()} ", palette.accent),
        ]
        cells = max(width - parts_width(left) - parts_width(right), _LEAST_BAR)
        begin = parts_width(left)
        self._bar = range(begin, begin + cells)
        done = cells * played.place_ns // max(played.length_ns, 1) if played.length_ns else cells
        bar: list[Part] = [
            (glyphs.bar * done, palette.accent),
            (glyphs.rule * (cells - done), palette.faint),
        ]
        return [[*left, *bar, *right]]

    def _moment(self, at_ns: int) -> str:
        """Return a moment, to the millisecond where the run stands: a step may be no longer."""
        whole = clock(at_ns)
        stands = self._played.player.is_paused and "." in whole
        return f"{whole}{at_ns // 1_000_000 % 100:02d}" if stands else whole

    def _words(self) -> str:
        played, player = self._played, self._played.player
        pause = self.host.key_for("player.pause")
        if played.is_seeking:
            return "seeking ..."
        if player.is_at_end:
            return f"at its end; {pause} begins anew"
        return f"PAUSED; {pause} goes on" if player.is_paused else f"playing; {pause} pauses"

    def on_click(self, event: events.Click) -> None:
        """Ask for the moment under the click."""
        if event.x in self._bar:
            share = (event.x - self._bar.start) / max(len(self._bar) - 1, 1)
            self.post_message(self.Sought(round(self._played.length_ns * share)))
