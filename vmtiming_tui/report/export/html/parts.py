"""The tables and legends the HTML page is put together from."""

from collections.abc import Iterable, Sequence

from vmtiming_tui.report.export.document import seconds
from vmtiming_tui.report.export.html.markup import Markup, Part, tag

DRAWN = "stages"
SAID = "words"


def table(names: Sequence[str], rows: Iterable[Markup], *, left: int = 1, name: str) -> Markup:
    """Return a table that sorts by any of its columns but a drawn one."""
    heads = [
        tag(
            "th",
            name_of if name_of == DRAWN else tag("button", name_of, type="button"),
            scope="col",
            class_="left" if index < left or name_of in (DRAWN, SAID) else None,
        )
        for index, name_of in enumerate(names)
    ]
    head, body = tag("thead", tag("tr", *heads)), tag("tbody", *rows)
    return tag("div", tag("table", head, body, class_="sortable", id=name), class_="wide")


def row(*cells: Part, left: int = 1) -> Markup:
    return tag(
        "tr",
        *(
            cell
            if isinstance(cell, Markup) and cell.startswith("<td")
            else tag("td", cell, class_="left" if index < left else None)
            for index, cell in enumerate(cells)
        ),
    )


def time_cell(value_s: float | None, *, mark: str | None = None) -> Markup:
    """Return a cell of seconds that sorts by all of its digits."""
    sort = "" if value_s is None else repr(value_s)
    return tag("td", seconds(value_s), data_value=sort, class_=mark)


def time_ns(value_ns: int | None) -> Markup:
    return time_cell(None if value_ns is None else value_ns / 1e9)


def pairs(rows: Iterable[tuple[str, str]]) -> Markup:
    body = [
        tag("tr", tag("th", name, scope="row", class_="left"), tag("td", value, class_="left"))
        for name, value in rows
    ]
    return tag("table", tag("tbody", *body), class_="plain")


def legend(keys: Iterable[tuple[str, str]]) -> Markup:
    items = []
    for style, label in keys:
        swatch = tag(
            "svg", tag("rect", width=10, height=10, rx=2, class_=style), viewBox="0 0 10 10"
        )
        items.append(tag("li", swatch, label, class_=style))
    return tag("ul", *items, class_="legend")
