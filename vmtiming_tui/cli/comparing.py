"""The command that says whether runs are faster than another, and writes that to files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vmtiming_tui.cli.completing import files as all_files, runs_or_files, words
from vmtiming_tui.cli.printing import check_free, echo, echo_document, say
from vmtiming_tui.errors import ConfigError, ExportError, Problem

if TYPE_CHECKING:
    from vmtiming_tui.report.export.comparison.document import ComparisonDocument


@click.command(short_help="Say whether runs are faster than another.")
@click.argument("first", metavar="A", shell_complete=runs_or_files)
@click.argument("others", metavar="B...", nargs=-1, required=True, shell_complete=runs_or_files)
@click.option(
    "--fail-slower", type=click.FloatRange(min=0), metavar="PCT",
    help="Exit 3 when one is slower than A by more than that for sure, 4 when that cannot be told.",
)  # fmt: skip
@click.option("--allow-undecided", is_flag=True, help="Exit 0 where it would be 4.")
@click.option(
    "-o", "--export", "files", multiple=True, metavar="FILE", shell_complete=all_files,
    type=click.Path(path_type=Path, allow_dash=True),
    help="Write it to FILE, too: .md (for a pull request), .html or .json; - is standard output.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option(
    "--format", "document", metavar="FORMAT", default="", help="What `-` writes: md, html or json.",
    shell_complete=words("md", "html", "json"),
)  # fmt: skip
@click.pass_context
def compare(
    ctx: click.Context,
    /,
    *,
    first: str,
    others: tuple[str, ...],
    fail_slower: float | None,
    allow_undecided: bool,
    files: tuple[Path, ...],
    force: bool,
    document: str,
) -> None:
    """Say whether run B, and others after it, are faster or slower than run A.

    Runs are ids, names, or exported JSON files. RUN:smp=2 is that setting of a sweep; settings of
    one run are compared round by round.
    """
    from vmtiming_tui.analysis.comparison.compare import compare_all
    from vmtiming_tui.analysis.exit_code import ExitCode
    from vmtiming_tui.history.lookup import side_named
    from vmtiming_tui.report.export.comparison.document import ComparisonDocument
    from vmtiming_tui.report.findings import comparison_lines
    from vmtiming_tui.session.conclude import gates_code

    _check(files, document, force=force)
    sides = tuple(side_named(name) for name in (first, *others))
    comparisons = compare_all(sides[0], sides[1:])
    for line in comparison_lines(*comparisons):
        echo(line, err=bool(document))
    held = ComparisonDocument(sides=sides, comparisons=comparisons, limit_percent=fail_slower)
    written = [_write(held, file, document, force=force) for file in files]
    code = ExitCode.ALL_BOOTED
    if fail_slower is not None:
        code = gates_code(comparisons, fail_slower, allow_undecided=allow_undecided, say=say)
    if code != ExitCode.TOO_SLOW and not all(written):
        code = ExitCode.SOME_FAILED
    ctx.exit(code)


def _check(files: Sequence[Path], document: str, *, force: bool) -> None:
    """Raise where a file cannot be what is asked for, before anything is reckoned."""
    from vmtiming_tui.report.export.comparison_formats import NAMED, renderer_of

    is_printed = [str(file) == "-" for file in files].count(True)
    if is_printed > 1:
        raise ConfigError([Problem("export", "-o - twice: standard output holds one document")])
    if bool(is_printed) != bool(document) or document.lower() not in ("", *NAMED):
        problem = f"--format goes with -o -, and is one of {', '.join(NAMED)}"
        raise ConfigError([Problem("format", problem)])
    for file in files:
        if str(file) != "-":
            renderer_of(file)
            check_free(file, force=force)


def _write(held: "ComparisonDocument", file: Path, document: str, *, force: bool) -> bool:
    """Return whether a file was written; what is to be gated is judged all the same."""
    from vmtiming_tui.report.export.comparison_formats import FORMATS, NAMED, write_comparison

    if str(file) == "-":
        echo_document(FORMATS[NAMED[document.lower()]](held))
        return True
    try:
        write_comparison(file, held, overwrite=force)
    except ExportError as error:
        say(f"Error: {error}")
        if error.hint:
            say(f"  {error.hint}")
        return False
    say(f"Wrote {file}")
    return True
