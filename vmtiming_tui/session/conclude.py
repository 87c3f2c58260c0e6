"""What is done at a run's end: its exports, the gate against a baseline, the exit code."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from vmtiming_tui.analysis.cautions import cautions
from vmtiming_tui.analysis.comparison.compare import Comparison, Gate, compare_sides
from vmtiming_tui.analysis.comparison.samples import THIS_RUN, side_of
from vmtiming_tui.analysis.comparison.sequential import told
from vmtiming_tui.analysis.exit_code import ExitCode, exit_code, reasons
from vmtiming_tui.analysis.hosts import run_hosts
from vmtiming_tui.analysis.kernel_times import kernel_figures
from vmtiming_tui.analysis.straggler import straggler_of
from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.analysis.sweep import sweep_of
from vmtiming_tui.analysis.thresholds import judged
from vmtiming_tui.errors import ExportError
from vmtiming_tui.escape import printable
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export import write_export
from vmtiming_tui.report.export.annotations import (
    MAX_SUMMARY_BYTES,
    annotation_lines,
    step_summary,
)
from vmtiming_tui.report.export.document import document_of
from vmtiming_tui.report.findings import (
    comparison_lines,
    decision_lines,
    shutdown_lines,
    sweep_verdict_lines,
    threshold_lines,
)
from vmtiming_tui.report.host_report import host_lines
from vmtiming_tui.report.kernel_report import kernel_lines
from vmtiming_tui.report.straggler import slowest_vm_lines
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


def _append_summary(fleet: Fleet, wishes: Wishes) -> list[ExportError]:
    """Add the run to the summary of a GitHub step, where that was asked for."""
    path = wishes.step_summary
    if path is None:
        return []
    try:
        room = MAX_SUMMARY_BYTES - (path.stat().st_size if path.exists() else 0)
        text = step_summary(document_of(fleet, baseline=wishes.baseline), room)
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        why = f"the step's summary {printable(str(path))} was not written: {error.strerror}"
        return [ExportError(why, hint="GITHUB_STEP_SUMMARY names it; is it to be written to?")]
    return []


@dataclass(frozen=True, slots=True)
class Gated:
    """What a comparison makes of a run: the exit code, and why that, empty where it passed."""

    code: ExitCode = ExitCode.ALL_BOOTED
    why: str = ""
    cautions: tuple[str, ...] = ()


def _gate(fleet: Fleet, wishes: Wishes, say: Say) -> Gated:
    """Compare with the baseline, where there is one; return what it makes of the run."""
    if wishes.baseline is None:
        return Gated()
    comparison = compare_sides(wishes.baseline, side_of(fleet, THIS_RUN))
    for line in comparison_lines(comparison):
        say(line)
    if wishes.fail_slower is None:
        return Gated(cautions=tuple(comparison.cautions))
    return _gated(comparison, wishes.fail_slower, allow_undecided=wishes.allow_undecided)


def _gated(comparison: Comparison, percent: float, *, allow_undecided: bool) -> Gated:
    first, second = printable(comparison.first), printable(comparison.second)
    slower = f"{second} is slower than {first} by more than {percent:g} %"
    cautions = tuple(comparison.cautions)
    match comparison.gate(percent):
        case Gate.PASSED:
            return Gated(cautions=cautions)
        case Gate.TOO_SLOW:
            return Gated(ExitCode.TOO_SLOW, f"{slower} for sure", cautions)
        case Gate.CANNOT_TELL:
            why = f"whether {slower} cannot be told"
            if allow_undecided:
                return Gated(ExitCode.ALL_BOOTED, f"{why} (allowed)", cautions)
            return Gated(ExitCode.CANNOT_TELL, why, cautions)


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
    gated = _gated(comparison, percent, allow_undecided=allow_undecided)
    if gated.why:
        say(f"Exit: {gated.why}")
    return gated.code


@dataclass(frozen=True, slots=True)
class Conclusion:
    """A run's exit code, the sentences that explain it, and what makes its figures doubtful."""

    code: int
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]

    def annotations(self, title: str) -> list[str]:
        """Return it as lines for GitHub, reasons being errors where the exit code is not 0."""
        if self.code == ExitCode.ALL_BOOTED:
            return annotation_lines(title, (), (*self.reasons, *self.warnings))
        return annotation_lines(title, self.reasons, self.warnings)


def conclude(fleet: Fleet, wishes: Wishes, say: Say, *, first: Iterable[str] = ()) -> Conclusion:
    """Export what was asked for, say what is left to say, and return what the run came to.

    ``first`` is said before all else.

    The exports come first: nobody may be there to be told anything. Not all booted outranks too
    slow, which outranks what cannot be told.
    """
    written, failed = write_exports(fleet, wishes)
    failed += _append_summary(fleet, wishes)
    for line in (
        *first,
        *slowest_vm_lines(straggler_of(fleet)),
        *shutdown_lines(summarise_fleet(fleet)),
        *host_lines(run_hosts(fleet)),
    ):
        say(line)
    for line in kernel_lines(kernel_figures(fleet)):
        say(line)
    decided = decision_lines(fleet, told(fleet, wishes.baseline))
    if not decided and (sweep := sweep_of(fleet)):
        decided = sweep_verdict_lines(sweep)
    for line in (*decided, *threshold_lines(judged(fleet))):
        say(line)
    doubts = [str(caution) for caution in cautions(fleet)]
    for doubt in doubts:
        say(f"Warning: {doubt}")
    for path in written:
        say(f"Wrote {printable(str(path))}")
    for error in failed:
        say(f"Error: {error}")
        if error.hint:
            say(f"  {error.hint}")
    gate = _gate(fleet, wishes, say)
    why = [*([gate.why] if gate.why else []), *reasons(fleet)]
    for reason in why:
        # What the run failed of was said as it came.
        if fleet.failure is None or reason != fleet.failure.why:
            say(f"Exit: {reason}")
    code = exit_code(fleet, allow_undecided=wishes.allow_undecided)
    if failed and code in (ExitCode.ALL_BOOTED, ExitCode.CANNOT_TELL):
        code = ExitCode.SOME_FAILED
    else:
        code = max(code, gate.code, key=_RANK.index)
    why += [error.message for error in failed]
    return Conclusion(code, tuple(why), (*doubts, *gate.cautions))
