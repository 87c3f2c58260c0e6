"""What the dashboard asks of the user's history, each for a thread to ask: a file is read.

Each raises ``HistoryError`` where the history cannot be read, or a run is gone.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from vmtiming_tui.analysis.trend import Trend, trends_of
from vmtiming_tui.errors import HistoryError
from vmtiming_tui.escape import printable
from vmtiming_tui.history.rows import StoredRun
from vmtiming_tui.history.runs import History
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.sources.replay import Player
from vmtiming_tui.tui.state.glance import Glance, glance_of
from vmtiming_tui.tui.state.keymap import Need
from vmtiming_tui.tui.state.played_run import PlayedRun, folded
from vmtiming_tui.tui.state.run_pair import HeldRun, held_run


def brief(run: StoredRun) -> str:
    """Return a run's name, or the end of its id, which tells it from others well enough."""
    return run.name or run.run.rpartition("-")[2]


def load_runs() -> tuple[list[StoredRun], str]:
    """Return the runs of the user's history, and what should be said of it."""
    with History.open() as history:
        return history.runs(), history.word


def load_glance(run: StoredRun, is_wanted: Callable[[], bool]) -> Glance:
    """Return what a run's events tell at a glance; at once, and nothing, when it is not wanted."""
    with History.open() as history:
        events = history.events(run, is_wanted)
    return glance_of(Fleet(events)) if is_wanted() else Glance()


def rename_run(run: StoredRun, name: str) -> None:
    """Call a run so from now on."""
    with History.open() as history:
        history.rename(run, name)


def note_run(run: StoredRun, notes: str) -> None:
    """Keep these notes with a run."""
    with History.open() as history:
        history.note(run, notes)


def remove_run(run: StoredRun) -> None:
    """Forget a run."""
    with History.open() as history:
        history.remove(run)


def load_held(run: StoredRun) -> HeldRun:
    """Return what is shown of a stored run beside another."""
    with History.open() as history:
        held = held_run(history.load(run), brief(run))
        return replace(held, side=history.with_known(held.side))


def load_trends(run: StoredRun, runs: Sequence[StoredRun]) -> list[Trend]:
    """Return how it went over the runs like this one: of its name, where it has one."""
    alike = [each for each in runs if each.name == run.name] if run.name else runs
    with History.open() as history:
        return trends_of(history.trend_of(alike), of=run.run)


def load_played(run: StoredRun, there: frozenset[Need], *, at_end: bool) -> PlayedRun:
    """Return a stored run to be played from its begin, or to be looked at as it ended."""
    with History.open() as history:
        events, baseline = history.events(run), history.baseline_of(run)
    plan = folded(events).plan
    if plan is None:
        raise HistoryError(
            f"run {printable(run.label)} cannot be shown: what it was to do is not known",
            hint="`show` prints what is known of it",
        )
    played = PlayedRun(
        Player(events), plan, called=brief(run), baseline=baseline, there=there | {Need.PLAYER}
    )
    if at_end:
        played.begin_at_end()
    return played
