"""A comparison written to a file: the format is the file's ending, as of a run's exports.

Every format is a pure function of one ``ComparisonDocument``; writing is apart, in ``atomic``.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from vmtiming_tui.errors import ExportError
from vmtiming_tui.report.export.atomic import write_whole
from vmtiming_tui.report.export.comparison.as_json import render_json
from vmtiming_tui.report.export.comparison.as_markdown import render_markdown
from vmtiming_tui.report.export.comparison.document import ComparisonDocument
from vmtiming_tui.report.export.html.comparison import render_html

FORMATS: Mapping[str, Callable[[ComparisonDocument], str]] = {
    ".md": render_markdown,
    ".json": render_json,
    ".html": render_html,
}
"""What a file's name ends in, and what writes it."""

NAMED: Mapping[str, str] = {ending.removeprefix("."): ending for ending in FORMATS}
"""The formats by name, where there is no file."""


def renderer_of(path: Path) -> Callable[[ComparisonDocument], str]:
    """Return what writes a file of this name; raises ``ExportError`` where its ending is none."""
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise ExportError(
            f"{path.suffix or 'no ending'} is no format of a comparison",
            hint=f"end the file's name in one of {' '.join(FORMATS)}",
        )
    return found


def write_comparison(path: Path, document: ComparisonDocument, *, overwrite: bool = True) -> Path:
    """Write a comparison to a file, whole or not at all, and return its path.

    Raises ``ExportError`` where it cannot be written; an existing file is then as it was.
    """
    write_whole(path, renderer_of(path)(document), overwrite=overwrite)
    return path
