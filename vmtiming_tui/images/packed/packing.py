"""How a file is packed, told by the marks it begins with; nothing of it is read further.

Sources of the marks: the formats' own specifications (RFC 1952, 8878; the .xz, LZ4 frame and lzop
formats; POSIX's pax; PKWARE's APPNOTE) and xz's ``lzma-file-format.txt``.
"""

from enum import StrEnum

MARK_BYTES = 512


class Packing(StrEnum):
    """A way of packing, by the name people know it by."""

    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    LZMA = "lzma"
    ZSTD = "zstd"
    LZ4 = "lz4"
    LZOP = "lzop"
    TAR = "tar"
    ZIP = "zip"


ARCHIVES = frozenset({Packing.TAR, Packing.ZIP})

_MARKS: tuple[tuple[Packing, int, bytes], ...] = (
    (Packing.GZIP, 0, b"\x1f\x8b\x08"),
    (Packing.XZ, 0, b"\xfd7zXZ\0"),
    (Packing.ZSTD, 0, b"\x28\xb5\x2f\xfd"),
    (Packing.LZ4, 0, b"\x04\x22\x4d\x18"),
    (Packing.LZ4, 0, b"\x02\x21\x4c\x18"),
    (Packing.LZOP, 0, b"\x89LZO\0\r\n\x1a\n"),
    (Packing.TAR, 257, b"ustar"),
    (Packing.ZIP, 0, b"PK\x03\x04"),
    (Packing.ZIP, 0, b"PK\x05\x06"),
    (Packing.ZIP, 0, b"PK\x07\x08PK\x03\x04"),
    *(
        (Packing.BZIP2, 0, b"BZh%d%b" % (level, follows))
        for level in range(1, 10)
        for follows in (b"1AY&SY", b"\x17rE8P\x90")  # a block, or the end of nothing
    ),
)
_LZMA_SIZE_UNKNOWN = b"\xff" * 8
_LZMA_HEADER_BYTES = 13


def packing_of(head: bytes) -> Packing | None:
    """Return how a file that begins with these ``MARK_BYTES`` is packed; None where it is not."""
    for packing, at, mark in _MARKS:
        if head[at : at + len(mark)] == mark:
            return packing
    return Packing.LZMA if _is_lzma(head) else None


def _is_lzma(head: bytes) -> bool:
    """Return whether it begins like the old .lzma, which has no mark but a few usual values."""
    if head[:1] != b"\x5d" or len(head) < _LZMA_HEADER_BYTES:
        return False
    dictionary = int.from_bytes(head[1:5], "little")
    is_usual = dictionary >= 4096 and f"{dictionary:b}".rstrip("0") in ("1", "11")
    size = head[5:13]
    return is_usual and (size == _LZMA_SIZE_UNKNOWN or size[6:] == b"\0\0")
