"""What every front end does around a run: what was wished for, and the verdict at its end."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from vmtiming_tui.analysis.cautions import cautions
from vmtiming_tui.analysis.compare import Comparison, Gate, compare_sides, matched
from vmtiming_tui.analysis.samples import Side, side_of
from vmtiming_tui.analysis.storms_needed import cannot_tell_yet
from vmtiming_tui.analysis.tolerance import known_tolerance
from vmtiming_tui.analysis.verdict import ExitCode, exit_code, reasons
from vmtiming_tui.errors import ConfigError, ExportError, HistoryError, Problem, VmTimingError
from vmtiming_tui.escape import plural, printable
from vmtiming_tui.history.lookup import side_named
from vmtiming_tui.history.retention import Retention
from vmtiming_tui.history.runs import History
from vmtiming_tui.model.config import unreachable
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.report.export import FORMATS, write_export
from vmtiming_tui.report.findings import comparison_lines
from vmtiming_tui.session.preferences import config_path, history_bytes

Say: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is wanted of a run besides booting the VMs.

    ``exports`` are written at its end. The exit code is 3 where a boot or the p95 is above
    ``fail_over_s`` seconds, or the run is slower than ``baseline`` by more than ``fail_slower``
    percent for sure; 4 where that cannot be told, unless ``allow_undecided``. The baseline is found
    once, before anything starts. ``keep`` puts the run into the history.
    """

    plain: bool = False
    as_json: bool = False
    exports: tuple[Path, ...] = ()
    fail_over_s: float | None = None
    fail_slower: float | None = None
    baseline: Side | None = None
    allow_undecided: bool = False
    keep: bool = True
    ascii_only: bool = False

    @classmethod
    def build(
        cls,
        *,
        exports: tuple[Path, ...],
        fail_over: str | None,
        fail_slower: str | None,
        baseline: str,
        **given: bool,
    ) -> "Wishes":
        """Return the wishes of the command line; raise ``ConfigError`` with every fault."""
        problems = [problem for path in exports if (problem := _unwritable(path))]
        limits = {}
        for name, text, unit in (
            ("fail_over", fail_over, "seconds"), ("fail_slower", fail_slower, "percent")
        ):  # fmt: skip
            try:
                limits[name] = None if text is None else _positive(text, unit)
            except ValueError as error:
                problems.append(Problem(name, f"--{name.replace('_', '-')}: {error}"))
        side = None
        try:
            side = _baseline(baseline, gates=fail_slower is not None)
        except ConfigError as error:
            problems += error.problems
        if problems:
            raise ConfigError(problems)
        return cls(
            exports=exports,
            fail_over_s=limits["fail_over"],
            fail_slower=limits["fail_slower"],
            baseline=side,
            **given,
        )


def _baseline(text: str, *, gates: bool) -> Side | None:
    """Return the run to compare with; raise ``ConfigError`` where there is none that will do."""

    def refused(why: str) -> ConfigError:
        return ConfigError([Problem("baseline", why)])

    if not text:
        if gates:
            raise refused("--fail-slower: add --baseline RUN to compare with")
        return None
    try:
        side = side_named(text)
    except VmTimingError as error:
        raise refused(f"--baseline: {error.message}; {error.hint}") from error
    if gates and not side.has_boots:
        run = printable(str(side.identity))
        raise refused(f"--baseline: in {run} nothing that counts has booted; give another run")
    return side


def gate_warnings(plan: RunPlan, wishes: Wishes) -> list[str]:
    """Return why a gate of this plan can never tell, a sentence each; nothing where it can."""
    if wishes.baseline is None or wishes.fail_slower is None:
        return []
    settings = [variant.parameters for variant in plan.variants]
    pairs = matched(wishes.baseline, settings)
    if not pairs:
        return ["--fail-slower: the baseline has booted none of these settings"]
    known, itself = wishes.baseline.known, (wishes.baseline.identity.run,)
    found = (
        cannot_tell_yet(
            len(sample.storms), plan.runs, known_tolerance(known, [sample.setting], itself)
        )
        for sample, _ in pairs
    )
    return [f"--fail-slower: {why}" for why in dict.fromkeys(found) if why]


