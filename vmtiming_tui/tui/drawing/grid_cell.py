"""What one VM looks like in the grid: as much as its cell has room for; pure."""

from dataclasses import dataclass

from rich.style import Style

from vmtiming_tui.analysis.typical_boot import Typical
from vmtiming_tui.model.attempt import Attempt, Phase, Vm, VmState
from vmtiming_tui.tui.drawing.boot_sign import AFTER_GLYPH, AFTER_WORD, boot_sign, phase_part
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.grid_shape import SECONDS_WIDTH, GridShape
from vmtiming_tui.tui.drawing.lane_lines import WITH_SHADOW, LaneLines, note_words
from vmtiming_tui.tui.drawing.scale_bars import LEAST_MARKED, UNSEEN, BarMaker, pieces_of
from vmtiming_tui.tui.drawing.styled import (
    BLANK,
    Part,
    clip,
    filled,
    parts_width,
    passing,
    seconds,
    shown,
    with_sign,
)
from vmtiming_tui.tui.drawing.theme import Palette

_BOOTING = frozenset({VmState.LAUNCHING, VmState.CONNECTED})
_WORDY_BAR = 24
_PLAIN_BAR = 12
_STAGED_BAR = 6


@dataclass(frozen=True, slots=True)
class SmallCell:
    """How a booting VM's small cell begins, and all that the clock does not change of its bar.

    ``passed`` are the stages it has gone through, in ``cells``; ``char`` and ``style`` are of the
    stage it is in, ``signs`` the names of all of them.
    """

    head: str
    zero_ns: int
    passed: tuple[Part, ...]
    cells: int
    char: str
    style: Style
    signs: frozenset[str]


