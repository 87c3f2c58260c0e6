"""What stands below a VM's bar where there is room: the median boot, figures, console; pure."""

from itertools import islice

from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.analysis.stages_seen import seen_pieces
from vmtiming_tui.analysis.straggler import waited_share
from vmtiming_tui.analysis.typical_boot import Typical
from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.grid_shape import GridShape
from vmtiming_tui.tui.drawing.scale_bars import MEDIAN, BarMaker
from vmtiming_tui.tui.drawing.styled import (
    BLANK,
    Part,
    clip,
    filled,
    passing,
    seconds,
    shown,
    shown_lines,
    size,
)
from vmtiming_tui.tui.drawing.theme import Palette

WITH_SHADOW = 4
"""A lane of so many lines has one for the median boot."""

_WITH_GAP = 5
_BIG = 14


def stage_words(attempt: Attempt, glyphs: Glyphs) -> str:
    """Return what each stage of a booted attempt took; where none is known, why not."""
    stages = stages_of(attempt)
    words = [f"{stage} {seconds(ns)}" for stage, ns in stages.known]
    if not words and attempt.exited_ns is not None:
        words = [str(doubt) for doubt in stages.doubts if doubt.code.is_grave]
    return shown(f" {glyphs.dot} ".join(words))


def note_words(attempt: Attempt, glyphs: Glyphs) -> str:
    """Return the one thing there is to say of a VM: what its console says, or its stages."""
    if attempt.state.is_booted:
        return stage_words(attempt, glyphs)
    return shown(attempt.console_line)


class LaneLines:
    """Writes the lines of a tall cell below its first."""

    def __init__(self, palette: Palette, glyphs: Glyphs, shape: GridShape, bars: BarMaker) -> None:
        self._palette, self._glyphs, self._shape, self._bars = palette, glyphs, shape, bars

    def of(
        self, attempt: Attempt, now_ns: int, phase_words: str, scale_ns: int,
        typical: Typical | None,
    ) -> list[list[Part]]:  # fmt: skip
        """Return as many lines as the shape has room for below the first, each a cell wide.

        The last of a very tall cell is blank, so that each lane stands apart.
        """
        height = self._shape.row_height
        lines: list[list[Part]] = []
        if height >= _BIG:
            whole = self._thick_bar(attempt, now_ns, scale_ns)
            lines += [whole, whole]
        if height >= WITH_SHADOW:
            lines.append(self._below_bar(attempt, now_ns, scale_ns, typical))
        figures = self._figures(attempt, now_ns, phase_words)
        room = height - 1 - len(lines) - (height >= _WITH_GAP)
        if room == 1 and not attempt.state.is_decided:
            figures = shown(attempt.console_line) or figures
        lines.append(self._indented(figures))
        if height >= _BIG:
            lines += [self._indented(self._typical_words(typical)), self._indented("")]
            room -= 2
        lines += [self._indented(line) for line in self._console(attempt, room - 1)]
        return lines + [self._indented("")] * (height - 1 - len(lines))

    def _typical_words(self, typical: Typical | None) -> str:
        """Return what the median boot took, by its stages."""
        if typical is None:
            return "no boot before it to hold it against"
        stages = [f"{stage} {seconds(ns)}" for stage, ns in typical.pieces if stage is not None]
        of = "of the baseline" if typical.is_baseline else f"of {plural(typical.boots, 'boot')}"
        words = f"median {of} {seconds(typical.median_ns)} s"
        return f"{words}: {f' {self._glyphs.dot} '.join(stages)}" if stages else words

    def _thick_bar(self, attempt: Attempt, now_ns: int, scale_ns: int) -> list[Part]:
        """Return the bar once more, so that it is thicker."""
        shape = self._shape
        bar = self._bars.attempt(attempt, attempt.elapsed_ns(now_ns), scale_ns, shape.bar)
        if self._is_smooth:
            bar = [("█" * len(text), style) if text.strip() else (text, style)
                   for text, style in bar]  # fmt: skip
        before, after = shape.bar_at, shape.cell - shape.bar_at - shape.bar
        return [(" " * before, BLANK), *bar, (" " * after, BLANK)]

    @property
    def _is_smooth(self) -> bool:
        return self._palette.colour and self._glyphs.braille

    def _below_bar(
        self, attempt: Attempt, now_ns: int, scale_ns: int, typical: Typical | None
    ) -> list[Part]:
        """Return the median boot as the bar's shadow; where there is none, the bar's lower half."""
        shape, under = self._shape, self._glyphs.under
        if typical is not None:
            bar = self._bars.shadow(typical, scale_ns, shape.bar, under)
            self._bars.drawn.add(MEDIAN)
        else:
            elapsed_ns = attempt.elapsed_ns(now_ns)
            whole = self._bars.attempt(attempt, elapsed_ns, scale_ns, shape.bar)
            bar = [(under * len(text), style) if self._is_smooth and text.strip() else (text, style)
                   for text, style in whole]  # fmt: skip
        before, after = shape.bar_at, shape.cell - shape.bar_at - shape.bar
        return [(" " * before, BLANK), *bar, (" " * after, BLANK)]

    def _figures(self, attempt: Attempt, now_ns: int, phase_words: str) -> str:
        """Return the stages' figures, or what to do; where none are told, what the VM is at."""
        if attempt.state.is_booted:
            words = stage_words(attempt, self._glyphs) or phase_words
            return f"{words}{self._dotted(self._use(attempt))}" if self._is_wide else words
        if attempt.state.is_lost:
            return f"{shown(attempt.why)}{self._dotted(shown(attempt.hint))}"
        seen = [(stage, ns) for stage, ns in seen_pieces(attempt, now_ns) if stage is not None]
        words = f" {self._glyphs.dot} ".join(f"{stage} {passing(ns)}" for stage, ns in seen)
        return f"{words}{self._dotted(self._use(attempt))}" if words else self._use(attempt)

    @property
    def _is_wide(self) -> bool:
        return self._shape.bar >= 90

    def _dotted(self, text: str) -> str:
        return f" {self._glyphs.dot} {text}" if text else ""

    def _console(self, attempt: Attempt, count: int) -> list[str]:
        """Return the console's newest lines, oldest first: of the boot, where they were told."""
        if count <= 0:
            return []
        text = "\n".join(attempt.console_lines[-count:])
        if attempt.console is not None and (attempt.state.is_lost or not text):
            text = attempt.console.text
        told = (line.rstrip() for line in reversed(shown_lines(text)))
        return list(islice((line for line in told if line), count))[::-1]

    def _indented(self, text: str) -> list[Part]:
        room = self._shape.cell - self._shape.bar_at
        text = clip(text, room, self._glyphs.ellipsis)
        return [(f"{' ' * self._shape.bar_at}{filled(text, room)}", self._palette.dim)]

    def _use(self, attempt: Attempt) -> str:
        """Return what a VM's QEMU has used so far."""
        usage = attempt.usage
        if usage is None:
            return ""
        words = [f"RSS {size(usage.rss_bytes)}", f"CPU {seconds(usage.cpu_ns, 1)} s"]
        if (waited := waited_share(attempt)) is not None:
            words.append(f"waited for a CPU {100 * waited:.0f} %")
        return f" {self._glyphs.dot} ".join(words)
