"""What every front end does around a run: what was wished for, and the verdict at its end."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from vmtiming_tui.errors import ConfigError, ExportError, Problem
from vmtiming_tui.export import FORMATS, write_export
from vmtiming_tui.fleet import Fleet
from vmtiming_tui.outcome import exit_code


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
    if not path.parent.is_dir():
        return Problem("export", f"-o/--export: there is no folder {path.parent}; make it first")
    if path.is_dir():
        return Problem("export", f"-o/--export: {path} is a folder; give a file's name")
    return None


def write_exports(
    fleet: Fleet, wishes: Wishes, *, scope: Collection[int] | None = None
) -> tuple[list[Path], list[ExportError]]:
    """Write every export that was asked for; one that fails does not stop the others."""
    written, failed = [], []
    for path in wishes.exports:
        try:
            written.append(write_export(path, fleet, scope=scope))
        except ExportError as error:
            failed.append(error)
    return written, failed


def verdict(fleet: Fleet, wishes: Wishes) -> int:
    """Return the exit code the run deserves."""
    return exit_code(fleet, fail_over_s=wishes.fail_over_s)
