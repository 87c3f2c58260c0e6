"""The tables and legends the HTML page is put together from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.report.export.html.markup import Content, Markup, tag
from vmtiming_tui.report.tables import Align, Cell, Head, Table
from vmtiming_tui.report.wording import STATE_SIGNS

STATE_STYLES = {
    VmState.BOOTED: "booted",
    VmState.FAILED: "failed",
    VmState.TIMED_OUT: "late",
}
_STYLES = {Align.LEFT: "left", Align.WRAPPED: "said"}


def section(title: str, *parts: Content) -> Markup:
    """Return a part of the page under its title."""
    return tag("section", tag("h2", title), *parts)


@dataclass(frozen=True, slots=True)
class Drawings:
    """A column of drawings, one a row, to stand before the column at ``place``."""

    title: str
    place: int
    each: Sequence[Markup]


def html_table(table: Table, *, name: str, drawings: Drawings | None = None) -> Markup:
    """Return a table that sorts by any of its columns but a drawn one."""
    heads = [
        tag(
            "th",
            tag("button", head.title, type="button"),
            scope="col",
            class_=None if head.align is Align.RIGHT else "left",
        )
        for head in table.heads
    ]
    rows = [
        [
            _cell(head, cell, is_head=place == 0)
            for place, (head, cell) in enumerate(zip(table.heads, row, strict=True))
        ]
        for row in table.rows
    ]
    if drawings is not None:
        heads.insert(drawings.place, tag("th", drawings.title, scope="col", class_="left"))
        for row, drawing in zip(rows, drawings.each, strict=True):
            row.insert(drawings.place, tag("td", drawing, class_="left"))
    head, body = tag("thead", tag("tr", *heads)), tag("tbody", *(tag("tr", *row) for row in rows))
    return tag("div", tag("table", head, body, class_="sortable", id=name), class_="wide")


def _cell(head: Head, cell: Cell, *, is_head: bool) -> Markup:
    """Return a cell, the head of its row or one in it; a figure sorts by all of its digits."""
    text, style = cell.text, _STYLES.get(head.align)
    if cell.state is not None:
        text = f"{STATE_SIGNS[cell.state]} {text}"
        style = f"{style} {STATE_STYLES.get(cell.state, 'dim')}"
    if is_head:
        return tag("th", text, scope="row", data_value=cell.sorts_as, class_=style)
    return tag("td", text, data_value=cell.sorts_as, class_=style)


def table_notes(table: Table) -> list[Markup]:
    """Return what is to be said beside a table, a paragraph each."""
    return [tag("p", str(note), class_="dim") for note in table.notes]


def pairs(table: Table) -> Markup:
    """Return a table of names and what each of them is, without a head."""
    body = [
        tag(
            "tr",
            tag("th", name.text, scope="row", class_="left"),
            tag("td", value.text, class_="left"),
        )
        for name, value in table.rows
    ]
    return tag("table", tag("tbody", *body), class_="plain")


def legend(keys: Iterable[tuple[str, str]]) -> Markup:
    """Return what each style of a drawing stands for."""
    items = []
    for style, label in keys:
        swatch = tag(
            "svg", tag("rect", width=10, height=10, rx=2, class_=style), viewBox="0 0 10 10"
        )
        items.append(tag("li", swatch, label, class_=style))
    return tag("ul", *items, class_="legend")


def stage_legend(stages: Iterable[Stage]) -> Markup:
    """Return what the colours of stages stand for."""
    return legend((f"stage-{stage}", str(stage)) for stage in stages)
