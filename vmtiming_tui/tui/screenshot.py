"""A picture of the screen as a file, never over another one."""

import datetime
import html
import re
from pathlib import Path
from typing import Any

from textual.app import App

_TEXT = re.compile(
    r'(<text [^>]*?) x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)"([^>]*)>([^<]*)</text>'
)
_RUN = re.compile(r"[\x20-\x7e\xa0]+|[^\x20-\x7e\xa0]")


def evened(picture: str) -> str:
    """Return an SVG picture in which every sign stands in its own cell.

    A viewer draws signs its monospace font lacks from another font, of another width; all that
    follows in the same piece of text would be out of place.
    """

    def split(match: re.Match[str]) -> str:
        head, x, y, length, tail, escaped = match.groups()
        text = html.unescape(escaped)
        if text.isascii() or not text:
            return match[0]
        cell = float(length) / len(text)
        pieces = []
        for run in _RUN.finditer(text):
            if run[0].strip(" \xa0"):
                at, wide = float(x) + run.start() * cell, len(run[0]) * cell
                words = html.escape(run[0]).replace(" ", "&#160;")
                pieces.append(
                    f'{head} x="{at:.2f}" y="{y}" textLength="{wide:.2f}"{tail}>{words}</text>'
                )
        return "".join(pieces)

    return _TEXT.sub(split, picture)


def picture_of(app: App[Any]) -> str:
    """Return the screen as SVG."""
    return evened(app.export_screenshot(title="vm-timing-report"))


def suggested_name() -> str:
    """Return a file name for a picture of now."""
    return f"vm-timing-{datetime.datetime.now():%Y%m%d-%H%M%S}.svg"


def save(app: App[Any], *, folder: str | None = None, name: str | None = None) -> Path:
    """Write the screen as SVG and return its path; raises ``OSError`` where that cannot be."""
    base = Path(folder) if folder else Path.cwd()
    stem = Path(name or suggested_name()).stem
    picture = picture_of(app)
    for number in range(1, 1000):
        path = base / (f"{stem}.svg" if number == 1 else f"{stem}-{number}.svg")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(picture)
        except FileExistsError:
            continue
        return path.resolve()
    raise FileExistsError(17, "a thousand pictures of this second are there already", str(base))
