"""A run as one HTML page that needs nothing but itself."""

from html import escape

from vmtiming_tui.export.document import Document, figure_rows
from vmtiming_tui.text import printable


def render_html(document: Document) -> str:
    """Return the page."""
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in figure_rows(document.summary)
    )
    title = escape(printable(document.title))
    return (
        f"<!doctype html><title>{title}</title><p>{escape(document.word)}</p><table>{rows}</table>"
    )
