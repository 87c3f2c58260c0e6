"""Bars to scale: the stages of a boot, as they are told or as they are seen, and axes; pure."""

import math
import statistics
from collections.abc import Sequence

from rich.style import Style

from vmtiming_tui.analysis.stages import Stages, stages_of
from vmtiming_tui.analysis.stages_seen import seen_pieces
from vmtiming_tui.analysis.typical_boot import Typical
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.styled import BLANK, Part
from vmtiming_tui.tui.drawing.theme import Palette

UNEXPLAINED = ""
"""The name of what no stage explains of a boot that told its stages."""

UNSEEN = "?"
"""The name of what came before a boot's first sign of a stage."""

MEDIAN, BEYOND = "median", "beyond"
"""What else a bar shows: the median boot behind it, and that it goes on beyond the axis."""

QUARTERED = (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 4.8, 6, 8, 10)
"""Ends of an axis whose quarters are round as well."""

LEAST_MARKED = 10
"""A bar shorter than this has no mark where the median boot ends."""

FENCE = 2.5
"""A boot that takes more than this times the median is not what an axis is made for."""

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
        return [(UNEXPLAINED, rest), *known]
    return known


def pieces_of(attempt: Attempt, now_ns: int) -> list[tuple[str, int]]:
    """Return how an attempt divides, by stage name: as its guest told, else as the host saw it."""
    if attempt.boot_ns is not None and (attempt.text or attempt.details is not None):
        stages = stages_of(attempt)
        if stages.known:
            return spans(stages, attempt.boot_ns)
    seen = seen_pieces(attempt, now_ns)
    return [(UNSEEN if stage is None else str(stage), ns) for stage, ns in seen]


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
    """Draws bars with one palette and one set of glyphs, and notes what it drew in ``drawn``."""

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        self._palette, self._glyphs = palette, glyphs
        self.drawn: set[str] = set()
        self._stages: dict[str, tuple[str, Style]] = {
            str(stage): (glyphs.stages[stage], style) for stage, style in palette.stages.items()
        }
        self._stages[UNEXPLAINED] = (glyphs.residual, palette.residual)
        self._stages[UNSEEN] = (glyphs.unseen, palette.unseen)
        self._shadow: tuple[object, list[Part]] = (None, [])
        self._ghosts = {str(stage): style for stage, style in palette.ghosts.items()}

    def stage_part(self, name: str, count: int) -> Part:
        """Return ``count`` cells of a stage."""
        char, style = self._stages[name]
        return char * count, style

    def stages(self, attempt: Attempt, scale_ns: int, width: int) -> list[Part]:
        """Return a booted attempt's stages, at most ``width`` cells for ``scale_ns``."""
        return self.parts(pieces_of(attempt, attempt.report_ns or 0), scale_ns, width)

    def attempt(
        self, attempt: Attempt, elapsed_ns: int | None, scale_ns: int, width: int, *,
        median_ns: int | None = None, typical: Typical | None = None,
    ) -> list[Part]:  # fmt: skip
        """Return exactly ``width`` cells: the stages so far, and where the median boot ends.

        A ``typical`` boot is drawn faintly where this one has not come yet.
        """
        if elapsed_ns is None or attempt.go_ns is None or width <= 0:
            return [(" " * width, BLANK)]
        parts = self.cut(pieces_of(attempt, attempt.go_ns + elapsed_ns), scale_ns, width)
        drawn = sum(len(text) for text, _ in parts)
        if typical is not None:
            rest = _without(self.shadow(typical, scale_ns, width, self._glyphs.shadow), drawn)
            if any(text.strip() for text, _ in rest):
                self.drawn.add(MEDIAN)
            return [*parts, *rest]
        return [*parts, *self._rest(drawn, width, scale_ns, median_ns)]

    def shadow(self, typical: Typical, scale_ns: int, width: int, char: str) -> list[Part]:
        """Return exactly ``width`` cells of a typical boot's stages, faint."""
        which = (typical, scale_ns, width, char)
        if self._shadow[0] != which:
            self._shadow = (which, self._shadow_of(typical, scale_ns, width, char))
        return self._shadow[1]

    def _shadow_of(self, typical: Typical, scale_ns: int, width: int, char: str) -> list[Part]:
        names = [(UNSEEN if stage is None else str(stage), ns) for stage, ns in typical.pieces]
        faint, ghosts = self._palette.faint, self._ghosts
        cells = [(name, n) for name, n in cells_of(names, scale_ns, width) if n]
        parts = [(char * n, ghosts.get(name, faint)) for name, n in cells]
        return [*parts, (" " * (width - sum(n for _, n in cells)), BLANK)]

    def parts(self, pieces: Sequence[tuple[str, int]], scale_ns: int, width: int) -> list[Part]:
        """Return pieces of a boot, at most ``width`` cells for ``scale_ns``."""
        cells = [(name, count) for name, count in cells_of(pieces, scale_ns, width) if count]
        self.drawn.update(name for name, _ in cells)
        return [self.stage_part(name, count) for name, count in cells]

    def cut(self, pieces: Sequence[tuple[str, int]], scale_ns: int, width: int) -> list[Part]:
        """Return pieces of a boot; the last cell says where there is more beyond ``scale_ns``."""
        parts = self.parts(pieces, scale_ns, width)
        if not parts or sum(ns for _, ns in pieces) <= scale_ns:
            return parts
        self.drawn.add(BEYOND)
        *others, (text, style) = parts
        return [*others, (text[:-1], style), (self._glyphs.beyond, style)]

    def _rest(self, drawn: int, width: int, scale_ns: int, median_ns: int | None) -> list[Part]:
        palette = self._palette
        if median_ns is None or width < LEAST_MARKED or scale_ns <= 0:
            return [(" " * (width - drawn), BLANK)]
        at = min(median_ns * width // scale_ns, width - 1)
        if at < drawn:
            return [(" " * (width - drawn), BLANK)]
        self.drawn.add(MEDIAN)
        return [
            (" " * (at - drawn), BLANK),
            (self._glyphs.median, palette.faint),
            (" " * (width - at - 1), BLANK),
        ]


def _without(parts: Sequence[Part], cells: int) -> list[Part]:
    """Return parts of characters of one cell each, without the first ``cells``."""
    kept = []
    for text, style in parts:
        if cells < len(text):
            kept.append((text[cells:], style))
        cells = max(cells - len(text), 0)
    return kept


def longest_of_most(lengths: Sequence[int], usual_ns: int | None) -> int:
    """Return the longest of these times but for those far beyond what is usual.

    That is ``FENCE`` times ``usual_ns``, or what half of them have reached; so one VM that is stuck
    does not flatten the others. Where nothing is known to be usual none is left out.
    """
    if not lengths or usual_ns is None:
        return max(lengths, default=0)
    limit_ns = FENCE * max(usual_ns, statistics.median_low(lengths))
    return max((length for length in lengths if length <= limit_ns), default=0)


def scale_for(longest_ns: int, median_ns: int | None) -> int:
    """Return the length of the common axis of all bars, in ns."""
    return round(nice_ceiling(max(longest_ns, (median_ns or 0) * 1.1, 1e9) / 1e9) * 1e9)
