"""How many cells of a terminal a text takes, and texts filled up to a number of them."""

import unicodedata

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
