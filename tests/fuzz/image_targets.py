"""Fuzzing the readers of images: any bytes give an answer or an ``ImageError``, within bounds."""

import contextlib
import os
import re
import struct
import zlib
from collections.abc import Iterator

from vmtiming_tui.errors import ImageError
from vmtiming_tui.escape import JOINING
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.disk.lvm import laid_out, read_group
from vmtiming_tui.images.disk.lvm_label import checksum
from vmtiming_tui.images.disk.partitions import SECTOR_SIZES, read_table
from vmtiming_tui.images.disk.volumes import find_volumes, open_files
from vmtiming_tui.images.files.ext import Ext
from vmtiming_tui.images.files.fat import Fat
from vmtiming_tui.images.files.tree import FileKind, FileSystem, Node, Tree
from vmtiming_tui.images.gate.cut_short import is_cut_short
from vmtiming_tui.images.gate.formats import KNOWN_FORMATS, format_by_end, read_header
from vmtiming_tui.images.quoting import shown

MAX_VISITS = 200
MAX_EXTENTS, MAX_NAME_BYTES = 256, 4 << 10
MAX_FILE_BYTES = 1 << 20
SECTOR = 512
AREA = 4096
DISK_ID = b"a" * 32


@contextlib.contextmanager
def _stretch(data: bytes, size: int = 0) -> Iterator[Stretch]:
    """The bytes as an image, with zeros behind them up to a size."""
    size = size or len(data)
    with os.fdopen(os.memfd_create("image"), "wb") as file:
        file.write(data)
        file.truncate(size)
        yield Stretch([Piece(file.fileno(), 0, size)])


def _check_files(files: FileSystem) -> None:
    """Walk a tree, with an end, and look up some paths."""
    tree = Tree(files)
    for path in ("etc/fstab", "loop/a/../b", "EFI/BOOT/BOOTX64.EFI"):
        with contextlib.suppress(ImageError):
            tree.text(path)
    pending, seen = [files.root], 0
    while pending and seen < MAX_VISITS:
        with contextlib.suppress(ImageError):
            for name, node in files.entries(pending.pop()):
                assert name not in (b"", b".", b"..")
                assert b"/" not in name
                assert b"\0" not in name
                seen += 1
                if node.kind is FileKind.FOLDER:
                    pending.append(node)
                else:
                    _check_content(files, node)


def _check_content(files: FileSystem, node: Node) -> None:
    with contextlib.suppress(ImageError):
        if node.kind is FileKind.LINK:
            assert len(files.target(node)) == node.size
        elif node.kind is FileKind.FILE and node.size <= MAX_FILE_BYTES:
            assert sum(map(len, files.chunks(node))) == node.size


def ext(data: bytes) -> None:
    """An ext2, ext3 or ext4."""
    with _stretch(data) as stretch, contextlib.suppress(ImageError):
        _check_files(Ext(stretch))


def fat(data: bytes) -> None:
    """A FAT."""
    with _stretch(data) as stretch, contextlib.suppress(ImageError):
        _check_files(Fat(stretch))


def partitions(data: bytes) -> None:
    """A disk; the checksums of a GPT are made right, so that what is behind them is tried."""
    for sector_bytes in SECTOR_SIZES:
        with _stretch(_with_gpt_checksums(data)) as stretch, contextlib.suppress(ImageError):
            table = read_table(stretch, sector_bytes)
            for each in table.partitions if table else ():
                assert 0 <= each.offset < each.offset + each.size <= stretch.size
                assert re.fullmatch("[0-9a-f-]*", each.partuuid)


def _with_gpt_checksums(data: bytes) -> bytes:
    disk = bytearray(data)
    for sector in (512, 4096):
        for at in (sector, (len(disk) // sector - 1) * sector):
            if disk[at : at + 8] != b"EFI PART" or at + 92 > len(disk):
                continue
            place, count, size = struct.unpack_from("<QII", disk, at + 72)
            entries = disk[place * sector : place * sector + min(count * size, len(disk))]
            struct.pack_into("<I", disk, at + 88, zlib.crc32(entries))
            struct.pack_into("<I", disk, at + 16, 0)
            length = min(struct.unpack_from("<I", disk, at + 12)[0], sector)
            struct.pack_into("<I", disk, at + 16, zlib.crc32(disk[at : at + length]))
    return bytes(disk)


def lvm(data: bytes) -> None:
    """The text of a group's metadata, on a disk whose checksums are right."""
    body = DISK_ID + struct.pack("<9Q", 1 << 20, 1 << 20, 0, 0, 0, AREA, 1 << 20, 0, 0)
    label = (struct.pack("<I8s", 32, b"LVM2 001") + body).ljust(SECTOR - 20, b"\0")
    label = struct.pack("<8sQI", b"LABELONE", 1, checksum(label)) + label
    place = struct.pack("<QQII", SECTOR, len(data), checksum(data), 0)
    area = struct.pack("<16sIQQ", b" LVM2 x[5A%r0N*>", 1, AREA, 1 << 20) + place
    area = area.ljust(SECTOR - 4, b"\0")
    area = struct.pack("<I", checksum(area)) + area
    disk = (bytes(SECTOR) + label).ljust(AREA, b"\0") + area + data
    with _stretch(disk, 2 << 20) as stretch, contextlib.suppress(ImageError):
        group = read_group(stretch)
        for volume in group.volumes if group else ():
            assert re.fullmatch("[A-Za-z0-9_.+-]+", volume.name)
            assert volume.extents > 0 or not volume.segments
            if not volume.kind:
                with contextlib.suppress(ImageError):
                    assert laid_out(group, volume, {_dashed(DISK_ID): stretch}).size <= stretch.size


def _dashed(raw: bytes) -> str:
    text = raw.decode()
    return "-".join((text[:6], *(text[at : at + 4] for at in range(6, 26, 4)), text[26:]))


def volumes(data: bytes) -> None:
    """A whole image: what it is, what it holds, and all the files of it."""
    with _stretch(_with_gpt_checksums(data)) as stretch, contextlib.suppress(ImageError):
        said: list[str] = []
        for volume in find_volumes(stretch, said.append):
            words = (volume.name, volume.type, volume.uuid, volume.label, volume.partuuid, *said)
            assert all(word.isprintable() for word in words)
            assert re.fullmatch("[0-9A-Za-z!#-]*", volume.uuid)
            with contextlib.suppress(ImageError):
                if files := open_files(volume):
                    _check_files(files)


def headers(data: bytes) -> None:
    """The headers of image formats: what they ask for is a bounded name."""
    with _stretch(data) as image:
        assert format_by_end(image) in ("", *KNOWN_FORMATS)
        for form in KNOWN_FORMATS:
            with contextlib.suppress(ImageError):
                is_cut_short(image, form)
        for told in ("", "qcow2", "vmdk"):
            with contextlib.suppress(ImageError):
                if (header := read_header(image, told)) is None:
                    continue
                assert header.format in KNOWN_FORMATS
                assert len(header.extents) <= MAX_EXTENTS
                extents = [extent.name for extent in header.extents]
                for name in (header.backing, header.data_file, header.differs_from, *extents):
                    assert len(os.fsencode(name)) <= MAX_NAME_BYTES
                    assert "\0" not in name
                    assert all(c.isprintable() or c in JOINING for c in shown(name))
