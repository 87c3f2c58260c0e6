"""The words by which a kernel finds a root that stays where it is in its image."""

import re

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.disk.partitions import SECTOR_BYTES
from vmtiming_tui.images.disk.volumes import Volume
from vmtiming_tui.images.quoting import shown
from vmtiming_tui.images.system.fstab import mapper_name

_SUBVOLUME = re.compile(r"(?!\.\.(?:/|$))(?:(?!/\.\.(?:/|$))[A-Za-z0-9_./@+=:-]){1,200}")
_LOGICAL = re.compile(r"[A-Za-z0-9+_.][A-Za-z0-9+_.-]*/[A-Za-z0-9+_.][A-Za-z0-9+_.-]*")


def subvolume_option(name: str) -> str:
    """Return the option that mounts a subvolume; empty for the one mounted by default.

    Raises ``ImageError`` where a name is no plain word.
    """
    if name and not _SUBVOLUME.fullmatch(name):
        raise ImageError(f"the subvolume {shown(name)} has a name that cannot be an option's value")
    return f"subvol={name}" if name else ""


def root_arguments(volume: Volume, subvolume: str) -> str:
    """Return the words by which a kernel finds the root on an image that is its VM's first disk.

    Raises ``ImageError`` where a name has no place on a kernel's command line, or the VM's disk
    has other sectors than the image counts in.
    """
    if volume.sector_bytes != SECTOR_BYTES:
        raise ImageError(
            f"the image is of a disk with sectors of {volume.sector_bytes} bytes: on a VM's disk,"
            f" which has {SECTOR_BYTES}, its kernel would find no partition",
            hint="a root made anew boots: leave out --untouched (--boot-files)",
        )
    if "/" in volume.name:
        if not _LOGICAL.fullmatch(volume.name):
            raise ImageError(f"{volume.name} is no name of a logical volume")
        words = f"root=/dev/mapper/{mapper_name(volume.name)} rd.lvm.lv={volume.name}"
    else:
        words = f"root=/dev/vda{volume.number or ''}"
    if volume.bare:  # block/partitions/efi.c: a GPT without its MBR counts only where it is told so
        words += " gpt"
    option = subvolume_option(subvolume)
    return f"{words} rootflags={option}" if option else words
