"""Bars to scale: the stages of a boot, its progress against the median, and axes; pure."""

import math
from collections.abc import Sequence

from rich.style import Style

from vmtiming_tui.analysis.stages import Stages, stages_of
from vmtiming_tui.model.attempt import Attempt, VmState
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.styled import BLANK, Part
from vmtiming_tui.tui.drawing.theme import Palette

LEAST_STAGES = 8
"""A bar shorter than this cannot show stages: it shows the whole."""

QUARTERED = (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 4.8, 6, 8, 10)
"""Ends of an axis whose quarters are round as well."""

_STEPS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)


def nice_ceiling(value: float, steps: Sequence[float] = _STEPS) -> float:
    """Return the next round number from ``value`` up, for the end of an axis."""
    if value <= 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (*steps, 12) if step * power >= value * 0.999999)


def spans(stages: Stages, boot_ns: int) -> list[tuple[str, int]]:
    """Return the pieces of a boot in order, by stage name; what no stage explains comes first.

    Where only the guest's own text is known, the host's share before the kernel is the residual.
    """
    known = [(str(stage), max(ns, 0)) for stage, ns in stages.known]
    rest = boot_ns - sum(ns for _, ns in known)
    if rest > boot_ns // 100:
        return [("", rest), *known]
    return known


def cells_of(pieces: Sequence[tuple[str, int]], scale_ns: int, width: int) -> list[tuple[str, int]]:
    """Return how many cells each piece takes; rounding never adds up to more than the whole."""
    result = []
    passed_ns = drawn = 0
    for name, ns in pieces:
        passed_ns += ns
        end = min(round(passed_ns * width / scale_ns), width) if scale_ns > 0 else 0
        result.append((name, max(end - drawn, 0)))
        drawn = max(end, drawn)
    return result


class BarMaker:
    """Draws bars with one palette and one set of glyphs."""

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        self._palette, self._glyphs = palette, glyphs
        self._stages: dict[str, tuple[str, Style]] = {
            str(stage): (glyphs.stages[stage], style) for stage, style in palette.stages.items()
        }
        self._stages[""] = (glyphs.residual, palette.residual)

    def stage_part(self, name: str, count: int) -> Part:
        """Return ``count`` cells of a stage."""
        char, style = self._stages[name]
        return char * count, style

    def legend(self, names: Sequence[str]) -> list[Part]:
        """Return what each stage looks like."""
        parts: list[Part] = []
        for name in names:
            parts.append(self.stage_part(name, 2))
            parts.append((f" {name or 'unexplained'}  ", self._palette.dim))
        return parts

    def stages(self, attempt: Attempt, scale_ns: int, width: int) -> list[Part]:
        """Return a booted attempt's stages, at most ``width`` cells for ``scale_ns``."""
        boot_ns = attempt.boot_ns or 0
        pieces = spans(stages_of(attempt), boot_ns)
        return [
            self.stage_part(name, count)
            for name, count in cells_of(pieces, scale_ns, width)
            if count
        ]

    def attempt(
        self, attempt: Attempt, elapsed_ns: int | None, scale_ns: int, width: int,
        median_ns: int | None,
    ) -> list[Part]:  # fmt: skip
        """Return exactly ``width`` cells: stages where they are told, else progress; the median."""
        if elapsed_ns is None or width <= 0:
            return [(" " * width, BLANK)]
        is_told = bool(attempt.text) or attempt.details is not None
        if width >= LEAST_STAGES and is_told and attempt.boot_ns is not None:
            parts = self.stages(attempt, scale_ns, width)
        else:
            parts = self._progress(attempt.state, elapsed_ns, scale_ns, width)
        drawn = sum(len(text) for text, _ in parts)
        return [*parts, *self._rest(drawn, width, scale_ns, median_ns)]

    def _progress(self, state: VmState, elapsed_ns: int, scale_ns: int, width: int) -> list[Part]:
        halves = min(elapsed_ns * width * 2 // scale_ns, width * 2) if scale_ns > 0 else 0
        full, half = divmod(max(int(halves), 0), 2)
        text = self._glyphs.bar * full + self._glyphs.bar_end * half
        return [(text, self._palette.states[state])] if text else []

    def _rest(self, drawn: int, width: int, scale_ns: int, median_ns: int | None) -> list[Part]:
        palette = self._palette
        if median_ns is None or width < 10 or scale_ns <= 0:
            return [(" " * (width - drawn), BLANK)]
        at = min(median_ns * width // scale_ns, width - 1)
        if at < drawn:
            return [(" " * (width - drawn), BLANK)]
        return [
            (" " * (at - drawn), BLANK),
            (self._glyphs.median, palette.faint),
            (" " * (width - at - 1), BLANK),
        ]


def scale_for(longest_ns: int, median_ns: int | None) -> int:
    """Return the length of the common axis of all bars, in ns."""
    return round(nice_ceiling(max(longest_ns, (median_ns or 0) * 1.1, 1e9) / 1e9) * 1e9)
