"""Figures and words as the dashboard writes them, and lines of styled text that fit a width."""

import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from vmtiming_tui.escape import one_line, printable

Part: TypeAlias = tuple[str, Style]

BLANK = Style()
"""For blanks beside text without a background of its own: they take on its style."""


def seconds(ns: int | None, digits: int = 2) -> str:
    """Return a duration in seconds, fewer digits where there are many; empty where unknown."""
    if ns is None:
        return ""
    value = ns / 1e9
    if value >= 10_000:
        digits = 0
    elif value >= 1000:
        digits = min(digits, 1)
    return f"{value:.{digits}f}"


def passing(ns: int | None) -> str:
    """Return a time that still runs, in whole tenths of a second passed."""
    return "" if ns is None else f"{ns // 100_000_000 / 10:.1f}"


def clock(ns: int) -> str:
    """Return a time passed as ``m:ss.t`` or ``h:mm:ss``."""
    tenths = max(ns, 0) // 100_000_000
    minutes, rest = divmod(tenths, 600)
    if minutes >= 60:
        return f"{minutes // 60}:{minutes % 60:02d}:{rest // 10:02d}"
    return f"{minutes}:{rest // 10:02d}.{rest % 10}"


def to_come(ns: int) -> str:
    """Return a time to come, rounded up: ``35 s``, ``4 min``, ``1.5 h``."""
    whole = max(math.ceil(ns / 1e9), 1)
    if whole < 100:
        return f"{whole} s"
    if whole <= 5940:
        return f"{math.ceil(whole / 60)} min"
    return f"{math.ceil(whole / 360) / 10:.1f} h"


def size(count: int) -> str:
    """Return bytes in binary units with three significant digits: ``340 MiB``."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1000 or unit == "GiB":
            return f"{value:.0f} {unit}" if value >= 100 or unit == "B" else f"{value:.3g} {unit}"
        value /= 1024
    raise AssertionError


def shown(text: str) -> str:
    """Return foreign text safe for one line on a terminal, whatever made the stream it is from."""
    return one_line(text).strip()


def shown_lines(text: str) -> list[str]:
    """Return foreign text as lines safe for a terminal; tabs become spaces."""
    return [printable(line.expandtabs(8), keep="") for line in text.splitlines()]


_LIKENESSES = str.maketrans(
    {
        **dict.fromkeys("│┃", "|"),
        **dict.fromkeys("├┌┐└┘┤┬┴┼", "+"),
        **dict.fromkeys("─━–—", "-"),
        **dict.fromkeys("●○•·", "*"),
        **dict.fromkeys("“”", '"'),
        **dict.fromkeys("‘’", "'"),
        "×": "x",
        "→": ">",
        "…": "...",
    }
)


def as_ascii(text: str) -> str:
    """Return text for a terminal of ASCII: lines of trees look alike, ``?`` is any other sign."""
    if text.isascii():
        return text
    return text.translate(_LIKENESSES).encode("ascii", "replace").decode()


def clip(text: str, width: int, ellipsis: str = "…") -> str:
    """Return text no wider than ``width`` cells, its end replaced where it was."""
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return ellipsis[:width]
    return set_cell_size(text, width - 1).rstrip() + ellipsis


def filled(text: str, width: int) -> str:
    """Return text with blanks after it, up to ``width`` cells."""
    return text + " " * (width - cell_len(text))


def with_sign(text: str, at: int, style: Style, sign: Part | None) -> list[Part]:
    """Return a text with a sign of one cell in the place of its blank at ``at``, if there is one.

    The characters before it are of one cell each.
    """
    if sign is None:
        return [(text, style)]
    return [(text[:at], style), sign, (text[at + 1 :], style)]


def parts_width(parts: Iterable[Part]) -> int:
    """Return how many cells the parts take."""
    return sum(cell_len(text) for text, _ in parts)


def spread(
    left: Sequence[Part], right: Sequence[Part], width: int, ellipsis: str = "…"
) -> list[Part]:
    """Return one line with parts at its two ends; the left gives way where both do not fit."""
    room = width - parts_width(right)
    kept: list[Part] = []
    for text, style in left:
        needed = cell_len(text)
        if needed > room:
            if room > 1:
                kept.append((clip(text, room, ellipsis), style))
                room -= cell_len(kept[-1][0])
            break
        kept.append((text, style))
        room -= needed
    blank = Style()
    return [*kept, (" " * max(room, 0), blank), *right]


def fitting(groups: Iterable[Sequence[Part]], width: int) -> list[Part]:
    """Return the groups that fit a width as wholes, in their order."""
    kept: list[Part] = []
    for group in groups:
        needed = parts_width(group)
        if needed <= width:
            kept += group
            width -= needed
    return kept


def flowing(groups: Iterable[Sequence[Part]], width: int) -> list[list[Part]]:
    """Return the groups as lines, each group whole on the first line that has room for it."""
    lines: list[list[Part]] = []
    room = 0
    for group in groups:
        needed = parts_width(group)
        if not lines or needed > room:
            lines.append([])
            room = width
        lines[-1] += group
        room -= needed
    return lines


def segments(parts: Iterable[Part], under: Style) -> list[Segment]:
    """Return parts as segments on a background, neighbours of one style joined."""
    result: list[Segment] = []
    texts: list[str] = []
    last = BLANK
    for text, style in parts:
        if style is not last and style is not BLANK:
            if last is not BLANK:
                result.append(Segment("".join(texts), under + last))
                texts = []
            last = style
        texts.append(text)
    if texts:
        result.append(Segment("".join(texts), under + last))
    return result
