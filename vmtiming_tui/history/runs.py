"""Past runs: listed, found, loaded, exported, removed.

A run *is* its events: what was measured is read back by folding the stored lines into a ``Fleet``
as on the day, so that every figure is reckoned by the code that reckons live ones.
"""

import itertools
import math
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from vmtiming_tui.analysis.comparison.parts import part_of
from vmtiming_tui.analysis.comparison.samples import Identity, Side, side_of
from vmtiming_tui.analysis.comparison.tolerance import KnownRun, Setting
from vmtiming_tui.analysis.trend import TrendPoint, TrendRun, points_of
from vmtiming_tui.errors import HistoryError
from vmtiming_tui.escape import printable
from vmtiming_tui.history.database import (
    default_path,
    open_store,
    storable,
    transaction,
    worded,
)
from vmtiming_tui.history.event_reader import EventReader
from vmtiming_tui.history.finding import called, chosen
from vmtiming_tui.history.recorder import Recorder, keep_storms, update_row
from vmtiming_tui.history.retention import Retention
from vmtiming_tui.history.rows import (
    Row,
    StoredRun,
    figures_of,
    packed_points,
    read_row,
    unpacked_points,
)
from vmtiming_tui.history.stored_lines import unpacked
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet, RunState
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.report.export import render, write_export


@dataclass(frozen=True, slots=True)
class SizedRun:
    """A run and the room its events take, compressed."""

    run: StoredRun
    bytes: int

    @property
    def wall_ns(self) -> int:
        """When it was begun, ns since 1970."""
        return self.run.wall_ns

    @property
    def is_spared(self) -> bool:
        """Whether somebody named it, or it is under way."""
        return bool(self.run.name) or self.run.state is RunState.RUNNING


