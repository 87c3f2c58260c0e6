"""Text wrapped at words, by the cells that a terminal gives it."""

import re

from rich.cells import cell_len, chop_cells

from vmtiming_tui.tui.drawing.styled import clip

_WORDS = re.compile(r"(\S+)(\s*)")


def wrapped(text: str, width: int, *, hang: int = 0) -> list[str]:
    """Return a text as lines of at most so many cells, broken between words where that can be.

    A line that goes on begins below the first one's first word, and ``hang`` cells further in. A
    word longer than a line is cut. Nothing is left out but blanks at the end of a line.
    """
    if cell_len(text) <= width:
        return [text]
    begins = len(text) - len(text.lstrip(" "))
    most = min(width // 2, max(width - 2, 0))
    line, indent = (" " * min(cells, most) for cells in (begins, begins + hang))
    lines: list[str] = []
    for word, blanks in _WORDS.findall(text):
        if line.strip() and cell_len(line) + cell_len(word) > width:
            lines.append(line.rstrip())
            line = indent
        *whole, rest = chop_cells(word, max(width - len(indent), 1))
        for piece in whole:
            lines.append(line + piece)
            line = indent
        line += rest + blanks
    return [*lines, line.rstrip()]


def first_lines(lines: list[str], most: int, width: int, ellipsis: str) -> list[str]:
    """Return so many lines at the most; the last one tells where there were more."""
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], clip(f"{lines[most - 1]} {ellipsis}", width, ellipsis)]
