"""Text wrapped at words."""

from hypothesis import given, settings, strategies as st
from rich.cells import cell_len

from vmtiming_tui.tui.drawing.wrapping import first_lines, wrapped


def test_lines_break_between_words_and_go_on_below_the_first_word():
    assert wrapped("  one two three four", 11) == ["  one two", "  three", "  four"]


def test_what_goes_on_may_hang():
    assert wrapped("one two three", 8, hang=2) == ["one two", "  three"]


def test_a_word_longer_than_a_line_is_cut():
    assert wrapped("an abcdefghijkl b", 5) == ["an", "abcde", "fghij", "kl b"]


def test_wide_characters_take_two_cells():
    assert wrapped("起動 計測 起動", 5) == ["起動", "計測", "起動"]


def test_of_too_many_lines_the_last_one_says_so():
    assert first_lines(["one", "two", "three"], 2, 5, "…") == ["one", "two …"]
    assert first_lines(["one", "twofor", "three"], 2, 6, "…") == ["one", "twofo…"]
    assert first_lines(["one", "two"], 2, 5, "…") == ["one", "two"]


@settings(max_examples=60)
@given(st.text(alphabet="ab 起é", max_size=60), st.integers(2, 20), st.integers(0, 4))
def test_every_line_fits_and_no_word_is_lost(text, width, hang):
    lines = wrapped(text, width, hang=hang)

    assert all(cell_len(line) <= width for line in lines if len(lines) > 1)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
