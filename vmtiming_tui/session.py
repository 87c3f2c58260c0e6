"""What every front end does around a run: what was wished for, and the verdict at its end."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vmtiming_tui.baseline import side_named
from vmtiming_tui.cautions import cautions
from vmtiming_tui.compare import compare_sides
from vmtiming_tui.config import unreachable
from vmtiming_tui.errors import ConfigError, ExportError, HistoryError, Problem, VmTimingError
from vmtiming_tui.export import FORMATS, write_export
from vmtiming_tui.fleet import Fleet
from vmtiming_tui.history import History
from vmtiming_tui.outcome import ExitCode, exit_code, reasons
from vmtiming_tui.preferences import config_path, history_bytes
from vmtiming_tui.retention import Retention
from vmtiming_tui.sides import side_of
from vmtiming_tui.tables import comparison_lines
from vmtiming_tui.text import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is wanted of a run besides booting the VMs.

    ``exports`` are written at its end. The exit code is 3 where a boot or the p95 is above
    ``fail_over_s`` seconds, or the run is slower than ``baseline`` (a run of the history, or an
    exported file) by more than ``fail_slower`` percent for sure. ``keep`` puts it into the history.
    """

    plain: bool = False
    as_json: bool = False
    exports: tuple[Path, ...] = ()
    fail_over_s: float | None = None
    fail_slower: float | None = None
    baseline: str = ""
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
        if baseline:
            try:
                side_named(baseline)
            except VmTimingError as error:
                problems.append(Problem("baseline", f"--baseline: {error.message}; {error.hint}"))
        if fail_slower is not None and not baseline:
            problems.append(
                Problem("baseline", "--fail-slower: add --baseline RUN to compare with")
            )
        if problems:
            raise ConfigError(problems)
        return cls(
            exports=exports,
            fail_over_s=limits["fail_over"],
            fail_slower=limits["fail_slower"],
            baseline=baseline,
            **given,
        )


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
                record = stack.enter_context(history.recorder(say)).write
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
            f"the history was larger than {limit:,} bytes: the {runs} without a name went "
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
            written.append(write_export(path, fleet))
        except ExportError as error:
            failed.append(error)
    return written, failed


def _too_slow(fleet: Fleet, wishes: Wishes, say: Callable[[str], None]) -> bool:
    """Compare with the baseline, where there is one; return whether it is slower for sure."""
    if not wishes.baseline:
        return False
    comparison = compare_sides(side_named(wishes.baseline), side_of(fleet, "this run"))
    for line in comparison_lines(comparison):
        say(line)
    return wishes.fail_slower is not None and comparison.is_slower_than(wishes.fail_slower)


def conclude(fleet: Fleet, wishes: Wishes, say: Callable[[str], None] = say) -> int:
    """Export what was asked for, say what is left to say, and return the exit code.

    The exports come first: nobody may be there to be told anything.
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
    try:
        slower = _too_slow(fleet, wishes, say)
    except VmTimingError as error:
        say(f"Error: {error.message}")
        slower, failed = False, [*failed, ExportError(error.message)]
    for reason in reasons(fleet, fail_over_s=wishes.fail_over_s):
        say(f"Exit: {reason}")
    code = exit_code(fleet, fail_over_s=wishes.fail_over_s)
    if slower and code is ExitCode.ALL_BOOTED:
        say(f"Exit: slower than {wishes.baseline} by more than {wishes.fail_slower:g} % for sure")
        code = ExitCode.TOO_SLOW
    return max(code, ExitCode.SOME_FAILED if failed else ExitCode.ALL_BOOTED)
