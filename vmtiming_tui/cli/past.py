"""Commands on runs that are over: what is kept of them, listed, shown, changed and compared."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vmtiming_tui.analysis.units.unit_sort import UnitSort
from vmtiming_tui.cli.comparing import compare
from vmtiming_tui.cli.completing import files, runs, runs_or_files
from vmtiming_tui.cli.labelled import LABELS, LabelledGroup
from vmtiming_tui.cli.printing import check_free, echo, echo_document, say
from vmtiming_tui.cli.terminal import can_show_a_dashboard, shows_only_ascii, takes
from vmtiming_tui.errors import ConfigError, Problem

if TYPE_CHECKING:
    from vmtiming_tui.analysis.comparison.parts import BootsOfRun

run_argument = click.argument("run", metavar="RUN", shell_complete=runs)


@click.group(
    cls=LabelledGroup, invoke_without_command=True,
    subcommand_metavar="[label:KEY=VALUE]... | COMMAND [ARGS]...",
)  # fmt: skip
@click.option("-n", "--number", default=20, show_default=True, help="How many; 0 shows all.")
@click.option("--name", metavar="GLOB", help="Only those whose name is such, as in 'nightly*'.")
@click.option(
    "--trend", "as_trend", is_flag=True,
    help="The medians of all runs with the newest one's settings, and where they stepped.",
)  # fmt: skip
@click.option(
    "-o", "--export", "page", metavar="FILE", type=click.Path(path_type=Path),
    help="Write the trend to FILE.html.", shell_complete=files,
)  # fmt: skip
@click.pass_context
def history(
    ctx: click.Context, /, number: int, name: str | None, as_trend: bool, page: Path | None
) -> None:
    """List the runs that were kept, newest first; with labels, those that have them all."""
    labels: tuple[str, ...] = ctx.meta[LABELS]
    if ctx.invoked_subcommand is not None:
        if labels:
            problem = f"{ctx.invoked_subcommand} takes no label; leave {labels[0]} out"
            raise click.UsageError(problem)
        return
    if page is not None and not as_trend:
        raise ConfigError([Problem("export", "-o: it is the trend that is written; add --trend")])
    if page is not None and page.suffix.lower() != ".html":
        raise ConfigError([Problem("export", f"-o: {page} is to end in .html")])
    if as_trend:
        _trend(name, labels, page)
    else:
        _list(number, name, labels)


def _trend(name: str | None, labels: tuple[str, ...], page: Path | None) -> None:
    from vmtiming_tui.analysis.trend import trends_of
    from vmtiming_tui.history.runs import History
    from vmtiming_tui.report.export.atomic import write_whole
    from vmtiming_tui.report.export.html.trend import render_trends
    from vmtiming_tui.report.trend import ASCII, UNICODE, trend_lines

    with History.open() as kept:
        if kept.word:
            echo(f"Warning: {kept.word}", err=True)
        trends = trends_of(kept.trend_of(kept.chosen(name, labels)))
    if not trends:
        echo("No run with a boot that counts has been kept yet.")
    signs = UNICODE if takes(UNICODE.median) else ASCII
    for place, trend in enumerate(trends):
        for line in [*([""] if place else []), *trend_lines(trend, signs)]:
            echo(line)
    if page is not None:
        write_whole(page, render_trends(trends, name or ", ".join(labels)))
        echo(f"Wrote {page}", err=True)


def _list(number: int, name: str | None, labels: tuple[str, ...]) -> None:
    from vmtiming_tui.history.listing import history_lines
    from vmtiming_tui.history.runs import History

    with History.open() as kept:
        if kept.word:
            echo(f"Warning: {kept.word}", err=True)
        runs = kept.chosen(name, labels)
        for line in history_lines(runs[: number or None]):
            echo(line)
        if number and len(runs) > number:
            echo(f"{len(runs) - number} more; -n 0 shows all", err=True)


@history.command()
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="The N newest stay.")
@click.option(
    "--older-than", "days", type=click.FloatRange(min=0), metavar="DAYS",
    help="Those older than that go.",
)  # fmt: skip
@click.option("--max-size", metavar="SIZE", help="The oldest go till all take no more: 500M, 2G.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
def prune(keep: int | None, days: float | None, max_size: str | None, dry_run: bool) -> None:
    """Forget old runs that have no name.

    A run goes where any of the options says so; without one, the history is brought below the
    size it may have (max_size below [history] in config.toml; 1 GiB). Runs with a name and runs
    under way stay.
    """
    from vmtiming_tui.escape import plural
    from vmtiming_tui.history.retention import Retention
    from vmtiming_tui.history.runs import History
    from vmtiming_tui.session.preferences import config_path, history_bytes, size_bytes

    try:
        max_bytes = None if max_size is None else size_bytes(max_size)
    except ValueError as error:
        raise ConfigError([Problem("max_size", f"--max-size: {error}")]) from None
    if keep is None and days is None and max_size is None:
        max_bytes, problems = history_bytes(config_path())
        if problems:
            raise ConfigError([Problem("config", problem) for problem in problems])
    retention = Retention(keep=keep, days=days, max_bytes=max_bytes)
    with History.open() as kept:
        gone = kept.prune(retention, dry_run=dry_run)
    for sized in gone:
        did = "Would remove" if dry_run else "Removed"
        echo(f"{did} {sized.run.label}, {plural(sized.bytes, 'byte')}")
    if not gone:
        echo("Nothing to remove.")


@click.command()
@run_argument
def show(run: str) -> None:
    """Show a run's report: its id, name, label, or `last`."""
    from vmtiming_tui.analysis.cautions import cautions
    from vmtiming_tui.history.listing import show_lines
    from vmtiming_tui.history.runs import History

    with History.open() as kept:
        stored = kept.find(run)
        fleet = kept.load(stored)
    for line in show_lines(stored, fleet):
        echo(line)
    for caution in cautions(fleet):
        echo(f"Warning: {caution}", err=True)


