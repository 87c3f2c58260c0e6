"""What the signs of the pictures mean: exactly those that are drawn, as they are drawn; pure."""

from collections.abc import Collection

from vmtiming_tui.analysis.typical_boot import Typical
from vmtiming_tui.escape import plural
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.tui.drawing.areas import BOOTED, LOST, area_part
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.scale_bars import BEYOND, MEDIAN, UNEXPLAINED, UNSEEN, BarMaker
from vmtiming_tui.tui.drawing.styled import Part, seconds
from vmtiming_tui.tui.drawing.theme import Palette

_STAGES = {**{str(stage): str(stage) for stage in Stage}, UNEXPLAINED: "unexplained"}

SIGNS_OF_BARS = frozenset({*_STAGES, UNSEEN, MEDIAN, BEYOND})
SIGNS_OF_AREAS = frozenset({BOOTED, LOST})


def legend(
    signs: Collection[str], palette: Palette, glyphs: Glyphs, *,
    typical: Typical | None = None, median_ns: int | None = None, scale_words: str = "",
    is_booting: bool = False,
) -> list[list[Part]]:  # fmt: skip
    """Return what each of these signs means, in the order of a boot, and how long a full bar is.

    ``median_ns`` is the median that is told elsewhere, and so not again.
    """
    bars = BarMaker(palette, glyphs)
    unseen = "not seen yet" if is_booting else "not seen"
    groups: list[list[Part]] = [
        [bars.stage_part(name, 1), (f" {words}  ", palette.dim)]
        for name, words in {**_STAGES, UNSEEN: unseen}.items()
        if name in signs
    ]
    groups += [
        [area_part(name, palette, glyphs), (f" {name}  ", palette.dim)]
        for name in (BOOTED, LOST)
        if name in signs
    ]
    if MEDIAN in signs and typical is not None:
        of = "of the baseline" if typical.is_baseline else f"of {plural(typical.boots, 'boot')}"
        is_told = typical.median_ns == median_ns
        figure = "" if is_told else f"{seconds(typical.median_ns)} s "
        words = f" median {figure}{of}  "
        groups.append([(glyphs.shadow, palette.dim), (words, palette.dim)])
    if BEYOND in signs:
        groups.append([(glyphs.beyond, palette.strong), (" goes on  ", palette.dim)])
    if scale_words:
        groups.append([(f"{scale_words} ", palette.dim)])
    return groups
