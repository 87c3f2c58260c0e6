"""A run as Markdown (GitHub's kind, tables included), for a ticket or a review."""

from collections.abc import Sequence

from vmtiming_tui.analysis.summary import Group
from vmtiming_tui.analysis.sweep import Sweep
from vmtiming_tui.report.export.comparison.as_markdown import caution_lines, pair_lines
from vmtiming_tui.report.export.document import Document, ExportedBoot, boot_table, fact_table
from vmtiming_tui.report.export.markdown_parts import escaped, markdown_table, note_lines
from vmtiming_tui.report.findings import decision_lines
from vmtiming_tui.report.host_report import host_table
from vmtiming_tui.report.kernel_report import kernel_table, kernel_title
from vmtiming_tui.report.straggler import slowest_vm_lines
from vmtiming_tui.report.tables import (
    Align,
    Head,
    figure_table,
    foreign,
    stage_table,
    storm_table,
    sweep_table,
    threshold_table,
)


def render_markdown(document: Document) -> str:
    """Return the run as a page: figures first, then what they rest on."""
    lines = [f"# {escaped(document.title)}", ""]
    if document.word:
        lines += [f"**{document.word}**", ""]
    lines += [f"{escaped(line)}\n" for line in slowest_vm_lines(document.slowest)]
    if document.sweep is not None:
        lines += _sweep(document.sweep)
    if document.has_several_storms:
        lines += _storms(document.groups)
    lines += [f"## {document.figures_title}", ""]
    lines += markdown_table(figure_table(document.summary))
    lines += _hosts(document)
    lines += _stages(document)
    lines += _kernels(document)
    lines += _decision(document)
    lines += _thresholds(document)
    lines += _comparison(document)
    lines += _vms(document)
    if document.cautions:
        lines += ["## Keep in mind", ""]
        lines += [f"- {escaped(str(caution))}" for caution in document.cautions]
        lines.append("")
    lines += ["## Circumstances", ""]
    lines += markdown_table(fact_table(document))
    return "\n".join(lines)


def _hosts(document: Document) -> list[str]:
    if document.hosts is None:
        return []
    table = host_table(document.hosts)
    return ["## Hosts", "", *note_lines(table), *markdown_table(table)]


def _kernels(document: Document) -> list[str]:
    lines: list[str] = []
    for figures in document.kernels:
        table = kernel_table(figures)
        lines += [f"## {escaped(kernel_title(figures))}", ""]
        lines += [*note_lines(table), *markdown_table(table)]
    return lines


def _decision(document: Document) -> list[str]:
    lines = decision_lines(document.fleet, document.decisions)
    return ["## Decision", "", *(f"    {line}" for line in lines), ""] if lines else []


def _thresholds(document: Document) -> list[str]:
    if not document.judged:
        return []
    return ["## Thresholds", "", *markdown_table(threshold_table(document.judged))]


def _comparison(document: Document) -> list[str]:
    comparison = document.comparison
    if comparison is None:
        return []
    against = f"Held against {escaped(str(comparison.against))}."
    found = [*pair_lines(comparison), *caution_lines(comparison.cautions)]
    return ["## Against the baseline", "", against, "", *found]


def _stages(document: Document) -> list[str]:
    table = stage_table(document.summary)
    if not table.rows and not table.notes:
        return []
    return ["## Stages", "", *note_lines(table), *markdown_table(table)]


def _vms(document: Document) -> list[str]:
    boots = document.listed
    if not boots:
        return []
    said = Head("what it said", Align.WRAPPED)
    table = boot_table(boots).with_column(said, [foreign(_said(boot)) for boot in boots])
    return ["## VMs", "", *markdown_table(table)]


def _said(boot: ExportedBoot) -> str:
    words = boot.attempt.why or boot.attempt.text
    return "; ".join(each for each in (boot.doubts, words) if each)


def _storms(groups: Sequence[Group]) -> list[str]:
    table = storm_table(groups, [storm for group in groups for storm in group.storms])
    return ["## Storms", "", *markdown_table(table.without_details()), *note_lines(table)]


def _sweep(sweep: Sweep) -> list[str]:
    table = sweep_table(sweep).without_details()
    return ["## Sweep", "", *markdown_table(table), *note_lines(table)]
