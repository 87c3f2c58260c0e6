"""The dialog to export by: to a file of this host, or to the browser that a page is in."""

from collections.abc import Collection
from pathlib import Path

from vmtiming_tui.report.export import FORMATS, render
from vmtiming_tui.report.export.comparison import document as compared
from vmtiming_tui.report.export.comparison_formats import FORMATS as COMPARISON_FORMATS
from vmtiming_tui.tui.screens import export, export_comparison
from vmtiming_tui.tui.screens.dialog import Dialog
from vmtiming_tui.tui.screens.download import Download, DownloadScreen
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.keymap import Need


def export_of_run(model: Model) -> Dialog[None]:
    """Return what asks how to export a run."""
    if Need.TERMINAL in model.there:
        return export.ExportScreen(model)

    def rendered(ending: str, scope: Collection[int] | None) -> str:
        return render(ending, model.fleet, scope, model.baseline)

    stem = Path(export.suggested_name(model)).stem
    return DownloadScreen(model, Download(stem, tuple(FORMATS), rendered, is_of_vms=True))


def export_of_comparison(model: Model, document: compared.ComparisonDocument) -> Dialog[None]:
    """Return what asks how to export a comparison."""
    if Need.TERMINAL in model.there:
        return export_comparison.ExportComparisonScreen(model, document)

    def rendered(ending: str, _: object) -> str:
        return COMPARISON_FORMATS[ending](document)

    stem = Path(export_comparison.suggested_name(document)).stem
    endings = tuple(COMPARISON_FORMATS)
    return DownloadScreen(model, Download(stem, endings, rendered, is_of_vms=False))
