"""What one VM looks like in the grid: as much as its cell has room for; pure."""

from typing import TypeAlias

from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.analysis.straggler import waited_share
from vmtiming_tui.model.attempt import Attempt, Phase, Vm, VmState
from vmtiming_tui.tui.drawing.boot_sign import AFTER_GLYPH, AFTER_WORD, boot_sign, phase_part
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.grid_shape import SECONDS_WIDTH, GridShape
from vmtiming_tui.tui.drawing.scale_bars import BarMaker
from vmtiming_tui.tui.drawing.styled import (
    BLANK,
    Part,
    clip,
    parts_width,
    passing,
    seconds,
    shown,
    size,
    with_sign,
)
from vmtiming_tui.tui.drawing.theme import Palette

_BOOTING = frozenset({VmState.LAUNCHING, VmState.CONNECTED})
_WORDY_BAR = 24
_PLAIN_BAR = 12


Simple: TypeAlias = tuple[str, int]


class CellPainter:
    """Paints cells of one shape; ``scale_ns`` and ``median_ns`` are common to all bars."""

    def __init__(self, palette: Palette, glyphs: Glyphs, shape: GridShape) -> None:
        self.shape, self._palette, self._glyphs = shape, palette, glyphs
        self._bars = BarMaker(palette, glyphs)
        self.scale_ns = 1_000_000_000
        self.median_ns: int | None = None
        self._plain = shape.bar <= _PLAIN_BAR and not shape.word
        self._gap = " " * max(shape.cell - shape.bar_at - shape.bar, 0)
        self._tails: dict[int, str] = {}
        self._halves = 2 * shape.bar
        self.booting_style = palette.states[VmState.CONNECTED]
        self._progress = [
            "  "
            + (glyphs.bar * (halves // 2) + glyphs.bar_end * (halves % 2)).ljust(shape.bar)
            + self._gap
            for halves in range(2 * shape.bar + 1)
        ]

    def is_moving(self, attempt: Attempt) -> bool:
        """Return whether the cell changes by the clock alone."""
        return attempt.state in _BOOTING and attempt.go_ns is not None

    def line(self, vm: Vm, now_ns: int, *, marked: bool, phase: Phase | None = None) -> list[Part]:
        """Return a VM's first line, exactly as wide as a cell.

        Its ``phase`` after its report is a small mark beside its state.
        """
        attempt = vm.attempts[-1]
        state = attempt.state
        sign = boot_sign(vm, self._glyphs)
        elapsed_ns = attempt.elapsed_ns(now_ns)
        figure = seconds(elapsed_ns) if state.is_decided else passing(elapsed_ns)
        shape, palette = self.shape, self._palette
        style = palette.states[state]
        word, at = (f" {state:<9}", AFTER_WORD) if shape.word else ("", AFTER_GLYPH)
        state_and_time = f"{self._glyphs.states[state]}{word} {figure:>{SECONDS_WIDTH}}"
        head = [
            (self._glyphs.mark, palette.accent) if marked else (" ", BLANK),
            (f"{vm.id:>{shape.id_width}} ", palette.strong if marked else palette.dim),
            *with_sign(state_and_time, at, style, phase_part(phase, palette, self._glyphs)),
            (sign, palette.warning) if sign else (" ", BLANK),
            (" ", BLANK),
        ]
        return [*head, *self._tail(attempt, elapsed_ns), (self._gap, BLANK)]

    def simple(self, vm: Vm) -> Simple | None:
        """Return how a booting VM's small cell begins, and its zero; None if it needs more.

        Such a cell is this and ``tail`` of the time passed, in ``booting_style``: hundreds are
        drawn ten times a second.
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
        sign = self._glyphs.states[VmState.CONNECTED]
        return f" {vm.id:>{self.shape.id_width}} {sign} ", attempt.go_ns

    def tail(self, tenths: int) -> str:
        """Return how a simple cell ends so many tenths of a second after the VM's start."""
        found = self._tails.get(tenths)
        if found is None:
            halves = tenths * 100_000_000 * self._halves // self.scale_ns
            progress = self._progress[max(0, min(halves, self._halves))]
            found = self._tails[tenths] = f"{tenths / 10:6.1f}{progress}"
        return found

    def set_scale(self, scale_ns: int, median_ns: int | None) -> None:
        """Draw bars to another scale."""
        self.scale_ns, self.median_ns = scale_ns, median_ns
        self._tails.clear()

    def _tail(self, attempt: Attempt, elapsed_ns: int | None) -> list[Part]:
        width = self.shape.bar
        if attempt.state.is_lost and width >= _WORDY_BAR:
            why = clip(shown(attempt.why), width, self._glyphs.ellipsis)
            style = self._palette.states[attempt.state]
            return [(why, style), (" " * (width - parts_width([(why, style)])), style)]
        return self._bars.attempt(attempt, elapsed_ns, self.scale_ns, width, self.median_ns)

    def second_line(self, vm: Vm, phase_words: str = "") -> list[Part]:
        """Return what stands under a tall cell's bar: the stages' figures, or what to do.

        Where no stages are told yet it is what the VM is at, in ``phase_words``; where none will
        be, why.
        """
        attempt = vm.newest
        if attempt.state.is_booted:
            stages = stages_of(attempt)
            words = [f"{stage} {seconds(ns)}" for stage, ns in stages.known]
            if not words and attempt.exited_ns is not None:
                words = [str(doubt) for doubt in stages.doubts if doubt.code.is_grave]
            text = shown(f" {self._glyphs.dot} ".join(words)) or phase_words
        elif attempt.state.is_lost:
            text = shown(attempt.hint)
        else:
            text = self._use(attempt)
        return self._indented(text)

    def third_line(self, vm: Vm) -> list[Part]:
        """Return what stands under that: the guest's own words."""
        text = shown(vm.newest.text)
        return self._indented(text)

    def _indented(self, text: str) -> list[Part]:
        room = self.shape.cell - self.shape.bar_at
        text = clip(text, room, self._glyphs.ellipsis)
        rest = room - parts_width([(text, self._palette.dim)])
        return [(f"{' ' * self.shape.bar_at}{text}{' ' * rest}", self._palette.dim)]

    def _use(self, attempt: Attempt) -> str:
        """Return what a booting VM's QEMU has used so far."""
        usage = attempt.usage
        if usage is None:
            return ""
        words = [f"RSS {size(usage.rss_bytes)}", f"CPU {seconds(usage.cpu_ns, 1)} s"]
        if (waited := waited_share(attempt)) is not None:
            words.append(f"waited for a CPU {100 * waited:.0f} %")
        return f" {self._glyphs.dot} ".join(words)

    def under_cursor(self, parts: list[Part]) -> list[Part]:
        """Return parts as they look where the cursor is."""
        return [(text, style + self._palette.cursor) for text, style in parts]
