"""What is wanted of a run besides booting the VMs, checked before anything starts."""

from dataclasses import dataclass
from pathlib import Path

from vmtiming_tui.analysis.comparison.compare import matched
from vmtiming_tui.analysis.comparison.samples import Side
from vmtiming_tui.analysis.comparison.storms_needed import cannot_tell_yet
from vmtiming_tui.analysis.comparison.tolerance import known_tolerance
from vmtiming_tui.errors import ConfigError, Problem, VmTimingError
from vmtiming_tui.escape import printable
from vmtiming_tui.history.lookup import side_named
from vmtiming_tui.model.config import End
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.model.threshold import Subject
from vmtiming_tui.report.export import FORMATS, ending_of
from vmtiming_tui.request.paths import unreachable


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is wanted of a run besides booting the VMs.

    ``exports`` are written at its end. The exit code is 3 where the run is slower than ``baseline``
    by more than ``fail_slower`` percent for sure; 4 where that, or a threshold of the plan, cannot
    be told, unless ``allow_undecided``. The baseline is found once, before anything starts.
    ``keep`` puts the run into the history.
    """

    plain: bool = False
    as_json: bool = False
    exports: tuple[Path, ...] = ()
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
        fail_slower: str | None,
        baseline: str,
        **given: bool,
    ) -> "Wishes":
        """Return the wishes of the command line; raise ``ConfigError`` with every fault."""
        problems = [problem for path in exports if (problem := _unwritable(path))]
        side = percent = None
        try:
            percent = None if fail_slower is None else _positive(fail_slower, "percent")
        except ValueError as error:
            problems.append(Problem("fail_slower", f"--fail-slower: {error}"))
        try:
            side = _baseline(baseline, gates=fail_slower is not None)
        except ConfigError as error:
            problems += error.problems
        if problems:
            raise ConfigError(problems)
        return cls(
            exports=exports,
            fail_slower=percent,
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
    return [*_of_shutdowns(plan), *_of_baseline(plan, wishes)]


def _of_shutdowns(plan: RunPlan) -> list[str]:
    if any(variant.config.end is End.POWEROFF for variant in plan.variants):
        return []
    return [
        f"--fail-over {threshold.text}: no guest shuts down with --end quit"
        for threshold in plan.thresholds
        if threshold.subject is Subject.SHUTDOWN
    ]


def _of_baseline(plan: RunPlan, wishes: Wishes) -> list[str]:
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
    if not ending_of(path):
        known = " ".join(FORMATS)
        return Problem("export", f"-o/--export: {path} has no known ending; use one of {known}")
    if why := unreachable(path):
        return Problem("export", f"-o/--export: {path} cannot be written: {why}")
    if not path.parent.is_dir():
        return Problem("export", f"-o/--export: there is no folder {path.parent}; make it first")
    if path.is_dir():
        return Problem("export", f"-o/--export: {path} is a folder; give a file's name")
    return None
