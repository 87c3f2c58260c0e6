"""A run written to a file: the format is the file's ending, the figures are those of the summary.

Every format is a pure function of one ``Document``; writing is apart, in ``atomic``.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vmtiming_tui.analysis.comparison.samples import Side
from vmtiming_tui.errors import ExportError
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export.atomic import write_whole

if TYPE_CHECKING:
    from vmtiming_tui.report.export.document import Document

# What a format needs is imported by who asks for it: a dashboard is to be there at once.


def _json(document: "Document") -> str:
    from vmtiming_tui.report.export.as_json import render_json  # noqa: PLC0415

    return render_json(document)


def _csv(document: "Document") -> str:
    from vmtiming_tui.report.export.as_csv import render_csv  # noqa: PLC0415

    return render_csv(document)


def _markdown(document: "Document") -> str:
    from vmtiming_tui.report.export.as_markdown import render_markdown  # noqa: PLC0415

    return render_markdown(document)


def _text(document: "Document") -> str:
    from vmtiming_tui.report.export.as_text import render_text  # noqa: PLC0415

    return render_text(document)


def _html(document: "Document") -> str:
    from vmtiming_tui.report.export.html.page import render_html  # noqa: PLC0415

    return render_html(document)


def _junit(document: "Document") -> str:
    from vmtiming_tui.report.export.as_junit import render_junit  # noqa: PLC0415

    return render_junit(document)


def _prometheus(document: "Document") -> str:
    from vmtiming_tui.report.export.as_prometheus import render_prometheus  # noqa: PLC0415

    return render_prometheus(document)


FORMATS: "Mapping[str, Callable[[Document], str]]" = {
    ".json": _json,
    ".csv": _csv,
    ".md": _markdown,
    ".txt": _text,
    ".html": _html,
    ".junit.xml": _junit,
    ".prom": _prometheus,
}
"""What a file's name ends in, and what writes it."""

NAMED: Mapping[str, str] = {ending.split(".")[1]: ending for ending in FORMATS}
"""The formats by name, where there is no file: ``json``, ``junit``, ..."""


def ending_of(path: Path) -> str:
    """Return the ending that tells a file's format, empty where it is none of ours."""
    name = path.name.lower()
    return next((ending for ending in FORMATS if name.removesuffix(ending) not in (name, "")), "")


def render(
    ending: str,
    fleet: Fleet,
    scope: Collection[int] | None = None,
    baseline: Side | None = None,
) -> str:
    """Return a run as a file's text; ``scope`` keeps only these VMs.

    With a ``baseline`` it says what the run is against that. Raises ``ExportError`` for an ending
    that is no format.
    """
    from vmtiming_tui.report.export.document import document_of  # noqa: PLC0415

    renderer = FORMATS.get(ending.lower())
    if renderer is None:
        raise ExportError(
            f"{ending or 'no ending'} is no format to export to",
            hint=f"end the file's name in one of {' '.join(FORMATS)}",
        )
    return renderer(document_of(fleet, scope, baseline))


def write_export(
    path: Path,
    fleet: Fleet,
    *,
    scope: Collection[int] | None = None,
    baseline: Side | None = None,
    overwrite: bool = True,
) -> Path:
    """Write a run to a file, whole or not at all, and return its path.

    Raises ``ExportError`` where it cannot be written; an existing file is then as it was.
    """
    text = render(ending_of(path) or path.suffix, fleet, scope, baseline)
    write_whole(path, text, overwrite=overwrite)
    return path
