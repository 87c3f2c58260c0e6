"""What a stretch of bytes begins with: file systems and what else blkid knows, under its names.

Where a format's marks lie is documented by the format; the source is named beside each reader.
"""

import re
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.disk.lvm_label import read_label
from vmtiming_tui.images.files import fat_header
from vmtiming_tui.images.files.ext_superblock import Superblock
from vmtiming_tui.images.header_fields import text_field

UNKNOWN = "unknown"
DAMAGED_EXT = "damaged ext4"
_PAGE_BYTES = (4096, 8192, 16384, 32768, 65536)
_SECTOR = 512
_MAX_DESCRIPTORS = 64


@dataclass(frozen=True, slots=True)
class Signature:
    """A type as blkid names it, with the UUID and the label found there; empty where none is."""

    type: str
    uuid: str = ""
    label: str = ""


def identify(stretch: Stretch) -> Signature:
    """Return what this stretch is; of two things at once, no type that anybody opens.

    A container (encryption, LVM, RAID) comes before what its content happens to look like.
    """
    for readers in (_CONTAINERS, _CONTENTS):
        found = [signature for read in readers if (signature := _tried(read, stretch))]
        if found:
            types = sorted({signature.type for signature in found})
            return found[0] if len(types) == 1 else Signature(" or ".join(types))
    return Signature(DAMAGED_EXT if _is_damaged_ext(stretch) else UNKNOWN)


Reader = Callable[[Stretch], Signature | None]


def _tried(read: Reader, stretch: Stretch) -> Signature | None:
    try:
        return read(stretch)
    except ImageError:
        return None


def _there(stretch: Stretch, at: int, count: int) -> bytes:
    """Return the bytes there, as many as exist."""
    return stretch.read(at, min(count, stretch.size - at)) if at < stretch.size else b""


def _identity(raw: bytes) -> str:
    return str(uuid.UUID(bytes=raw)) if any(raw) else ""


def _luks(stretch: Stretch) -> Signature | None:
    """LUKS1 and LUKS2 On-Disk Format Specifications, cryptsetup."""
    raw = _there(stretch, 0, 208)
    if raw[:6] != b"LUKS\xba\xbe" or len(raw) < 208:
        return None
    ident = text_field(raw[168:208])
    label = text_field(raw[24:72]) if raw[6:8] == b"\0\2" else ""
    return Signature(
        "crypto_LUKS", ident if re.fullmatch("[0-9A-Fa-f-]{1,40}", ident) else "", label
    )


def _bitlocker(stretch: Stretch) -> Signature | None:
    """Libbde's "BitLocker Drive Encryption (BDE) format": Vista, 7 and later, To Go."""
    raw = _there(stretch, 0, _SECTOR)
    to_go = raw[:3] == b"\xeb\x58\x90" and raw[424:440] == _BITLOCKER_GUID
    return Signature("BitLocker") if raw[3:11] == b"-FVE-FS-" or to_go else None


_BITLOCKER_GUID = uuid.UUID("4967d63b-2e29-4ad8-8399-f6a339e3d001").bytes_le


def _lvm(stretch: Stretch) -> Signature | None:
    label = read_label(stretch)
    return Signature("LVM2_member", label.disk_id) if label else None


