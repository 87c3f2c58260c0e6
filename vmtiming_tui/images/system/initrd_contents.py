"""What is in an initrd, told from the names in it; run as a program, says what kind one is.

An initrd is a stream: newc archives one after another, some of them compressed (the kernel's
"initramfs buffer format"). It is read as one, and only names are looked at: a few MiB of memory,
however much it unpacks to, and hard limits on what it may ask for.

Needs no other module, so that ``python -I .../initrd_contents.py <INITRD`` serves as a child
process of whoever must not wait: it prints an ``InitrdKind``.
"""

import bz2
import lzma
import os
import re
import resource
import select
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO, Protocol

MAX_UNPACKED_BYTES = 1 << 30
MAX_NAMES = 200_000
MAX_NAME_BYTES = 4096
MAX_NAMES_BYTES = 32 << 20
MAX_LAYERS = 8
MAX_SECONDS = 30.0
MAX_MEMORY_BYTES = 512 << 20
_MAX_DICTIONARY_BYTES = 128 << 20
_WINDOW = 1 << 16
_HEAD = 110
_MAGICS = (b"070701", b"070702")
LZ4_LEGACY = b"\x02\x21\x4c\x18"
_TOOLS = {b"\x28\xb5\x2f\xfd": "zstd", LZ4_LEGACY: "lz4", b"\x04\x22\x4d\x18": "lz4"}
_NUMBER = re.compile(rb"[0-9A-Fa-f]{8}")
_UNREADABLE = "neither an archive nor in a compression known here"
_CUT_SHORT = "cut short"


class InitrdKind(StrEnum):
    """Who made an initrd, as far as it matters for what can be brought in with it."""

    INITRAMFS_TOOLS = "initramfs-tools"
    DRACUT = "dracut"
    SYSTEMD = "systemd"
    OTHER = "other"
    UNREADABLE = "unreadable"


class _Limits:
    """What is left of all that one initrd may ask for; ``ValueError`` once it is too much."""

    def __init__(self) -> None:
        self._unpacked_bytes = MAX_UNPACKED_BYTES
        self._names = MAX_NAMES
        self._names_bytes = MAX_NAMES_BYTES
        self.deadline = time.monotonic() + MAX_SECONDS

    def unpack(self, count: int) -> None:
        self._unpacked_bytes -= count
        if self._unpacked_bytes < 0:
            raise ValueError(f"more than {MAX_UNPACKED_BYTES >> 20} MiB, all layers counted")
        if time.monotonic() > self.deadline:
            raise ValueError(f"takes longer than {MAX_SECONDS:.0f} s to read")

    def name(self, count: int) -> None:
        self._names -= 1
        self._names_bytes -= count
        if self._names < 0 or self._names_bytes < 0:
            raise ValueError(f"has more than {MAX_NAMES} names, or longer ones than it may")


class _Stream:
    """Bytes to be read once, of which no more than a chunk is held."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""
        self._at = 0

    def peek(self, count: int) -> bytes:
        """Return the next bytes, fewer at the end, and leave them."""
        while len(self._held) - self._at < count:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            self.put_back(chunk, after=True)
        return self._held[self._at : self._at + count]

    def take(self, count: int) -> bytes:
        found = self.peek(count)
        if len(found) < count:
            raise ValueError(_CUT_SHORT)
        self._at += count
        return found

    def skip(self, count: int) -> None:
        while count:
            there = min(len(self._held) - self._at, count)
            self._at += there
            count -= there
            if count and not self.peek(1):
                raise ValueError(_CUT_SHORT)

    def skip_zeros(self) -> None:
        while self.peek(1) == b"\0":
            left = self._held[self._at :].lstrip(b"\0")
            self._at = len(self._held) - len(left)

    def chunk(self) -> bytes:
        """Return what is held, else the next chunk; nothing at the end."""
        self.peek(1)
        chunk, self._held, self._at = self._held[self._at :], b"", 0
        return chunk

    def put_back(self, data: bytes, *, after: bool = False) -> None:
        held = self._held[self._at :]
        self._held, self._at = held + data if after else data + held, 0


class _Engine(Protocol):
    """A decompressor as ``bz2`` and ``lzma`` have it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gzip:
    """``zlib`` made such a decompressor."""

    def __init__(self) -> None:
        self._engine = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._engine.eof

    @property
    def needs_input(self) -> bool:
        return not self._engine.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._engine.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._engine.decompress(self._engine.unconsumed_tail + data, max_length)


_ENGINES: tuple[tuple[bytes, Callable[[], _Engine]], ...] = (
    (b"\x1f\x8b", _Gzip),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ", partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, _MAX_DICTIONARY_BYTES)),
    (b"\x5d\0\0", partial(lzma.LZMADecompressor, lzma.FORMAT_ALONE, _MAX_DICTIONARY_BYTES)),
)


def _by_engine(engine: _Engine, stream: _Stream, limits: _Limits) -> Iterator[bytes]:
    try:
        while not engine.eof:
            data = stream.chunk() if engine.needs_input else b""
            if not data and engine.needs_input:
                raise ValueError(_CUT_SHORT)
            plain = engine.decompress(data, _WINDOW)
            limits.unpack(len(plain))
            if plain:
                yield plain
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise ValueError(f"damaged: {error}") from None
    stream.put_back(engine.unused_data)


