"""The label of a physical volume of LVM, and where it keeps the metadata of its group.

After lvm2's lib/format_text/layout.h and lib/label/label.h.
"""

import re
import struct
import zlib
from dataclasses import dataclass

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Stretch

SECTOR_BYTES = 512
_LABEL_SECTORS = 4
_INITIAL_CRC = 0xF597A6CF
_MAX_AREAS = 8
_ID = re.compile(rb"[0-9A-Za-z!#]{32}")
_ID_PARTS = (6, 4, 4, 4, 4, 4, 6)


@dataclass(frozen=True, slots=True)
class Area:
    """A part of a physical volume: bytes from its start."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Label:
    """Who a physical volume is, and its metadata areas."""

    disk_id: str
    areas: tuple[Area, ...]


def checksum(raw: bytes) -> int:
    """Return lvm2's checksum: the usual polynomial, its own start, not inverted at the end."""
    return zlib.crc32(raw, _INITIAL_CRC ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def dashed(raw: bytes) -> str:
    """Return an id as lvm2 writes it for people; raise ``ImageError`` where it is none."""
    if not _ID.fullmatch(raw):
        raise ImageError("an id of LVM's holds characters that LVM does not use")
    text, parts, at = raw.decode("ascii"), [], 0
    for length in _ID_PARTS:
        parts.append(text[at : at + length])
        at += length
    return "-".join(parts)


def read_label(stretch: Stretch) -> Label | None:
    """Return the label in one of the first sectors; None where there is none that is whole.

    Raises ``ImageError`` where what it tells cannot be.
    """
    head = stretch.head(_LABEL_SECTORS * SECTOR_BYTES)
    for number in range(len(head) // SECTOR_BYTES):
        sector = head[number * SECTOR_BYTES : (number + 1) * SECTOR_BYTES]
        mark, own_number, check, offset, kind = struct.unpack_from("<8sQII8s", sector)
        if (
            (mark, own_number, kind) == (b"LABELONE", number, b"LVM2 001")
            and checksum(sector[20:]) == check
            and 32 <= offset <= SECTOR_BYTES - 40
        ):
            return _read_header(sector[offset:])
    return None


def _read_header(raw: bytes) -> Label:
    """Read the header: an id, a size, a list of data areas, a list of metadata areas."""
    disk_id = dashed(raw[:32])
    lists: list[list[Area]] = [[], []]
    places = list(struct.iter_unpack("<QQ", raw[40 : 40 + (len(raw) - 40) // 16 * 16]))
    which = 0
    for offset, size in places:
        if not offset:
            which += 1
            if which == len(lists):
                break
        else:
            lists[which].append(Area(offset, size))
    return Label(disk_id, tuple(lists[1][:_MAX_AREAS]))
