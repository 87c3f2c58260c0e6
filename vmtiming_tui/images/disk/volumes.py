"""What is in a disk image: partitions, logical volumes, and the file systems on them."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.disk.lvm import (
    Assembly,
    LogicalVolume,
    MissingDiskError,
    VolumeGroup,
    assembly,
    laid_out,
    read_group,
)
from vmtiming_tui.images.disk.partitions import (
    SECTOR_BYTES,
    SECTOR_SIZES,
    Partition,
    PartitionTable,
    TableKind,
    read_table,
)
from vmtiming_tui.images.disk.signatures import UNKNOWN, identify
from vmtiming_tui.images.files.ext import Ext
from vmtiming_tui.images.files.ext_superblock import Superblock
from vmtiming_tui.images.files.fat import Fat
from vmtiming_tui.images.files.tree import FileSystem

WHOLE = "the whole image"
LVM_DISK = "LVM2_member"
NOT_LOOKED_INTO = "LVM-"
_EXT = ("ext2", "ext3", "ext4")
_MEDIA = ("iso9660", "udf")
_SMALLEST_BYTES = 1024
# What others are made of holds no files itself.
_POOLS = ("thin-pool", "cache-pool")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A part of an image, with what is on it.

    ``type`` is blkid's name for it ("unknown" where none is known), or ``LVM-`` and a kind where
    nobody has looked into it. ``stretch`` is None where its bytes are not so many of the image's
    one after another; a kernel may put it together by its ``assembly``. ``number`` is a
    partition's own, else 0; ``kind`` and ``part_label`` are its type and its name in a GPT;
    ``sector_bytes`` and ``bare`` are its table's.
    """

    name: str
    type: str
    size: int
    stretch: Stretch | None
    uuid: str = ""
    label: str = ""
    partuuid: str = ""
    number: int = 0
    kind: str = ""
    part_label: str = ""
    sector_bytes: int = SECTOR_BYTES
    bare: bool = False
    assembly: Assembly | None = None

    @property
    def disks(self) -> tuple[Stretch, ...]:
        """The bytes a kernel has to be given to read it."""
        if self.stretch is not None:
            return (self.stretch,)
        return self.assembly.disks if self.assembly else ()


def find_volumes(image: Stretch, say: Say) -> list[Volume]:
    """Return the image's volumes: itself or its partitions, then logical volumes.

    Raises ``ImageError`` where it ends before they do, or is no disk of a system.
    """
    if not image.size:
        raise ImageError("the image is empty")
    whole = identify(image)
    if medium := set(_MEDIA) & set(whole.type.split(" or ")):
        raise ImageError(
            f"the image is an installer or live medium ({medium.pop()}), not an installed system"
        )
    boot_sector = whole.type in ("vfat", "ntfs", "exfat", "BitLocker")
    table = None if boot_sector else read_table(image)
    weak = table is None or table.bare or not table.partitions
    if table is None or (weak and whole.type != UNKNOWN):
        volumes = [_volume(WHOLE, image)]
    elif not table.partitions:
        raise ImageError(f"the image has a partition table ({table.kind}) but no partitions")
    else:
        volumes = _partitions(image, table)
    return volumes + list(_logical_volumes(volumes, say))


def _partitions(image: Stretch, table: PartitionTable) -> list[Volume]:
    """Return the partitions of a table; of an MBR, by the sectors with which they hold something.

    Raises ``ImageError`` where one is cut short.
    """
    found = _volumes_of(image, table)
    if table.kind is TableKind.MBR and all(volume.type == UNKNOWN for volume in found):
        with contextlib.suppress(ImageError):
            larger = read_table(image, SECTOR_SIZES[-1])
            others = _volumes_of(image, larger) if larger else []
            if any(volume.type != UNKNOWN for volume in others):
                return others
    return found


def _volumes_of(image: Stretch, table: PartitionTable) -> list[Volume]:
    return [
        replace(
            _volume(
                f"partition {partition.number}",
                image.part(partition.offset, partition.size),
                partition,
            ),
            sector_bytes=table.sector_bytes,
            bare=table.bare,
        )
        for partition in table.partitions
        if partition.size > _SMALLEST_BYTES
    ]


