"""What pages in Markdown are put together from: foreign words made harmless, and tables."""

import re

from vmtiming_tui.escape import one_line
from vmtiming_tui.report.tables import Align, Cell, Head, Table
from vmtiming_tui.report.wording import NOTHING

_STEERING = re.compile(
    r"[\\`*_\[\]#|<>&~$@]|:(?=//)|(?<=www)\.|^[-+=:]|(?<=^\d)[.)]|(?<=^\d\d)[.)]", re.IGNORECASE
)
_REFERENCED = "`|<>&$@:."
_MAX_TEXT = 500


def escaped(text: str) -> str:
    """Return foreign text so that Markdown shows it and nothing in it is obeyed.

    Neither HTML nor a link, a mention, a table's bar or a list comes of it.
    """
    return _STEERING.sub(_escape, one_line(text, _MAX_TEXT).strip())


def _escape(match: re.Match[str]) -> str:
    found = match[0]
    return f"&#{ord(found)};" if found in _REFERENCED else f"\\{found}"


def markdown_table(table: Table) -> list[str]:
    """Return a table's lines, and an empty one after them."""
    heads = [escaped(head.title) for head in table.heads]
    rule = ["---:" if head.align is Align.RIGHT else "---" for head in table.heads]
    rows = [
        [_shown(head, cell) for head, cell in zip(table.heads, row, strict=True)]
        for row in table.rows
    ]
    return [f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows)] + [""]


def _shown(head: Head, cell: Cell) -> str:
    text = escaped(cell.text) if cell.is_foreign else cell.text
    return text or (NOTHING if head.align is Align.WRAPPED else "")


def note_lines(table: Table) -> list[str]:
    """Return what is to be said beside a table, a paragraph each."""
    lines: list[str] = []
    for note in table.notes:
        about = f"{escaped(note.about)}: " if note.about else ""
        lines += [f"{about}{escaped(note.text)}", ""]
    return lines
