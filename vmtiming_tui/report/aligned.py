"""A table as lines of text whose columns line up, by the cells that a terminal gives each text."""

import math
import unicodedata
from collections.abc import Sequence

from vmtiming_tui.escape import printable
from vmtiming_tui.report.tables import Align, Cell, Table

FEWEST_DIGITS = 2

_NO_CELL = frozenset({"Mn", "Me", "Cf", "Cc"})
_JOINING_JAMO = (range(0x1160, 0x1200), range(0xD7B0, 0xD800))


def _cells_of(char: str) -> int:
    if unicodedata.category(char) in _NO_CELL or any(ord(char) in jamo for jamo in _JOINING_JAMO):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def width(text: str) -> int:
    """Return how many cells a text takes.

    After Unicode's East Asian Width (UAX #11) and general categories, as terminals reckon: wide
    and fullwidth characters take two; combining, enclosing and format characters, and the vowels
    and finals of a Hangul syllable, take none.
    """
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def at_left(text: str, cells: int) -> str:
    """Return a text with blanks after it, up to a width."""
    return text + " " * (cells - width(text))


def at_right(text: str, cells: int) -> str:
    """Return a text with blanks before it, up to a width."""
    return " " * (cells - width(text)) + text


def _column(cells: Sequence[Cell]) -> list[str]:
    """Return a column's short words; durations share their digits, so that their points align.

    They have as many as the one with the most, and no more than the largest needs.
    """
    times = [float(cell.sorts_as) if cell.sorts_as else math.inf for cell in cells]
    known = [abs(value) for value in times if math.isfinite(value)]
    if not any(known):
        return [cell.short for cell in cells]
    told = max(
        len(cell.short.rstrip("s").partition(".")[2])
        for cell, value in zip(cells, times, strict=True)
        if math.isfinite(value)
    )
    needed = max(3 - math.floor(math.log10(max(known))), FEWEST_DIGITS)
    return [
        f"{value:.{min(told, needed)}f}s" if math.isfinite(value) else cell.short
        for cell, value in zip(cells, times, strict=True)
    ]


def aligned_lines(table: Table) -> list[str]:
    """Return a table's lines, in its short words; whatever came from elsewhere is made safe."""
    cells = zip(*table.rows, strict=True) if table.rows else ((),) * len(table.heads)
    columns = [
        [printable(text, keep="") for text in (head.short or head.title, *_column(column))]
        for head, column in zip(table.heads, cells, strict=True)
    ]
    widths = [max(map(width, column)) for column in columns]
    fills = [at_right if head.align is Align.RIGHT else at_left for head in table.heads]
    return [
        "  ".join(
            fill(text, wide) for fill, text, wide in zip(fills, line, widths, strict=True)
        ).rstrip()
        for line in zip(*columns, strict=True)
    ]
