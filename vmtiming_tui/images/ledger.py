"""What was settled about images before a guest could write to them, kept from run to run.

A guest may write any header to a raw disk. Where its format was settled once, no later run asks
the disk again. A line of JSON an image: device, inode, path, format, and for overlays made here
the backing file they were given.
"""

import fcntl
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmtiming_tui.images.opening import File

_MAX_ENTRIES = 50_000
_MAX_BYTES = 64 << 20
Key = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """An image's format, and the backing file it was made with here; empty: not made here."""

    format: str
    backing: str = ""


def key_of(file: File) -> Key:
    """Return what an image is known by."""
    return file.device, file.inode, file.path


class Ledger:
    """Entries by image, in one file; without a file it holds for this process only.

    A file that cannot be read holds nothing; ``write`` raises ``OSError``.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._entries = _load(path) if path else {}

    def get(self, file: File) -> Entry | None:
        """Return what is known of an image."""
        return self._entries.get(key_of(file))

    def write(self, new: Mapping[Key, Entry]) -> None:
        """Keep entries, beside those of other runs; raise ``OSError`` where that cannot be."""
        fresh = {key: entry for key, entry in new.items() if self._entries.get(key) != entry}
        self._entries |= fresh
        if not fresh or self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(self._path):
            kept = _load(self._path)
            for key in fresh:
                kept.pop(key, None)
            _store(self._path, list((kept | fresh).items())[-_MAX_ENTRIES:])


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    fd = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _load(path: Path) -> dict[Key, Entry]:
    try:
        with path.open("rb") as file:
            lines = file.read(_MAX_BYTES).splitlines()
    except OSError:
        return {}
    return dict(pair for line in lines if (pair := _entry(line)))


def _entry(line: bytes) -> tuple[Key, Entry] | None:
    match _json(line):
        case {
            "device": int(device), "inode": int(inode), "path": str(path), "format": str(form),
            "backing": str(backing),
        }:  # fmt: skip
            return (device, inode, path), Entry(form, backing)
    return None


def _json(line: bytes) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(line)
    return None


def _store(path: Path, entries: Iterable[tuple[Key, Entry]]) -> None:
    fd, name = tempfile.mkstemp(prefix=".images-", dir=path.parent)
    try:
        with os.fdopen(fd, "w") as file:
            for (device, inode, image), entry in entries:
                line = {"device": device, "inode": inode, "path": image, "format": entry.format}
                file.write(json.dumps(line | {"backing": entry.backing}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
