"""What the readers of file systems share: names that may be, and folders read once."""

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from vmtiming_tui.errors import ImageError

MAX_ENTRIES = 500_000
_MAX_READ_BYTES = 256 << 20

T = TypeVar("T")


def checked_name(name: bytes) -> bytes:
    """Return a name; raise ``ImageError`` where no system could have made it."""
    if not name or b"/" in name or b"\0" in name or name in (b".", b".."):
        raise ImageError("a folder holds a name that cannot be: it is damaged")
    return name


class FolderCache(Generic[T]):
    """The names of folders by number, kept while they are not too many.

    ``read`` yields a folder's names with what they stand for; of twins the first counts. What it
    reads is charged, so that no web of folders costs more than an allowance.
    """

    def __init__(self, read: Callable[[int], Iterator[tuple[bytes, T]]]) -> None:
        self._read = read
        self._kept: dict[int, dict[bytes, T]] = {}
        self._left_bytes = _MAX_READ_BYTES

    def __getitem__(self, number: int) -> Mapping[bytes, T]:
        """Return what is in a folder; raise ``ImageError`` where that is damaged or too much."""
        if number not in self._kept:
            found: dict[bytes, T] = {}
            for name, value in self._read(number):
                found.setdefault(name, value)
                if len(found) > MAX_ENTRIES:
                    raise ImageError(f"its folder {number} has more than {MAX_ENTRIES} names")
            if sum(map(len, self._kept.values())) + len(found) > MAX_ENTRIES:
                self._kept.clear()
            self._kept[number] = found
        return self._kept[number]

    def charge(self, count: int) -> None:
        """Count bytes read for folders; raise ``ImageError`` where they are too many."""
        self._left_bytes -= count
        if self._left_bytes < 0:
            raise ImageError("its folders hold more names than any system's")
