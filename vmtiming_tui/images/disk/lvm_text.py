"""The text in which LVM keeps its metadata, read into mappings by a parser with bounds.

The grammar is that of lvm2's lib/config/config.c, as far as metadata uses it: sections in braces,
``key = value``, values that are numbers, strings or lists of these, and comments.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from vmtiming_tui.errors import ImageError

Scalar: TypeAlias = int | str
Value: TypeAlias = Scalar | list[Scalar]
Section: TypeAlias = Mapping[str, "Value | Section"]

_MAX_DEPTH = 8
_MAX_TOKENS = 500_000
_TOKEN = re.compile(
    r"""(?P<skip>[ \t\r\n]+|\#[^\n]*)
    |(?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+")
    |(?P<number>-?[0-9]{1,19}(?:\.[0-9]{1,19})?(?![\w.]))
    |(?P<word>[A-Za-z0-9_.+-]{1,200})
    |(?P<mark>[={}\[\],])""",
    re.VERBOSE | re.DOTALL,
)


def parse(text: str) -> Section:
    """Return the sections of LVM's metadata; raises ``ImageError`` where it is none."""
    tokens = _tokens(text)
    top: dict[str, Value | Section] = {}
    open_sections = [top]
    for kind, word in tokens:
        if (kind, word) == ("mark", "}") and len(open_sections) > 1:
            open_sections.pop()
            continue
        if kind not in ("word", "number"):
            raise _damaged()
        _, mark = next(tokens, ("", ""))
        here = open_sections[-1]
        if word in here:
            raise ImageError("LVM's metadata says one thing twice")
        if mark == "{" and len(open_sections) < _MAX_DEPTH:
            inner: dict[str, Value | Section] = {}
            here[word] = inner
            open_sections.append(inner)
        elif mark == "=":
            here[word] = _value(tokens)
        else:
            raise _damaged()
    if len(open_sections) > 1:
        raise _damaged()
    return top


def _damaged() -> ImageError:
    return ImageError("LVM's metadata is damaged")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = count = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        count += 1
        if not match or count > _MAX_TOKENS:
            raise _damaged()
        at = match.end()
        if match.lastgroup and match.lastgroup != "skip":
            yield match.lastgroup, match.group()


def _value(tokens: Iterator[tuple[str, str]]) -> Value:
    kind, word = next(tokens, ("", ""))
    if (kind, word) != ("mark", "["):
        return _scalar(kind, word)
    found: list[Scalar] = []
    kind, word = next(tokens, ("", ""))
    while (kind, word) != ("mark", "]"):
        found.append(_scalar(kind, word))
        kind, word = next(tokens, ("", ""))
        if (kind, word) == ("mark", ","):
            kind, word = next(tokens, ("", ""))
        elif word != "]":
            raise _damaged()
    return found


def _scalar(kind: str, word: str) -> Scalar:
    match kind:
        case "string":
            return re.sub(r"\\(.)", r"\1", word[1:-1], flags=re.DOTALL)
        case "number" if "." not in word:
            return int(word)
        case "number" | "word":
            return word
    raise _damaged()