def _positive(text: str, unit: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number of {unit}; try 20") from None
    if not 0 < value < float("inf"):
        raise ValueError(f"{text} is out of range; give {unit} above 0, such as 20")
    return value


def _unwritable(path: Path) -> Problem | None:
    if path.suffix.lower() not in FORMATS:
        known = " ".join(FORMATS)
        return Problem("export", f"-o/--export: {path} has no known ending; use one of {known}")
    if why := unreachable(path):
        return Problem("export", f"-o/--export: {path} cannot be written: {why}")
    if not path.parent.is_dir():
        return Problem("export", f"-o/--export: there is no folder {path.parent}; make it first")
    if path.is_dir():
        return Problem("export", f"-o/--export: {path} is a folder; give a file's name")
    return None


@contextmanager
def recording(
    wishes: Wishes, say: Callable[[str], None]
) -> Iterator[Callable[[bytes], None] | None]:
    """Yield what takes the raw lines of events into the history; None where none is kept.

    A history that cannot be used is said, and never in the way of the run.
    """
    with ExitStack() as stack:
        record = None
        if wishes.keep:
            try:
                history = stack.enter_context(History.open())
                if history.word:
                    say(history.word)
                limit, problems = history_bytes(config_path())
                for problem in problems:
                    say(problem)
                keep_within = partial(_keep_within, history, limit, say)
                keep_within()
                stack.callback(keep_within)
                against = wishes.baseline.identity if wishes.baseline else None
                record = stack.enter_context(history.recorder(say, against)).write
            except HistoryError as error:
                say(f"this run is not kept: {error.message}")
        yield record


def _keep_within(history: History, limit: int, say: Callable[[str], None]) -> None:
    """Forget the oldest runs where the history is larger than it may be, and say so."""
    try:
        gone = history.prune(Retention(max_bytes=limit))
    except HistoryError as error:
        say(error.message)
        return
    if gone:
        runs = "oldest run" if len(gone) == 1 else f"{len(gone)} oldest runs"
        say(
            f"the history was larger than {plural(limit, 'byte')}: the {runs} without a name went "
            "(max_size below [history] in config.toml sets the limit)"
        )


def say(text: str) -> None:
    """Say it on standard error, whatever it is made of: nothing in it acts on a terminal.

    A terminal that is closed, a pipe nobody reads, stop nothing.
    """
    with contextlib.suppress(OSError):
        print(printable(text, keep="\t\n"), file=sys.stderr, flush=True)


def outlive_hangups() -> None:
    """Let no further SIGHUP end us: a closed terminal's shell and the kernel each send theirs."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


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
    comparison = compare_sides(wishes.baseline, side_of(fleet, "this run"))
    for line in comparison_lines(comparison):
        say(line)
    if wishes.fail_slower is None:
        return ExitCode.ALL_BOOTED
    return gate_code(
        comparison, wishes.fail_slower, allow_undecided=wishes.allow_undecided, say=say
    )


def gate_code(
    comparison: Comparison, percent: float, *, allow_undecided: bool, say: Say = say
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


def conclude(fleet: Fleet, wishes: Wishes, say: Say = say) -> int:
    """Export what was asked for, say what is left to say, and return the exit code.

    The exports come first: nobody may be there to be told anything. Not all booted outranks too
    slow, which outranks what cannot be told.
    """
    written, failed = write_exports(fleet, wishes)
    for caution in cautions(fleet):
        say(f"Warning: {caution}")
    for path in written:
        say(f"Wrote {printable(str(path))}")
    for error in failed:
        say(f"Error: {error}")
        if error.hint:
            say(f"  {error.hint}")
    gate = _gate(fleet, wishes, say)
    for reason in reasons(fleet, fail_over_s=wishes.fail_over_s):
        # What the run failed of was said as it came.
        if fleet.failure is None or reason != fleet.failure.why:
            say(f"Exit: {reason}")
    code = exit_code(fleet, fail_over_s=wishes.fail_over_s)
    if code is ExitCode.ALL_BOOTED:
        code = ExitCode.SOME_FAILED if failed else gate
    return code
