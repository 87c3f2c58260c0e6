"""How the lines of a stored run lie in the history: compressed, some thousands together."""

import zlib
from collections.abc import Iterator, Sequence

from vmtiming_tui.history.event_budget import MAX_LINE_BYTES

DAMAGED = b"damaged"
MAX_CHUNK_BYTES = 256 << 20
_PIECE_BYTES = 1 << 20
_LEVEL = 6


def packed(lines: Sequence[bytes]) -> bytes:
    """Return lines as one chunk."""
    return zlib.compress(b"\n".join(lines) + b"\n", _LEVEL)


def unpacked(blob: object) -> Iterator[bytes]:
    """Yield a chunk's lines; ``DAMAGED`` for what cannot be read, or is longer than any event.

    A chunk is as foreign as any file: no more than a piece of it is unpacked at a time, and no
    more than ``MAX_CHUNK_BYTES`` of it at all.
    """
    reader = zlib.decompressobj()
    rest, skipping, total = b"", False, 0
    data = blob if isinstance(blob, bytes) else b""
    try:
        while not reader.eof and total <= MAX_CHUNK_BYTES:
            piece = reader.decompress(data, _PIECE_BYTES)
            data = reader.unconsumed_tail
            if not piece:
                break
            total += len(piece)
            *whole, rest = (rest + piece).split(b"\n")
            if skipping and whole:
                whole[0], skipping = DAMAGED, False
            yield from (line if len(line) <= MAX_LINE_BYTES else DAMAGED for line in whole)
            if len(rest) > MAX_LINE_BYTES:
                rest, skipping = b"", True
    except zlib.error:
        pass
    if rest or skipping or not reader.eof:
        yield DAMAGED
