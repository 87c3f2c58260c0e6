"""Keeping a run as it happens: lines with their events in, a transaction every half second.

The lines are kept as they came, by a thread of the front end, never of the engine. The run's row in
the list is reckoned from a ``Fleet`` of the thread's own: figures of a large run take longer than a
loop may be held up, and the front end's fleet changes meanwhile. Of events that no figure of the
row rests on it folds none.
"""

import json
import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from vmtiming_tui.analysis.comparison.samples import Identity, side_of
from vmtiming_tui.analysis.trend import points_of
from vmtiming_tui.errors import HistoryError
from vmtiming_tui.escape import were
from vmtiming_tui.history.database import connect, failure, storable, transaction
from vmtiming_tui.history.event_budget import Budget
from vmtiming_tui.history.owner import owner_of
from vmtiming_tui.history.rows import Row, figures_of, packed_points
from vmtiming_tui.history.stored_lines import packed
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.codec import to_json
from vmtiming_tui.model.fleet import Fleet, RunState
from vmtiming_tui.sources.event_lines import Told

BATCH_S = 0.5
BATCH_BYTES = 1 << 20
MOST_WAITING_BYTES = 64 << 20
RETRY_S = 5.0
ROW_COST_SHARE = 50

_TELLING = (
    ev.RunStarted, ev.RunEnded, ev.EngineFailed, ev.StormStarted, ev.RoundStarted, ev.StormEnded,
    ev.VmQueued, ev.VmStarted, ev.VmBooted, ev.VmFailed, ev.VmTimedOut, ev.VmKilled, ev.VmExited,
    ev.VmDetails, ev.FilesSeen, ev.HostJoined, ev.HostLost,
)  # fmt: skip


