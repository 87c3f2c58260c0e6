"""Whether an image's file ends before its data does, as after a download that was broken off.

QEMU shows what is missing as zeros, and says nothing. So the tables that say where data lies are
read here. Sources: QEMU's docs/interop/qcow2.rst and parallels.txt, block/vdi.c, and VMware's
"Virtual Disk Format 5.0". Formats that are left out QEMU refuses itself.
"""

import struct
from collections.abc import Iterator
from itertools import islice

from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.gate.header import SECTOR, damaged

_MAX_TABLE_BYTES = 1 << 20
# Tables that say more than this are not read to their end, which would take more than seconds.
_MAX_PLACES = 1 << 22
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
            places = _in_qcow2(image)
        case "vmdk":
            places = _in_vmdk(image)
        case "parallels":
            places = _in_parallels(image)
        case "vdi":
            places = _in_vdi(image)
        case _:
            return False
    return any(place >= image.size for place in islice(places, _MAX_PLACES))


def _in_qcow2(image: Stretch) -> Iterator[int]:
    """Yield where clusters begin."""
    version, bits, size = struct.unpack(">4xI12xIQ", image.read(0, 32))
    entries, table_at = struct.unpack(">IQ", image.read(36, 12))
    features = struct.unpack(">Q", image.read(72, 8))[0] if version > 2 else 0
    if not 9 <= bits <= 21:
        raise damaged("qcow2", f"clusters of 2^{bits} bytes")
    if features & _QCOW2_DATA_FILE:
        return
    step = 2 if features & _QCOW2_EXTENDED_L2 else 1
    short = (1 << (62 - (bits - 8))) - 1
    per_table = (1 << bits) // 8
    tables = -(-size // (per_table // step << bits))
    for table in _numbers(image, table_at, min(entries, tables), ">Q"):
        at = table & _QCOW2_OFFSET
        yield at
        if not at or at + per_table * 8 > image.size:
            continue
        for entry in islice(_numbers(image, at, per_table, ">Q"), 0, None, step):
            if entry:
                yield entry & (short if entry & _QCOW2_COMPRESSED else _QCOW2_OFFSET)


def _in_vmdk(image: Stretch) -> Iterator[int]:
    """Yield where the tables of a sparse file begin, and the last grain of each."""
    if image.head(4) == b"COWD":
        tables_at, tables = struct.unpack("<II", image.read(20, 8))
        per_table = 4096
    else:
        capacity, grain = struct.unpack("<QQ", image.read(12, 16))
        per_table, tables_at = struct.unpack("<I8xQ", image.read(44, 20))
        tables = -(-capacity // max(grain * per_table, 1))
        if tables_at == _TABLE_AT_END:
            return  # what is cut short has no such end, and QEMU misses it
    for table_at in _numbers(image, tables_at * SECTOR, tables, "<I"):
        yield table_at * SECTOR
        if table_at and table_at * SECTOR + per_table * 4 <= image.size:
            yield max(_numbers(image, table_at * SECTOR, per_table, "<I"), default=0) * SECTOR


def _in_parallels(image: Stretch) -> Iterator[int]:
    """Yield where the last cluster begins."""
    mark = image.read(0, 16)
    cluster, count = struct.unpack("<II", image.read(28, 8))
    unit = cluster if mark == b"WithouFreSpacExt" else 1
    yield max(_numbers(image, 64, count, "<I"), default=0) * unit * SECTOR


def _in_vdi(image: Stretch) -> Iterator[int]:
    """Yield where the data ends: blocks lie one behind another, whole."""
    (data_at,) = struct.unpack("<I", image.read(0x158, 4))
    block, extra, _, blocks = struct.unpack("<IIII", image.read(0x178, 16))
    yield data_at + blocks * (block + extra) - 1


def _numbers(image: Stretch, at: int, count: int, kind: str) -> Iterator[int]:
    """Yield so many numbers of an image, a piece of the table at a time."""
    size = struct.calcsize(kind)
    while count > 0:
        some = min(count, _MAX_TABLE_BYTES // size)
        yield from struct.unpack(f"{kind[0]}{some}{kind[1]}", image.read(at, some * size))
        at, count = at + some * size, count - some
