"""The ways an initrd's archives are packed: told apart, and unpacked a piece at a time.

Those that a kernel reads, by the first bytes it knows them by (its lib/decompress.c). What follows
a packed archive is another one's: so each is read to its own end and no further.
"""

import bz2
import lzma
import os
import select
import shutil
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from vmtiming_tui.images.packed.engines import Engine, Gzip

MAX_UNPACKED_BYTES = 1 << 30
MAX_NAMES = 200_000
MAX_NAMES_BYTES = 32 << 20
MAX_SECONDS = 30.0
WINDOW_BYTES = 1 << 16
LZ4_BLOCK_BYTES = 8 << 20
_MOST_OF_LZ4_BLOCK = LZ4_BLOCK_BYTES + LZ4_BLOCK_BYTES // 255 + 16
LZ4_MAGIC = b"\x02\x21\x4c\x18"
_MAX_DICTIONARY_BYTES = 128 << 20
_XZ_CHECKS = (b"\0", b"\1")  # none, CRC32
_XZ_ENGINE = partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, _MAX_DICTIONARY_BYTES)
_LZMA_ENGINE = partial(lzma.LZMADecompressor, lzma.FORMAT_ALONE, _MAX_DICTIONARY_BYTES)
_CUT_SHORT = "cut short"
_DAMAGED = "damaged"


class Limits:
    """What is left of all that one initrd may ask for; ``ValueError`` once it is too much."""

    def __init__(self) -> None:
        self._unpacked_bytes = MAX_UNPACKED_BYTES
        self._names = MAX_NAMES
        self._names_bytes = MAX_NAMES_BYTES
        self.deadline = time.monotonic() + MAX_SECONDS

    def unpack(self, count: int) -> None:
        """Count what was read or unpacked, in bytes."""
        self._unpacked_bytes -= count
        if self._unpacked_bytes < 0:
            raise ValueError(f"larger than {MAX_UNPACKED_BYTES >> 20} MiB, packed and unpacked")
        if time.monotonic() > self.deadline:
            raise ValueError(f"not read within {MAX_SECONDS:.0f} s")

    def name(self, count: int) -> None:
        """Count a name of so many bytes."""
        self._names -= 1
        self._names_bytes -= count
        if self._names < 0 or self._names_bytes < 0:
            raise ValueError(f"larger than any: more than {MAX_NAMES} names, or longer ones")


