"""Joining an archive to an initrd, so that every kernel reads it.

A kernel reads archives one after another, packed or not, with zeros between them (its "initramfs
buffer format"). Only lz4 is in the way: see ``packings``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vmtiming_tui.images.system.initrd.packings import LZ4_BLOCK_BYTES, LZ4_MAGIC

_MOST_IN_TOKEN = 15


def gap(size: int) -> bytes:
    """Return what is to stand between an initrd of so many bytes and an archive after it.

    Archives begin at multiples of four, and zeros between them are passed over. At least four of
    them: that is how a kernel since 5.14 knows where lz4 ends, which it else takes on and on.
    """
    return b"\0" * (4 + -size % 4)


@dataclass(frozen=True, slots=True)
class Joint:
    """Where an initrd ends for a kernel, in bytes: anything after it is read by none.

    ``lz4_bytes`` is how many the lz4 at its very end unpacks to; None where it ends in no such.
    """

    offset: int
    lz4_bytes: int | None = None

    def joined(self, archive: Iterable[bytes]) -> Iterator[bytes]:
        """Yield an archive, in pieces of any size, as it is to stand there.

        Lz4 is gone on with, in blocks that hold their bytes as they are (LZ4's block format): a
        kernel older than 5.14 takes whatever follows for one.
        """
        if self.lz4_bytes is None:
            yield gap(self.offset)
            yield from archive
            return
        yield LZ4_MAGIC
        yield _block(gap(self.lz4_bytes))
        for piece in archive:
            for begin in range(0, len(piece), LZ4_BLOCK_BYTES):
                yield _block(piece[begin : begin + LZ4_BLOCK_BYTES])


def append(initrd: Path, joint: Joint, archive: Iterable[bytes]) -> None:
    """Append an archive to an initrd, where its joint is; raise ``OSError``."""
    with initrd.open("r+b") as file:
        file.truncate(joint.offset)
        file.seek(joint.offset)
        file.writelines(joint.joined(archive))


def _block(plain: bytes) -> bytes:
    if len(plain) < _MOST_IN_TOKEN:
        head = bytes([len(plain) << 4])
    else:
        full, rest = divmod(len(plain) - _MOST_IN_TOKEN, 255)
        head = bytes([_MOST_IN_TOKEN << 4]) + b"\xff" * full + bytes([rest])
    size = len(head) + len(plain)
    return size.to_bytes(4, "little") + head + plain
