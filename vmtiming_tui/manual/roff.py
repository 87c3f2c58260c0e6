"""Markdown as the macros of man(7), for what the manual's topics are written in."""

import re
import textwrap
from collections.abc import Iterable, Iterator

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

_LINE = 78
# Beyond this many characters, what a row is about takes a paragraph of its own.
_TAG = 40
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
        yield from (".TP", _line(_text(first, bold=True))) if tags else (".PP", *_filled(first))
        if not tags:
            yield ".RS 4"
        for name, cell in zip(names[1:], cells, strict=True):
            if cell is not cells[0]:
                yield ".br"
            lead = f"{name}: " if len(cells) > 1 else ""
            yield from _wrapped(lead + (_text(cell) or r"\(en"))
        if not tags:
            yield ".RE"


def _plain(node: SyntaxTreeNode) -> str:
    if node.type in ("text", "code_inline"):
        return node.content
    return "".join(map(_plain, node.children))


def _text(node: SyntaxTreeNode, *, bold: bool = False) -> str:
    """Return what stands in a paragraph, heading or cell, on one line."""
    font = r"\fB" if bold else r"\fR"
    text = "".join(_inline(node, font))
    return rf"\fB{text}\fR" if bold else text


def _inline(parent: SyntaxTreeNode, font: str) -> Iterator[str]:
    for node in parent.children:
        match node.type:
            case "inline":
                yield from _inline(node, font)
            case "text":
                yield escaped(node.content)
            case "code_inline":
                yield rf"\fB{escaped(node.content)}{font}"
            case "strong":
                yield rf"\fB{''.join(_inline(node, font))}{font}"
            case "em":
                yield rf"\fI{''.join(_inline(node, font))}{font}"
            case "softbreak":
                yield " "
            case "link":
                yield "".join(_inline(node, font))
            case _:
                raise ValueError(f"the man page takes no {node.type}")


def _filled(node: SyntaxTreeNode) -> list[str]:
    return _wrapped(_text(node))


def _wrapped(text: str) -> list[str]:
    lines = textwrap.wrap(text, _LINE, break_long_words=False, break_on_hyphens=False)
    return [_line(line) for line in lines]


def _line(line: str) -> str:
    """Return a line that is no request of roff's, whatever it begins with."""
    return re.sub(r"^(?=[.'])", r"\\&", line)