def open_files(volume: Volume) -> FileSystem | None:
    """Return a reader of the volume's files; None where there is none for its type.

    Raises ``ImageError`` where the volume is damaged, or uses what is not known here.
    """
    if volume.stretch is None:
        return None
    try:
        if volume.type in _EXT:
            return Ext(volume.stretch)
        if volume.type == "vfat":
            return Fat(volume.stretch)
    except ImageError as error:
        raise ImageError(
            f"{volume.name} ({volume.type}) cannot be read: {error.message}", hint=error.hint
        ) from error
    return None


def _volume(name: str, stretch: Stretch, partition: Partition | None = None) -> Volume:
    found = identify(stretch)
    if found.type in _EXT:
        _check_length(name, stretch)
    return Volume(
        name=name,
        type=found.type,
        size=stretch.size,
        stretch=stretch,
        uuid=found.uuid,
        label=found.label,
        partuuid=partition.partuuid if partition else "",
        number=partition.number if partition else 0,
        kind=partition.kind if partition else "",
        part_label=partition.label if partition else "",
    )


def _check_length(name: str, stretch: Stretch) -> None:
    """An ext4 says how long it is; less than that was lost on the way here."""
    facts = Superblock.read(stretch)
    if facts and facts.size > stretch.size:
        raise ImageError(
            f"the image is cut short: the file system of {name} needs {facts.size} bytes,"
            f" there are {stretch.size}",
            hint="get it again",
        )


# Logical volumes


def _logical_volumes(volumes: list[Volume], say: Say) -> Iterator[Volume]:
    disks: dict[str, Stretch | None] = {}
    groups: dict[str, VolumeGroup] = {}
    for volume in volumes:
        if volume.type != LVM_DISK or volume.stretch is None:
            continue
        disks[volume.uuid] = None if volume.uuid in disks else volume.stretch
        try:
            group = read_group(volume.stretch)
        except ImageError as error:
            raise ImageError(
                f"the LVM metadata of {volume.name} cannot be read: {error.message}"
            ) from error
        if group is None:
            continue
        known = groups.setdefault(group.id, group)
        if group.generation > known.generation:
            groups[group.id] = group
    for group in groups.values():
        for logical in group.volumes:
            if logical.visible and logical.kind not in _POOLS:
                found = _logical_volume(group, logical, disks, say)
                sector_bytes = max(volume.sector_bytes for volume in volumes)
                bare = any(volume.bare for volume in volumes)
                yield replace(found, sector_bytes=sector_bytes, bare=bare)


def _logical_volume(
    group: VolumeGroup, logical: LogicalVolume, disks: dict[str, Stretch | None], say: Say
) -> Volume:
    name = f"{group.name}/{logical.name}"
    kind, parts = logical.kind, None
    try:
        if kind:
            parts = assembly(group, logical, disks)
        else:
            stretch = laid_out(group, logical, disks)
            if len(logical.segments) > 1:
                say(f"putting the pieces of {name} together")
            return _volume(name, stretch)
    except ImageError as error:
        kind = "incomplete" if isinstance(error, MissingDiskError) else "damaged"
        say(left_out(name, error.message))
    size = logical.extents * group.extent_bytes
    return Volume(
        name=name, type=f"{NOT_LOOKED_INTO}{kind}", size=size, stretch=None, assembly=parts
    )


def left_out(name: str, why: str, hint: str = "") -> str:
    """Return what a person is told of a logical volume that nobody here reads."""
    return (
        f"{name} is left out: {why}{f' ({hint})' if hint else ''}. On a machine that has it as a "
        f"disk, copy it and spin the copy: qemu-img convert -O raw /dev/{name} root.raw"
    )


def not_put_together(volume: Volume, error: ImageError) -> str:
    """Return what a person is told of a volume with an assembly that came to nothing."""
    kind = volume.type.removeprefix(NOT_LOOKED_INTO)
    why = f"a volume of the kind '{kind}' is put together by the kernel's device mapper alone"
    return left_out(volume.name, f"{why}: {error.message}", error.hint)