@click.command(short_help="Write a run to a file.")
@run_argument
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option(
    "--format", "document", metavar="FORMAT", default="",
    help="What `-` writes: json, csv, md, txt, html, junit or prom.",
)  # fmt: skip
def export(run: str, file: Path, force: bool, document: str) -> None:
    """Write a run to FILE; .json .csv .md .txt .html .junit.xml .prom tells the format.

    FILE may be `-`, standard output.
    """
    from vmtiming_tui.history.runs import History
    from vmtiming_tui.report.export import NAMED

    is_printed = str(file) == "-"
    if is_printed != bool(document) or document.lower() not in ("", *NAMED):
        problem = f"--format goes with - as the file, and is one of {', '.join(NAMED)}"
        raise ConfigError([Problem("format", problem)])
    if is_printed:
        with History.open() as kept:
            echo_document(kept.rendered(kept.find(run), NAMED[document.lower()]))
        return
    check_free(file, force=force)
    with History.open() as kept:
        path = kept.export(kept.find(run), file, overwrite=force)
    echo(f"Wrote {path}")


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=runs)
def rm(runs: tuple[str, ...]) -> None:
    """Forget runs."""
    from vmtiming_tui.history.runs import History

    with History.open() as kept:
        for stored in [kept.find(run) for run in runs]:
            kept.remove(stored)
            echo(f"Removed {stored.label}")


@click.command()
@run_argument
@click.argument("name")
def name(run: str, name: str) -> None:
    """Call a run NAME from now on; an empty one takes its name away."""
    from vmtiming_tui.history.runs import History
    from vmtiming_tui.request.labels import read_name

    try:
        read_name(name)
    except ValueError as error:
        raise ConfigError([Problem("name", f"NAME: {error}")]) from None
    with History.open() as kept:
        stored = kept.find(run)
        kept.rename(stored, name)
    echo(f"{stored.label} is called {name}" if name else f"{stored.label} has no name")


@click.command()
@run_argument
@click.argument("text")
def note(run: str, text: str) -> None:
    """Keep TEXT as the notes to a run, in place of what was noted before."""
    from vmtiming_tui.history.runs import History

    with History.open() as kept:
        stored = kept.find(run)
        kept.note(stored, text)
    echo(f"Noted to {stored.label}")


