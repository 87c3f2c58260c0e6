"""Past runs as lines of text for a terminal or a pipe: the list of them, and one shown again."""

from collections.abc import Sequence

from vmtiming_tui.analysis.samples import moment
from vmtiming_tui.analysis.sweep import sweep_of
from vmtiming_tui.escape import printable
from vmtiming_tui.history.runs import StoredRun
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.plain import PlainReport
from vmtiming_tui.report.terminal import seconds, sweep_lines, table


def history_lines(runs: Sequence[StoredRun]) -> list[str]:
    """Return the list of runs, a row each."""
    if not runs:
        return ["No run has been kept yet."]
    were_held = any(run.baseline for run in runs)
    heads = (
        "run",
        "name",
        "when",
        "state",
        "storms",
        "booted",
        "median",
        "p95",
        "all booted in",
        "accel",
        *(["against"] if were_held else []),
    )
    rows = [
        (
            run.run,
            run.name,
            moment(run.wall_ns),
            str(run.state),
            str(run.storms),
            f"{run.booted}/{run.boots}",
            seconds(run.median_s),
            seconds(run.p95_s),
            seconds(run.all_booted_in_s),
            run.accel,
            *([run.baseline.label if run.baseline else ""] if were_held else []),
        )
        for run in runs
    ]
    return table(heads, rows, left=4)


def show_lines(run: StoredRun, fleet: Fleet) -> list[str]:
    """Return a stored run's heading, and its report as it was printed."""
    heading = f"{run.run}  {moment(run.wall_ns)}  {run.state}  on {run.host}, {run.accel}"
    against = f"Held against {run.baseline}." if run.baseline else ""
    words = [printable(text) for text in (run.name, run.notes, against) if text]
    sweep = sweep_of(fleet)
    return [
        printable(heading),
        *words,
        "",
        *PlainReport(fleet).final_lines(),
        *(["", *sweep_lines(sweep)] if sweep else []),
    ]
