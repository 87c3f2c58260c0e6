"""Every boot of a run as a row of the page: how it ended, what it took, and what is doubtful."""

from collections.abc import Sequence

from vmtiming_tui.analysis.straggler import waited_share
from vmtiming_tui.escape import plural
from vmtiming_tui.report.export.document import Document, ExportedBoot, boot_table, known_stages
from vmtiming_tui.report.export.html import charts
from vmtiming_tui.report.export.html.markup import Markup, tag
from vmtiming_tui.report.export.html.parts import Drawings, html_table, stage_legend
from vmtiming_tui.report.tables import Align, Head, foreign, share_of

MOST_OPEN = 200
_MOST_TEXT = 2000


def boot_section(document: Document) -> Markup:
    """Return every attempt of every VM; folded where they are many."""
    boots = document.boots
    if not boots:
        return Markup("")
    field = tag(
        "input", type="search", placeholder="filter", aria_label="filter the boots", hidden=True,
        data_filters="vms",
    )  # fmt: skip
    listed = [stage_legend(known_stages(boots)), _table(boots)]
    if len(boots) > MOST_OPEN:
        folded = tag("summary", f"All {plural(len(boots), 'boot')} as a table")
        listed = [tag("details", folded, *listed)]
    above = tag("div", tag("h2", "Boots"), field, class_="above")
    return tag("section", above, *listed)


def _table(boots: Sequence[ExportedBoot]) -> Markup:
    longest_ns = max((boot.attempt.boot_ns or 0 for boot in boots), default=0)
    bars = [charts.stage_bar(boot, longest_ns) for boot in boots]
    storms = {boot.attempt.storm for boot in boots}
    table = boot_table(boots, with_storms=len(storms) > 1)
    place = next(at for at, head in enumerate(table.heads) if head.title == "boot") + 1
    shares = [waited_share(boot.attempt) for boot in boots]
    if any(shares):
        table = table.with_column(Head("waited for a CPU"), [share_of(each) for each in shares])
    words = [foreign(_words(boot)) for boot in boots]
    if any(cell.text for cell in words):
        table = table.with_column(Head("words", Align.WRAPPED), words)
    return html_table(table, name="vms", drawings=Drawings("stages", place, bars))


def _words(boot: ExportedBoot) -> str:
    """Return what is to be said of a boot: why it failed, or the guest's words if that is all."""
    if boot.attempt.why:
        return boot.attempt.why
    text = boot.attempt.text[:_MOST_TEXT] if boot.stages.from_text else ""
    return "; ".join(words for words in (boot.doubts, text) if words)