class CellPainter:
    """Paints cells of one shape; ``scale_ns`` and ``median_ns`` are common to all bars.

    ``typical`` is the boot that others are held against, if there is one.
    """

    def __init__(self, palette: Palette, glyphs: Glyphs, shape: GridShape) -> None:
        self.shape, self._palette, self._glyphs = shape, palette, glyphs
        self.bars = BarMaker(palette, glyphs)
        self.lower = LaneLines(palette, glyphs, shape, self.bars)
        self.scale_ns = 1_000_000_000
        self.median_ns: int | None = None
        self.typical: Typical | None = None
        self._plain = shape.bar <= _PLAIN_BAR and not shape.word
        self._gap = " " * max(shape.cell - shape.bar_at - shape.bar - shape.note, 0)
        self._figures: dict[int, str] = {}

    def is_moving(self, attempt: Attempt) -> bool:
        """Return whether the cell changes by the clock alone."""
        return attempt.state in _BOOTING and attempt.go_ns is not None

    def line(self, vm: Vm, now_ns: int, *, marked: bool, phase: Phase | None = None) -> list[Part]:
        """Return a VM's first line, exactly as wide as a cell.

        Its ``phase`` after its report is a small mark beside its state. While it boots the stage it
        is in stands in the place of the word for its state.
        """
        attempt = vm.attempts[-1]
        sign = boot_sign(vm, self._glyphs)
        elapsed_ns = attempt.elapsed_ns(now_ns)
        figure = seconds(elapsed_ns) if attempt.state.is_decided else passing(elapsed_ns)
        shape, palette = self.shape, self._palette
        head = [
            (self._glyphs.mark, palette.accent) if marked else (" ", BLANK),
            (f"{vm.id:>{shape.id_width}} ", palette.strong if marked else palette.dim),
            *self._host(attempt),
            *self._state(attempt, f"{figure:>{SECONDS_WIDTH}}", phase),
            (sign, palette.warning) if sign else (" ", BLANK),
            (" ", BLANK),
        ]
        return [*head, *self._tail(attempt, elapsed_ns), (self._gap, BLANK), *self._note(attempt)]

    def _host(self, attempt: Attempt) -> list[Part]:
        if not (width := self.shape.host):
            return []
        name = clip(shown(attempt.host), width - 1, self._glyphs.ellipsis)
        return [(filled(name, width), self._palette.text)]

    def _state(self, attempt: Attempt, figure: str, phase: Phase | None) -> list[Part]:
        state, palette, glyph = attempt.state, self._palette, self._glyphs.states[attempt.state]
        style, stage = palette.states[state], attempt.stage_seen
        if not self.shape.word:
            after = phase_part(phase, palette, self._glyphs)
            return with_sign(f"{glyph} {figure}", AFTER_GLYPH, style, after)
        if stage is not None and state in _BOOTING:
            word = (f" {stage:<9} ", palette.stages[stage])
            return [(glyph, style), word, (figure, style)]
        after = phase_part(phase, palette, self._glyphs)
        return with_sign(f"{glyph} {state:<9} {figure}", AFTER_WORD, style, after)

    def small(self, vm: Vm, now_ns: int) -> SmallCell | None:
        """Return what stays of a booting VM's small cell while it is in a stage; None if it varies.

        Such a cell is drawn from this by ``small_parts``: hundreds are, ten times a second.
        """
        attempts = vm.attempts
        attempt = attempts[-1]
        if (
            not self._plain
            or attempt.state is not VmState.CONNECTED
            or attempt.go_ns is None
            or attempt.paused
            or attempt.resets
            or len(attempts) > 1
        ):
            return None
        pieces, name = self._pieces(attempt, now_ns), str(attempt.stage_seen or UNSEEN)
        over = pieces[:-1] if pieces and pieces[-1][0] == name else pieces
        self.bars.drawn.clear()
        passed = self.bars.parts(over, self.scale_ns, self.shape.bar)
        char, style = self.bars.stage_part(name, 1)
        head = f" {vm.id:>{self.shape.id_width}} {self._glyphs.states[attempt.state]} "
        return SmallCell(
            head, attempt.go_ns, tuple(passed), sum(len(text) for text, _ in passed),
            char, style, frozenset({*self.bars.drawn, name}),
        )  # fmt: skip

    def small_parts(self, cell: SmallCell, passed_ns: int) -> list[Part]:
        """Return a small cell so long after its VM's start."""
        tenths = passed_ns // 100_000_000
        figure = self._figures.get(tenths)
        if figure is None:
            figure = self._figures[tenths] = f"{tenths / 10:6.1f}  "
        width, scale_ns = self.shape.bar, self.scale_ns
        room = width - cell.cells
        if passed_ns > scale_ns and room:
            bar = cell.char * (room - 1) + self._glyphs.beyond
        else:
            count = min(round(passed_ns * width / scale_ns) - cell.cells, room)
            bar = (cell.char * count).ljust(room)
        return [(cell.head + figure, cell.style), *cell.passed, (bar + self._gap, cell.style)]

    def marks(self) -> tuple[object, ...]:
        """Return all that the median draws in a bar, to see whether that has changed."""
        width = self.shape.bar
        if self._plain or self.typical is None:
            median_ns = self.median_ns if width >= LEAST_MARKED else None
            return (median_ns and median_ns * width // self.scale_ns,)
        return tuple(self.bars.shadow(self.typical, self.scale_ns, width, " "))

    def set_scale(self, scale_ns: int, median_ns: int | None, typical: Typical | None) -> None:
        """Draw bars to another scale."""
        self.scale_ns, self.median_ns, self.typical = scale_ns, median_ns, typical

    def _tail(self, attempt: Attempt, elapsed_ns: int | None) -> list[Part]:
        width = self.shape.bar
        is_alone = self.shape.row_height == 1 and not self.shape.note
        if attempt.state.is_lost and width >= _WORDY_BAR and is_alone:
            return self._why(attempt, width)
        if self._plain and attempt.state in _BOOTING and attempt.go_ns is not None:
            parts = self.bars.cut(
                self._pieces(attempt, attempt.go_ns + (elapsed_ns or 0)), self.scale_ns, width
            )
            return [*parts, (" " * (width - parts_width(parts)), BLANK)]
        typical, median_ns = self.typical, self.median_ns
        if self._plain:
            typical = None
        elif self.shape.row_height >= WITH_SHADOW:
            typical = median_ns = None  # it has a line of its own
        return self.bars.attempt(
            attempt, elapsed_ns, self.scale_ns, width, median_ns=median_ns, typical=typical
        )

    def _pieces(self, attempt: Attempt, now_ns: int) -> list[tuple[str, int]]:
        """Return how a booting VM's bar divides; a very short one is of the stage it is in."""
        if self.shape.bar >= _STAGED_BAR or attempt.go_ns is None:
            return pieces_of(attempt, now_ns)
        return [(str(attempt.stage_seen or UNSEEN), now_ns - attempt.go_ns)]

    def _why(self, attempt: Attempt, width: int) -> list[Part]:
        why = clip(shown(attempt.why), width, self._glyphs.ellipsis)
        return [(filled(why, width), self._palette.states[attempt.state])]

    def _note(self, attempt: Attempt) -> list[Part]:
        """Return what stands to the right of the bar."""
        width = self.shape.note
        if not width:
            return []
        if attempt.state.is_lost:
            return self._why(attempt, width)
        words = clip(note_words(attempt, self._glyphs), width, self._glyphs.ellipsis)
        return [(filled(words, width), self._palette.dim)]

    def under_cursor(self, parts: list[Part]) -> list[Part]:
        """Return parts as they look where the cursor is."""
        return [(text, style + self._palette.cursor) for text, style in parts]
