"""What is wanted of a run besides booting the VMs, checked before anything starts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vmtiming_tui.analysis.comparison.compare import matched
from vmtiming_tui.analysis.comparison.ranks import ALPHA
from vmtiming_tui.analysis.comparison.samples import Side
from vmtiming_tui.analysis.comparison.storms_needed import cannot_tell_yet
from vmtiming_tui.analysis.comparison.tolerance import known_tolerance
from vmtiming_tui.errors import ConfigError, Problem, VmTimingError
from vmtiming_tui.escape import printable
from vmtiming_tui.history.lookup import side_named
from vmtiming_tui.model.cluster import Cluster
from vmtiming_tui.model.config import End
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.model.threshold import Subject
from vmtiming_tui.report.export import FORMATS, NAMED, ending_of
from vmtiming_tui.request.hosts import build_cluster
from vmtiming_tui.request.paths import unreachable

STDOUT, GITHUB = Path("-"), Path("github")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is wanted of a run besides booting the VMs.

    ``exports`` are written at its end, and a document of the ending ``printed`` to standard output;
    where there is a ``step_summary``, the run is added to it as a step of GitHub Actions. The exit
    code is 3 where the run is slower than ``baseline`` by more than ``fail_slower`` percent for
    sure; 4 where that, or a threshold of the plan, cannot be told, unless ``allow_undecided``. The
    baseline is found once, before anything starts. ``keep`` puts the run into the history. It is
    made on the hosts of ``cluster``, or on this one.
    """

    plain: bool = False
    as_json: bool = False
    exports: tuple[Path, ...] = ()
    printed: str = ""
    step_summary: Path | None = None
    fail_slower: float | None = None
    baseline: Side | None = None
    allow_undecided: bool = False
    keep: bool = True
    ascii_only: bool = False
    cluster: Cluster | None = None

    @classmethod
    def build(
        cls,
        *,
        plain: bool,
        exports: tuple[Path, ...],
        document: str,
        step_summary: str,
        fail_slower: str | None,
        baseline: str,
        hosts: str | None = None,
        spread: str | None = None,
        insecure: bool = False,
        ship: bool = False,
        **given: bool,
    ) -> "Wishes":
        """Return the wishes of the command line; raise ``ConfigError`` with every fault.

        ``document`` names the format of what goes to standard output; ``step_summary`` is where
        GitHub says that a step's summary is.
        """
        written = tuple(path for path in exports if path not in (STDOUT, GITHUB))
        problems = [problem for path in written if (problem := _unwritable(path))]
        problems += _output_problems(exports, document, as_json=given["as_json"])
        if GITHUB in exports:
            problems += _step_problems(step_summary)
        side = percent = cluster = None
        try:
            cluster = cluster_of(hosts, spread=spread, insecure=insecure, ship=ship)
        except ConfigError as error:
            problems += error.problems
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
        printed = NAMED[document] if STDOUT in exports else ""
        return cls(
            plain=plain or bool(printed) or GITHUB in exports,
            exports=written,
            printed=printed,
            step_summary=Path(step_summary) if GITHUB in exports else None,
            fail_slower=percent,
            baseline=side,
            cluster=cluster,
            **given,
        )


def cluster_of(
    hosts: str | None, *, spread: str | None = None, insecure: bool = False, ship: bool = False
) -> Cluster | None:
    """Return the hosts that were asked for; raise ``ConfigError`` with what keeps us from them."""
    cluster = build_cluster(hosts, spread=spread, insecure=insecure, ship=ship)
    if cluster is not None:
        from vmtiming_tui.cluster.connect import cluster_problems  # noqa: PLC0415  others need none

        if problems := cluster_problems(cluster):
            raise ConfigError(problems)
    return cluster


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
            len(sample.storms),
            plan.runs,
            known_tolerance(known, [sample.setting], itself),
            ALPHA / len(pairs),
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


def _output_problems(exports: Sequence[Path], document: str, *, as_json: bool) -> Iterator[Problem]:
    """Yield what stands in the way of what is to be written to standard output."""
    known = ", ".join(NAMED)
    if STDOUT in exports and not document:
        yield Problem("export", f"-o -: say as what with --format, one of {known}")
    if document and STDOUT not in exports:
        yield Problem(
            "format",
            f"--format {document}: that is what `-o -` writes; the ending of a file is its format, "
            f"as in -o run{NAMED[document]}",
        )
    there = [name for name, is_there in (
        ("--json", as_json), ("-o -", STDOUT in exports), ("-o github", GITHUB in exports)
    ) if is_there]  # fmt: skip
    if len(there) > 1 or exports.count(STDOUT) > 1:
        what = " and ".join(there) if len(there) > 1 else "-o - twice"
        yield Problem("export", f"{what}: standard output holds one of them; leave the others out")


def _step_problems(step_summary: str) -> Iterator[Problem]:
    if not step_summary:
        yield Problem(
            "export",
            "-o github: GITHUB_STEP_SUMMARY is not set, as it is in a step of GitHub Actions; "
            "leave it out elsewhere",
        )
    elif not Path(step_summary).parent.is_dir() or Path(step_summary).is_dir():
        where = printable(step_summary)
        yield Problem("export", f"-o github: GITHUB_STEP_SUMMARY is {where}, which is no file")


def _unwritable(path: Path) -> Problem | None:
    if not ending_of(path):
        known = " ".join(FORMATS)
        return Problem(
            "export", f"-o/--export: {path} has no known ending; use one of {known}, - or github"
        )
    if why := unreachable(path):
        return Problem("export", f"-o/--export: {path} cannot be written: {why}")
    if not path.parent.is_dir():
        return Problem("export", f"-o/--export: there is no folder {path.parent}; make it first")
    if path.is_dir():
        return Problem("export", f"-o/--export: {path} is a folder; give a file's name")
    return None
