"""A stretch is what blkid says it is, with the same UUID and label."""

import struct
import uuid

import pytest

from hostile import forged
from readers.lab import blkid, opened
from support import disk_images as images
from support.disk_images import MIB
from vmtiming_tui.images.disk.signatures import Signature, identify

IDENT = uuid.UUID("5a6f1c3e-0d0b-4c6e-9f8a-0123456789ab")
MAKERS = {
    "ext2": "mke2fs -q -F -t ext2 -L läbel",
    "ext3": "mke2fs -q -F -t ext3 -L läbel",
    "ext4": "mke2fs -q -F -t ext4 -L läbel",
    "an external journal": "mke2fs -q -F -O journal_dev",
    "xfs": "mkfs.xfs -q -f -L läbel",
    "btrfs": "mkfs.btrfs -q -f -L läbel",
    "f2fs": "mkfs.f2fs -q -f -l läbel",
    "vfat": "mkfs.vfat -F 32 -n LABEL",
    "vfat without a label": "mkfs.vfat -F 16",
    "swap": "mkswap -L läbel",
    "swap of large pages": "mkswap --pagesize 65536",
}


def signature(image) -> Signature:
    with opened(image) as stretch:
        return identify(stretch)


@pytest.mark.parametrize("command", MAKERS.values(), ids=MAKERS)
def test_what_a_real_tool_made(command, tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 320 * MIB)
    images.sh(*command.split(), image)

    found = signature(image)

    assert (found.type, found.uuid, found.label) == tuple(
        blkid(image, key) for key in ("TYPE", "UUID", "LABEL")
    )
    assert found.type != "unknown"


def luks(version: int) -> bytes:
    header = b"LUKS\xba\xbe" + version.to_bytes(2) + (16384).to_bytes(8)
    if version == 2:
        return header + bytes(8) + b"my disk".ljust(48, b"\0") + bytes(96) + f"{IDENT}".encode()
    return header.ljust(168, b"\0") + f"{IDENT}".encode()


def erofs() -> bytes:
    head = struct.pack("<IIIBBHQQI", 0xE0F5E1E2, 0, 0, 12, 0, 0, 10, 0, 0)
    return (head + struct.pack("<III", 100, 1, 1) + IDENT.bytes + b"label").ljust(128, b"\0")


def raid(version_1: bool) -> bytes:
    if version_1:
        return struct.pack("<4I", 0xA92B4EFC, 1, 0, 0) + IDENT.bytes + b"host:0"
    words = struct.unpack(">4I", IDENT.bytes)
    return (
        struct.pack("<7I", 0xA92B4EFC, 0, 90, 0, 0, words[0], 0)
        + bytes(24)
        + struct.pack("<3I", *words[1:])
    )


FORGED = {
    "luks1": (0, luks(1), Signature("crypto_LUKS", str(IDENT))),
    "luks2": (0, luks(2), Signature("crypto_LUKS", str(IDENT), "my disk")),
    "bitlocker": (0, b"\xeb\x58\x90-FVE-FS-\0\2", Signature("BitLocker")),
    "iso9660": (0x8000, b"\1CD001\1".ljust(40) + b"MEDIUM", Signature("iso9660", "", "MEDIUM")),
    "erofs": (1024, erofs(), Signature("erofs", str(IDENT), "label")),
    "squashfs": (0, b"hsqs".ljust(28, b"\0") + b"\4\0\0\0", Signature("squashfs")),
    "raid 1.2": (4096, raid(True), Signature("linux_raid_member", str(IDENT), "host:0")),
    "raid 1.0": (MIB - 8192, raid(True), Signature("linux_raid_member", str(IDENT), "host:0")),
    "raid 0.90": (MIB - 65536, raid(False), Signature("linux_raid_member", str(IDENT))),
    "zfs": (1 << 17, struct.pack("<Q", 0xBAB10C).ljust(1024, b"\0") * 8, Signature("zfs_member")),
    "ntfs": (0, b"\xeb\x52\x90NTFS    ", Signature("ntfs")),
    "exfat": (0, b"\xeb\x76\x90EXFAT   ", Signature("exfat")),
    "udf": (0x8000, b"".join(
        b"\0" + mark.ljust(2047, b"\0") for mark in (b"BEA01\1", b"NSR03\1", b"TEA01\1")
    ), Signature("udf")),
    "nothing": (0, b"Dear all", Signature("unknown")),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_what_formats_document(name, tmp_path):
    at, content, expected = FORGED[name]
    image = forged.hollow(tmp_path / "disk.img", MIB)
    forged.poke(image, at, content)

    assert signature(image) == expected


@pytest.mark.parametrize("name", ["luks1", "luks2", "erofs", "squashfs"])
def test_blkid_says_the_same_of_what_it_takes_a_mark_for(name, tmp_path):
    at, content, expected = FORGED[name]
    image = forged.hollow(tmp_path / "disk.img", MIB)
    forged.poke(image, at, content)

    assert blkid(image, "TYPE") == expected.type


def test_a_container_comes_before_what_its_content_looks_like(tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 64 * MIB)
    images.sh("mke2fs", "-q", "-F", image)
    forged.physical_volume(image, forged.lvm_text())

    assert signature(image).type == "LVM2_member"


def test_two_file_systems_at_once_are_neither(tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 320 * MIB)
    images.sh("mkfs.xfs", "-q", "-f", image)
    xfs = image.read_bytes()[:512]
    images.sh("mke2fs", "-q", "-F", "-t", "ext4", image)
    forged.poke(image, 0, xfs)

    assert blkid(image, "TYPE") == ""
    assert signature(image).type == "ext4 or xfs"


def test_an_ext4_whose_numbers_cannot_be_is_called_damaged(tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 64 * MIB)
    images.sh("mke2fs", "-q", "-F", "-t", "ext4", image)
    forged.poke(image, 1024 + 0x18, b"\xff\xff\xff\xff")

    assert signature(image).type == "damaged ext4"
