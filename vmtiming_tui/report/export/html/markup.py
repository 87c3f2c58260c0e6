"""HTML and SVG built from parts, escaped where they are put together, so nothing foreign gets in.

Text is made safe to show as everywhere else; only what ``tag`` returns is taken as markup.
"""

import html
from typing import TypeAlias

from vmtiming_tui.escape import printable

_VOID = frozenset({"meta", "link", "br", "hr", "input", "rect", "line", "path", "circle"})


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Content: TypeAlias = "str | Markup | int | float"
Attribute: TypeAlias = "str | int | float | bool | None"


def text(part: Content) -> Markup:
    """Return a part as markup: itself, or escaped."""
    if isinstance(part, Markup):
        return part
    if isinstance(part, float):
        part = f"{part:g}"
    return Markup(html.escape(printable(str(part), keep="\t\n")))


def join(*parts: Content) -> Markup:
    """Return parts one after the other."""
    return Markup("".join(map(text, parts)))


def tag(name: str, /, *parts: Content, **attributes: Attribute) -> Markup:
    """Return an element; ``class_`` stands for ``class``, ``_`` for ``-``.

    An attribute that is None or False is left out, True stands without a value, and a float has two
    decimals, which is enough for a drawing's coordinates.
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        attribute = key.rstrip("_").replace("_", "-")
        shown = f"{round(value, 2):g}" if isinstance(value, float) else value
        words.append(attribute if value is True else f'{attribute}="{text(shown)}"')
    opened = " ".join(words)
    if name in _VOID and not parts:
        return Markup(f"<{opened}/>")
    return Markup(f"<{opened}>{join(*parts)}</{name}>")
