"""Bytes that flow by once: read ahead a little, unpacked as they come, written with their holes.

Only a few MiB are ever held, whatever a packed file says of itself.
"""

import bz2
import contextlib
import lzma
import shutil
import struct
import subprocess
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import IO

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.packed.engines import Engine, Gzip
from vmtiming_tui.images.packed.packing import MARK_BYTES, Packing, packing_of
from vmtiming_tui.images.quoting import human, shown

MAX_UNPACKED_BYTES = 16 << 40
_CHUNK = 1 << 20
_BLOCK = 64 << 10
_ZEROS = bytes(_BLOCK)
_MAX_DICTIONARY_BYTES = 1 << 30
_KEPT_WORDS = 4096
_TOOLS = {
    Packing.ZSTD: ("zstd", "-dcq", "--long=31"),
    Packing.LZ4: ("lz4", "-dcq"),
    Packing.LZOP: ("lzop", "-dcq"),
}
FAILURES = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError,
    ValueError, OverflowError, IndexError, KeyError, RuntimeError,
)  # fmt: skip
"""What tarfile, zipfile and what they unpack with end with where bytes are no archive's."""


class Flow:
    """Bytes to be read once, of which no more is held than was looked at ahead."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""

    def peek(self, count: int) -> bytes:
        """Return the next bytes, fewer at the end, and leave them."""
        parts, there = [self._held], len(self._held)
        while there < count and (chunk := next(self._chunks, b"")):
            parts.append(chunk)
            there += len(chunk)
        self._held = b"".join(parts)
        return self._held[:count]

    def read(self, count: int) -> bytes:
        """Return the next bytes, fewer at the end, and take them."""
        found = self.peek(count)
        self._held = self._held[len(found) :]
        return found

    def chunk(self) -> bytes:
        """Return some bytes and take them; none at the end."""
        found, self._held = self._held or next(self._chunks, b""), b""
        return found

    def put_back(self, data: bytes) -> None:
        """Have these come next."""
        self._held = data + self._held

    def skip_zeros(self) -> None:
        """Take all zeros that come next."""
        while self.peek(1) == b"\0":
            self._held = self._held.lstrip(b"\0")

    def close(self) -> None:
        """End whatever unpacks it."""
        if isinstance(self._chunks, Generator):
            self._chunks.close()


def flow_of(file: IO[bytes], told: Callable[[int], None] = lambda _: None) -> Flow:
    """Return a file's bytes; ``told`` is how many of them have been read."""

    def chunks() -> Iterator[bytes]:
        count = 0
        while chunk := file.read(_CHUNK):
            count += len(chunk)
            told(count)
            yield chunk

    return Flow(chunks())


_ENGINES: dict[Packing, Callable[[], Engine]] = {
    Packing.GZIP: Gzip,
    Packing.BZIP2: bz2.BZ2Decompressor,
    Packing.XZ: partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, _MAX_DICTIONARY_BYTES),
    Packing.LZMA: partial(lzma.LZMADecompressor, lzma.FORMAT_ALONE, _MAX_DICTIONARY_BYTES),
}


def cut_short(packing: Packing) -> ImageError:
    """Return what to raise where a packed file ends too early."""
    return ImageError(
        f"the {packing} file is cut short", hint="get it again: it seems the download ended early"
    )


def damaged(packing: Packing, why: object) -> ImageError:
    """Return what to raise where a packed file is damaged; ``why`` may be its own words."""
    return ImageError(f"the {packing} file is damaged: {shown(str(why))}", hint="get it again")


def unpacked(packing: Packing, flow: Flow, say: Callable[[str], None]) -> Flow:
    """Return what is packed, without one packing that is no archive.

    Several one behind another count as one, as for the tools. Reading raises ``ImageError``.
    """
    by_tool = packing in _TOOLS
    return Flow(
        _limited(_by_tool(packing, flow) if by_tool else _by_engine(packing, flow, say), flow)
    )


def _limited(chunks: Generator[bytes, None, None], source: Flow) -> Iterator[bytes]:
    """Yield no more than may be; at the end, whatever unpacks has let go of its source."""
    count = 0
    try:
        for chunk in chunks:
            count += len(chunk)
            if count > MAX_UNPACKED_BYTES:
                raise ImageError(f"it unpacks to more than {human(MAX_UNPACKED_BYTES)}")
            yield chunk
    finally:
        chunks.close()
        source.close()


def _by_engine(
    packing: Packing, flow: Flow, say: Callable[[str], None]
) -> Generator[bytes, None, None]:
    while True:
        engine = _ENGINES[packing]()
        try:
            while not engine.eof:
                data = flow.chunk() if engine.needs_input else b""
                if not data and engine.needs_input:
                    raise cut_short(packing)
                if plain := engine.decompress(data, _CHUNK):
                    yield plain
        except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
            raise damaged(packing, error) from None
        flow.put_back(engine.unused_data)
        flow.skip_zeros()
        follows = flow.peek(MARK_BYTES)
        if not follows:
            return
        if packing_of(follows) is not packing:
            say(f"what follows the {packing} file in it is left out, as {packing} does itself")
            return


def _by_tool(packing: Packing, flow: Flow) -> Generator[bytes, None, None]:
    command = _TOOLS[packing]
    if shutil.which(command[0]) is None:
        raise ImageError(
            f"{command[0]} is needed to unpack it, and is not installed",
            hint=f"apt-get install {command[0]}",
        )
    with subprocess.Popen(  # noqa: S603  a known tool that reads its input only
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        bufsize=0,
    ) as child:  # fmt: skip
        assert child.stdin is not None  # noqa: S101  pipes were asked for
        assert child.stdout is not None  # noqa: S101
        assert child.stderr is not None  # noqa: S101
        feeder = _Feeder(flow, child.stdin)
        try:
            while plain := child.stdout.read(_CHUNK):
                yield plain
            said = child.stderr.read(_KEPT_WORDS)
            code = child.wait()
        finally:
            child.kill()
            feeder.join()
    feeder.check()
    if code:
        raise damaged(packing, said.strip().rpartition(b"\n")[2].decode(errors="replace"))


class _Feeder(threading.Thread):
    """Gives a tool its input; the flow is its own until it is joined."""

    def __init__(self, flow: Flow, sink: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._flow = flow
        self._sink = sink
        self._failed: Exception | None = None
        self.start()

    def run(self) -> None:
        with contextlib.suppress(BrokenPipeError), self._sink:
            try:
                while chunk := self._flow.chunk():
                    _write_all(self._sink, chunk)
            except BrokenPipeError:
                raise
            except (ImageError, OSError, *FAILURES) as error:
                self._failed = error

    def check(self) -> None:
        """Raise what stopped it."""
        if self._failed is not None:
            raise self._failed


def write_sparse(flow: Flow, path: Path) -> int:
    """Write all of it to a new file with its zeros as holes; return how many bytes there are."""
    size = 0
    with path.open("xb", buffering=0) as file:
        while chunk := flow.read(_CHUNK):
            for at in range(0, len(chunk), _BLOCK):
                block = chunk[at : at + _BLOCK]
                if block == _ZEROS[: len(block)]:
                    continue
                file.seek(size + at)
                _write_all(file, block)
            size += len(chunk)
        file.truncate(size)
    return size


def _write_all(file: IO[bytes], block: bytes) -> None:
    left = memoryview(block)
    while left:
        left = left[file.write(left) :]
