"""Foreign text made safe to show: everything unseen or steering becomes a visible escape."""

import shlex
import unicodedata
from collections.abc import Sequence

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _visible(char: str, keep: str) -> str:
    if char in keep or (char.isascii() and char.isprintable()):
        return char
    if unicodedata.category(char) not in _UNSEEN:
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def printable(raw: bytes | str, *, keep: str = "\t") -> str:
    """Return foreign text with everything unseen or steering made visible as escapes.

    Control characters, escape sequences, invalid UTF-8, direction marks and other format
    characters come out as ``\\x1b``, ``\\u202e`` and the like; characters in ``keep`` stay.
    """
    text = raw if isinstance(raw, str) else raw.decode(errors="backslashreplace")
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(char, keep) for char in text)


def _shell_word(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    raw = word.encode(errors="surrogateescape")
    inside = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b"'\\" else f"\\x{byte:02x}"
        for byte in raw
    )
    return f"$'{inside}'"


def shell_line(argv: Sequence[str]) -> str:
    """Return a command as one line to show and to paste into bash, nothing in it unseen.

    Words with control characters come out as ``$'...'``, which keeps every byte.
    """
    return " ".join(map(_shell_word, argv))


def plural(count: int, noun: str) -> str:
    """Return ``1 VM``, ``2 VMs``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
