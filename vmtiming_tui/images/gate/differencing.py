"""What QEMU does not read of other makers' images: those that hold what differs from a parent.

It follows no parents of theirs, and shows a differencing VHD as if its holes were zeros. Sources:
Microsoft's "Virtual Hard Disk Image Format Specification" 1.0 and [MS-VHDX], VirtualBox's
VDICore.h, QEMU's block/vdi.c.
"""

import struct
import uuid
from collections.abc import Iterator

from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.gate.header import MAX_NAME_BYTES, SECTOR

VDI_MARK_AT, VDI_MARK = 64, b"\x7f\x10\xda\xbe"
VHD_MARK, VHDX_MARK = b"conectix", b"vhdxfile"

_NO_NAME = "another image, which it does not name"
_VHD_FIXED, _VHD_DIFFERENCING = 2, 4
_VHD_LENGTH = 512
_VDI_KIND_AT, _VDI_PARENT_AT = 0x4C, 0x1A8
_VDI_DIFFERENCING = 4
_KIB = 1024
_REGION_TABLES = (192 * _KIB, 256 * _KIB)
_MAX_ENTRIES = 2047
_METADATA = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le
_FILE_PARAMETERS = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le
_PARENT_LOCATOR = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c").bytes_le
_LOGICAL_SECTOR = uuid.UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f").bytes_le
_HAS_PARENT = 2
_PARENT_KEYS = ("relative_path", "absolute_win32_path", "volume_path")


def is_fixed_vhd(image: Stretch) -> bool:
    """Return whether an image ends like a fixed VHD, which begins like nothing in particular."""
    if image.size <= _VHD_LENGTH or image.size % SECTOR:
        return False
    footer = image.read(image.size - _VHD_LENGTH, _VHD_LENGTH)
    (kind, said) = struct.unpack(">II", footer[60:68])
    # One's complement of the sum of all bytes but those of the sum itself.
    counted = ~(sum(footer) - sum(footer[64:68])) & 0xFFFFFFFF
    return footer.startswith(VHD_MARK) and kind == _VHD_FIXED and said == counted


def parent_of_vhd(image: Stretch) -> str:
    """Return what a VHD is called that this one differs from; empty where it stands alone."""
    if image.size < _VHD_LENGTH:
        return ""
    footer = image.read(0, _VHD_LENGTH)
    at, kind = struct.unpack(">Q", footer[16:24])[0], struct.unpack(">I", footer[60:64])[0]
    if kind != _VHD_DIFFERENCING:
        return ""
    if at + _KIB > image.size:
        return _NO_NAME
    return _utf16(image.read(at + 64, 512), "utf-16-be") or _NO_NAME


def parent_of_vdi(image: Stretch) -> str:
    """Return the number of the VDI that this one differs from; empty where it stands alone."""
    if image.size < _VDI_PARENT_AT + 16:
        return ""
    (kind,) = struct.unpack("<I", image.read(_VDI_KIND_AT, 4))
    parent = uuid.UUID(bytes_le=image.read(_VDI_PARENT_AT, 16))
    return f"the image {parent}" if parent.int or kind == _VDI_DIFFERENCING else ""


def parent_of_vhdx(image: Stretch) -> str:
    """Return what a VHDX is called that this one differs from; empty where it stands alone.

    A file whose tables make no sense says nothing here: QEMU complains of it.
    """
    items = dict(_metadata(image))
    parameters = items.get(_FILE_PARAMETERS, b"")
    if len(parameters) < 8 or not struct.unpack("<I", parameters[4:8])[0] & _HAS_PARENT:
        return ""
    named = dict(_locator(items.get(_PARENT_LOCATOR, b"")))
    return next((named[key] for key in _PARENT_KEYS if named.get(key)), _NO_NAME)


def sector_bytes_of_vhdx(image: Stretch) -> int:
    """Return how large the sectors of a VHDX's disk are; 0 where it does not say."""
    said = dict(_metadata(image)).get(_LOGICAL_SECTOR, b"")
    return int.from_bytes(said[:4], "little")


def _metadata(image: Stretch) -> Iterator[tuple[bytes, bytes]]:
    """Yield a VHDX's items of metadata that fit into the file."""
    for region in _regions(image):
        table = _within(image, region, 64 * _KIB)
        if not table.startswith(b"metadata"):
            continue
        (count,) = struct.unpack("<H", table[10:12])
        for number in range(1, min(count, _MAX_ENTRIES) + 1):
            item, at, size = struct.unpack("<16sII", table[32 * number : 32 * number + 24])
            yield item, _within(image, region + at, min(size, 64 * _KIB))
        return


def _regions(image: Stretch) -> Iterator[int]:
    for at in _REGION_TABLES:
        table = _within(image, at, 64 * _KIB)
        if not table.startswith(b"regi"):
            continue
        (count,) = struct.unpack("<I", table[8:12])
        for number in range(min(count, _MAX_ENTRIES)):
            entry = table[16 + 32 * number : 16 + 32 * number + 24]
            kind, place = struct.unpack("<16sQ", entry)
            if kind == _METADATA:
                yield place


def _within(image: Stretch, at: int, size: int) -> bytes:
    return image.read(at, size) if at + size <= image.size else b""


def _locator(item: bytes) -> Iterator[tuple[str, str]]:
    if len(item) < 20:
        return
    (count,) = struct.unpack("<H", item[18:20])
    for number in range(min(count, (len(item) - 20) // 12)):
        entry = item[20 + 12 * number : 32 + 12 * number]
        key_at, value_at, key_size, value_size = struct.unpack("<IIHH", entry)
        key = _utf16(item[key_at : key_at + key_size], "utf-16-le")
        yield key, _utf16(item[value_at : value_at + value_size], "utf-16-le")


def _utf16(raw: bytes, encoding: str) -> str:
    text = raw[:MAX_NAME_BYTES].decode(encoding, errors="replace")
    return text.partition("\0")[0]
