"""How many VMs are in which stage over time, as areas on one another; pure."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TypeAlias

from rich.style import Style

from vmtiming_tui.analysis.stage_counts import RUNGS, Moment, StageCounts
from vmtiming_tui.tui.drawing.areas import BOOTED, LOST, area_part, area_style
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.scale_bars import UNSEEN
from vmtiming_tui.tui.drawing.styled import Part
from vmtiming_tui.tui.drawing.theme import Palette

Layer: TypeAlias = tuple[str, int]

_EIGHTHS = 8


def layers(moment: Moment) -> list[Layer]:
    """Return the areas of a moment from the ground up: lost, booted, and the stages backwards."""
    stages = [
        (UNSEEN if stage is None else str(stage), moment.stages[stage]) for stage in reversed(RUNGS)
    ]
    return [(LOST, moment.lost), (BOOTED, moment.booted), *stages]


def edges(moment: Moment, top: int, levels: int) -> list[tuple[str, int]]:
    """Return where each area ends, of ``levels`` for ``top`` VMs; one that is there is seen.

    Only all of them reach the top.
    """
    result: list[tuple[str, int]] = []
    count = edge = 0
    for name, vms in layers(moment):
        if not vms:
            continue
        count += vms
        full = levels if count >= top else levels - 1
        edge = min(max(count * levels // max(top, 1), edge + 1), full)
        result.append((name, edge))
    return result


class StageChart:
    """Draws such areas; ``drawn`` are the names of those that were."""

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        self._palette, self._glyphs = palette, glyphs
        self.drawn: set[str] = set()
        self._mixed: dict[tuple[str, str], Style] = {}

    def rows(
        self, counts: StageCounts, *, until_ns: int, span_ns: int, top: int, width: int, height: int
    ) -> list[list[Part]]:
        """Return so many lines of ``width`` cells, the topmost first; blank after ``until_ns``."""
        smooth = self._palette.colour and self._glyphs.braille
        steps = _EIGHTHS if smooth else 1
        columns = [
            edges(counts.at((at + 1) * span_ns // width), top, height * steps)
            if at * span_ns // width <= until_ns
            else []
            for at in range(width)
        ]
        self.drawn = {name for column in columns for name, _ in column}
        paint = self._smooth if smooth else self._plain
        alike = [(column, len(list(same))) for column, same in groupby(columns)]
        return [
            _joined([(paint(column, (height - 1 - row) * steps), count) for column, count in alike])
            for row in range(height)
        ]

    def _plain(self, column: Sequence[Layer], base: int) -> Part:
        name = next((name for name, edge in column if edge > base), None)
        return (
            (" ", self._palette.text)
            if name is None
            else area_part(name, self._palette, self._glyphs)
        )

    def _smooth(self, column: Sequence[Layer], base: int) -> Part:
        """Return a cell of the lowest area in it, with that at its top behind it."""
        here = [(name, edge) for name, edge in column if edge > base]
        if not here:
            return " ", self._palette.text
        name, edge = here[0]
        share = min(edge - base, _EIGHTHS)
        if share == _EIGHTHS:
            return "█", area_style(name, self._palette)
        above = next((name for name, edge in here if edge >= base + _EIGHTHS), here[-1][0])
        if above == name:
            return self._glyphs.blocks[share - 1], area_style(name, self._palette)
        return self._glyphs.blocks[share - 1], self._on(name, above)

    def _on(self, name: str, behind: str) -> Style:
        found = self._mixed.get((name, behind))
        if found is None:
            ground = Style(bgcolor=area_style(behind, self._palette).color)
            found = self._mixed[name, behind] = area_style(name, self._palette) + ground
        return found


def _joined(cells: Iterable[tuple[Part, int]]) -> list[Part]:
    """Return cells, each so many times, with neighbours of one style in one part."""
    parts: list[Part] = []
    for (sign, style), count in cells:
        if parts and parts[-1][1] is style:
            parts[-1] = (parts[-1][0] + sign * count, style)
        else:
            parts.append((sign * count, style))
    return parts
