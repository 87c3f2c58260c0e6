"""What was settled about images before a guest could write to them, kept from run to run.

A guest may write any header to a raw disk. Where its format was settled once, no later run asks
the disk again. One file for all images, an entry a line; one that others can write to says nothing.
"""

import errno
import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from vmtiming_tui.errors import EventError, ImageError
from vmtiming_tui.images.guard.opening import File
from vmtiming_tui.model.codec import from_json, to_json

_MAX_ENTRIES = 50_000
_MAX_BYTES = 64 << 20


def ledger_path() -> Path:
    """Return where the ledger is, below the user's state folder (XDG Base Directories).

    Raises ``ImageError`` where the user has no home folder.
    """
    base = os.environ.get("XDG_STATE_HOME", "").strip() or "~/.local/state"
    try:
        return Path(base).expanduser() / "vmtiming-tui" / "images.jsonl"
    except RuntimeError:
        raise ImageError(
            f"user {os.geteuid()} has no home folder to keep the formats of images in",
            hint="name one: HOME=/some/folder",
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """An image, by device, inode and path, and its format.

    ``backing`` is the file an overlay was given here; empty where it was not made here.
    """

    device: int
    inode: int
    path: str
    format: str
    backing: str = ""

    @property
    def key(self) -> tuple[int, int, str]:
        """What it is found by."""
        return self.device, self.inode, self.path


def entry_for(file: File, form: str, *, backing: str = "") -> LedgerEntry:
    """Return what is to be kept of a file."""
    return LedgerEntry(
        device=file.device, inode=file.inode, path=file.path, format=form, backing=backing
    )


class Ledger:
    """The entries of a file, which need not be there, and others that are known for now."""

    def __init__(self, path: Path | None = None, known: Iterable[LedgerEntry] = ()) -> None:
        self._path = path
        kept: list[LedgerEntry] = []
        if path:
            with suppress(OSError):
                kept = _load(path)
        self._entries = {entry.key: entry for entry in (*kept, *known)}

    def get(self, file: File) -> LedgerEntry | None:
        """Return what is known of an image."""
        return self._entries.get((file.device, file.inode, file.path))

    def write(self, entries: Iterable[LedgerEntry]) -> None:
        """Keep entries, beside those of other runs; raise ``OSError`` where that cannot be."""
        fresh = {entry.key: entry for entry in entries}
        self._entries |= fresh
        if not fresh or self._path is None:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(self._path):
            kept = {entry.key: entry for entry in _load(self._path) if entry.key not in fresh}
            _store(self._path, [*kept.values(), *fresh.values()][-_MAX_ENTRIES:])


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(path.with_suffix(".lock"), flags, 0o600)
    try:
        _check_owner(fd, path)
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _load(path: Path) -> list[LedgerEntry]:
    """Return a ledger's entries, none where there is none; raise ``OSError`` as ``write``."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(path, flags)
    except FileNotFoundError:
        return []
    with os.fdopen(fd, "rb") as file:
        _check_owner(fd, path)
        lines = file.read(_MAX_BYTES).splitlines()
    return [entry for line in lines if (entry := _entry(line))]


def _check_owner(fd: int, path: Path) -> None:
    """Raise ``OSError`` where others say what is in a file: they would open files with our rights.

    Root comes upon a ledger of a user's where that user's environment is kept.
    """
    state = os.fstat(fd)
    is_private = state.st_uid in (0, os.geteuid()) and not state.st_mode & 0o022
    if not stat.S_ISREG(state.st_mode) or not is_private:
        raise OSError(errno.EPERM, "others can write to the file it is kept in", str(path))


def _entry(line: bytes) -> LedgerEntry | None:
    try:
        return from_json(LedgerEntry, json.loads(line))
    except (ValueError, RecursionError, EventError):
        return None


def _store(path: Path, entries: Iterable[LedgerEntry]) -> None:
    fd, name = tempfile.mkstemp(prefix=".images-", dir=path.parent)
    try:
        with os.fdopen(fd, "w") as file:
            file.writelines(json.dumps(to_json(entry)) + "\n" for entry in entries)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
