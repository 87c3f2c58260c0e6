"""The first sector of a FAT: its shape and its serial number, and its label in the top folder.

After Microsoft's "FAT32 File System Specification" (2000) and ECMA-107.
"""

import struct
from dataclasses import dataclass

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.header_fields import text_field

ENTRY_BYTES = 32
VOLUME_ID = 0x08
LONG_NAME = 0x0F
_SECTOR_BYTES = (512, 1024, 2048, 4096)
_CODE_PAGE = "cp437"
_FIXED_MEDIA = 0xF8
_MAX_CLUSTERS = {12: 4084, 16: 65524, 32: (1 << 28) - 16}


@dataclass(frozen=True, slots=True, kw_only=True)
class FatHeader:
    """Where what is in a FAT: bytes from its start; ``bits`` is 12, 16 or 32.

    ``root_cluster`` is 0 where the top folder lies before the clusters, at ``root_offset``.
    """

    bits: int
    size: int
    cluster_bytes: int
    clusters: int
    table_offset: int
    data_offset: int
    root_offset: int
    root_bytes: int
    root_cluster: int
    serial: str


def read_fat_header(stretch: Stretch) -> FatHeader | None:
    """Return what the first sector tells; None where it is no FAT's."""
    if stretch.size < 512:
        return None
    raw = stretch.read(0, 512)
    sector, per_cluster, reserved, tables, root_entries, short_size, media, short_table = (
        struct.unpack_from("<HBHBHHBH", raw, 11)
    )
    long_size, long_table = struct.unpack_from("<II", raw, 32)
    wide = not short_table
    sectors, table = short_size or long_size, short_table or long_table
    if (
        raw[510:] != b"\x55\xaa"
        or sector not in _SECTOR_BYTES
        or per_cluster not in {1 << power for power in range(8)}
        or not reserved
        or tables not in (1, 2)
        or (media != 0xF0 and media < _FIXED_MEDIA)
        or not table
        or not sectors
        or raw[3:11] in (b"NTFS    ", b"EXFAT   ", b"-FVE-FS-")
    ):
        return None
    root_sectors = -(-root_entries * ENTRY_BYTES // sector)
    data = reserved + tables * table + root_sectors
    clusters = (sectors - data) // per_cluster
    if clusters < 1 or (wide and root_entries) or not (wide or root_entries):
        return None
    bits = 32 if wide else 12 if clusters <= _MAX_CLUSTERS[12] else 16
    # The table may be smaller than its clusters: what it does not tell of, nobody can use.
    clusters = min(clusters, table * sector * 8 // bits - 2, _MAX_CLUSTERS[bits])
    signed = raw[66 if wide else 38] == 0x29
    serial = struct.unpack_from("<I", raw, 67 if wide else 39)[0]
    return FatHeader(
        bits=bits,
        size=sectors * sector,
        cluster_bytes=per_cluster * sector,
        clusters=clusters,
        table_offset=reserved * sector,
        data_offset=data * sector,
        root_offset=(reserved + tables * table) * sector,
        root_bytes=root_sectors * sector,
        root_cluster=struct.unpack_from("<I", raw, 44)[0] if wide else 0,
        serial=f"{serial >> 16:04X}-{serial & 0xFFFF:04X}" if signed else "",
    )


def volume_label(stretch: Stretch, header: FatHeader) -> str:
    """Return the label in the top folder's first part; empty where it has none."""
    at, count = header.root_offset, header.root_bytes
    if header.bits == 32:
        if not 2 <= header.root_cluster < header.clusters + 2:
            return ""
        at = header.data_offset + (header.root_cluster - 2) * header.cluster_bytes
        count = header.cluster_bytes
    try:
        raw = stretch.read(at, count)
    except ImageError:
        return ""
    for place in range(0, len(raw), ENTRY_BYTES):
        entry = raw[place : place + ENTRY_BYTES]
        if not entry[0]:
            break
        is_label = entry[11] & VOLUME_ID and entry[11] & LONG_NAME != LONG_NAME
        if entry[0] != 0xE5 and is_label:
            return text_field(entry[:11], _CODE_PAGE)
    return ""
