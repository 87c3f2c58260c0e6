"""Commands on runs that are over: history, show, export, rm, replay, compare."""

from pathlib import Path

import click

from vmtiming_tui.errors import ConfigError, Problem

run_argument = click.argument("run", metavar="RUN")


@click.command()
@click.option("-n", "--number", default=20, show_default=True, help="How many; 0 shows all.")
def history(number: int) -> None:
    """List the runs that were kept, newest first."""
    from vmtiming_tui.history import History
    from vmtiming_tui.listing import history_lines

    with History.open() as kept:
        if kept.word:
            click.echo(f"Warning: {kept.word}", err=True)
        runs = kept.runs()
        for line in history_lines(runs[: number or None]):
            click.echo(line)
        if number and len(runs) > number:
            click.echo(f"{len(runs) - number} more; -n 0 shows all", err=True)


@click.command()
@run_argument
def show(run: str) -> None:
    """Show a run's report: its id, name, or `last`."""
    from vmtiming_tui.cautions import cautions
    from vmtiming_tui.history import History
    from vmtiming_tui.listing import show_lines

    with History.open() as kept:
        stored = kept.find(run)
        fleet = kept.load(stored)
    for line in show_lines(stored, fleet):
        click.echo(line)
    for caution in cautions(fleet):
        click.echo(f"Warning: {caution}", err=True)


@click.command()
@run_argument
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def export(run: str, file: Path, force: bool) -> None:
    """Write a run to FILE; .json .csv .md .txt .html tells the format."""
    from vmtiming_tui.history import History

    with History.open() as kept:
        path = kept.export(kept.find(run), file, overwrite=force)
    click.echo(f"Wrote {path}")


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
def rm(runs: tuple[str, ...]) -> None:
    """Forget runs."""
    from vmtiming_tui.history import History

    with History.open() as kept:
        for stored in [kept.find(run) for run in runs]:
            kept.remove(stored)
            click.echo(f"Removed {stored.label}")


@click.command()
@run_argument
@click.option("--speed", default=1.0, show_default=True, help="How many times as fast.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw in plain ASCII.")
@click.pass_context
def replay(ctx: click.Context, /, run: str, speed: float, ascii_only: bool) -> None:
    """Show a run in the dashboard again, as it went."""
    from vmtiming_tui.history import History
    from vmtiming_tui.sides import plan_of_run
    from vmtiming_tui.tui import replay_dashboard

    if not 0 < speed < float("inf"):
        problem = f"--speed: {speed:g} gets nowhere; give a number above 0, such as 10"
        raise ConfigError([Problem("speed", problem)])
    with History.open() as kept:
        stored = kept.find(run)
        events = kept.events(stored)
        plan = plan_of_run(kept.load(stored).run)
    if plan is None:
        raise ConfigError([Problem("run", f"{run}: what this run was asked to do is not known")])
    ctx.exit(replay_dashboard(events, plan, speed=speed, ascii_only=ascii_only))


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option(
    "--fail-slower", type=click.FloatRange(min=0), metavar="PCT",
    help="Exit 3 when B is slower by more than that for sure, 4 when that cannot be told.",
)  # fmt: skip
@click.option("--allow-undecided", is_flag=True, help="Exit 0 where it would be 4.")
@click.pass_context
def compare(
    ctx: click.Context,
    /,
    first: str,
    second: str,
    fail_slower: float | None,
    allow_undecided: bool,
) -> None:
    """Say whether run B is faster or slower than run A: ids, names, or exported JSON files."""
    from vmtiming_tui.baseline import side_named
    from vmtiming_tui.compare import compare_sides
    from vmtiming_tui.session import gate_code
    from vmtiming_tui.tables import comparison_lines

    comparison = compare_sides(side_named(first), side_named(second))
    for line in comparison_lines(comparison):
        click.echo(line)
    if fail_slower is not None:
        ctx.exit(gate_code(comparison, fail_slower, allow_undecided=allow_undecided))


PAST_COMMANDS = (history, show, export, rm, replay, compare)
