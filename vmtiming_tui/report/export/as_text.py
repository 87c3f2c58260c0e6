"""The original's report as a file: the plain report's last lines under a heading."""

from vmtiming_tui.escape import printable
from vmtiming_tui.report.export.document import Document
from vmtiming_tui.report.findings import (
    comparison_lines,
    decision_lines,
    shutdown_lines,
    sweep_verdict_lines,
    threshold_lines,
)
from vmtiming_tui.report.host_report import host_lines
from vmtiming_tui.report.kernel_report import kernel_lines
from vmtiming_tui.report.plain import PlainReport
from vmtiming_tui.report.straggler import slowest_vm_lines
from vmtiming_tui.request.labels import label_words


def render_text(document: Document) -> str:
    """Return the plain report's end; a run that was not done says so in its first line.

    Labels stand above it.
    """
    lines = PlainReport(document.fleet).final_lines(document.scope)
    warnings = [f"Warning: {printable(str(caution))}" for caution in document.cautions]
    marks = [document.word] if document.word else []
    if document.plan is not None and document.plan.labels:
        marks.append(f"Labels: {printable(label_words(document.plan.labels.items()))}")
    against = [f"Held against {printable(str(document.against))}."] if document.against else []
    if document.comparison is not None:
        against = comparison_lines(document.comparison)
    after = [
        *slowest_vm_lines(document.slowest),
        *shutdown_lines(document.summary),
        *host_lines(document.hosts),
        *kernel_lines(document.kernels),
    ]
    varied = sweep_verdict_lines(document.sweep) if document.sweep else []
    held = threshold_lines(document.judged)
    decided = decision_lines(document.fleet, document.decisions)
    return "\n".join([*marks, *lines, *after, *varied, *decided, *held, *against, *warnings]) + "\n"
