"""Commands to see runs from elsewhere: watch in a terminal, serve in browsers."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vmtiming_tui.cli.completing import runs
from vmtiming_tui.cli.printing import echo, say
from vmtiming_tui.cli.terminal import can_show_a_dashboard, shows_only_ascii
from vmtiming_tui.errors import VmTimingError

if TYPE_CHECKING:
    from vmtiming_tui.history.rows import StoredRun


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

    path = default_path()
    stored = wait_for_run(path, run, say) if wait else run_to_watch(path, run)
    if plain or not can_show_a_dashboard():
        ctx.exit(_watch_plainly(path, stored))
    from vmtiming_tui.tui import watch_dashboard

    ascii_only = ascii_only or shows_only_ascii()
    ctx.exit(watch_dashboard(path, stored, goes_on=run is None, ascii_only=ascii_only))


def _watch_plainly(path: Path, run: "StoredRun") -> int:
    from vmtiming_tui.history.following import FollowedRun
    from vmtiming_tui.history.runs import History
    from vmtiming_tui.session.headless import watch_headless
    from vmtiming_tui.session.streams import Streams

    with History.open(path) as kept:
        baseline = kept.baseline_of(run)
    with Streams() as streams:
        return watch_headless(FollowedRun(path, run), streams, baseline)


@click.command(short_help="Show runs in browsers, to be looked at only.")
@click.argument("run", metavar="[RUN]", required=False, shell_complete=runs)
@click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS",
    help="Where to be reached; 0.0.0.0 is from any host.",
)  # fmt: skip
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True, metavar="N",
    help="0 is any that is free.",
)  # fmt: skip
def serve(run: str | None, host: str, port: int) -> None:
    """Show a run in browsers: the dashboard, with nothing in it that could change anything.

    RUN is an id, a name or a label; it is followed while it goes on, and played once it is over.
    Without it, it is the newest run, and when that is over the next one that begins; H leads to
    those before it. Who has the address that is printed can watch. Exports are downloads.

    Needs textual-serve: pip install 'vmtiming-tui[web]'
    """
    try:
        from vmtiming_tui.serving.serve import serve_pages
    except ModuleNotFoundError as error:
        raise VmTimingError(
            f"serve needs what is not installed here: {error.name}",
            hint="pip install 'vmtiming-tui[web]'",
        ) from error
    from vmtiming_tui.history.runs import History

    with History.open() as kept:
        if run is not None:
            kept.find(run)
    serve_pages(run or "", host, port, tell=echo, say=say)


WATCH_COMMANDS = (watch, serve)
