"""Markdown as the macros of man(7), for what the manual's topics are written in."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

_LINE = 78
# Beyond this many characters, what a row is about takes a paragraph of its own.
_TAG = 40
_ROMAN, _BOLD, _ITALIC = r"\fR", r"\fB", r"\fI"
# Names of groff_char(7), which mandoc knows as well.
_NAMED = {
    "\\": r"\(rs", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti",
    "“": r"\(lq", "”": r"\(rq", "’": r"\(cq", "–": r"\(en", "…": r"\&...",
}  # fmt: skip


def escaped(text: str) -> str:
    """Return text that roff sets letter for letter."""
    return "".join(map(_escaped, text))


def _escaped(sign: str) -> str:
    if sign in _NAMED:
        return _NAMED[sign]
    return sign if sign.isascii() else rf"\[u{ord(sign):04X}]"


def roff(markdown: str) -> str:
    """Return Markdown as roff: a heading of the second level is ``.SS``, deeper ones are bold."""
    tree = SyntaxTreeNode(MarkdownIt("commonmark").enable("table").parse(markdown))
    return "\n".join(_blocks(tree.children)) + "\n"


def _blocks(nodes: Iterable[SyntaxTreeNode]) -> Iterator[str]:
    for node in nodes:
        match node.type:
            case "heading" if node.tag == "h2":
                yield f".SS {_text(node)}"
            case "heading":
                yield from (".PP", f".B {_text(node)}")
            case "paragraph":
                yield from (".PP", *_filled(node))
            case "fence" | "code_block":
                lines = node.content.rstrip("\n").split("\n")
                yield from (".PP", ".RS 4", ".nf", *map(_line, map(escaped, lines)), ".fi", ".RE")
            case "bullet_list":
                for item in node.children:
                    yield r".IP \(bu 3"
                    yield from _item(item)
            case "ordered_list":
                for number, item in enumerate(node.children, 1):
                    yield f".IP {number}. 4"
                    yield from _item(item)
            case "table":
                yield from _table(node)
            case _:
                raise ValueError(f"the man page takes no {node.type}")


def _item(item: SyntaxTreeNode) -> Iterator[str]:
    """Return a list's item: its first paragraph, and what follows, indented with it."""
    first, *rest = item.children
    yield from _filled(first)
    if rest:
        yield from (".RS", *_blocks(rest), ".RE")


def _table(table: SyntaxTreeNode) -> Iterator[str]:
    """Return a table as a list: any terminal is too narrow for three columns of sentences."""
    head, *bodies = table.children
    names = [_text(cell) for cell in head.children[0].children]
    rows = [row.children for body in bodies for row in body.children]
    tags = max(len(_plain(row[0])) for row in rows) <= _TAG
    for first, *cells in rows:
        told = _cells(names[1:], cells)
        if tags:
            yield from (".TP", _in_font(_BOLD, _text(first, font=_BOLD), _ROMAN), *told)
        else:
            yield from (".PP", *_filled(first), ".RS 4", *told, ".RE")


def _cells(names: Sequence[str], cells: Sequence[SyntaxTreeNode]) -> Iterator[str]:
    """Return what a row says, a cell a line; of several each has its name before it."""
    for number, (name, cell) in enumerate(zip(names, cells, strict=True)):
        if number:
            yield ".br"
        lead = f"{name}: " if len(cells) > 1 else ""
        yield from _wrapped(lead + (_text(cell) or r"\(en"))


def _plain(node: SyntaxTreeNode) -> str:
    if node.type in ("text", "code_inline"):
        return node.content
    return "".join(map(_plain, node.children))


def _text(node: SyntaxTreeNode, *, font: str = _ROMAN) -> str:
    """Return what stands in a paragraph, heading or cell, on one line; it ends in ``font``."""
    return "".join(_inline(node, font))


def _inline(parent: SyntaxTreeNode, font: str) -> Iterator[str]:
    for node in parent.children:
        match node.type:
            case "text":
                yield escaped(node.content)
            case "softbreak":
                yield " "
            case "code_inline":
                yield _in_font(_BOLD, escaped(node.content), font)
            case "strong":
                yield _in_font(_BOLD, _text(node, font=_BOLD), font)
            case "em":
                yield _in_font(_ITALIC, _text(node, font=_ITALIC), font)
            case "inline" | "link":
                yield from _inline(node, font)
            case _:
                raise ValueError(f"the man page takes no {node.type}")


def _in_font(font: str, text: str, around: str) -> str:
    return text if font == around else f"{font}{text}{around}"


def _filled(node: SyntaxTreeNode) -> list[str]:
    return _wrapped(_text(node))


def _wrapped(text: str) -> list[str]:
    lines = textwrap.wrap(text, _LINE, break_long_words=False, break_on_hyphens=False)
    return [_line(line) for line in lines]


def _line(line: str) -> str:
    """Return a line that is no request of roff's, whatever it begins with."""
    return re.sub(r"^(?=[.'])", r"\\&", line)