class Recorder:
    """Keeps every run of a session; a context manager, left when the session is over.

    ``baseline`` is the run that those of the session are held against, where there is one.
    ``on_trouble`` is called, from the recorder's thread, with a sentence when lines cannot be kept
    (a full disk, say) and again when they can; the run itself never waits for it.
    """

    def __init__(
        self,
        path: Path,
        on_trouble: Callable[[str], None] | None = None,
        baseline: Identity | None = None,
    ) -> None:
        self._path = path
        self._on_trouble = on_trouble
        self._waiting: list[Told] = []
        self._waiting_bytes = 0
        self._lost_bytes = 0
        self._closing = False
        self._more = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="history", daemon=True)
        self._writer = _Writer(path, baseline)
        self.trouble = ""

    def __enter__(self) -> "Recorder":
        try:
            self._thread.start()
        except RuntimeError as error:
            raise HistoryError(
                "the host allows this user no further thread",
                hint="end some processes, or raise the limit: ulimit -u",
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._more:
            self._closing = True
            self._more.notify()
        self._thread.join()

    def write(self, told: Sequence[Told]) -> None:
        """Take lines of the stream; returns at once."""
        size = sum(len(line) for line, _ in told)
        with self._more:
            if self._closing:
                return
            held = self._waiting_bytes + self._writer.waiting_bytes
            if held + size > MOST_WAITING_BYTES:
                self._lost_bytes += size
                return
            self._waiting += told
            self._waiting_bytes += size
            if self._waiting_bytes >= BATCH_BYTES:
                self._more.notify()

    def _take(self) -> tuple[list[Told], bool]:
        """Wait for a batch; returns it and whether it is the last."""
        with self._more:
            if self.trouble:  # to try again at once would only cost the run its time
                self._more.wait_for(lambda: self._closing, RETRY_S)
            else:
                self._more.wait_for(
                    lambda: self._closing or self._waiting_bytes >= BATCH_BYTES, BATCH_S
                )
            taken, self._waiting, self._waiting_bytes = self._waiting, [], 0
            return taken, self._closing

    def _work(self) -> None:
        is_last = False
        try:
            while not is_last:
                told, is_last = self._take()
                self._writer.take(told)
                del told  # an event lives no longer than it takes to fold it
                self._flush(is_last=is_last)
        finally:
            self._writer.close()

    def _flush(self, *, is_last: bool) -> None:
        try:
            self._writer.flush(is_last=is_last)
        except (sqlite3.Error, OSError) as error:
            self._writer.close()
            self._say(
                f"the run is not being kept in the history: {failure(error)} "
                f"({self._path}); the run itself goes on"
            )
        else:
            self._say("part of the run is missing from the history" if self._lost_bytes else "")

    def _say(self, trouble: str) -> None:
        if trouble == self.trouble:
            return
        self.trouble = trouble
        if self._on_trouble is not None:
            self._on_trouble(trouble or "the run is kept in the history again")


class _Run:
    """One run being kept: its row, and the lines not yet written."""

    def __init__(self) -> None:
        self.fleet = Fleet()
        self.budget = Budget()
        self.key: int | None = None
        self.sequence = 0
        self.lines: list[bytes] = []
        self.has_storms = False
        self._row_due_s = 0.0

    def take(self, told: Told) -> None:
        """Take a line, where there is room."""
        if not self.budget.keeps(told):
            return
        self.lines.append(told.line)
        if isinstance(told.event, _TELLING):
            self.fleet.fold(told.event)

    def close(self) -> None:
        """Say in the run itself what of it is not kept."""
        if left_out := self.budget.left_out:
            kinds = ", ".join(f"{count} {tag}" for tag, count in sorted(left_out.items()))
            notice = ev.Notice(
                at_ns=self.fleet.last_ns,
                level=ev.Level.WARNING,
                text=f"the history keeps no more of this run: {kinds} {were(left_out.total())} "
                "left out",
                left_out=dict(left_out),
            )
            self.lines.append(ev.encode(notice).encode())
            left_out.clear()

    def row(self, *, over: bool) -> Row:
        """Return what has changed in the list: all of it at the end, figures now and then before.

        Figures of a large run take a while to reckon, so they get a fixed small share of the time.
        """
        state = self.fleet.state
        if over and not self.fleet.ran_to_end:
            state = RunState.INTERRUPTED
        row: Row = {"state": str(state)}
        now_s = time.monotonic()
        if over or self.fleet.ran_to_end or now_s >= self._row_due_s:
            row |= figures_of(self.fleet)
            spent_s = time.monotonic() - now_s
            self._row_due_s = now_s + spent_s * ROW_COST_SHARE
        return row


class _Writer:
    """Puts lines into the database, each run's under its own key."""

    def __init__(self, path: Path, baseline: Identity | None) -> None:
        self._path = path
        self._baseline = baseline
        self._connection: sqlite3.Connection | None = None
        self._runs: list[_Run] = []
        self.waiting_bytes = 0

    def take(self, told: Sequence[Told]) -> None:
        """Deal lines out to their runs; those before any run belong to none."""
        for each in told:
            if isinstance(each.event, ev.RunStarted):
                self._runs.append(_Run())
            if self._runs and each.line:
                self._runs[-1].take(each)
                self.waiting_bytes += len(each.line)

    def flush(self, *, is_last: bool) -> None:
        """Write what is waiting, all of it or nothing; raise ``sqlite3.Error``."""
        for run in self._runs if is_last else self._runs[:-1]:
            run.close()
        changed = [run for run in self._runs if run.lines or (is_last and run.key is not None)]
        if changed:
            if self._connection is None:
                self._connection = connect(self._path)
            with transaction(self._connection):
                keys = [
                    _write_run(
                        self._connection,
                        run,
                        self._baseline,
                        over=is_last or run is not self._runs[-1],
                    )
                    for run in changed
                ]
            for run, key in zip(changed, keys, strict=True):
                run.sequence += bool(run.lines)
                run.key, run.lines = key, []
                run.has_storms = run.fleet.ran_to_end
        del self._runs[:-1]
        self.waiting_bytes = 0

    def close(self) -> None:
        """Let go of the database; the next flush opens it anew."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _write_run(
    connection: sqlite3.Connection, run: _Run, baseline: Identity | None, *, over: bool
) -> int:
    """Write a run's new lines and what they change in the list; returns its key."""
    key = run.key if run.key is not None else _insert(connection, run.fleet, baseline)
    if run.lines:
        blob = packed(run.lines)
        connection.execute("INSERT INTO chunks VALUES (?, ?, ?)", (key, run.sequence, blob))
    update_row(connection, key, run.row(over=over))
    if not run.has_storms and (over or run.fleet.ran_to_end):
        keep_storms(connection, key, run.fleet)
    return key


def update_row(connection: sqlite3.Connection, key: int, row: Row) -> None:
    """Change these columns of a run's row."""
    columns = ", ".join(f"{name} = :{name}" for name in row)
    connection.execute(f"UPDATE runs SET {columns} WHERE key = :key", {**row, "key": key})  # noqa: S608  names of our own


def keep_storms(connection: sqlite3.Connection, key: int, fleet: Fleet) -> None:
    """Keep what the storms of a run came to, for what later runs may be told by, and for a trend.

    Storms whose median is hidden by VMs that never booted, and those that lost a host, are no
    evidence of how far storms differ.
    """
    side = side_of(fleet)
    update_row(connection, key, {"points": packed_points(points_of(fleet, side))})
    rows = [
        (sample.setting.circumstances, sample.setting.request, storm.median)
        for sample in side.samples
        if sample.setting is not None
        for storm in sample.storms
        if storm.size and not storm.lost_hosts and 0 < storm.median < math.inf
    ]
    connection.execute("DELETE FROM storms WHERE run = ?", (key,))
    connection.executemany(
        "INSERT INTO storms VALUES (?, ?, ?, ?, ?)",
        [(key, place, *row) for place, row in enumerate(rows)],
    )


def _insert(connection: sqlite3.Connection, fleet: Fleet, baseline: Identity | None) -> int:
    started, plan = fleet.run, fleet.plan
    cursor = connection.execute(
        """
        INSERT INTO runs (
            run, wall_ns, state, number, host, accel, qemu_version, tool_version, owner,
            name, notes, baseline, labels
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            storable(started.run) if started else "unreadable",
            started.wall_ns if started else time.time_ns(),
            str(fleet.state),
            started.number if started else 0,
            storable(fleet.host_facts.hostname),
            storable(started.accel) if started else "",
            storable(started.qemu_version) if started else "",
            storable(started.tool_version) if started else "",
            owner_of(os.getpid()),
            storable(plan.name) if plan else "",
            storable(plan.notes) if plan else "",
            json.dumps(to_json(baseline)) if baseline else "",
            json.dumps(dict(plan.labels)) if plan and plan.labels else "",
        ),
    )
    key = cursor.lastrowid
    assert key is not None  # noqa: S101  an INSERT that succeeded has one
    return key
