"""Foreign text made safe to show: everything unseen or steering becomes a visible escape."""

import shlex
import unicodedata
from collections.abc import Iterator, Sequence
from enum import Enum, auto

MAX_MARKS = 6
MAX_SHOWN = 1000

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_MARKS = frozenset({"Mn", "Me", "Mc"})
_BLANK = frozenset(
    map(
        chr,
        (
            # Default_Ignorable_Code_Point, as far as the category does not tell
            # (DerivedCoreProperties.txt of Unicode 15.1).
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180F, 0x3164, 0xFFA0),
            *range(0x180B, 0x180E),
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
            # Signs whose glyph is empty: Braille's and musical notation's, Khitan's filler.
            *(0x2800, 0x1D159, 0x16FE4),
        ),
    )
)
_JOINER = "\u200d"
_PRESENTATIONS = frozenset("\ufe0e\ufe0f")  # as text, as emoji
JOINING = _PRESENTATIONS | {_JOINER}
_KEYCAP = "\u20e3"
_KEYS = frozenset("0123456789#*")
_TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
_LIKE_EMOJI = frozenset({"So", "Sm"})
_EMOJI_TOO = frozenset("\u203c\u2049\u2139\u3030")  # emoji by emoji-data.txt, not by category


class _Kind(Enum):
    """How a character is treated: shown, escaped, or shown on what comes before it."""

    PLAIN = auto()
    UNSEEN = auto()
    MARK = auto()


def _kind(char: str) -> _Kind:
    category = unicodedata.category(char)
    if char in _BLANK or (category in _UNSEEN and char != " "):
        return _Kind.UNSEEN
    return _Kind.MARK if category in _MARKS else _Kind.PLAIN


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_emoji(char: str) -> bool:
    return not char.isascii() and (
        unicodedata.category(char) in _LIKE_EMOJI or char in _EMOJI_TOO or char in _TONES
    )


def _joins(before: str, char: str, after: str) -> bool:
    """Return whether an unseen character is part of an emoji (UTS #51): between two, or behind."""
    if char in _PRESENTATIONS:
        return _is_emoji(before) or (before in _KEYS and after == _KEYCAP)
    return char == _JOINER and _is_emoji(after) and (_is_emoji(before) or before in _PRESENTATIONS)


def _shown(text: str, kinds: dict[str, _Kind]) -> Iterator[str]:
    """Yield a text's characters as they are shown, each mark on a base of the text's own."""
    room = 0  # for marks, on the last character that was shown
    before = ""  # what was shown last; empty after an escape
    for char, after in zip(text, [*text[1:], ""], strict=True):
        match kinds[char]:
            case _Kind.PLAIN:
                room, before = 0 if char.isspace() else MAX_MARKS, char
            case _Kind.MARK if room:
                room, before = room - 1, char
            case _Kind.UNSEEN if before and _joins(before, char, after):
                before = char
            case _:
                room, before = 0, ""
                yield _escape(char)
                continue
        yield char


def printable(raw: bytes | str, *, keep: str = "\t") -> str:
    """Return foreign text with everything unseen or steering made visible as escapes.

    Control characters, escape sequences, invalid UTF-8, direction marks and whatever else shows
    nothing or looks like a blank and is none come out as ``\\x1b``, ``\\u202e`` and the like;
    characters in ``keep`` stay, and so do those that join an emoji. A mark with nothing of this
    text to stand on, such as the first character, is escaped too, and so are those beyond
    ``MAX_MARKS`` on one letter: pointed and accented Hebrew has five, Burmese six.
    """
    text = raw if isinstance(raw, str) else raw.decode(errors="backslashreplace")
    if text.isascii() and text.isprintable():
        return text
    kinds = {char: _Kind.PLAIN if char in keep else _kind(char) for char in set(text)}
    doubtful = {char: kind for char, kind in kinds.items() if kind is not _Kind.PLAIN}
    if _Kind.MARK in doubtful.values() or JOINING & doubtful.keys():
        return "".join(_shown(text, kinds))
    return text.translate({ord(char): _escape(char) for char in doubtful})


def one_line(raw: bytes | str, limit: int = MAX_SHOWN) -> str:
    """Return how foreign text begins, safe and short enough to be shown on one line."""
    text = printable(raw[:limit], keep="")
    if len(text) <= limit and len(raw) <= limit:
        return text
    return text[: limit - 1].rstrip("".join(JOINING)) + "…"


def _shell_word(word: str) -> str:
    if printable(word, keep="") == word:
        return shlex.quote(word)
    raw = word.encode(errors="surrogateescape")
    inside = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b"'\\" else f"\\x{byte:02x}"
        for byte in raw
    )
    return f"$'{inside}'"


def shell_line(argv: Sequence[str]) -> str:
    """Return a command as one line to show and to paste into bash, nothing in it unseen.

    Words with unseen characters come out as ``$'...'``, which keeps every byte.
    """
    return " ".join(map(_shell_word, argv))


def plural(count: int, noun: str) -> str:
    """Return ``1 VM``, ``2 VMs``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def are(count: int) -> str:
    """Return the verb that follows so many things."""
    return "is" if count == 1 else "are"


def were(count: int) -> str:
    """Return the verb that follows so many things of the past."""
    return "was" if count == 1 else "were"