class History:
    """The runs of one database file; a context manager."""

    def __init__(self, path: Path, connection: sqlite3.Connection, word: str) -> None:
        self.path = path
        self.word = word
        self._connection = connection

    @classmethod
    def open(cls, path: Path | None = None) -> "History":
        """Open the history, the user's own where no path is given.

        ``word`` then says what the user should know, such as that a damaged one was set aside.
        Raises ``HistoryError``.
        """
        path = path or default_path()
        connection, word = open_store(path)
        history = cls(path, connection, word)
        try:
            history._settle()
        except BaseException:
            connection.close()
            raise
        return history

    def __enter__(self) -> "History":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def recorder(
        self,
        on_trouble: Callable[[str], None] | None = None,
        baseline: Identity | None = None,
    ) -> Recorder:
        """Return what keeps a session's runs here as they happen."""
        return Recorder(self.path, on_trouble, baseline)

    def runs(self) -> list[StoredRun]:
        """Return every run, newest first."""
        with self._worded():
            rows = self._connection.execute("SELECT * FROM runs ORDER BY wall_ns DESC, key DESC")
            return [read_row(row) for row in rows]

    def chosen(self, name: str | None, searches: Sequence[str]) -> list[StoredRun]:
        """Return the runs that ``finding.chosen`` tells; raise ``HistoryError`` where none is."""
        return chosen(self.runs(), name, searches)

    def find(self, text: str) -> StoredRun:
        """Return the run that ``finding.called`` tells; raise ``HistoryError`` where none is."""
        return called(self.runs(), text)

    def lines(self, run: StoredRun) -> Iterator[bytes]:
        """Yield a run's events as the lines they came as, without newlines.

        Raises ``HistoryError`` for a run that was forgotten since it was listed.
        """
        with self._worded():
            if self._now(run) is None:
                raise _gone(run)
            chunks = self._connection.execute(
                "SELECT lines FROM chunks WHERE run = ? ORDER BY sequence", (run.key,)
            )
            for (blob,) in chunks:
                yield from unpacked(blob)

    def events(
        self, run: StoredRun, is_wanted: Callable[[], bool] = lambda: True
    ) -> list[ev.Event]:
        """Return a run's events, which begin with the name and the notes that it has now.

        A run that was cut off gets an end that says so; lines that cannot be read are left out,
        and a notice says how many. Once they are not wanted any more it returns what it has.
        """
        reader = EventReader()
        lines = itertools.takewhile(lambda _: is_wanted(), self.lines(run))
        events = [_renamed(event, run) for event in reader.take(lines)]
        events += reader.unread_notice()
        if run.state is RunState.INTERRUPTED:
            events += reader.cut_off()
        return events

    def plan(self, run: StoredRun) -> RunPlan:
        """Return what a run was asked to do; raise ``HistoryError`` where that is not known."""
        for event in EventReader().take(itertools.islice(self.lines(run), 1)):
            if isinstance(event, ev.RunStarted) and event.plan is not None:
                return event.plan
        label = printable(run.label)
        raise HistoryError(
            f"what run {label} was asked to do is not known",
            hint=f"`vm-timing-report show {label}` prints what is",
        )

    def load(self, run: StoredRun) -> Fleet:
        """Return a run as its events left it."""
        return Fleet(self.events(run))

    def known(self, circumstances: Collection[str]) -> tuple[KnownRun, ...]:
        """Return what is kept of the storms of whole runs in these circumstances, oldest first.

        Damaged rows are passed over: less is then known.
        """
        with self._worded():
            rows = self._connection.execute(
                f"""
                SELECT runs.run, circumstances, request, storms.median_s FROM storms
                JOIN runs ON runs.key = storms.run
                WHERE circumstances IN ({", ".join("?" * len(circumstances))})
                ORDER BY runs.wall_ns, runs.key, circumstances, request, place
                """,  # noqa: S608  no more than question marks
                tuple(circumstances),
            ).fetchall()
        found = itertools.groupby(
            (row for row in rows if isinstance(row[3], float) and 0 < row[3] < math.inf),
            key=lambda row: (str(row[0]), str(row[1]), str(row[2])),
        )
        return tuple(
            KnownRun(run, Setting(where, what), tuple(row[3] for row in storms))
            for (run, where, what), storms in found
        )

    def trend_of(self, runs: Sequence[StoredRun]) -> list[TrendRun]:
        """Return what these runs came to, a point for each of their settings.

        It is kept with each run; what an older schema kept none of is reckoned now, once. A run
        under way is passed over.
        """
        with self._worded():
            kept = dict(self._connection.execute("SELECT key, points FROM runs").fetchall())
        found: list[TrendRun] = []
        for run in runs:
            if run.state is RunState.RUNNING:
                continue
            points = unpacked_points(str(kept.get(run.key, "")))
            if points is None:
                points = self._reckoned_points(run)
            found += (
                TrendRun(run=run.run, name=run.name, wall_ns=run.wall_ns, point=point)
                for point in points
            )
        return found

    def _reckoned_points(self, run: StoredRun) -> tuple[TrendPoint, ...]:
        fleet = self.load(run)
        points = points_of(fleet, side_of(fleet))
        with self._worded(), transaction(self._connection):
            update_row(self._connection, run.key, {"points": packed_points(points)})
        return points

    def with_known(self, side: Side) -> Side:
        """Return a side with what is kept of runs in its circumstances.

        Where that cannot be read, less is known, and the runs are compared all the same.
        """
        settings = [sample.setting for sample in side.samples if sample.setting is not None]
        with suppress(HistoryError):
            known = self.known(dict.fromkeys(each.circumstances for each in settings))
            return replace(side, known=known)
        return side

    def baseline_of(self, run: StoredRun) -> Side | None:
        """Return what a run was to be held against, by the name it had then.

        Nothing but its identity where it is not in this history.
        """
        identity = run.baseline
        if identity is None:
            return None
        for stored in self.runs():
            if stored.run == identity.run and stored.wall_ns == identity.wall_ns:
                whole = replace(identity, setting="").label
                side = side_of(self.load(stored), whole, name=identity.name)
                part = part_of(side, identity.setting) if identity.setting else side
                return self.with_known(part)
        return Side(label=identity.label, samples=(), facts={}, identity=identity)

    def export(
        self,
        run: StoredRun,
        path: Path,
        *,
        scope: Collection[int] | None = None,
        overwrite: bool = True,
    ) -> Path:
        """Write a run to a file, as a live one is; raise ``ExportError``."""
        return write_export(
            path,
            self.load(run),
            scope=scope,
            baseline=self.baseline_of(run),
            overwrite=overwrite,
        )

    def rendered(self, run: StoredRun, ending: str) -> str:
        """Return what a file of that ending would hold of a run."""
        return render(ending, self.load(run), baseline=self.baseline_of(run))

    def rename(self, run: StoredRun, name: str) -> None:
        """Call a run so from now on; raise ``HistoryError`` where it was forgotten meanwhile."""
        self._change(run, {"name": storable(name)})

    def note(self, run: StoredRun, notes: str) -> None:
        """Keep these notes with a run; raise ``HistoryError`` where it was forgotten meanwhile."""
        self._change(run, {"notes": storable(notes)})

    def _change(self, run: StoredRun, row: Row) -> None:
        with self._worded(), transaction(self._connection):
            if self._now(run) is None:
                raise _gone(run)
            update_row(self._connection, run.key, row)

    def _now(self, run: StoredRun) -> StoredRun | None:
        """Return a run as it is kept now; None where its key is nobody's any more, or another's."""
        row = self._connection.execute("SELECT * FROM runs WHERE key = ?", (run.key,)).fetchone()
        kept = read_row(row) if row is not None else None
        is_same = kept is not None and (kept.run, kept.wall_ns) == (run.run, run.wall_ns)
        return kept if is_same else None

    def remove(self, run: StoredRun) -> None:
        """Forget a run; raise ``HistoryError`` while it is being recorded."""
        with self._worded():
            with transaction(self._connection):
                kept = self._now(run)
                if kept is None:
                    return
                if kept.state is RunState.RUNNING:
                    raise HistoryError(
                        f"run {printable(run.label)} still goes on", hint="stop it first"
                    )
                self._connection.execute("DELETE FROM runs WHERE key = ?", (run.key,))
            self._connection.executescript("PRAGMA incremental_vacuum")  # execute frees one page

    def prune(self, retention: Retention, *, dry_run: bool = False) -> list["SizedRun"]:
        """Forget the runs that are given up, and return them, oldest first."""
        given_up = retention.given_up(self._sized(), time.time_ns())
        if given_up and not dry_run:
            for sized in given_up:
                self.remove(sized.run)
            with self._worded():
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return given_up

    def _sized(self) -> list["SizedRun"]:
        with self._worded():
            rows = self._connection.execute(
                "SELECT run, sum(length(lines)) FROM chunks GROUP BY run"
            )
            sizes = {key: size for key, size in rows if isinstance(size, int)}
        return [SizedRun(run, sizes.get(run.key, 0)) for run in self.runs()]

    def _settle(self) -> None:
        """Write down what is missing in the list.

        That is the end of runs whose recorder is gone, and the figures of those that an older
        schema kept none of.
        """
        with self._worded():
            rows = self._connection.execute(
                "SELECT * FROM runs WHERE curve = '' OR state IN (?, ?)",
                (str(RunState.RUNNING), str(RunState.WAITING)),
            ).fetchall()
        for row in rows:
            run = read_row(row)
            if run.state in (RunState.RUNNING, RunState.WAITING):
                continue
            fleet = self.load(run)
            settled = {"state": str(run.state), **figures_of(fleet)}
            with self._worded(), transaction(self._connection):
                update_row(self._connection, run.key, settled)
                keep_storms(self._connection, run.key, fleet)

    def _worded(self) -> AbstractContextManager[None]:
        return worded(self.path)


def _gone(run: StoredRun) -> HistoryError:
    return HistoryError(
        f"run {printable(run.label)} is not in the history any more",
        hint="somebody has removed it meanwhile",
    )


def _renamed(event: ev.Event, run: StoredRun) -> ev.Event:
    """Return an event, a run's begin with the name and the notes that it has now."""
    if not isinstance(event, ev.RunStarted):
        return event
    plan = event.plan
    if plan is None or (storable(plan.name), storable(plan.notes)) == (run.name, run.notes):
        return event
    return replace(event, plan=replace(plan, name=run.name, notes=run.notes))
