"""The headers of VMDKs: descriptions of disks, and the sparse files that hold their data.

A VMDK is a sparse file with a description inside, or a description alone that says in which files
the data is. Sources: VMware's "Virtual Disk Format 5.0" and QEMU's block/vmdk.c.
"""

import os
import re
import struct
from dataclasses import replace

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.gate.header import SECTOR, Extent, ImageHeader, damaged, encrypted

SPARSE_MARK, OLD_SPARSE_MARK = b"KDMV", b"COWD"
DESCRIPTION_MARK = re.compile(rb"(?:#[^\n]*\n|[ \t\r]*\n)*version=[123]\r?\n")

# Where QEMU looks in every sparse file for what its content is called.
DESCRIPTION_AT = 512

_MAX_DESCRIPTION_BYTES = 64 << 10
_MAX_EXTENTS = 256
_COMPRESSED = 1 << 16
_EXTENT = re.compile(
    r"^[ \t]*(?P<access>RW|RDONLY|NOACCESS)[ \t]+(?P<sectors>\d{1,20})"
    r"[ \t]+(?P<kind>[A-Z0-9]{1,16})"
    r'(?:[ \t]+"(?P<name>[^"\n]{0,1023})")?(?:[ \t]+(?P<offset>\d{1,20}))?',
    re.MULTILINE | re.ASCII,
)
_FLAT_KINDS = frozenset({"FLAT", "VMFS"})
_SPARSE_KINDS = frozenset({"SPARSE", "VMFSSPARSE"})
_PARENT = re.compile(r'^\s*parentFileNameHint\s*=\s*"([^"]{0,1023})"', re.MULTILINE)
_CONTENT_ID = re.compile(r"^\s*(CID|parentCID)\s*=\s*([0-9a-fA-F]{1,8})\s*$", re.MULTILINE)
_ENCRYPTED = re.compile(r"^\s*encryption\.keySafe\s*=", re.MULTILINE)
_NO_CONTENT_ID = 0xFFFFFFFF
_GRAIN, _TABLE_ENTRIES = 2048, 512  # sectors; entries of four bytes
_MAX_SECTORS = 1 << 32


def read_vmdk(image: Stretch) -> ImageHeader:
    """Read a VMDK's header; raise ``ImageError`` where it is damaged, or but a part of one."""
    if image.head(4) not in (SPARSE_MARK, OLD_SPARSE_MARK):
        text = _text(image.head(_MAX_DESCRIPTION_BYTES))
        extents = tuple(map(_extent, _EXTENT.finditer(text)))
        if not 0 < len(extents) <= _MAX_EXTENTS:
            raise damaged("vmdk", f"it names {len(extents)} extents")
        return _described(text, sum(extent.size for extent in extents), extents)
    size, at, count, flags = _sparse_header(image)
    if (at + count) * SECTOR > image.size:
        raise damaged("vmdk", "its description lies outside of it")
    text = _text(image.read(at * SECTOR, min(count * SECTOR, _MAX_DESCRIPTION_BYTES))) if at else ""
    if "CID=" not in text:
        raise ImageError(
            "the image is one part of a VMDK, whose description is in another file",
            hint="name the description: a small file of text, most often beside it, that names it",
        )
    header = _described(text, size, ())
    return replace(header, is_compressed=bool(flags & _COMPRESSED))


def sparse_extent_bytes(extent: Stretch) -> int:
    """Return how much of a disk a sparse file of a VMDK holds; raise ``ImageError``."""
    return _sparse_header(extent)[0]


def description(content_ids: tuple[int, int]) -> bytes:
    """Return the shortest description that QEMU takes for one inside of a sparse file.

    It names no parent: QEMU is told of that in other ways.
    """
    own, parent = content_ids
    return b"CID=%08x\nparentCID=%08x\n\0" % (own, parent)


