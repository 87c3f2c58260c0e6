"""A run of bytes of open files: what a partition, a logical volume or a whole image is."""

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from vmtiming_tui.errors import ImageError

MAX_READ_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """So many bytes (``size``) of an open file, from ``offset`` on."""

    fd: int
    offset: int
    size: int


class Stretch:
    """Pieces one after another, read as one.

    Whoever opened the descriptors closes them. Raises ``ImageError`` where it ends too early.
    """

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = tuple(pieces)
        self._ends = list(accumulate(piece.size for piece in self.pieces))
        self.size = self._ends[-1] if self._ends else 0

    def read(self, at: int, count: int) -> bytes:
        """Return exactly ``count`` bytes (at most ``MAX_READ_BYTES``) from ``at`` on."""
        if not 0 <= count <= MAX_READ_BYTES or at < 0 or at + count > self.size:
            raise ImageError(f"it points outside of itself: {at} + {count} of {self.size} bytes")
        found = bytearray()
        for piece in self.slice(at, count):
            data = os.pread(piece.fd, piece.size, piece.offset)
            if len(data) != piece.size:
                raise ImageError("it is cut short")
            found += data
        return bytes(found)

    def head(self, count: int) -> bytes:
        """Return its first bytes, as many as there are up to ``count``."""
        return self.read(0, min(count, self.size))

    def slice(self, at: int, count: int) -> Iterator[Piece]:
        """Yield the pieces that hold these bytes; raise ``ImageError`` where they do not exist."""
        if at < 0 or count < 0 or at + count > self.size:
            raise ImageError(f"it points outside of itself: {at} + {count} of {self.size} bytes")
        end = at + count
        number = bisect_right(self._ends, at)
        while at < end:
            piece = self.pieces[number]
            left = self._ends[number] - at
            yield Piece(piece.fd, piece.offset + piece.size - left, min(left, end - at))
            at += left
            number += 1

    def part(self, at: int, count: int) -> "Stretch":
        """Return a stretch of this one."""
        return Stretch(tuple(self.slice(at, count)))
