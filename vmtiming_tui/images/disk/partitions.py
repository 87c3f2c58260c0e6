"""The partitions of a disk: a GPT, or an MBR with its chain of logical partitions.

After the UEFI specification, chapter 5 (GPT), and the usual MBR; what is tolerated is what
util-linux tolerates (libblkid/src/partitions), so that the same partitions come out as with partx.
"""

import struct
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.header_fields import text_field

SECTOR_BYTES = 512
SECTOR_SIZES = (SECTOR_BYTES, 4096)
_GPT_MARK = b"EFI PART"
_MAX_TABLE_BYTES = 1 << 20
_MAX_PARTITIONS = 256
_PROTECTIVE = 0xEE
_EXTENDED = (0x05, 0x0F, 0x85)
_FIRST_LOGICAL = 5


class TableKind(StrEnum):
    """What kind of partition table there is; ``PROTECTIVE`` is a GPT's MBR without its GPT."""

    GPT = "gpt"
    MBR = "dos"
    PROTECTIVE = "PMBR"


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition: its number, its bytes from the disk's start, its PARTUUID.

    ``kind`` (a UUID) and ``label`` are those of a GPT, empty in an MBR.
    """

    number: int
    offset: int
    size: int
    partuuid: str
    kind: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class PartitionTable:
    """A partition table and what is in it, on a disk with sectors of ``sector_bytes``.

    A GPT is ``bare`` without the MBR that protects it: a kernel reads it only when told ``gpt``.
    """

    kind: TableKind
    partitions: tuple[Partition, ...]
    sector_bytes: int = SECTOR_BYTES
    bare: bool = False


def read_table(image: Stretch, mbr_sector_bytes: int = SECTOR_BYTES) -> PartitionTable | None:
    """Return the image's partition table; None where it has none.

    An MBR does not say how large the sectors are that it counts. Raises ``ImageError`` where the
    table is cut short, or its chain of partitions has no end.
    """
    if image.size < SECTOR_BYTES:
        return None
    sector = image.read(0, SECTOR_BYTES)
    if sector[510:] != b"\x55\xaa":
        return _gpt(image, bare=True)
    entries = _mbr_entries(sector)
    if not any(entry.kind == _PROTECTIVE for entry in entries):
        # What cannot be a flag is code: the boot sector of a file system.
        if any(flag not in (0, 0x80) for flag in sector[446:510:16]):
            return None
        if not any(entry.count for entry in entries) and (found := _gpt(image, bare=True)):
            return found
        partitions = tuple(_bounded(_mbr_partitions(image, sector, mbr_sector_bytes)))
        return PartitionTable(TableKind.MBR, partitions, mbr_sector_bytes)
    if found := _gpt(image):
        return found
    for size in SECTOR_SIZES:
        _refuse_cut_short(image, size)
    return PartitionTable(TableKind.PROTECTIVE, ())


def cut_short(what: str, needed: int, there: int) -> ImageError:
    """Return the error for an image that lost its end."""
    return ImageError(
        f"the image is cut short: {what} {needed}, the image at {there}", hint="get it again"
    )


def _bounded(partitions: Iterator[Partition]) -> Iterator[Partition]:
    for count, partition in enumerate(partitions):
        if count == _MAX_PARTITIONS:
            raise ImageError(f"the image has more than {_MAX_PARTITIONS} partitions")
        yield partition


# GPT


def _gpt(image: Stretch, *, bare: bool = False) -> PartitionTable | None:
    """Return what a GPT tells, or its copy at the end; None where neither is whole.

    A copy that nothing before it speaks for may be all that is left of an earlier table.
    """
    for size in SECTOR_SIZES:
        for at in (size,) if bare else (size, (image.size // size - 1) * size):
            if header := _gpt_header(image, size, at):
                partitions = tuple(_bounded(_gpt_partitions(header)))
                return PartitionTable(TableKind.GPT, partitions, size, bare)
    return None


@dataclass(frozen=True, slots=True)
class _GptHeader:
    """A header whose checksums are right, with its entries."""

    sector: int
    first: int
    last: int
    entry_size: int
    entries: bytes


def _gpt_header(image: Stretch, sector: int, at: int) -> _GptHeader | None:
    """Return the header there; None where it is not whole."""
    if at < sector or at + sector > image.size:
        return None
    raw = image.read(at, sector)
    size, check = struct.unpack_from("<II", raw, 12)
    if raw[:8] != _GPT_MARK or not 92 <= size <= sector:
        return None
    own, _, first, last = struct.unpack_from("<4Q", raw, 24)
    place, count, entry_size, entries_check = struct.unpack_from("<QIII", raw, 72)
    sectors = image.size // sector
    if (
        zlib.crc32(raw[:16] + bytes(4) + raw[20:size]) != check
        or own != at // sector
        or not first <= last < sectors
        or first < own < last
        or entry_size < 128
        or not 0 < count * entry_size <= _MAX_TABLE_BYTES
        or place * sector + count * entry_size > image.size
    ):
        return None
    entries = image.read(place * sector, count * entry_size)
    if zlib.crc32(entries) != entries_check:
        return None
    return _GptHeader(sector, first, last, entry_size, entries)


def _gpt_partitions(header: _GptHeader) -> Iterator[Partition]:
    for at in range(0, len(header.entries), header.entry_size):
        kind, ident, start, end = struct.unpack_from("<16s16sQQ", header.entries, at)
        if any(kind) and header.first <= start <= end <= header.last:
            yield Partition(
                at // header.entry_size + 1,
                start * header.sector,
                (end + 1 - start) * header.sector,
                str(uuid.UUID(bytes_le=ident)),
                str(uuid.UUID(bytes_le=kind)),
                text_field(header.entries[at + 56 : at + 128], "utf-16-le"),
            )


def _refuse_cut_short(image: Stretch, sector: int) -> None:
    """Raise ``ImageError`` where a header's copy, in the last sector, is beyond the image's end."""
    if image.size < 2 * sector or image.read(sector, 8) != _GPT_MARK:
        return
    needed = (struct.unpack("<Q", image.read(sector + 32, 8))[0] + 1) * sector
    if needed > image.size:
        raise ImageError(
            f"the image is cut short: its partition table is for {needed} bytes,"
            f" there are {image.size}",
            hint="get it again",
        )


# MBR


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of an MBR, in sectors."""

    kind: int
    start: int
    count: int

    @property
    def is_frame(self) -> bool:
        """Whether it is an extended partition, a frame around others."""
        return bool(self.count) and self.kind in _EXTENDED


