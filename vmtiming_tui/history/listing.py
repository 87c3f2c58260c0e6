"""Past runs as lines of text for a terminal or a pipe: the list of them, and one shown again."""

from collections.abc import Sequence

from vmtiming_tui.analysis.comparison.samples import moment
from vmtiming_tui.analysis.comparison.sequential import told
from vmtiming_tui.analysis.hosts import run_hosts
from vmtiming_tui.analysis.kernel_times import kernel_figures
from vmtiming_tui.analysis.straggler import straggler_of
from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.analysis.sweep import sweep_of
from vmtiming_tui.analysis.thresholds import judged
from vmtiming_tui.escape import printable
from vmtiming_tui.history.rows import StoredRun
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.aligned import aligned_lines
from vmtiming_tui.report.findings import (
    decision_lines,
    shutdown_lines,
    sweep_lines,
    threshold_lines,
)
from vmtiming_tui.report.host_report import host_lines, hosts_words
from vmtiming_tui.report.kernel_report import kernel_lines
from vmtiming_tui.report.plain import PlainReport
from vmtiming_tui.report.straggler import slowest_vm_lines
from vmtiming_tui.report.tables import Align, Head, Table, foreign, own, share, took
from vmtiming_tui.request.labels import label_words


def history_lines(runs: Sequence[StoredRun]) -> list[str]:
    """Return the list of runs, a row each; what few runs have, where any of these has it."""
    if not runs:
        return ["No run has been kept yet."]
    table = _history_table(runs)
    if any(len(run.hosts) > 1 for run in runs):
        table = table.with_column(Head("hosts"), [own(str(len(run.hosts))) for run in runs])
    if any(run.baseline for run in runs):
        against = [foreign(run.baseline.label if run.baseline else "") for run in runs]
        table = table.with_column(Head("against"), against)
    if any(run.labels for run in runs):
        labels = [foreign(label_words(run.labels.items())) for run in runs]
        table = table.with_column(Head("labels", Align.LEFT), labels)
    return aligned_lines(table)


def _history_table(runs: Sequence[StoredRun]) -> Table:
    names = ("run", "name", "when", "state")
    figures = ("storms", "booted", "median", "p95", "all booted in", "accel")
    return Table(
        heads=(*(Head(name, Align.LEFT) for name in names), *map(Head, figures)),
        rows=tuple(
            (
                own(run.run),
                foreign(run.name),
                own(moment(run.wall_ns)),
                own(str(run.state)),
                own(str(run.storms)),
                share(run.booted, run.boots),
                took(run.median_s),
                took(run.p95_s),
                took(run.all_booted_in_s),
                own(run.accel),
            )
            for run in runs
        ),
    )


def show_lines(run: StoredRun, fleet: Fleet) -> list[str]:
    """Return a stored run's heading, and its report as it was printed."""
    where = hosts_words(run.hosts)
    heading = f"{run.run}  {moment(run.wall_ns)}  {run.state}  on {where}, {run.accel}"
    against = f"Held against {run.baseline}." if run.baseline else ""
    labels = f"Labels: {label_words(run.labels.items())}" if run.labels else ""
    words = [printable(text) for text in (run.name, run.notes, labels, against) if text]
    sweep, summary = sweep_of(fleet), summarise_fleet(fleet)
    return [
        printable(heading),
        *words,
        "",
        *PlainReport(fleet).final_lines(),
        *slowest_vm_lines(straggler_of(fleet)),
        *shutdown_lines(summary),
        *host_lines(run_hosts(fleet)),
        *kernel_lines(kernel_figures(fleet)),
        *decision_lines(fleet, told(fleet, None)),
        *threshold_lines(judged(fleet)),
        *(["", *sweep_lines(sweep)] if sweep else []),
    ]
