"""Columns stand by what a terminal shows, whatever script a name is in."""

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len

from vmtiming_tui.escape import printable
from vmtiming_tui.report.aligned import aligned_lines, at_left, at_right, width
from vmtiming_tui.report.tables import Align, Head, Table, own

SAMPLES = [
    ("", 0),
    ("plain", 5),
    ("v→ü", 3),
    ("起動計測", 8),
    ("ｈａｌｆ", 8),
    ("ﾊﾝｶｸ", 4),
    ("e\u0301", 1),
    ("한국어", 6),
    ("\u1112\u1161\u11ab", 2),
    ("नमस्ते", 4),
    ("สวัสดี", 4),
    ("🚀", 2),
    ("a\u200bb", 2),
    ("\u20dd", 0),
]


def lines_of(titles, rows, left=1):
    """The first ``left`` columns stand left, the others right."""
    heads = [
        Head(title, Align.LEFT if at < left else Align.RIGHT) for at, title in enumerate(titles)
    ]
    return aligned_lines(
        Table(heads=tuple(heads), rows=tuple(tuple(map(own, row)) for row in rows))
    )


@pytest.mark.parametrize(("text", "cells"), SAMPLES, ids=[repr(text) for text, _ in SAMPLES])
def test_a_text_takes_as_many_cells_as_a_terminal_shows(text: str, cells: int):
    assert width(text) == cells


@given(st.text(st.characters(categories=["L", "N", "P", "Zs", "Mn"], max_codepoint=0xFFFF)))
def test_filling_up_reaches_the_width_exactly(text: str):
    wanted = width(text) + 7
    assert width(at_left(text, wanted)) == width(at_right(text, wanted)) == wanted


def test_most_characters_are_reckoned_as_the_dashboard_reckons_them():
    seen = [char for code in range(0x20, 0x30000) if printable(char := chr(code)) == char]
    other = [char for char in seen if width(char) != cell_len(char)]
    assert len(other) < len(seen) // 200


@pytest.mark.parametrize("name", [text for text, _ in SAMPLES])
def test_columns_of_a_table_line_up_by_what_is_seen(name: str):
    heads, first, second = lines_of(
        ("name", "when", "n"), [(name, "x", "1"), ("b", "y", "22")], left=2
    )
    cells = {width(line[: line.index(mark)]) for line, mark in zip(
        (heads, first, second), ("when", "x", "y"), strict=True
    )}  # fmt: skip
    assert len(cells) == 1
    assert width(first) == width(second) == width(heads)


def test_a_tab_does_not_shift_a_column():
    assert lines_of(("a", "b"), [("x\ty", "1")])[1] == "x\\x09y  1"
