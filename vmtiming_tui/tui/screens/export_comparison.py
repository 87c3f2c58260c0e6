"""Where to write a comparison, and in which format; written as ``compare -o`` does."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Label, Static

from vmtiming_tui.report.export.comparison.document import ComparisonDocument
from vmtiming_tui.report.export.comparison_formats import FORMATS, write_comparison
from vmtiming_tui.tui.screens.export import ExportScreen
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.widgets.field import Field


def suggested_name(document: ComparisonDocument) -> str:
    """Return a file name that says what is held against what."""
    words = re.sub(r"[^\w.-]+", "-", document.title).strip("-.")
    return f"{words[:80] or 'comparison'}.md"


class ExportComparisonScreen(ExportScreen):
    """Asks for the file alone: a comparison is of all VMs."""

    ENDINGS: ClassVar[Collection[str]] = FORMATS.keys()

    def __init__(self, model: Model, document: ComparisonDocument) -> None:
        super().__init__(model)
        self._document = document

    def compose(self) -> ComposeResult:
        """Path, and what comes of it."""
        with Vertical(classes="box form") as box:
            box.border_title = "Export the comparison"
            yield Label("File; its ending is the format", classes="name-above")
            yield Field(suggested_name(self._document), id="path")
            yield Static("", id="format", markup=False, classes="note")
            yield Static("", id="result", markup=False)
            with Horizontal(classes="buttons"):
                yield from self.buttons()

    def tell_partial(self) -> None:
        """Say nothing: what a comparison leaves out is among its own words."""

    def ending_of(self, path: Path) -> str:
        """Return the ending that tells a comparison's format, empty where it is none."""
        return ending if (ending := path.suffix.lower()) in FORMATS else ""

    def scope(self) -> None:
        """A comparison is of all VMs."""

    def write_file(self, path: Path, scope: Collection[int] | None) -> Path:
        """Write the comparison and return its path; raises ``ExportError``."""
        return write_comparison(path, self._document)
