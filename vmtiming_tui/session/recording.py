"""Keeping a session's runs in the history, which is never in the way of a run."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from vmtiming_tui.errors import HistoryError
from vmtiming_tui.escape import plural
from vmtiming_tui.history.retention import Retention
from vmtiming_tui.history.runs import History
from vmtiming_tui.session.preferences import config_path, history_bytes
from vmtiming_tui.session.wishes import Wishes
from vmtiming_tui.sources.event_lines import Told


@contextmanager
def recording(
    wishes: Wishes, say: Callable[[str], None]
) -> Iterator[Callable[[Sequence[Told]], None] | None]:
    """Yield what takes the lines of events into the history; None where none is kept.

    A history that cannot be used is said, and never in the way of the run.
    """
    with ExitStack() as stack:
        record = None
        if wishes.keep:
            try:
                history = stack.enter_context(History.open())
                if history.word:
                    say(history.word)
                limit, problems = history_bytes(config_path())
                for problem in problems:
                    say(problem)
                keep_within = partial(_keep_within, history, limit, say)
                keep_within()
                stack.callback(keep_within)
                against = wishes.baseline.identity if wishes.baseline else None
                record = stack.enter_context(history.recorder(say, against)).write
            except HistoryError as error:
                say(f"this run is not kept: {error.message}")
        yield record


def _keep_within(history: History, limit: int, say: Callable[[str], None]) -> None:
    """Forget the oldest runs where the history is larger than it may be, and say so."""
    try:
        gone = history.prune(Retention(max_bytes=limit))
    except HistoryError as error:
        say(error.message)
        return
    if gone:
        runs = "oldest run" if len(gone) == 1 else f"{len(gone)} oldest runs"
        say(
            f"the history was larger than {plural(limit, 'byte')}: the {runs} without a name went "
            "(max_size below [history] in config.toml sets the limit)"
        )