def _by_tool(tool: str, stream: _Stream, limits: _Limits) -> Iterator[bytes]:
    """Yield what a tool unpacks; what it says of bytes after its own stream does not count."""
    silent = True
    with subprocess.Popen(  # noqa: S603  a known tool that reads its input only
        [tool, "-dc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdin is not None  # noqa: S101  pipes were asked for
        assert child.stdout is not None  # noqa: S101
        source, sink = child.stdin.fileno(), child.stdout.fileno()
        os.set_blocking(source, False)
        try:
            waiting, feeding = b"", True
            while True:
                if feeding and not waiting:
                    waiting = stream.chunk()
                    if not waiting:
                        feeding = False
                        child.stdin.close()
                readable, writable, _ = select.select([sink], [source] if feeding else [], [], 1)
                limits.unpack(0)
                if writable:
                    try:
                        waiting = waiting[os.write(source, waiting) :]
                    except BrokenPipeError:
                        waiting, feeding = b"", False
                if readable:
                    plain = os.read(sink, _WINDOW)
                    if not plain:
                        break
                    silent = False
                    limits.unpack(len(plain))
                    yield plain
        finally:
            child.kill()
    if silent:
        raise ValueError("damaged")


def _unpacked(stream: _Stream, limits: _Limits) -> Iterator[bytes] | None:
    """Return what is compressed here without its compression; None where none is known."""
    head = stream.peek(6)
    for magic, engine in _ENGINES:
        if head.startswith(magic):
            return _by_engine(engine(), stream, limits)
    tool = shutil.which(_TOOLS.get(head[:4], "no such tool"))
    return _by_tool(tool, stream, limits) if tool else None


def unpacked(chunks: Iterator[bytes]) -> Iterator[bytes] | None:
    """Return compressed bytes without their compression; None where none is known here.

    The iterator raises ``ValueError`` where they are damaged or beyond the limits above.
    """
    return _unpacked(_Stream(chunks), _Limits())


def _walk(stream: _Stream, limits: _Limits, layers: int) -> Iterator[bytes]:
    was_compressed = False
    while head := stream.peek(6):
        if head in _MAGICS:
            yield _entry(stream, limits)
        elif head[0] == 0:
            stream.skip_zeros()
        else:
            plain = _unpacked(stream, limits)
            if plain is None:
                if was_compressed:  # the kernel, too, keeps what came before
                    return
                raise ValueError(_UNREADABLE)
            if not layers:
                raise ValueError("compressed again and again")
            yield from _walk(_Stream(plain), limits, layers - 1)
            was_compressed = True


def _number(digits: bytes) -> int:
    """Return a header's number; a sign, which ``int`` would take, would lead back and round."""
    if not _NUMBER.fullmatch(digits):
        raise ValueError("a damaged header")
    return int(digits, 16)


def _entry(stream: _Stream, limits: _Limits) -> bytes:
    head = stream.take(_HEAD)
    size, name_size = _number(head[54:62]), _number(head[94:102])
    if not 0 < name_size <= MAX_NAME_BYTES:
        raise ValueError("a damaged header")
    limits.name(name_size)
    name = stream.take((_HEAD + name_size + 3) // 4 * 4 - _HEAD)[: name_size - 1]
    stream.skip(size)
    stream.skip(min(-size % 4, len(stream.peek(-size % 4))))
    return name


def _chunks(file: BinaryIO, limits: _Limits) -> Iterator[bytes]:
    while chunk := file.read(_WINDOW):
        limits.unpack(len(chunk))
        yield chunk


def names(file: BinaryIO) -> Iterator[str]:
    """Yield the paths in an initrd, as they stand there but for leading and doubled slashes.

    Raises ``ValueError`` where it is damaged, in no compression known here, or beyond the limits
    above.
    """
    limits = _Limits()
    for name in _walk(_Stream(_chunks(file, limits)), limits, MAX_LAYERS):
        if name != b"TRAILER!!!":
            yield str(PurePosixPath("/", name.decode(errors="replace"))).lstrip("/")


_TOOLS_SIGNS = frozenset({"conf/initramfs.conf", "conf/conf.d"})
_DRACUT_SIGNS = frozenset({"lib/dracut/hooks", "var/lib/dracut/hooks"})
_SYSTEMD_SIGN = "lib/systemd/systemd"
_SHELLS = frozenset({"bin/sh", "bin/bash", "bin/dash"})
_SIGNS = _TOOLS_SIGNS | _DRACUT_SIGNS | _SHELLS | {_SYSTEMD_SIGN}


def kind_by_names(found: Iterable[str]) -> InitrdKind:
    """Return what kind of initrd has these names."""
    signs = {name.removeprefix("usr/") for name in found} & _SIGNS
    if signs >= _TOOLS_SIGNS:
        return InitrdKind.INITRAMFS_TOOLS
    if signs & _DRACUT_SIGNS:
        return InitrdKind.DRACUT
    if _SYSTEMD_SIGN in signs and signs & _SHELLS:
        return InitrdKind.SYSTEMD
    return InitrdKind.OTHER


def initrd_kind(file: BinaryIO) -> InitrdKind:
    """Return what kind of initrd this is; may take ``MAX_SECONDS``."""
    try:
        return kind_by_names(names(file))
    except ValueError:
        return InitrdKind.UNREADABLE


def main() -> None:
    """Print what kind of initrd stdin is, within a limit on memory."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    try:
        print(initrd_kind(sys.stdin.buffer))
    except MemoryError:
        print(InitrdKind.UNREADABLE)


if __name__ == "__main__":
    main()
