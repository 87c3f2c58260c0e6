"""The filter of foreign text: what is unseen or steers is shown, what people write stays."""

import unicodedata

import pytest
from hypothesis import given, strategies as st

from vmtiming_tui.escape import MAX_MARKS, one_line, printable, shell_line

BLANK = [
    "\u115f", "\u1160", "\u3164", "\uffa0", "\u034f", "\u17b4", "\u17b5", "\u180b", "\u180d",
    "\u180e", "\u180f", "\u00ad", "\u061c", "\u200b", "\u200c", "\u200d", "\u200e", "\u202e",
    "\u2060", "\u2066", "\ufe00", "\ufe0f", "\ufeff", "\U000e0001", "\U000e0041", "\U000e01ef",
    "\u2800", "\U0001d159", "\U00016fe4", "\u00a0", "\u2003", "\u202f", "\u3000", "\u2028",
    "\x1b", "\x9b", "\x7f", "\ue000", "\U0010ffff", "\ud800",
]  # fmt: skip

WRITTEN = {
    "Vietnamese": "Tiếng Việt ở Huế",
    "Thai": "ที่นั่น น้ำ เก่าแก่",
    "Hindi": "क्षत्रिय कँपकँपी",
    "Hebrew with points and accents": "בְּרֵאשִׁ֖ית שָּֽׁ֖מַיִם",
    "Arabic with vowels": "العَرَبِيَّةُ",
    "Burmese": "မြန်မာ မြွှုံ့",
    "Tibetan": "བསྒྲུབས་ཧཱུྃ",
    "Korean": "한국어",
    "Japanese": "起動計測",
    "German": "Größe",
}

EMOJI = ["👩‍💻", "❤️", "1️⃣", "🏳️‍🌈", "👍🏽", "👩🏽‍🚀", "🇩🇪", "©️", "‼️", "↔️"]


@pytest.mark.parametrize("char", BLANK, ids=lambda char: f"U+{ord(char):04X}")
def test_what_shows_nothing_or_looks_like_a_blank_is_made_visible(char: str):
    shown = printable(f"a{char}b")

    assert shown.isascii()
    assert shown.startswith("a\\")
    assert f"{ord(char):x}" in shown


@pytest.mark.parametrize("language", WRITTEN)
def test_what_people_write_stays_as_it_is(language: str):
    text = WRITTEN[language]

    for form in ("NFC", "NFD"):
        assert printable(unicodedata.normalize(form, text)) == unicodedata.normalize(form, text)


@pytest.mark.parametrize("emoji", EMOJI)
def test_emoji_stay_whole(emoji: str):
    assert printable(f"booted {emoji} at last") == f"booted {emoji} at last"


@pytest.mark.parametrize(
    "text", ["a\ufe0fb", "👩\u200d", "\u200d👩", "👩\u200dx", "1\ufe0f", "+\u200d="]
)
def test_what_joins_emoji_joins_nothing_else(text: str):
    assert "\\u" in printable(text)


def test_a_stack_of_marks_is_cut_off():
    shown = printable("a" + "\u0301" * 500)

    assert shown.count("\u0301") == MAX_MARKS
    assert shown.count("\\u0301") == 500 - MAX_MARKS


@pytest.mark.parametrize("before", ["", " ", "\t", "\u202e", "\n", "a \u0301"])
def test_a_mark_stands_on_nothing_but_a_letter_of_its_own_text(before: str):
    shown = printable(f"{before}\u0336x", keep="\t\n")

    assert shown.endswith("\\u0336x")


def test_escapes_and_invalid_utf8_are_made_visible():
    assert printable(b"\x1b]0;x\x07caf\xe9\ttab") == "\\x1b]0;x\\x07caf\\xe9\ttab"
    assert printable("a\nb") == "a\\x0ab"
    assert printable("a\nb", keep="\n") == "a\nb"


def test_one_line_is_bounded_whatever_it_is_made_of():
    assert one_line("a\tb") == "a\\x09b"
    assert one_line("x" * 10, 10) == "x" * 10
    assert one_line("x" * 11, 10) == "x" * 9 + "…"
    assert one_line(b"\x00" * 5, 10) == "\\x00\\x00\\…"


def test_a_command_hides_nothing():
    assert shell_line(["a", "b c", "d\u3164e", "\u0301"]) == (
        "a 'b c' $'d\\xe3\\x85\\xa4e' $'\\xcc\\x81'"
    )


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_whatever_comes_in_is_safe_and_stays_so(raw: str | bytes):
    shown = printable(raw, keep="")
    joining = {"\u200d", "\ufe0e", "\ufe0f"}

    assert printable(shown, keep="") == shown
    assert all(char.isprintable() or char in joining for char in shown)
    assert not shown or unicodedata.category(shown[0])[0] != "M"
    assert "\n" not in one_line(raw)