def _mbr_entries(sector: bytes) -> list[_Entry]:
    raw = struct.iter_unpack("<4xB3xII", sector[446:510])
    return [_Entry(kind, start, count) for kind, start, count in raw]


def _mbr_partitions(image: Stretch, sector: bytes, unit: int) -> Iterator[Partition]:
    """Yield the partitions of an MBR that counts in sectors of ``unit`` bytes."""
    disk_id = struct.unpack_from("<I", sector, 440)[0]
    entries = _mbr_entries(sector)
    for number, entry in enumerate(entries, 1):
        if entry.count and not entry.is_frame:
            yield _mbr_partition(image, disk_id, number, entry, unit)
    chains = [_logical_entries(image, entry, unit) for entry in entries if entry.is_frame]
    for number, entry in enumerate(chain.from_iterable(chains), _FIRST_LOGICAL):
        yield _mbr_partition(image, disk_id, number, entry, unit)


def _mbr_partition(
    image: Stretch, disk_id: int, number: int, entry: _Entry, unit: int
) -> Partition:
    end = (entry.start + entry.count) * unit
    if end > image.size:
        raise cut_short(f"partition {number} ends at byte", end, image.size)
    return Partition(
        number,
        entry.start * unit,
        entry.count * unit,
        f"{disk_id:08x}-{number:02x}" if disk_id else "",
    )


def _logical_entries(image: Stretch, frame: _Entry, unit: int) -> Iterator[_Entry]:
    """Yield the logical partitions, starting from the disk's start, along their chain."""
    seen: set[int] = set()
    known: set[int] = set()
    own, own_count = frame.start, frame.count
    while True:
        if own in seen or len(seen) > _MAX_PARTITIONS:
            raise ImageError("the image's chain of logical partitions has no end")
        seen.add(own)
        if own * unit + SECTOR_BYTES > image.size:
            raise cut_short("a logical partition begins at byte", own * unit, image.size)
        sector = image.read(own * unit, SECTOR_BYTES)
        if sector[510:] != b"\x55\xaa":
            return
        entries = _mbr_entries(sector)
        for place, entry in enumerate(entries):
            start = own + entry.start
            inside = (
                entry.start + entry.count <= own_count
                and start >= frame.start
                and start + entry.count <= frame.start + frame.count
            )
            if entry.count and not entry.is_frame and start not in known and (place < 2 or inside):
                known.add(start)
                yield _Entry(entry.kind, start, entry.count)
        link = next((entry for entry in entries if entry.is_frame), None)
        if link is None:
            return
        own, own_count = frame.start + link.start, link.count