class Stream:
    """Bytes to be read once, of which no more than a chunk is held.

    ``position`` is how many of them were read. Raises ``ValueError`` where they end too early.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""
        self._at = 0
        self.position = 0

    def peek(self, count: int) -> bytes:
        """Return the next bytes, fewer at the end, and leave them."""
        while len(self._held) - self._at < count:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            self._held, self._at = self._held[self._at :] + chunk, 0
        return self._held[self._at : self._at + count]

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        found = self.peek(count)
        if len(found) < count:
            raise ValueError(_CUT_SHORT)
        self._pass(count)
        return found

    def pieces(self, count: int) -> Iterator[bytes]:
        """Yield so many of the next bytes."""
        while count:
            piece = self.take(min(count, WINDOW_BYTES))
            count -= len(piece)
            yield piece

    def skip(self, count: int) -> None:
        """Pass over so many bytes."""
        while count:
            there = min(len(self._held) - self._at, count)
            self._pass(there)
            count -= there
            if count and not self.peek(1):
                raise ValueError(_CUT_SHORT)

    def skip_zeros(self) -> None:
        """Pass over zeros."""
        while self.peek(1) == b"\0":
            held = len(self._held) - self._at
            self._pass(held - len(self._held[self._at :].lstrip(b"\0")))

    def chunk(self) -> bytes:
        """Return what is held, else the next chunk; nothing at the end."""
        self.peek(1)
        return self.take(len(self._held) - self._at)

    def put_back(self, data: bytes) -> None:
        """Take back the last bytes that were read."""
        self._held, self._at = data + self._held[self._at :], 0
        self.position -= len(data)

    def _pass(self, count: int) -> None:
        self._at += count
        self.position += count


@dataclass(frozen=True, slots=True)
class Packing:
    """A way to pack, by its name and first bytes; ``unpack`` leaves a stream at its end.

    What it yields is counted, and ``ValueError`` raised where it is damaged or cannot be read here.
    """

    name: str
    magic: bytes
    unpack: Callable[[Stream, Limits], Iterator[bytes]]


def _by_engine(make: Callable[[], Engine], stream: Stream, limits: Limits) -> Iterator[bytes]:
    engine = make()
    try:
        while not engine.eof:
            data = stream.chunk() if engine.needs_input else b""
            if not data and engine.needs_input:
                raise ValueError(_CUT_SHORT)
            plain = engine.decompress(data, WINDOW_BYTES)
            limits.unpack(len(plain))
            if plain:
                yield plain
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise ValueError(f"{_DAMAGED}: {error}") from None
    stream.put_back(engine.unused_data)


def _xz(stream: Stream, limits: Limits) -> Iterator[bytes]:
    if stream.peek(8)[7:8] not in _XZ_CHECKS:
        raise ValueError(
            "packed by xz with a check that no kernel knows (xz --check=crc32 takes one it does)"
        )
    yield from _by_engine(_XZ_ENGINE, stream, limits)


def _by_tool(
    tool: str, packed: Callable[[Stream], Iterator[bytes]], stream: Stream, limits: Limits
) -> Iterator[bytes]:
    """Yield what a tool unpacks of the bytes that ``packed`` takes from the stream."""
    if not shutil.which(tool):
        raise ValueError(f"packed for {tool}, which is not here (apt-get install {tool})")
    with subprocess.Popen(  # noqa: S603  a known tool that reads its input only
        [tool, "-dc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdin is not None  # noqa: S101  pipes were asked for
        assert child.stdout is not None  # noqa: S101
        source, sink = child.stdin.fileno(), child.stdout.fileno()
        os.set_blocking(source, False)
        left, waiting = packed(stream), b""
        try:
            while True:
                waiting = waiting or next(left, b"")
                if not waiting:
                    child.stdin.close()
                feeding = [source] if waiting else []
                readable, writable, _ = select.select([sink], feeding, [], 1)
                limits.unpack(0)
                if writable:
                    try:
                        waiting = waiting[os.write(source, waiting) :]
                    except BrokenPipeError:
                        raise ValueError(_DAMAGED) from None
                if readable:
                    plain = os.read(sink, WINDOW_BYTES)
                    if not plain:
                        break
                    limits.unpack(len(plain))
                    yield plain
            child.stdin.close()  # for one that waits for more to read before it ends
            if child.wait(max(limits.deadline - time.monotonic(), 0)):
                raise ValueError(_DAMAGED)
        except subprocess.TimeoutExpired:
            limits.unpack(0)
        finally:
            child.kill()


def _zstd_frame(stream: Stream) -> Iterator[bytes]:
    """Yield a frame (RFC 8878, 3.1.1)."""
    head = stream.take(5)
    flags = head[4]
    single = flags >> 5 & 1
    size_bytes = (single, 2, 4, 8)[flags >> 6]
    yield head + stream.take(1 - single + (0, 1, 2, 4)[flags & 3] + size_bytes)
    last = False
    while not last:
        block = stream.take(3)
        yield block
        number = int.from_bytes(block, "little")
        last, repeated = bool(number & 1), number >> 1 & 3 == 1
        yield from stream.pieces(1 if repeated else number >> 3)
    yield stream.take(4 if flags & 4 else 0)


def _lz4_blocks(stream: Stream) -> Iterator[bytes]:
    """Yield what a kernel takes for blocks: such a stream has no end of its own.

    It is over where all is read, or where the size of the next block is zero; kernels older than
    5.14 know the former only (lib/decompress_unlz4.c). What can be no block is not taken, such as a
    kernel's own size after it.
    """
    while len(head := stream.peek(4)) == 4 and any(head):
        size = 0 if head == LZ4_MAGIC else int.from_bytes(head, "little")
        if size > _MOST_OF_LZ4_BLOCK:
            return
        yield stream.take(4)
        yield from stream.pieces(size)


def _lzo_blocks(stream: Stream) -> Iterator[bytes]:
    """Yield a header and blocks as a kernel reads them (lib/decompress_unlzo.c)."""
    head = stream.take(16)
    new = int.from_bytes(head[9:11], "big") >= 0x0940
    head += stream.take(5 if new else 4)
    filtered = head[-4:][2] & 8
    head += stream.take(4 * bool(filtered) + (12 if new else 8) + 1)
    yield head + stream.take(head[-1] + 4)
    while True:
        size = stream.take(4)
        yield size
        if not any(size):
            return
        sizes = stream.take(8)
        yield sizes
        yield from stream.pieces(int.from_bytes(sizes[:4], "big"))


PACKINGS = (
    Packing("gzip", b"\x1f\x8b", partial(_by_engine, Gzip)),
    Packing("bzip2", b"BZh", partial(_by_engine, bz2.BZ2Decompressor)),
    Packing("xz", b"\xfd7zXZ", _xz),
    Packing("lzma", b"\x5d\0\0", partial(_by_engine, _LZMA_ENGINE)),
    Packing("zstd", b"\x28\xb5\x2f\xfd", partial(_by_tool, "zstd", _zstd_frame)),
    Packing("lz4", LZ4_MAGIC, partial(_by_tool, "lz4", _lz4_blocks)),
    Packing("lzo", b"\x89LZO\0\r\n\x1a\n", partial(_by_tool, "lzop", _lzo_blocks)),
)


def packing_of(stream: Stream) -> Packing | None:
    """Return how what comes next is packed; None where in no way known here."""
    head = stream.peek(max(len(packing.magic) for packing in PACKINGS))
    return next((each for each in PACKINGS if head.startswith(each.magic)), None)


def unpacked(chunks: Iterator[bytes]) -> Iterator[bytes] | None:
    """Return what is packed without its packing; None where it is packed in no way known here.

    The iterator raises ``ValueError`` where that is damaged or beyond the limits.
    """
    stream = Stream(chunks)
    packing = packing_of(stream)
    return packing.unpack(stream, Limits()) if packing else None
