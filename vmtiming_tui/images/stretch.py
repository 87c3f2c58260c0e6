"""A run of bytes of open files: what a partition, a logical volume or a whole image is."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
        self.size = sum(piece.size for piece in self.pieces)

    def read(self, at: int, count: int) -> bytes:
        """Return exactly ``count`` bytes (at most ``MAX_READ_BYTES``) from ``at`` on."""
        if not 0 <= count <= MAX_READ_BYTES or at < 0 or at + count > self.size:
            raise ImageError(f"it points outside of itself: {count} bytes at {at} of {self.size}")
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
            raise ImageError(f"it points outside of itself: {count} bytes at {at} of {self.size}")
        begin = 0
        for piece in self.pieces:
            skip = max(at - begin, 0)
            length = min(piece.size - skip, at + count - begin - skip)
            if length > 0:
                yield Piece(piece.fd, piece.offset + skip, length)
            begin += piece.size

    def part(self, at: int, count: int) -> "Stretch":
        """Return a stretch of this one."""
        return Stretch(tuple(self.slice(at, count)))
