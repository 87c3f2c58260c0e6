"""Foreign text made safe to show: everything unseen or steering becomes a visible escape."""

import unicodedata

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
