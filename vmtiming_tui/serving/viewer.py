"""A viewer's own process: the dashboard without a terminal, which textual-serve's page is to it."""

import asyncio
import sys

from vmtiming_tui.errors import HistoryError, VmTimingError
from vmtiming_tui.history.database import default_path
from vmtiming_tui.history.following import run_to_watch, wait_for_run
from vmtiming_tui.history.rows import StoredRun
from vmtiming_tui.history.runs import History
from vmtiming_tui.model.fleet import RunState
from vmtiming_tui.tui.open import followed, looked_back_at


def _newest() -> StoredRun:
    """Return the newest run that goes on, or else the newest; waits for one where there is none."""
    try:
        return run_to_watch(default_path(), None)
    except HistoryError:
        with History.open() as history:
            runs = history.runs()
        return runs[0] if runs else wait_for_run(default_path(), None, say=lambda _: None)


def main(run: str) -> None:
    """Show a run, or the newest one where ``run`` is empty, until the page is closed."""
    try:
        if not run:
            asyncio.run(followed(default_path(), _newest(), goes_on=True))
            return
        stored = run_to_watch(default_path(), run)
        if stored.state is RunState.RUNNING:
            asyncio.run(followed(default_path(), stored, goes_on=False))
        else:
            asyncio.run(looked_back_at(stored))
    except VmTimingError:
        sys.exit(1)  # nobody is there to be told: the page says that it is over
