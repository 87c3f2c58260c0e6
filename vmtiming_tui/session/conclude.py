"""What is done at a run's end: its exports, the gate against a baseline, the exit code."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from vmtiming_tui.analysis.cautions import cautions
from vmtiming_tui.analysis.comparison.compare import Comparison, Gate, compare_sides
from vmtiming_tui.analysis.comparison.samples import THIS_RUN, side_of
from vmtiming_tui.analysis.comparison.sequential import told
from vmtiming_tui.analysis.exit_code import ExitCode, exit_code, reasons
from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.analysis.sweep import sweep_of
from vmtiming_tui.analysis.thresholds import judged
from vmtiming_tui.errors import ExportError
from vmtiming_tui.escape import printable
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export import write_export
from vmtiming_tui.report.findings import (
    comparison_lines,
    decision_lines,
    shutdown_lines,
    sweep_verdict_lines,
    threshold_lines,
)
from vmtiming_tui.session.wishes import Wishes

Say: TypeAlias = Callable[[str], None]

_RANK = (
    ExitCode.ALL_BOOTED,
    ExitCode.CANNOT_TELL,
    ExitCode.TOO_SLOW,
    ExitCode.SOME_FAILED,
    ExitCode.INTERRUPTED,
)
"""What outranks what of an exit code's reasons, the least first."""


def write_exports(fleet: Fleet, wishes: Wishes) -> tuple[list[Path], list[ExportError]]:
    """Write every export that was asked for; one that fails does not stop the others."""
    written, failed = [], []
    for path in wishes.exports:
        try:
            written.append(write_export(path, fleet, baseline=wishes.baseline))
        except ExportError as error:
            failed.append(error)
    return written, failed


def _gate(fleet: Fleet, wishes: Wishes, say: Say) -> ExitCode:
    """Compare with the baseline, where there is one; return what it makes of the run."""
    if wishes.baseline is None:
        return ExitCode.ALL_BOOTED
    comparison = compare_sides(wishes.baseline, side_of(fleet, THIS_RUN))
    for line in comparison_lines(comparison):
        say(line)
    if wishes.fail_slower is None:
        return ExitCode.ALL_BOOTED
    return gate_code(
        comparison, wishes.fail_slower, allow_undecided=wishes.allow_undecided, say=say
    )


def gates_code(
    comparisons: Iterable[Comparison], percent: float, *, allow_undecided: bool, say: Say
) -> ExitCode:
    """Return the gravest exit code of several gates, and say of each why it is not 0."""
    codes = [
        gate_code(each, percent, allow_undecided=allow_undecided, say=say) for each in comparisons
    ]
    return max(codes, key=_RANK.index)


def gate_code(
    comparison: Comparison, percent: float, *, allow_undecided: bool, say: Say
) -> ExitCode:
    """Return the exit code of a gate, and say why it is not 0."""
    first, second = printable(comparison.first), printable(comparison.second)
    match comparison.gate(percent):
        case Gate.PASSED:
            return ExitCode.ALL_BOOTED
        case Gate.TOO_SLOW:
            say(f"Exit: {second} is slower than {first} by more than {percent:g} % for sure")
            return ExitCode.TOO_SLOW
        case Gate.CANNOT_TELL:
            say(
                f"Exit: whether {second} is slower than {first} by more than {percent:g} % "
                f"cannot be told{' (allowed)' if allow_undecided else ''}"
            )
            return ExitCode.ALL_BOOTED if allow_undecided else ExitCode.CANNOT_TELL


def conclude(fleet: Fleet, wishes: Wishes, say: Say) -> int:
    """Export what was asked for, say what is left to say, and return the exit code.

    The exports come first: nobody may be there to be told anything. Not all booted outranks too
    slow, which outranks what cannot be told.
    """
    written, failed = write_exports(fleet, wishes)
    for line in shutdown_lines(summarise_fleet(fleet)):
        say(line)
    decided = decision_lines(fleet, told(fleet, wishes.baseline))
    if not decided and (sweep := sweep_of(fleet)):
        decided = sweep_verdict_lines(sweep)
    for line in (*decided, *threshold_lines(judged(fleet))):
        say(line)
    for caution in cautions(fleet):
        say(f"Warning: {caution}")
    for path in written:
        say(f"Wrote {printable(str(path))}")
    for error in failed:
        say(f"Error: {error}")
        if error.hint:
            say(f"  {error.hint}")
    gate = _gate(fleet, wishes, say)
    for reason in reasons(fleet):
        # What the run failed of was said as it came.
        if fleet.failure is None or reason != fleet.failure.why:
            say(f"Exit: {reason}")
    code = exit_code(fleet, allow_undecided=wishes.allow_undecided)
    if failed and code in (ExitCode.ALL_BOOTED, ExitCode.CANNOT_TELL):
        return ExitCode.SOME_FAILED
    return max(code, gate, key=_RANK.index)
