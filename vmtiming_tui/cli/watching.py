"""Commands on a run that another process makes: watch."""

import click

from vmtiming_tui.cli.completing import runs
from vmtiming_tui.cli.printing import say
from vmtiming_tui.cli.terminal import can_show_a_dashboard, shows_only_ascii


@click.command(short_help="Show a run that another process makes, live.")
@click.argument("run", metavar="[RUN]", required=False, shell_complete=runs)
@click.option("--wait", is_flag=True, help="Where there is none under way, wait for one to begin.")
@click.option("--plain", is_flag=True, help="Print the report, on a terminal too.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw in plain ASCII.")
@click.pass_context
def watch(
    ctx: click.Context, /, run: str | None, wait: bool, plain: bool, ascii_only: bool
) -> None:
    """Show a run that another process makes: what has happened at once, then what happens.

    RUN is an id, a name or a label; without it the newest run under way is shown, and when that is
    over the next one that begins. Nothing of the run is touched; leaving does not end it.

    On a terminal it is the dashboard. Otherwise, or with --plain, the report is printed as it
    comes, until the run is over; the exit code is then the run's.
    """
    from vmtiming_tui.history.database import default_path
    from vmtiming_tui.history.following import run_to_watch, wait_for_run
    from vmtiming_tui.history.runs import History

    path = default_path()
    stored = wait_for_run(path, run, say) if wait else run_to_watch(path, run)
    with History.open(path) as kept:
        plan, baseline = kept.plan(stored), kept.baseline_of(stored)
    if plain or not can_show_a_dashboard():
        from vmtiming_tui.history.following import FollowedRun
        from vmtiming_tui.session.headless import watch_headless
        from vmtiming_tui.session.streams import Streams

        with Streams() as streams:
            ctx.exit(watch_headless(FollowedRun(path, stored), streams, baseline))
    from vmtiming_tui.tui import watch_dashboard

    code = watch_dashboard(
        path,
        stored,
        plan,
        goes_on=run is None,
        ascii_only=ascii_only or shows_only_ascii(),
        baseline=baseline,
    )
    ctx.exit(code)


WATCH_COMMANDS = (watch,)