def _raid(stretch: Stretch) -> Signature | None:
    """The kernel's include/uapi/linux/raid/md_p.h: versions 0.90, 1.0, 1.1 and 1.2."""
    magic = struct.pack("<I", 0xA92B4EFC)
    for at in (0, 4096, (stretch.size // _SECTOR - 16 & ~7) * _SECTOR):
        raw = _there(stretch, at, 64) if at >= 0 else b""
        if raw[:8] == magic + b"\1\0\0\0" and len(raw) == 64:
            return Signature("linux_raid_member", _identity(raw[16:32]), text_field(raw[32:64]))
    at = (stretch.size & ~0xFFFF) - 0x10000
    raw = _there(stretch, at, 64) if at >= 0 else b""
    if raw[:8] == magic + bytes(4) and len(raw) == 64:
        words = struct.unpack("<I28x3I", raw[20:64])
        return Signature("linux_raid_member", _identity(struct.pack(">4I", *words)))
    return None


def _zfs(stretch: Stretch) -> Signature | None:
    """ZFS On-Disk Specification: four labels of 256 KiB, uberblocks in the second half of each;
    four of them are needed, as blkid does."""
    end = stretch.size & ~0x3FFFF
    for label in (0, 1 << 18, end - (2 << 18), end - (1 << 18)):
        ring = _there(stretch, label + (1 << 17), 1 << 17) if label >= 0 else b""
        marks = [ring[at : at + 8] for at in range(0, len(ring), 1024)]
        if any(marks.count(struct.pack(order, 0x00BAB10C)) >= 4 for order in ("<Q", ">Q")):
            return Signature("zfs_member")
    return None


def _ext(stretch: Stretch) -> Signature | None:
    found = Superblock.read(stretch)
    return Signature(found.type, found.uuid, found.label) if found else None


def _is_damaged_ext(stretch: Stretch) -> bool:
    try:
        return Superblock.read(stretch) is not None
    except ImageError:
        return True


def _xfs(stretch: Stretch) -> Signature | None:
    """XFS Algorithms & Data Structures, "Superblocks"."""
    raw = _there(stretch, 0, 120)
    if raw[:4] != b"XFSB" or len(raw) < 120:
        return None
    return Signature("xfs", _identity(raw[32:48]), text_field(raw[108:120]))


def _btrfs(stretch: Stretch) -> Signature | None:
    """Btrfs's "On-disk Format": the superblock is at 64 KiB."""
    raw = _there(stretch, 0x10000, 0x22B)
    if raw[0x40:0x48] != b"_BHRfS_M":
        return None
    return Signature("btrfs", _identity(raw[0x20:0x30]), text_field(raw[0x12B:0x22B]))


def btrfs_devices(stretch: Stretch) -> int:
    """Return how many devices a btrfs says it is on."""
    return int.from_bytes(_there(stretch, 0x10000 + 0x88, 8), "little")


def _f2fs(stretch: Stretch) -> Signature | None:
    """The kernel's include/linux/f2fs_fs.h."""
    raw = _there(stretch, 1024, 1148)
    if raw[:4] != struct.pack("<I", 0xF2F52010) or len(raw) < 1148:
        return None
    return Signature("f2fs", _identity(raw[108:124]), text_field(raw[124:1148], "utf-16-le"))


def _erofs(stretch: Stretch) -> Signature | None:
    """The kernel's fs/erofs/erofs_fs.h."""
    raw = _there(stretch, 1024, 128)
    if raw[:4] != struct.pack("<I", 0xE0F5E1E2):
        return None
    return Signature("erofs", _identity(raw[48:64]), text_field(raw[64:80]))


def _fat(stretch: Stretch) -> Signature | None:
    header = fat_header.read_fat_header(stretch)
    if header is None:
        return None
    return Signature("vfat", header.serial, fat_header.volume_label(stretch, header))


def _swap(stretch: Stretch) -> Signature | None:
    """The kernel's include/linux/swap.h: the mark ends the first page, however large pages are."""
    for page in _PAGE_BYTES:
        mark = _there(stretch, page - 10, 10)
        if mark in (b"SWAPSPACE2", b"SWAP-SPACE"):
            raw = _there(stretch, 1024, 44)
            return Signature("swap", _identity(raw[12:28]), text_field(raw[28:44]))
        if mark[:9] in (b"S1SUSPEND", b"S2SUSPEND", b"ULSUSPEND", b"LINHIB000"):
            return Signature("swsuspend")
    return None


def _iso9660(stretch: Stretch) -> Signature | None:
    """ECMA-119: volume descriptors from sector 16 on."""
    raw = _there(stretch, 0x8000, 72)
    return Signature("iso9660", "", text_field(raw[40:72])) if raw[1:6] == b"CD001" else None


def _udf(stretch: Stretch) -> Signature | None:
    """ECMA-167 part 2: volume structure descriptors from 32 KiB on."""
    for at in range(0x8000, 0x8000 + 2048 * _MAX_DESCRIPTORS, 2048):
        mark = _there(stretch, at + 1, 5)
        if mark in (b"NSR02", b"NSR03"):
            return Signature("udf")
        if mark not in (b"BEA01", b"BOOT2", b"CD001", b"CDW02", b"TEA01"):
            return None
    return None


def _marked(name: str, *marks: tuple[int, bytes]) -> Reader:
    """Return a reader that knows a format by its mark alone."""

    def read(stretch: Stretch) -> Signature | None:
        there = any(_there(stretch, at, len(mark)) == mark for at, mark in marks)
        return Signature(name) if there else None

    return read


_CONTAINERS: tuple[Reader, ...] = (_luks, _bitlocker, _lvm, _raid, _zfs)
_CONTENTS: tuple[Reader, ...] = (
    _ext, _xfs, _btrfs, _f2fs, _erofs, _fat, _swap, _udf, _iso9660,
    _marked("squashfs", (0, b"hsqs"), (0, b"sqsh")),
    _marked("ntfs", (3, b"NTFS    ")),
    _marked("exfat", (3, b"EXFAT   ")),
    _marked("ReFS", (3, b"ReFS\0\0\0\0")),
    _marked("apfs", (32, b"NXSB")),
    _marked("hfsplus", (1024, b"H+\0\4"), (1024, b"HX\0\5")),
    _marked("jfs", (0x8000, b"JFS1")),
    _marked("reiserfs", (0x10034, b"ReIsErFs"), (0x10034, b"ReIsEr2Fs"), (0x10034, b"ReIsEr3Fs")),
    _marked("bcachefs", (4120, uuid.UUID("c68573f6-66ce-90a9-d96a-60cf803df7ef").bytes)),
    _marked("bcache", (4120, uuid.UUID("c68573f6-4e1a-45ca-8265-f57f48ba6d81").bytes)),
)  # fmt: skip
