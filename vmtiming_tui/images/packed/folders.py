"""A folder given for a disk image: what it seems to be by the names in it, and what to give."""

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

from vmtiming_tui.errors import ImageError
from vmtiming_tui.escape import shell_line
from vmtiming_tui.images.quoting import shown

_MAX_NAMES = 5000
_LISTED = 3
_DEEPEST = 2
_DISK_NAME = re.compile(
    r"\.(img|raw|qcow2?|vmdk|vdi|vhdx?|hdd|hds|wic|ova|box)(\.(xz|gz|zst|bz2|lz4))?$", re.I
)
_PART_OF_A_DISK = re.compile(r"-(s|f)\d{3}\.vmdk$|-(flat|delta|ctk)\.vmdk$", re.I)
_RELEASES = ("etc/os-release", "usr/lib/os-release")
_KERNELS = ("boot/vmlinuz*", "boot/Image*", "boot/kernel-*", "usr/lib/modules/*/vmlinuz",
            "lib/modules/*/vmlinuz")  # fmt: skip


def refuse_folder(folder: str) -> ImageError:
    """Return why a folder is not taken, with the command that is; its files are not opened."""
    top = Path(folder)
    name = shown(folder)
    if any(os.path.lexists(top / release) for release in _RELEASES):
        has_kernel = any(next(top.glob(pattern), None) for pattern in _KERNELS)
        make = shell_line(["mke2fs", "-q", "-t", "ext4", "-d", folder, "root.img", "8G"])
        own = "" if has_kernel else " -k KERNEL -i INITRD"
        return ImageError(
            f"{name} is a folder with the files of a system{'' if has_kernel else ', no kernel'}",
            hint=f"make a disk of them: {make} && vm-timing-report prepare root.img{own}",
        )
    if (top / "oci-layout").is_file():
        return ImageError(
            f"{name} is a folder with a container's image (OCI), which has no kernel",
            hint="build a disk image of it (of a bootc image: bootc-image-builder --type qcow2)",
        )
    disks = sorted(path for path in _files(top) if _is_named_like_a_disk(path.name))
    if not disks:
        return ImageError(f"{name} is a folder; name the disk image itself")
    more = "" if len(disks) == 1 else f" (or {', '.join(map(_short, disks[1 : 1 + _LISTED]))})"
    return ImageError(
        f"{name} is a folder; name the disk image itself",
        hint=f"{shell_line(['vm-timing-report', 'prepare', str(disks[0])])}{more}",
    )


def _short(path: Path) -> str:
    return shown(path.name)


def _is_named_like_a_disk(name: str) -> bool:
    return bool(_DISK_NAME.search(name)) and not _PART_OF_A_DISK.search(name)


def _files(top: Path) -> Iterator[Path]:
    """Yield the files in a folder and those below it, not too many, and not too deep."""
    return itertools.islice(_below(top, _DEEPEST), _MAX_NAMES)


def _below(folder: Path, depth: int) -> Iterator[Path]:
    try:
        found = list(itertools.islice(os.scandir(folder), _MAX_NAMES))
    except OSError:
        return
    for entry in found:
        if entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
        elif depth and entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path), depth - 1)
