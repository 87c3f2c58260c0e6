"""What is in a disk image: partitions, logical volumes, and the file systems on them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.ext import Ext
from vmtiming_tui.images.ext_superblock import Superblock
from vmtiming_tui.images.fat import Fat
from vmtiming_tui.images.lvm import Group, LogicalVolume, MissingDiskError, laid_out, read_group
from vmtiming_tui.images.partitions import read_table
from vmtiming_tui.images.signatures import UNKNOWN, identify
from vmtiming_tui.images.stretch import Stretch
from vmtiming_tui.images.tree import FileSystem

WHOLE = "the whole image"
LVM_DISK = "LVM2_member"
_EXT = ("ext2", "ext3", "ext4")
_MEDIA = ("iso9660", "udf")
_SMALLEST_BYTES = 1024
_THIN_POOL = "thin-pool"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A part of an image, with what is on it.

    ``type`` is blkid's name for it ("unknown" where none is known), or ``LVM-`` and a kind where
    it is left out and so has no ``stretch``. ``number`` is a partition's own, else 0.
    """

    name: str
    type: str
    size: int
    stretch: Stretch | None
    uuid: str = ""
    label: str = ""
    partuuid: str = ""
    number: int = 0


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
    if table is None or (not table.partitions and whole.type != UNKNOWN):
        volumes = [_volume(WHOLE, image)]
    elif not table.partitions:
        raise ImageError(f"the image has a partition table ({table.kind}) but no partitions")
    else:
        volumes = [
            _volume(
                f"partition {partition.number}",
                image.part(partition.offset, partition.size),
                partuuid=partition.partuuid,
                number=partition.number,
            )
            for partition in table.partitions
            if partition.size > _SMALLEST_BYTES
        ]
    return volumes + list(_logical_volumes(volumes, say))


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


def _volume(name: str, stretch: Stretch, *, partuuid: str = "", number: int = 0) -> Volume:
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
        partuuid=partuuid,
        number=number,
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
    groups: dict[str, Group] = {}
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
            if logical.visible and logical.kind != _THIN_POOL:
                yield _logical_volume(group, logical, disks, say)


def _logical_volume(
    group: Group, logical: LogicalVolume, disks: dict[str, Stretch | None], say: Say
) -> Volume:
    name = f"{group.name}/{logical.name}"
    kind = logical.kind
    why = f"a volume of the kind '{kind}' is put together by the kernel's device mapper alone"
    if not kind:
        try:
            stretch = laid_out(group, logical, disks)
        except MissingDiskError as error:
            kind, why = "incomplete", error.message
        except ImageError as error:
            kind, why = "damaged", error.message
        else:
            if len(logical.segments) > 1:
                say(f"putting the pieces of {name} together")
            return _volume(name, stretch)
    say(
        f"{name} is left out: {why}. On a machine that has it as a disk, copy it and spin the"
        f" copy: qemu-img convert -O raw /dev/{name} root.raw"
    )
    return Volume(
        name=name, type=f"LVM-{kind}", size=logical.extents * group.extent_bytes, stretch=None
    )
