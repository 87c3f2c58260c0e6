"""Which files are disks, told by their content: a name says nothing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.disk.partitions import read_table
from vmtiming_tui.images.disk.signatures import identify
from vmtiming_tui.images.packed.no_disks import MEDIUM, NoDisk, told

LEAST_DISK_BYTES = 64 << 10
_SIZE_UNKNOWN = 1 << 40

# QEMU's docs/interop and block/*.c; which format it is in the end is QEMU's word.
_FORMATS: tuple[tuple[str, int, bytes], ...] = (
    ("qcow2", 0, b"QFI\xfb"),
    ("vmdk", 0, b"KDMV"),
    ("vmdk", 0, b"COWD"),
    ("vdi", 0x40, b"\x7f\x10\xda\xbe"),
    ("vhdx", 0, b"vhdxfile"),
    ("vpc", 0, b"conectix"),
    ("qed", 0, b"QED\0"),
    ("parallels", 0, b"WithoutFreeSpace"),
    ("parallels", 0, b"WithouFreSpacExt"),
    ("bochs", 0, b"Bochs Virtual HD Image"),
)
_DESCRIPTION = b"# Disk DescriptorFile"
_ROOTS = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "LVM2_member", "crypto_LUKS"})
_READ_ONLY_ROOTS = frozenset({"erofs", "squashfs"})


def disk_kind(head: bytes, size: int | None) -> str:
    """Return what kind of disk a file is that begins with these ``HEAD_BYTES``; empty: none.

    ``size`` is None where it is not known.
    """
    for kind, at, mark in _FORMATS:
        if head[at : at + len(mark)] == mark:
            return kind
    with _as_stretch(head, size) as stretch:
        found = identify(stretch).type
        if found in _ROOTS:
            return found
        has_partitions = _has_partitions(stretch)
    other = told(head)
    return "partitions" if has_partitions and other in (None, MEDIUM) else ""


def refuse_no_disk(head: bytes) -> None:
    """Raise ``ImageError`` for what is plainly no disk; all of it may tell more than its head."""
    if not disk_kind(head, None) and (found := told(head)):
        raise found.error(head)


def plainly_no_disk(image: Stretch, head: bytes) -> NoDisk | None:
    """Return what an image is that is none, where its beginning tells; it may look like a disk.

    A disk that boots as a CD, too, has that mark, and a root beside it.
    """
    found = told(head)
    if found is None or identify(image).type in _ROOTS:
        return None
    return None if found is MEDIUM and _has_root(image) else found


def is_description(head: bytes) -> bool:
    """Return whether it is a VMDK's description, whose data is in other files."""
    return head[:1024].lstrip().startswith(_DESCRIPTION)


@contextmanager
def _as_stretch(head: bytes, size: int | None) -> Iterator[Stretch]:
    """Yield a file that begins so, with zeros behind."""
    whole = max(_SIZE_UNKNOWN if size is None else size, len(head))
    with os.fdopen(os.memfd_create("head", os.MFD_CLOEXEC), "wb", buffering=0) as file:
        file.write(head)
        file.truncate(whole)
        yield Stretch([Piece(file.fileno(), 0, whole)])


def _has_root(image: Stretch) -> bool:
    try:
        table = read_table(image)
        parts = table.partitions if table else ()
        types = {identify(image.part(part.offset, part.size)).type for part in parts}
    except ImageError:
        return False
    return bool(types & (_ROOTS | _READ_ONLY_ROOTS))


def _has_partitions(stretch: Stretch) -> bool:
    try:
        table = read_table(stretch)
    except ImageError:
        return True  # it has one, which is damaged or leads beyond the head
    return table is not None and (bool(table.partitions) or table.kind == "PMBR")
