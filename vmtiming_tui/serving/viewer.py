"""A viewer's own process: the dashboard without a terminal, which textual-serve's page is to it."""

import asyncio
import sys
from typing import TYPE_CHECKING

from vmtiming_tui.errors import HistoryError, VmTimingError
from vmtiming_tui.history.database import default_path
from vmtiming_tui.history.following import run_to_watch, wait_for_run
from vmtiming_tui.history.rows import StoredRun
from vmtiming_tui.history.runs import History
from vmtiming_tui.model.fleet import RunState
from vmtiming_tui.own_faults import kept_fault
from vmtiming_tui.tui.open import followed, looked_back_at

if TYPE_CHECKING:
    from vmtiming_tui.tui.app import VmTimingApp


def _newest() -> StoredRun:
    """Return the newest run that goes on, or else the newest; waits for one where there is none."""
    try:
        return run_to_watch(default_path(), None)
    except HistoryError:
        with History.open() as history:
            runs = history.runs()
        return runs[0] if runs else wait_for_run(default_path(), None, say=lambda _: None)


def _shown(run: str) -> "VmTimingApp":
    path = default_path()
    if not run:
        return asyncio.run(followed(path, _newest(), goes_on=True))
    stored = run_to_watch(path, run)
    if stored.state is RunState.RUNNING:
        return asyncio.run(followed(path, stored, goes_on=False))
    return asyncio.run(looked_back_at(stored))


def main(run: str) -> None:
    """Show a run, or the newest one where ``run`` is empty, until the page is closed.

    Nobody is there to be told what goes wrong: the page says that it is over.
    """
    try:
        app = _shown(run)
    except VmTimingError:
        sys.exit(1)
    if app.crash is not None:
        kept_fault(app.crash, "dashboard")
        sys.exit(1)
