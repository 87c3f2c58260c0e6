"""Whether an image's file ends before its data does, as after a download that was broken off.

QEMU shows what is missing as zeros, and says nothing. So the tables that say where data lies are
read here. Sources: QEMU's docs/interop/qcow2.rst and parallels.txt, block/vdi.c, and VMware's
"Virtual Disk Format 5.0". Formats that are left out QEMU refuses itself.
"""

import struct
from collections.abc import Iterator

from vmtiming_tui.images.byte_range import MAX_READ_BYTES, Stretch
from vmtiming_tui.images.gate.header import SECTOR, damaged

_MAX_TABLES = 1 << 20
_TABLE_AT_END = (1 << 64) - 1
_QCOW2_EXTENDED_L2, _QCOW2_DATA_FILE = 1 << 4, 1 << 2
_QCOW2_COMPRESSED = 1 << 62
_QCOW2_OFFSET = 0x00FFFFFFFFFFFE00


def is_cut_short(image: Stretch, form: str) -> bool:
    """Return whether data of an image lies beyond the end of its file.

    Raises ``ImageError`` where its tables lie there, or make no sense.
    """
    match form:
        case "qcow2":
            return _last_of_qcow2(image) >= image.size
        case "vmdk":
            return _last_of_vmdk(image) >= image.size
        case "parallels":
            return _end_of_parallels(image) > image.size
        case "vdi":
            return _end_of_vdi(image) > image.size
    return False


def _last_of_qcow2(image: Stretch) -> int:
    """Return where the last cluster begins."""
    version, bits, size = struct.unpack(">4xI12xIQ", image.read(0, 32))
    entries, table_at = struct.unpack(">IQ", image.read(36, 12))
    features = struct.unpack(">Q", image.read(72, 8))[0] if version > 2 else 0
    if not 9 <= bits <= 21:
        raise damaged("qcow2", f"clusters of 2^{bits} bytes")
    if features & _QCOW2_DATA_FILE:
        return 0
    step = 2 if features & _QCOW2_EXTENDED_L2 else 1
    short = (1 << (62 - (bits - 8))) - 1
    per_table = (1 << bits) // 8
    tables = -(-size // (per_table // step << bits))
    last = 0
    for table in _numbers(image, table_at, min(entries, tables), ">Q"):
        if at := table & _QCOW2_OFFSET:
            for entry in list(_numbers(image, at, per_table, ">Q"))[::step]:
                packed = entry & _QCOW2_COMPRESSED
                last = max(last, entry & (short if packed else _QCOW2_OFFSET))
    return last


def _last_of_vmdk(image: Stretch) -> int:
    """Return where the last grain of a sparse file begins."""
    if image.head(4) == b"COWD":
        grain, tables_at, tables = struct.unpack("<III", image.read(16, 12))
        per_table = 4096
    else:
        capacity, grain = struct.unpack("<QQ", image.read(12, 16))
        (per_table,) = struct.unpack("<I", image.read(44, 4))
        (tables_at,) = struct.unpack("<Q", image.read(56, 8))
        tables = -(-capacity // max(grain * per_table, 1))
        if tables_at == _TABLE_AT_END:
            return 0  # what is cut short has no such end, and QEMU misses it
    return SECTOR * max(
        (grain_at
         for table_at in _numbers(image, tables_at * SECTOR, tables, "<I") if table_at
         for grain_at in _numbers(image, table_at * SECTOR, per_table, "<I")),
        default=0,
    )  # fmt: skip


def _end_of_parallels(image: Stretch) -> int:
    """Return where the last cluster ends."""
    mark = image.read(0, 16)
    cluster, count = struct.unpack("<II", image.read(28, 8))
    unit = cluster if mark == b"WithouFreSpacExt" else 1
    last: int = max(_numbers(image, 64, count, "<I"), default=0)
    return (last * unit + cluster) * SECTOR if last else 0


def _end_of_vdi(image: Stretch) -> int:
    """Return where the data ends: blocks lie one behind another, whole."""
    (data_at,) = struct.unpack("<I", image.read(0x158, 4))
    block, extra, _, blocks = struct.unpack("<IIII", image.read(0x178, 16))
    end: int = data_at + blocks * (block + extra)
    return end


def _numbers(image: Stretch, at: int, count: int, kind: str) -> Iterator[int]:
    """Yield so many numbers of an image, a piece of the table at a time."""
    size = struct.calcsize(kind)
    most = min(MAX_READ_BYTES, _MAX_TABLES) // size
    while count > 0:
        some = min(count, most)
        yield from struct.unpack(f"{kind[0]}{some}{kind[1]}", image.read(at, some * size))
        at, count = at + some * size, count - some
