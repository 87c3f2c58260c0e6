"""A run that another process makes, told from the history as that is written.

Its recorder writes twice a second; what it wrote is read a moment later, by a connection of the
reader's own that can change nothing and that no writer waits for.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vmtiming_tui.analysis.comparison.samples import Side
from vmtiming_tui.errors import HistoryError
from vmtiming_tui.escape import printable
from vmtiming_tui.history.database import connect_to_read, worded
from vmtiming_tui.history.event_reader import EventReader
from vmtiming_tui.history.finding import called
from vmtiming_tui.history.owner import is_alive
from vmtiming_tui.history.rows import StoredRun, read_row
from vmtiming_tui.history.runs import History
from vmtiming_tui.history.stored_lines import unpacked
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Command, Quit, Stop
from vmtiming_tui.model.fleet import RunState

POLL_S = 0.2

_CHUNKS_AT_ONCE = 4
_SHOWN_RUNS = 5
_T = TypeVar("_T")


class NoneUnderWayError(HistoryError):
    """There is no run to watch."""

    exit_code = 2


class Lookout:
    """Looks into a history that others write; for one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with worded(path):
            self._connection = connect_to_read(path)
        self._version = -1

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def has_changed(self) -> bool:
        """Return whether anybody has written since this was last asked; costs next to nothing."""
        with worded(self._path):
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        before, self._version = self._version, int(version)
        return self._version != before

    def under_way(self) -> list[StoredRun]:
        """Return the runs that go on now, newest first."""
        with worded(self._path):
            rows = self._connection.execute(
                "SELECT * FROM runs WHERE state IN (?, ?) ORDER BY wall_ns DESC, key DESC",
                (str(RunState.RUNNING), str(RunState.WAITING)),
            ).fetchall()
        return [run for run in map(read_row, rows) if run.state is RunState.RUNNING]

    def chunks(self, run: StoredRun, after: int) -> list[sqlite3.Row]:
        """Return the next chunks of a run's lines, behind one by its number; a few at once."""
        with worded(self._path):
            return self._connection.execute(
                "SELECT sequence, lines FROM chunks WHERE run = ? AND sequence > ? "
                "ORDER BY sequence LIMIT ?",
                (run.key, after, _CHUNKS_AT_ONCE),
            ).fetchall()


def run_to_watch(path: Path, text: str | None) -> StoredRun:
    """Return the run that is meant, or else the newest that goes on.

    Raises ``NoneUnderWayError`` where none does, and ``HistoryError`` as ``History.find`` does.
    """
    with History.open(path) as history:
        if text is not None:
            return history.find(text)
        runs = history.runs()
    for run in runs:
        if run.state is RunState.RUNNING:
            return run
    over = ", ".join(f"{printable(run.label)} ({run.state})" for run in runs[:_SHOWN_RUNS])
    raise NoneUnderWayError(
        f"no run is under way; {f'the newest that were kept: {over}' if over else 'none was kept'}",
        hint="--wait waits for the next to begin; a run with --no-history cannot be watched",
    )


def wait_for_run(path: Path, text: str | None, say: Callable[[str], None]) -> StoredRun:
    """Return the newest run that goes on and is meant, as soon as there is one.

    That it is waited for is said. Raises ``NoneUnderWayError`` for the id of a run that is over.
    """
    with History.open(path) as history:
        for run in history.runs():
            if run.run == text and run.state is not RunState.RUNNING:
                raise NoneUnderWayError(
                    f"run {printable(run.run)} is over", hint="without --wait it is shown"
                )
    with closing(Lookout(path)) as lookout:
        has_said = False
        while True:
            if lookout.has_changed():
                runs = lookout.under_way()
                if text is None and runs:
                    return runs[0]
                with suppress(HistoryError):
                    return called(runs, text or "")
            if not has_said:
                say("Waiting for a run to begin; Ctrl-C ends it.")
                has_said = True
            time.sleep(POLL_S)


@dataclass
class _Place:
    """How far a run was read."""

    run: StoredRun
    reader: EventReader
    sequence: int = -1
    has_more: bool = True


class FollowedRun:
    """An ``EventSource``: what has happened in a run at once, then what happens.

    Where it ``goes_on``, a newer run that has begun follows one that is over; ``on_next`` is then
    told what that one is held against. It ends where nothing more can come.
    """

    def __init__(
        self,
        path: Path,
        run: StoredRun,
        *,
        goes_on: bool = False,
        on_next: Callable[[Side | None], None] | None = None,
    ) -> None:
        self._path = path
        self._place = _Place(run, EventReader())
        self._goes_on, self._on_next = goes_on, on_next
        self._is_live = is_alive(run.owner)
        self._left = asyncio.Event()

    def now_ns(self) -> int:
        """Return now on the run's clock; it stands at its last event once nobody makes it."""
        return time.monotonic_ns() if self._is_live else self._place.reader.last_ns

    def send(self, command: Command) -> None:
        """Stop reading where that is asked for; the run itself is told nothing."""
        if isinstance(command, (Quit, Stop)):
            self._left.set()

    async def batches(self) -> AsyncIterator[list[ev.Event]]:
        """Yield events as they are written."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="history-reader")

        async def beside(do: Callable[[Lookout], _T]) -> _T:
            return await asyncio.get_running_loop().run_in_executor(thread, do, lookout)

        lookout = Lookout(self._path)
        try:
            while not self._left.is_set():
                if batch := await beside(self._read):
                    yield batch
                elif self._place.reader.is_over and await beside(self._moves_on):
                    continue
                elif not (self._is_live or self._goes_on):
                    return
                else:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._left.wait(), POLL_S)
        finally:
            thread.submit(lookout.close)
            thread.shutdown(wait=False)

    def _read(self, lookout: Lookout) -> list[ev.Event]:
        """Return what was written since; at last that nobody makes the run any more."""
        place = self._place
        self._is_live = is_alive(place.run.owner)  # first, or its last words would be missed
        events: list[ev.Event] = []
        if lookout.has_changed() or place.has_more:
            chunks = lookout.chunks(place.run, place.sequence)
            for number, blob in chunks:
                place.sequence = number
                events += place.reader.take(unpacked(blob))
            place.has_more = len(chunks) == _CHUNKS_AT_ONCE
            events += place.reader.unread_notice()
        if not (events or self._is_live or place.has_more):
            events = place.reader.cut_off()
            if events:
                text = "nobody makes this run any more: its process ended, and its VMs with it"
                at_ns = place.reader.last_ns
                events.insert(0, ev.Notice(at_ns=at_ns, level=ev.Level.ERROR, text=text))
        return events

    def _moves_on(self, lookout: Lookout) -> bool:
        """Go on to a newer run, where there is one and that is wanted; return whether."""
        runs = lookout.under_way() if self._goes_on else []
        newer = next((run for run in runs if run.key > self._place.run.key), None)
        if newer is None:
            return False
        self._place, self._is_live = _Place(newer, EventReader()), True
        if self._on_next is not None:
            with History.open(self._path) as history:
                self._on_next(history.baseline_of(newer))
        return True
