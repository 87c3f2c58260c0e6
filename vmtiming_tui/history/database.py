"""The database past runs are kept in: its place, its schema, and what is done when it is damaged.

SQLite in WAL mode: several processes read and write it at once, and a power cut loses no more than
the transaction that was being written. A damaged file is set aside under another name, untouched.
"""

import contextlib
import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from vmtiming_tui.errors import HistoryError
from vmtiming_tui.escape import printable

_BUSY_LIMIT_S = 30.0
_DAMAGED = ("file is not a database", "database disk image is malformed", "malformed database")


def default_path() -> Path:
    """Return where this user's history is."""
    return platformdirs.user_state_path("vmtiming-tui") / "history.db"


def _create(connection: sqlite3.Connection) -> None:
    """Version 1: runs, and their events as chunks of compressed lines."""
    connection.execute(
        """
        CREATE TABLE runs (
            key INTEGER PRIMARY KEY,
            run TEXT NOT NULL,
            wall_ns INTEGER NOT NULL,
            state TEXT NOT NULL,
            number INTEGER NOT NULL,
            host TEXT NOT NULL,
            accel TEXT NOT NULL,
            qemu_version TEXT NOT NULL,
            tool_version TEXT NOT NULL,
            counts TEXT NOT NULL DEFAULT '{}',
            owner TEXT NOT NULL
        )
        """
    )
    connection.execute(
        """
        CREATE TABLE chunks (
            run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
            sequence INTEGER NOT NULL,
            lines BLOB NOT NULL,
            PRIMARY KEY (run, sequence)
        ) WITHOUT ROWID
        """
    )
    connection.execute("CREATE INDEX runs_by_time ON runs (wall_ns DESC, key DESC)")


def _add_names_and_figures(connection: sqlite3.Connection) -> None:
    """Version 2: names, notes and figures, so that a list of runs need not read their events.

    An empty ``curve`` marks a run whose figures are still to be reckoned.
    """
    for column in (
        "name TEXT NOT NULL DEFAULT ''",
        "notes TEXT NOT NULL DEFAULT ''",
        "storms INTEGER NOT NULL DEFAULT 0",
        "boots INTEGER NOT NULL DEFAULT 0",
        "booted INTEGER NOT NULL DEFAULT 0",
        "median_s REAL",
        "p95_s REAL",
        "cluster_s REAL",
        "curve TEXT NOT NULL DEFAULT ''",
    ):
        connection.execute(f"ALTER TABLE runs ADD COLUMN {column}")
    connection.execute("CREATE INDEX runs_by_name ON runs (name)")


def _add_storms(connection: sqlite3.Connection) -> None:
    """Version 3: the medians (s) of whole storms, by what they were booted with.

    Runs kept before have none: all their events would have to be read for them.
    """
    connection.execute(
        """
        CREATE TABLE storms (
            run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
            place INTEGER NOT NULL,
            circumstances TEXT NOT NULL,
            request TEXT NOT NULL,
            median_s REAL NOT NULL,
            PRIMARY KEY (run, place)
        ) WITHOUT ROWID
        """
    )
    connection.execute("CREATE INDEX storms_by_circumstances ON storms (circumstances)")


def _add_baseline(connection: sqlite3.Connection) -> None:
    """Version 4: the run each was started to be held against, as JSON; empty where there is none.

    A copy, not a reference: it may have been another host's, or be forgotten since.
    """
    connection.execute("ALTER TABLE runs ADD COLUMN baseline TEXT NOT NULL DEFAULT ''")


def _add_labels(connection: sqlite3.Connection) -> None:
    """Version 5: each run's labels, as JSON; empty for runs kept before there were any."""
    connection.execute("ALTER TABLE runs ADD COLUMN labels TEXT NOT NULL DEFAULT ''")


