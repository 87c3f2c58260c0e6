"""What is in an initrd, told from the names in it; run as a program, says what kind one is.

An initrd is a stream: newc archives one after another, packed or not, with zeros between them (the
kernel's "initramfs buffer format"). It is read as one, as far as a kernel reads it, and only names
are looked at: a few MiB of memory, however much it unpacks to, and hard limits on what it may ask
for.
"""

import re
import resource
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import BinaryIO

from vmtiming_tui.images.system.initrd.joint import Joint
from vmtiming_tui.images.system.initrd.packings import (
    LZ4_MAGIC,
    WINDOW_BYTES,
    Limits,
    Stream,
    packing_of,
)

MAX_NAME_BYTES = 4096
MAX_MEMORY_BYTES = 512 << 20
_HEAD = 110
_MAGICS = (b"070701", b"070702")
_NUMBER = re.compile(rb"[0-9A-Fa-f]{8}")
_TRAILER = b"TRAILER!!!"
# What people make initrds of, and no kernel reads.
_STRANGE = (
    (b"070707", "an archive of cpio's old kind (no -H newc), which no kernel reads"),
    (b"\x04\x22\x4d\x18", "packed by lz4 without -l, which no kernel reads"),
    (b"\x27\x05\x19\x56", "wrapped for U-Boot (mkimage), which no kernel reads"),
)


class InitrdKind(StrEnum):
    """Who made an initrd, as far as it matters for what can be brought in with it."""

    INITRAMFS_TOOLS = "initramfs-tools"
    DRACUT = "dracut"
    SYSTEMD = "systemd"
    OTHER = "other"
    UNREADABLE = "unreadable"

    @property
    def is_served(self) -> bool:
        """Whether the report service can be brought in with it."""
        return self not in (InitrdKind.OTHER, InitrdKind.UNREADABLE)


class Initrd:
    """An initrd, to be read once; ``joint`` is where an archive joins it, once it was read."""

    def __init__(self, file: BinaryIO) -> None:
        self.joint = Joint(0)
        self._limits = Limits()
        self._stream = Stream(self._chunks(file))

    def names(self) -> Iterator[str]:
        """Yield the paths in it, as they stand there but for leading and doubled slashes.

        Raises ``ValueError`` where it is damaged, made in a way that no kernel reads, or beyond the
        limits.
        """
        for name in self._archives():
            if name != _TRAILER:
                yield str(PurePosixPath("/", name.decode(errors="replace"))).lstrip("/")

    def _chunks(self, file: BinaryIO) -> Iterator[bytes]:
        while chunk := file.read(WINDOW_BYTES):
            self._limits.unpack(len(chunk))
            yield chunk

    def _archives(self) -> Iterator[bytes]:
        stream, lz4_bytes, was_packed = self._stream, None, False
        yield from self._plain(stream)
        while packing := packing_of(stream):
            inner = Stream(packing.unpack(stream, self._limits))
            yield from self._plain(inner)
            _refuse(inner, strange_only=False)
            follows = stream.peek(1)
            is_lz4 = packing.magic == LZ4_MAGIC
            if is_lz4 and follows.strip(b"\0"):
                raise ValueError(
                    "packed by lz4, whose end no kernel finds for want of zeros after it"
                )
            lz4_bytes = inner.position if is_lz4 and not follows else None
            was_packed = True
            yield from self._plain(stream)
        # A kernel, too, stops at what it does not know, and keeps what came before.
        _refuse(stream, strange_only=was_packed)
        self.joint = Joint(stream.position, lz4_bytes)

    def _plain(self, stream: Stream) -> Iterator[bytes]:
        """Yield the names in archives that are not packed, up to what is none."""
        while head := stream.peek(len(_MAGICS[0])):
            if head in _MAGICS:
                if stream.position % 4:
                    raise ValueError("joined at no multiple of four, where no kernel looks")
                yield self._entry(stream)
            elif head[0] == 0:
                stream.skip_zeros()
            else:
                return

    def _entry(self, stream: Stream) -> bytes:
        head = stream.take(_HEAD)
        size, name_size = _number(head[54:62]), _number(head[94:102])
        if not 0 < name_size <= MAX_NAME_BYTES:
            raise ValueError("damaged: a header makes no sense")
        self._limits.name(name_size)
        # Zeros after a name may fill up to where its content is to lie (dracut-cpio, 3cpio).
        name = stream.take((_HEAD + name_size + 3) // 4 * 4 - _HEAD).partition(b"\0")[0]
        stream.skip(size)
        stream.skip(min(-size % 4, len(stream.peek(-size % 4))))
        return name


def _refuse(stream: Stream, *, strange_only: bool) -> None:
    """Raise ``ValueError`` where anything is left, which can be no archive."""
    if head := stream.peek(6):
        known = next((words for magic, words in _STRANGE if head.startswith(magic)), "")
        if known or not strange_only:
            raise ValueError(known or "neither an archive nor in a compression known here")


def _number(digits: bytes) -> int:
    """Return a header's number; a sign, which ``int`` would take, would lead back and round."""
    if not _NUMBER.fullmatch(digits):
        raise ValueError("damaged: a header makes no sense")
    return int(digits, 16)


def names(file: BinaryIO) -> Iterator[str]:
    """Yield the paths in an initrd; see ``Initrd``."""
    return Initrd(file).names()


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
    if signs & _DRACUT_SIGNS and signs & _SHELLS:
        return InitrdKind.DRACUT
    if _SYSTEMD_SIGN in signs and signs & _SHELLS:
        return InitrdKind.SYSTEMD
    return InitrdKind.OTHER


@dataclass(frozen=True, slots=True)
class LookedAt:
    """What kind of initrd one is and where another joins it, or ``fault``: why it is unreadable."""

    kind: InitrdKind
    joint: Joint | None = None
    fault: str = ""

    @classmethod
    def file(cls, file: BinaryIO) -> "LookedAt":
        """Look at an initrd; may take ``MAX_SECONDS``."""
        initrd = Initrd(file)
        try:
            return cls(kind_by_names(initrd.names()), initrd.joint)
        except ValueError as error:
            return cls(InitrdKind.UNREADABLE, fault=str(error))

    def told(self) -> str:
        """Return it in a line, as ``heard`` takes it."""
        numbers = (self.joint.offset, self.joint.lz4_bytes) if self.joint else ()
        words = (str(number) for number in numbers if number is not None)
        return " ".join([self.kind, *words, *self.fault.split()])

    @classmethod
    def heard(cls, line: str, size: int) -> "LookedAt":
        """Return what a line says of an initrd of so many bytes; nonsense says it is unreadable."""
        word, *words = line.split() or [""]
        try:
            kind = InitrdKind(word)
            if kind is not InitrdKind.UNREADABLE:
                joint = Joint(*map(int, words))
                if 0 <= joint.offset <= size:
                    return cls(kind, joint)
        except (ValueError, TypeError):
            words = []
        return cls(InitrdKind.UNREADABLE, fault=" ".join(words))


def main(_words: Sequence[str] = ()) -> None:
    """Print what is to be told of the initrd on stdin, within a limit on memory."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    try:
        found = LookedAt.file(sys.stdin.buffer)
    except MemoryError:
        found = LookedAt(
            InitrdKind.UNREADABLE, fault=f"larger than {MAX_MEMORY_BYTES >> 20} MiB of memory hold"
        )
    print(found.told())