def begin_whole(size: int, content_id: int) -> bytes:
    """Return what comes before a disk's bytes to make them a VMDK of which every grain is there.

    QEMU takes nothing else for the parent of a VMDK. Raises ``ImageError`` above 2 TiB, which is as
    far as its tables reach.
    """
    sectors = -(-size // SECTOR)
    grains = -(-sectors // _GRAIN)
    tables = -(-grains // _TABLE_ENTRIES)
    first_table = 2 + -(-tables * 4 // SECTOR)
    per_table = _TABLE_ENTRIES * 4 // SECTOR
    data = -(-(first_table + tables * per_table) // _GRAIN) * _GRAIN
    if data + sectors > _MAX_SECTORS:
        raise ImageError("the image is a VMDK in parts of more than 2 TiB that stands on another")
    header = struct.pack(
        "<4sIIQQQQIQQQ", SPARSE_MARK, 1, 1, sectors, _GRAIN, 1, 1, _TABLE_ENTRIES, 0, 2, data
    )  # fmt: skip
    entries = (first_table + number * per_table for number in range(tables))
    places = (data + number * _GRAIN for number in range(grains))
    begin = header.ljust(SECTOR, b"\0")
    begin += description((content_id, _NO_CONTENT_ID)).ljust(SECTOR, b"\0")
    begin += struct.pack(f"<{tables}I", *entries).ljust((first_table - 2) * SECTOR, b"\0")
    begin += struct.pack(f"<{grains}I", *places)
    return begin.ljust(data * SECTOR, b"\0")


def _sparse_header(image: Stretch) -> tuple[int, int, int, int]:
    """Return the disk's bytes, the description's first sector and their count, and the flags.

    A sparse file that says no capacity would have QEMU look for it in the files that its
    description names (block/vmdk.c); there is no honest one.
    """
    if image.size < SECTOR:
        raise damaged("vmdk", "it is cut short")
    match image.head(4):
        case b"KDMV":
            (flags,) = struct.unpack("<I", image.read(8, 4))
            sectors, _, at, count = struct.unpack("<QQQQ", image.read(12, 32))
            (table_at,) = struct.unpack("<Q", image.read(56, 8))
        case b"COWD":
            sectors, _, table_at = struct.unpack("<III", image.read(12, 12))
            flags, at, count = 0, 0, 0
        case _:
            raise damaged("vmdk", "what should be sparse is not")
    if not sectors:
        raise damaged("vmdk", "it says no size of its own")
    if table_at <= DESCRIPTION_AT // SECTOR:
        raise damaged("vmdk", "its table is where a description belongs")
    return sectors * SECTOR, at, count, flags


def _described(text: str, size: int, extents: tuple[Extent, ...]) -> ImageHeader:
    if _ENCRYPTED.search(text):
        raise encrypted()
    found = _PARENT.search(text)
    backing = found[1] if found else ""
    ids = {name: int(value, 16) for name, value in _CONTENT_ID.findall(text)}
    parent = ids.get("parentCID", _NO_CONTENT_ID)
    unnamed = not backing and parent not in (0, _NO_CONTENT_ID)
    return ImageHeader(
        format="vmdk",
        virtual_bytes=size,
        backing=backing,
        extents=extents,
        content_ids=(ids.get("CID", 0), parent),
        differs_from=f"the image whose CID is {parent:08x}" if unnamed else "",
    )


def _text(raw: bytes) -> str:
    return os.fsdecode(raw.split(b"\0", 1)[0]).replace("\r\n", "\n")


def _extent(found: re.Match[str]) -> Extent:
    kind, name = found["kind"], found["name"] or ""
    has_data = found["access"] != "NOACCESS" and bool(name)
    return Extent(
        kind=kind,
        name="" if kind == "ZERO" else name,
        offset=int(found["offset"] or 0) * SECTOR,
        size=int(found["sectors"]) * SECTOR,
        is_flat=kind == "ZERO" or (kind in _FLAT_KINDS and has_data),
        is_sparse=kind in _SPARSE_KINDS and has_data and not found["offset"],
    )