def _add_points(connection: sqlite3.Connection) -> None:
    """Version 6: what each run came to with each of its settings, for a trend of many, as JSON.

    Empty where it is still to be reckoned: that is done when a trend is asked for.
    """
    connection.execute("ALTER TABLE runs ADD COLUMN points TEXT NOT NULL DEFAULT ''")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _create,
    _add_names_and_figures,
    _add_storms,
    _add_baseline,
    _add_labels,
    _add_points,
)
VERSION = len(MIGRATIONS)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time judge, mend and migrate the database of this folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error says that the file itself is damaged."""
    return any(words in str(error) for words in _DAMAGED)


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection to a database known to be good; raise ``sqlite3.Error``."""
    return _prepared(sqlite3.connect(path, timeout=_BUSY_LIMIT_S, isolation_level=None))


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that can change nothing and is in no writer's way, as WAL has it.

    Any thread may use it, one at a time. Raises ``sqlite3.Error``.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=_BUSY_LIMIT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    return _prepared(connection)


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")  # or a power cut loses several batches
        connection.row_factory = sqlite3.Row
        # Else one damaged name would hide all runs.
        connection.text_factory = lambda raw: raw.decode(errors="backslashreplace")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Make all writes inside happen, or none of them."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema's version, 0 for a new database; raise ``HistoryError`` for a newer one."""
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > VERSION:
        raise HistoryError(
            f"{printable(str(path))} was written by a newer vm-timing-report",
            hint="use that one, or keep no history this time (--no-history)",
        )
    return found


def _look_through(connection: sqlite3.Connection) -> None:
    """Raise ``sqlite3.DatabaseError`` where the list of runs is damaged."""
    if connection.execute("PRAGMA quick_check(runs)").fetchone()[0] != "ok":
        raise sqlite3.DatabaseError(_DAMAGED[1])


def _migrate(connection: sqlite3.Connection, found: int) -> None:
    if found == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
    with transaction(connection):
        for migrate in MIGRATIONS[found:]:
            migrate(connection)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _ready(path: Path) -> sqlite3.Connection:
    """Return a connection to a database that was looked through and brought up to date."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = connect(path)
    try:
        found = _version(connection, path)
        if found:
            _look_through(connection)
        if found < VERSION:
            _migrate(connection, found)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_owners(path: Path) -> None:
    """Raise ``OSError`` for a history of another user's, whose links lead where that user likes.

    Root comes upon one where a user's environment is kept.
    """
    for each in (path.parent, path):
        with contextlib.suppress(FileNotFoundError):
            owner = each.lstat().st_uid
            if owner not in (0, os.geteuid()):
                raise PermissionError(errno.EPERM, f"it belongs to another user ({owner})")


def _set_aside(path: Path) -> Path:
    """Give a damaged database, with all that belongs to it, another name."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for attempt in range(1000):
        aside = path.with_name(f"{path.name}.damaged-{stamp}{f'-{attempt}' if attempt else ''}")
        if not aside.exists():
            break
    for ending in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
    return aside


def open_store(path: Path) -> tuple[sqlite3.Connection, str]:
    """Return a connection to the history, and a word for the user where one is due, else "".

    What is missing is made, readable by this user alone; what is old is migrated; what is damaged
    is set aside. Raises ``HistoryError`` where none of this can be done.
    """
    try:
        with contextlib.suppress(FileExistsError):  # opening a file as a folder is said below
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_owners(path)
        with _alone(path.parent):
            try:
                return _ready(path), ""
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
            aside = _set_aside(path)
            return _ready(path), (
                f"the history was damaged; it is kept as {printable(str(aside))}, and a new one "
                "was begun (`sqlite3 FILE .recover` may bring its runs back)"
            )
    except (OSError, sqlite3.Error) as error:
        raise HistoryError(
            f"the history {printable(str(path))} cannot be opened: {failure(error)}",
            hint="mend that, or keep no history this time (--no-history)",
        ) from error


def storable(text: str) -> str:
    """Return a text as SQLite takes it: bytes that were no UTF-8 (lone surrogates) as escapes."""
    return text.encode(errors="backslashreplace").decode()


def failure(error: OSError | sqlite3.Error) -> str:
    """Return what went wrong, in words."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


@contextmanager
def worded(path: Path) -> Iterator[None]:
    """Word the database's errors for the user: what is inside raises ``HistoryError``."""
    try:
        yield
    except sqlite3.Error as error:
        hint = (
            f"`sqlite3 {printable(str(path))} .recover` may bring its runs back"
            if is_damage(error)
            else "try again; --no-history does without it"
        )
        raise HistoryError(
            f"the history {printable(str(path))} failed: {failure(error)}", hint=hint
        ) from error
