"""The volumes of an image as they can be read, and which of them is the root."""

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vmtiming_tui.errors import AsItIsError, ImageError
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.disk.signatures import btrfs_devices
from vmtiming_tui.images.disk.volumes import (
    NOT_LOOKED_INTO,
    Volume,
    not_put_together,
    open_files,
)
from vmtiming_tui.images.files.ext import Ext
from vmtiming_tui.images.files.tree import FileSystem, Tree
from vmtiming_tui.images.quoting import human, shown
from vmtiming_tui.images.reader.kernel_reader import KERNEL_ONLY, Excerpt, KernelReader
from vmtiming_tui.images.spin import rootfs
from vmtiming_tui.images.system.fstab import volume_of
from vmtiming_tui.images.system.layout import boots_itself, without_root
from vmtiming_tui.images.system.loader.told import default_root
from vmtiming_tui.images.system.osrelease import looks_like_root, name_of_system

_ROOT_TYPES = KERNEL_ONLY | {"ext2", "ext3", "ext4"}
_ENCRYPTED = frozenset({"crypto_LUKS", "BitLocker"})

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A volume and what it is read by: its own files, those of a copy, or those of an excerpt.

    ``tree`` is None where nobody reads it; ``fault`` says why not, where it should be readable.
    ``whole`` is a root's tree with the ``/usr`` that is on another volume.
    """

    volume: Volume
    tree: Tree | None = None
    whole: Tree | None = None
    is_root: bool = False
    copy: Path | None = None
    excerpt: Excerpt | None = None
    fault: ImageError | None = None

    @property
    def used_bytes(self) -> int:
        """How much its files take; 0 where nobody knows."""
        if self.excerpt:
            return self.excerpt.used_bytes
        if self.tree and isinstance(self.tree.files, Ext):
            return self.tree.files.superblock.used_bytes
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where a spin works, and with what; ``held`` closes what is opened."""

    work: Path
    reader: KernelReader
    say: Say
    held: contextlib.ExitStack

    def put_together(self, volumes: Sequence[Volume]) -> list[Volume]:
        """Return the volumes, with what is on those that only a kernel puts together."""
        apart = [volume for volume in volumes if volume.assembly]
        found: Mapping[Volume, Volume] = {}
        try:
            if apart:
                found = self.reader.assembled(apart)
        except ImageError as error:
            for volume in apart:
                self.say(not_put_together(volume, error))
        return [found.get(volume, replace(volume, assembly=None)) for volume in volumes]

    def open(self, volumes: Sequence[Volume]) -> list[Part]:
        """Return the volumes as they can be read; a fault of one need not be the others'."""
        foreign = [
            volume
            for volume in volumes
            if volume.type in KERNEL_ONLY or (volume.assembly and volume.type in _ROOT_TYPES)
        ]
        excerpts = self._excerpts(foreign)
        parts = []
        for number, volume in enumerate(volumes):
            try:
                excerpt = excerpts.get(volume)
                if isinstance(excerpt, ImageError):
                    raise excerpt
                parts.append(self._opened(number, volume, excerpt))
            except ImageError as error:
                parts.append(Part(volume=volume, fault=error))
        return parts

    def _excerpts(self, volumes: Sequence[Volume]) -> dict[Volume, Excerpt | ImageError]:
        """Return what a kernel reads of each; of one nobody can read, why not."""
        found: dict[Volume, Excerpt | ImageError] = {}
        for volume in volumes:
            if volume.type != "btrfs" or volume.stretch is None:
                continue
            if (count := btrfs_devices(volume.stretch)) > 1:
                found[volume] = ImageError(
                    f"{volume.name} is one of the {count} devices of a btrfs, which is read where"
                    " it has one device alone",
                    hint="in the machine: btrfs device remove, and btrfs balance -dconvert=single"
                    " before it",
                )
        whole = [volume for volume in volumes if volume not in found]
        if not whole:
            return found
        try:
            return found | {each.volume: each for each in self.reader.excerpts(whole)}
        except ImageError as error:
            if len(whole) == 1:
                return found | {whole[0]: error}
        for volume in whole:
            found |= self._excerpts([volume])
        return found

    def _opened(self, number: int, volume: Volume, excerpt: Excerpt | None) -> Part:
        copy = None
        if excerpt:
            files: FileSystem | None = Ext(self.stretch_of(excerpt.image))
        else:
            files = open_files(volume)
        if not excerpt and isinstance(files, Ext) and files.superblock.needs_recovery:
            # It has changes that only its journal knows.
            self.say(f"{volume.name} was not unmounted: playing back its journal in a copy")
            copy = self.work / f"volume-{number}.img"
            self.copy(volume, files, copy)
            rootfs.check(copy, files, volume.name)
            files = Ext(self.stretch_of(copy))
        if files is None:
            return Part(volume=volume)
        tree = Tree(files, volume.name)
        return Part(
            volume=volume,
            tree=tree,
            is_root=volume.type in _ROOT_TYPES and looks_like_root(tree),
            copy=copy,
            excerpt=excerpt,
        )

    def copy(self, volume: Volume, files: Ext, target: Path) -> None:
        assert volume.stretch is not None  # noqa: S101  it has files
        rootfs.refuse_what_tools_cannot(files, volume.name)
        rootfs.check_space(self.work, rootfs.taken_bytes(volume.stretch))
        self.say(f"copying {volume.name}")
        rootfs.copy_stretch(volume.stretch, target)
        rootfs.clear_boot_block(target)

    def stretch_of(self, image: Path) -> Stretch:
        fd = os.open(image, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self.held.callback(os.close, fd)
        return Stretch([Piece(fd, 0, os.fstat(fd).st_size)])


def find_root(parts: Sequence[Part], asked: str, say: Say) -> tuple[Part, Tree]:
    """Return the part that holds the system asked for, or the only one, and its files.

    Raises ``ImageError`` where there is none, or more than one and none was asked for.
    """
    named = [
        part for part in parts if not asked or part.volume.name in (asked, f"partition {asked}")
    ]
    found = [(part, part.whole or part.tree) for part in named if part.tree and part.is_root]
    if not found:
        faults = [part.fault for part in named if part.volume.type in _ROOT_TYPES]
        raise next(filter(None, faults), _no_root(parts))
    if len(found) > 1:
        raise _several(found, parts)
    for part in parts:
        if part.fault:
            say(f"{part.fault.message}: passed over")
    root, tree = found[0]
    if root.excerpt and root.excerpt.subvolume:
        name = shown(root.excerpt.subvolume)
        others = ", ".join(map(shown, root.excerpt.passed_over))
        more = f" (others hold a system, too: {others}; a default one counts first)"
        say(f"{root.volume.name}: the root is in subvolume {name}{more if others else ''}")
    return root, tree


def _several(found: Sequence[tuple[Part, Tree]], parts: Sequence[Part]) -> ImageError:
    volumes = [part.volume for part in parts]
    booted = volume_of(default_root([part.tree for part in parts if part.tree]), volumes)
    systems = "\n".join(
        f"  {part.volume.name}: {name_of_system(tree)}"
        + (", which its loader boots" if part.volume == booted else "")
        for part, tree in found
    )
    return ImageError(f"the image has several systems; choose one by --root:\n{systems}")


def listed_volumes(volumes: Sequence[Volume]) -> str:
    """Return volumes, one a line."""
    return "\n".join(
        f"  {volume.name}: {volume.type}, {human(volume.size)}" for volume in dict.fromkeys(volumes)
    )


def _no_root(parts: Sequence[Part]) -> ImageError:
    volumes = [part.volume for part in parts]
    types = {volume.type for volume in volumes}
    has = f"it has:\n{listed_volumes(volumes)}"
    if types & _ENCRYPTED:
        return ImageError(f"the image is encrypted, and so cannot be taken; {has}")
    if known := without_root(volumes, [part.tree for part in parts if part.tree]):
        return known
    if any(kind.startswith(NOT_LOOKED_INTO) for kind in types):
        return ImageError(f"the image has no root file system outside the volumes left out; {has}")
    if types == {"unknown"} and len(volumes) == 1:
        return ImageError(
            "the image is no disk image that is known here: neither a partition table nor a file"
            " system is in it"
        )
    why = f"the image has no root file system that can be read; {has}"
    return AsItIsError(why) if boots_itself(volumes) else ImageError(why)
