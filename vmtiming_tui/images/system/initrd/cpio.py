"""Writing archives that the kernel unpacks into an initrd's tree (newc, "initramfs buffer format").

The kernel unpacks archives one after another into one tree, so what is appended to an initrd joins
what is in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

_FILE, _FOLDER = 0o100000, 0o040000
_TRAILER = "TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an archive; a folder where ``data`` is None. The path has no leading slash."""

    path: str
    data: bytes | None = None
    mode: int = 0o644


def aligned(data: bytes) -> bytes:
    """Return it padded to four bytes, at whose multiples headers and contents begin."""
    return data + b"\0" * (-len(data) % 4)


def _head(number: int, path: str, mode: int, size: int) -> bytes:
    name = path.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name), 0)
    return aligned(b"070701" + b"".join(b"%08X" % field for field in fields) + name)


def packed(number: int, entry: Entry) -> bytes:
    """Return one file or folder of root's as an archive has it; ``number`` is its inode there."""
    if entry.data is None:
        return _head(number, entry.path, _FOLDER | 0o755, 0)
    return _head(number, entry.path, _FILE | entry.mode, len(entry.data)) + aligned(entry.data)


def end() -> bytes:
    """Return what ends an archive."""
    return _head(0, _TRAILER, 0, 0)


def cpio(entries: Iterable[Entry]) -> bytes:
    """Return an archive of root's files."""
    return b"".join([*(packed(number, entry) for number, entry in enumerate(entries, 1)), end()])
