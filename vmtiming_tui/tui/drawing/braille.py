"""The completion curve as characters: filled braille, or ASCII columns; pure."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

_LEFT = (0x00, 0x40, 0x44, 0x46, 0x47)
_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
_RIGHT = (0x00, 0x80, 0xA0, 0xB0, 0xB8)


def step_heights(
    curve: Sequence[tuple[int, int]], *, until_ns: int, span_ns: int, top: int, columns: int,
    levels: int,
) -> list[int]:  # fmt: skip
    """Return the height of each dot column, 0 to ``levels``; -1 beyond ``until_ns``.

    ``curve`` is (ns, k) rising in both; the axis is ``span_ns`` wide and ``top`` high. A VM that
    has booted is always at least one dot, and only all of them reach the top.
    """
    times = [at for at, _ in curve]
    heights = []
    for column in range(columns):
        at_ns = (column + 1) * span_ns // columns
        if column * span_ns // columns > until_ns:
            heights.append(-1)
            continue
        known = bisect_right(times, at_ns)
        count = curve[known - 1][1] if known else 0
        if not count or top <= 0:
            heights.append(0)
        else:
            full = count >= top
            heights.append(levels if full else max(1, min(count * levels // top, levels - 1)))
    return heights


def braille_rows(heights: Sequence[int], rows: int) -> list[str]:
    """Return rows of filled braille, top first, from two dot columns a character."""
    pairs = [(max(left, 0), max(right, 0)) for left, right in _pairs(heights)]
    result = []
    for row in range(rows):
        above = row * 4
        blank = [0] * (rows * 4 - above - 4)
        left_dots = [*blank, *_LEFT, *[_LEFT[4]] * above]
        right_dots = [*blank, *_RIGHT, *[_RIGHT[4]] * above]
        signs = [chr(0x2800 + left_dots[left] + right_dots[right]) for left, right in pairs]
        result.append("".join(signs).replace("\u2800", " "))
    return result


def _pairs(heights: Sequence[int]) -> Iterable[tuple[int, int]]:
    return zip(heights[::2], heights[1::2], strict=True)


def ascii_rows(heights: Sequence[int], rows: int) -> list[str]:
    """Return rows of ``#``, top first; each character has two levels, ``.`` and ``#``."""
    result = []
    for row in range(rows):
        base = (rows - 1 - row) * 2
        result.append("".join(" .#"[max(0, min(height - base, 2))] for height in heights))
    return result


def outline_rows(heights: Sequence[int], rows: int, *, braille: bool) -> list[str]:
    """Return rows, top first, of a line along the heights, its steps joined; blanks elsewhere."""
    levels, wide = (4, 2) if braille else (2, 1)
    cells = [[0] * (len(heights) // wide) for _ in range(rows)]
    before = 0
    for column, height in enumerate(heights):
        for level in range(max(min(before, height), 1), max(height, 0) + 1):
            row, dot = rows - 1 - (level - 1) // levels, (level - 1) % levels
            cells[row][column // wide] |= _DOTS[column % 2][dot] if braille else 1
        before = max(height, 0)
    return [
        "".join(" " if not dots else chr(0x2800 + dots) if braille else "*" for dots in row)
        for row in cells
    ]


def sparkline(values: Sequence[float], blocks: str, width: int, top: float = 100.0) -> str:
    """Return the last values as one line of blocks."""
    steps = len(blocks) - 1
    return "".join(
        blocks[max(0, min(round(value / top * steps), steps))] for value in values[-width:]
    )