@click.command(short_help="Play a run in the dashboard again, as it went.")
@run_argument
@click.option("--speed", default=1.0, show_default=True, help="How many times as fast.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw in plain ASCII.")
@click.pass_context
def replay(ctx: click.Context, /, run: str, speed: float, ascii_only: bool) -> None:
    """Play a run in the dashboard again, as it went; keys hold it, step it and put it elsewhere.

    `manual history` has the keys.
    """
    from vmtiming_tui.history.runs import History
    from vmtiming_tui.model.fleet import Fleet
    from vmtiming_tui.tui import replay_dashboard

    if not can_show_a_dashboard():
        problem = f"replay draws on a terminal, and here is none; `show {run}` prints the report"
        raise ConfigError([Problem("replay", problem)])
    if not 0 < speed < float("inf"):
        problem = f"--speed: {speed:g} gets nowhere; give a number above 0, such as 10"
        raise ConfigError([Problem("speed", problem)])
    with History.open() as kept:
        stored = kept.find(run)
        events = kept.events(stored)
        plan = Fleet(events).plan
        baseline = kept.baseline_of(stored)
    if plan is None:
        raise ConfigError([Problem("run", f"{run}: what this run was asked to do is not known")])
    ascii_only = ascii_only or shows_only_ascii()
    ctx.exit(replay_dashboard(events, plan, speed=speed, ascii_only=ascii_only, baseline=baseline))


def _say_of_settings(boots: "BootsOfRun") -> None:
    if boots.is_mixed:
        say("Warning: its storms had different settings; RUN:setting=value takes those of one")


@click.command(short_help="Say what the units of a run's guests took.")
@click.argument("run", metavar="RUN", shell_complete=runs_or_files)
@click.option(
    "--sort", type=click.Choice([str(by) for by in UnitSort]), default="own", show_default=True,
    help="By what; the most comes first, by start and name the first.",
)  # fmt: skip
@click.option("-n", "--number", default=30, show_default=True, help="How many; 0 shows all.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, and all of them.")
def units(run: str, sort: str, number: int, as_json: bool) -> None:
    """Say what each unit of the guests' systemds took, over all boots of a run or exported file.

    RUN:smp=2 takes the storms that a sweep booted so. `manual units` has what the columns say.
    """
    from vmtiming_tui.analysis.units.many_boots import units_of_boots
    from vmtiming_tui.history.lookup import boots_named
    from vmtiming_tui.report.export.json_units import render_units
    from vmtiming_tui.report.unit_tables import unit_lines

    boots = boots_named(run)
    _say_of_settings(boots)
    found = units_of_boots(boots.storms, boots.fleet.unit_order)
    if as_json:
        echo(render_units(found, UnitSort(sort)))
        return
    for line in unit_lines(found, UnitSort(sort), number or None):
        echo(line)
    if number and len(found.units) > number:
        echo(f"{len(found.units) - number} more; -n 0 shows all", err=True)


@click.command(short_help="Draw a run's boot chart.")
@click.argument("run", metavar="RUN", shell_complete=runs_or_files)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, allow_dash=True),
    help="The SVG to write; - is standard output.",
)  # fmt: skip
@click.option("--vm", type=click.IntRange(min=0), metavar="I", help="The newest boot of one VM.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def plot(run: str, output: Path, vm: int | None, force: bool) -> None:
    """Draw a run's stages and units as they start: the median of all its boots, or one VM's.

    RUN may be an exported JSON file, too, or a part of a sweep such as last:smp=2.
    """
    from vmtiming_tui.history.lookup import boots_named
    from vmtiming_tui.report.export.as_svg import render_svg
    from vmtiming_tui.report.export.atomic import write_whole

    check_free(output, force=force)
    boots = boots_named(run)
    if vm is None:
        _say_of_settings(boots)
    drawn = render_svg(boots, vm)
    if str(output) == "-":
        echo_document(drawn)
        return
    write_whole(output, drawn, overwrite=force)
    echo(f"Wrote {output}")


PAST_COMMANDS = (history, show, export, rm, name, note, replay, compare, units, plot)
