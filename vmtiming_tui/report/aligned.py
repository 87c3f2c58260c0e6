"""A table as lines of text whose columns line up, by the cells that a terminal gives each text."""

import unicodedata

from vmtiming_tui.escape import printable
from vmtiming_tui.report.tables import Align, Table

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


def aligned_lines(table: Table) -> list[str]:
    """Return a table's lines, in its short words; whatever came from elsewhere is made safe."""
    heads = [head.short or head.title for head in table.heads]
    rows = [heads, *([cell.short for cell in row] for row in table.rows)]
    lines = [[printable(cell, keep="") for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    fills = [at_right if head.align is Align.RIGHT else at_left for head in table.heads]
    return [
        "  ".join(
            fill(cell, cells) for fill, cell, cells in zip(fills, line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]
