"""The order of steps from an image to a root that a VM boots from.

Everything here touches bytes that nobody vouches for, so it runs in a box: it reads the image by a
descriptor, and writes only into its work folder.
"""

import contextlib
import errno
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.disk.volumes import (
    NOT_LOOKED_INTO,
    Volume,
    find_volumes,
    not_put_together,
    open_files,
)
from vmtiming_tui.images.files.ext import Ext
from vmtiming_tui.images.files.tree import FileSystem, Tree
from vmtiming_tui.images.guard.tools import NO_ROOM
from vmtiming_tui.images.quoting import human, shown
from vmtiming_tui.images.reader.kernel_reader import KERNEL_ONLY, Excerpt, KernelReader, Mount
from vmtiming_tui.images.spin import rootfs
from vmtiming_tui.images.spin.install_service import Report, Root, install_service
from vmtiming_tui.images.system.completed_initrd import complete_initrd
from vmtiming_tui.images.system.fstab import Below, mapper_name, plan_merge
from vmtiming_tui.images.system.kernels import (
    Kernel,
    choose_kernel,
    find_kernels,
    listed,
    take_kernel,
)
from vmtiming_tui.images.system.osrelease import folder_of_units, looks_like_root, name_of_system

ROOT_IMAGE = "rootfs.img"
CMDLINE = "cmdline"
_KERNEL_FILES = ("vmlinuz", "initrd")
_ROOT_TYPES = frozenset({"ext2", "ext3", "ext4", "xfs", "f2fs", "btrfs"})
_ENCRYPTED = frozenset({"crypto_LUKS", "BitLocker"})
_SUBVOLUME = re.compile(r"(?!\.\.(?:/|$))(?:(?!/\.\.(?:/|$))[A-Za-z0-9_./@+=:-]){1,200}")
_LOGICAL = re.compile(r"[A-Za-z0-9+_.][A-Za-z0-9+_.-]*/[A-Za-z0-9+_.][A-Za-z0-9+_.-]*")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NEW_TYPE = "ext4"
_ROOT = "the root file system"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person asked for; empty, or None for the size, where nothing was said."""

    size_bytes: int | None = None
    kernel_version: str = ""
    root: str = ""
    boot_files: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was left in the work folder, by name; nothing in a dry run.

    ``root_bytes`` is the new root's size, or what it would be; ``cmdline`` the words by which a
    kernel finds the root where it is in the image.
    """

    files: tuple[str, ...] = ()
    root_bytes: int = 0
    cmdline: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A volume and what it is read by: its own files, those of a copy, or those of an excerpt.

    ``tree`` is None where nobody reads it; ``fault`` says why not, where it should be readable.
    """

    volume: Volume
    tree: Tree | None = None
    is_root: bool = False
    copy: Path | None = None
    excerpt: Excerpt | None = None
    fault: ImageError | None = None


def spin(
    image: Stretch, wanted: Wanted, *, report: Report, work: Path, reader: KernelReader, say: Say
) -> Made:
    """Make ready what was asked for, and leave it in the work folder.

    Raises ``ImageError`` where the image cannot be taken, in words that name neither it nor where
    the results are to go.
    """
    try:
        with contextlib.ExitStack() as held:
            job = _Job(wanted=wanted, report=report, work=work, reader=reader, say=say, held=held)
            return job.run(image)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ImageError(f"{NO_ROOM}; use --out elsewhere") from None
        raise ImageError(f"the work folder cannot be used: {error.strerror}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One spin: what was asked, with what, and where to; ``held`` closes what it opens."""

    wanted: Wanted
    report: Report
    work: Path
    reader: KernelReader
    say: Say
    held: contextlib.ExitStack

    def run(self, image: Stretch) -> Made:
        parts = self._open(self._put_together(find_volumes(image, self.say)))
        root, tree = self._find_root(parts)
        units = folder_of_units(tree)
        below = [] if self.wanted.boot_files else self._plan_merge(tree, parts)
        others = [part.tree for part in parts if part.tree and part is not root]
        kernels = find_kernels(tree, others, self.say)
        kernel = choose_kernel(kernels, self.wanted.kernel_version)
        self.say(f"{name_of_system(tree)} on {root.volume.name} ({root.volume.type})")
        self.say(f"kernel {kernel}")
        if self.wanted.dry_run:
            return self._describe(root, below, parts, kernels)
        self._say_what_to_mind(tree, parts)
        take_kernel(kernel, tree, self.work)
        if self.wanted.boot_files:
            return self._leave_boot_files(root, tree, kernel)
        return self._leave_root(root, below, kernel, units)

    # What there is

    def _put_together(self, volumes: Sequence[Volume]) -> list[Volume]:
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

    def _open(self, volumes: Sequence[Volume]) -> list[Part]:
        """Return the volumes as they can be read; a fault of one need not be the others'."""
        foreign = [
            volume
            for volume in volumes
            if volume.type in KERNEL_ONLY or (volume.assembly and volume.type in _ROOT_TYPES)
        ]
        excerpts: dict[Volume, Excerpt] = {}
        fault = None
        try:
            if foreign:
                excerpts = {excerpt.volume: excerpt for excerpt in self.reader.excerpts(foreign)}
        except ImageError as error:
            fault = error
        parts = []
        for number, volume in enumerate(volumes):
            try:
                if fault and volume in foreign:
                    raise fault
                parts.append(self._opened(number, volume, excerpts.get(volume)))
            except ImageError as error:
                parts.append(Part(volume=volume, fault=error))
        return parts

    def _opened(self, number: int, volume: Volume, excerpt: Excerpt | None) -> Part:
        copy = None
        if excerpt:
            files: FileSystem | None = Ext(self._stretch_of(excerpt.image))
        else:
            files = open_files(volume)
        if not excerpt and isinstance(files, Ext) and files.superblock.needs_recovery:
            # It has changes that only its journal knows.
            self.say(f"{volume.name} was not unmounted: playing back its journal in a copy")
            copy = self.work / f"volume-{number}.img"
            self._copy(volume, files, copy)
            rootfs.check(copy, files, volume.name)
            files = Ext(self._stretch_of(copy))
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

    def _copy(self, volume: Volume, files: Ext, target: Path) -> None:
        assert volume.stretch is not None  # noqa: S101  it has files
        rootfs.refuse_what_tools_cannot(files, volume.name)
        rootfs.check_space(self.work, rootfs.taken_bytes(volume.stretch))
        self.say(f"copying {volume.name}")
        rootfs.copy_stretch(volume.stretch, target)
        rootfs.clear_boot_block(target)

    def _stretch_of(self, image: Path) -> Stretch:
        fd = os.open(image, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self.held.callback(os.close, fd)
        return Stretch([Piece(fd, 0, os.fstat(fd).st_size)])

    def _find_root(self, parts: Sequence[Part]) -> tuple[Part, Tree]:
        asked = self.wanted.root
        named = [
            part for part in parts if not asked or part.volume.name in (asked, f"partition {asked}")
        ]
        found = [(part, part.tree) for part in named if part.tree and part.is_root]
        if not found:
            faults = [part.fault for part in named if part.volume.type in _ROOT_TYPES]
            raise next(filter(None, faults), _no_root([part.volume for part in parts]))
        if len(found) > 1:
            systems = "\n".join(
                f"  {part.volume.name}: {name_of_system(tree)}" for part, tree in found
            )
            raise ImageError(f"the image has several systems; choose one by --root:\n{systems}")
        for part in parts:
            if part.fault:
                self.say(f"{part.fault.message}: passed over")
        root, tree = found[0]
        if root.excerpt and root.excerpt.subvolume:
            name = shown(root.excerpt.subvolume)
            self.say(f"{root.volume.name}: the root is in subvolume {name}")
        return root, tree

    def _plan_merge(self, tree: Tree, parts: Sequence[Part]) -> list[Below]:
        volumes = [part.volume for part in parts]
        below, remarks = plan_merge(tree.text("etc/fstab"), volumes)
        for remark in remarks:
            self.say(remark)
        return below

    # What is said

    def _describe(
        self, root: Part, below: Sequence[Below], parts: Sequence[Part], kernels: Sequence[Kernel]
    ) -> Made:
        for place in below:
            self.say(f"{place.path} would come from {place.volume.name}")
        self.say(f"it has:\n{_listed_volumes([part.volume for part in parts])}")
        self.say(f"its kernels:\n{listed(kernels)}")
        if self.wanted.boot_files:
            return Made()
        used = 0
        if root.excerpt:
            used = root.excerpt.used_bytes
        elif root.tree and isinstance(root.tree.files, Ext):
            used = root.tree.files.superblock.used_bytes
        return Made(root_bytes=self.wanted.size_bytes or rootfs.roomy(used))

    def _say_what_to_mind(self, tree: Tree, parts: Sequence[Part]) -> None:
        if not self.wanted.boot_files and any(part.volume.type == "swap" for part in parts):
            self.say(
                "its swap is left out; if the initrd waits for it, boot with --append noresume"
            )
        if not tree.text("etc/machine-id").strip("\n"):
            self.say("it has no machine-id: every boot from it is a first boot")
        if tree.has("etc/cloud") and not tree.has("etc/cloud/cloud-init.disabled"):
            self.say("cloud-init is on; --append cloud-init=disabled boots without it")

    # What is made

    def _leave_boot_files(self, root: Part, tree: Tree, kernel: Kernel) -> Made:
        words = root_arguments(root.volume, root.excerpt.subvolume if root.excerpt else "")
        (self.work / CMDLINE).write_text(f"{words}\n")
        self._complete(kernel, tree, "")
        return Made(files=(*_KERNEL_FILES, CMDLINE), cmdline=words)

    def _leave_root(self, part: Part, below: Sequence[Below], kernel: Kernel, units: str) -> Made:
        image = self.work / ROOT_IMAGE
        if part.excerpt or below:
            self._root_from_files(part, below, image)
            kind = _NEW_TYPE
        else:
            self._root_from_ext(part, image)
            kind = part.volume.type
        stretch = self._stretch_of(image)
        files = Ext(stretch)
        root = Root(image, stretch.pieces[0].fd)
        self._complete(kernel, root.tree, kind if kind != part.volume.type else "")
        install_service(root, self.report, units, kind, self.say)
        rootfs.check(image, files, _ROOT)
        return Made(files=(ROOT_IMAGE, *_KERNEL_FILES), root_bytes=stretch.size)

    def _root_from_ext(self, part: Part, image: Path) -> None:
        """Bit for bit, then cut to size: nothing an ext4 can hold is lost that way."""
        assert part.tree is not None  # noqa: S101  it is a root
        files = part.tree.files
        assert isinstance(files, Ext)  # noqa: S101  as its volume's type says
        if part.copy:
            part.copy.rename(image)
        else:
            self._copy(part.volume, files, image)
        self.say("checking the file system")
        rootfs.check(image, files, _ROOT)
        rootfs.fit(image, files.superblock.block_size, self.wanted.size_bytes, self.say)

    def _root_from_files(self, part: Part, below: Sequence[Below], image: Path) -> None:
        """Let a kernel read the files, of which an ext4 is made.

        The old name and UUID stay: a dracut made for that one machine waits for them.
        """

        def size(used: int, inodes: int) -> int:
            least = rootfs.bytes_for_files(used, inodes)
            chosen = rootfs.wanted_size(self.wanted.size_bytes, least)
            rootfs.check_space(self.work, least)
            self.say(f"copying the files ({human(used)})")
            return chosen

        for place in below:
            option = f", {place.subvolume}" if place.subvolume else ""
            self.say(f"{place.path} comes from {place.volume.name}{option}")
        self.say("measuring the content")
        subvolume = part.excerpt.subvolume if part.excerpt else ""
        mounts = [Mount(part.volume, "/", subvolume_option(subvolume))]
        mounts += [Mount(place.volume, place.path, place.subvolume) for place in below]
        uuid = part.volume.uuid if _UUID.fullmatch(part.volume.uuid) else ""
        self.reader.copy(mounts, image, size=size, uuid=uuid, label=part.volume.label[:16])
        rootfs.clear_boot_block(image)
        files = Ext(self._stretch_of(image))
        rootfs.refuse_what_tools_cannot(files, "the new root")
        rootfs.check(image, files, _ROOT)

    def _complete(self, kernel: Kernel, tree: Tree, new_type: str) -> None:
        initrd = self.work / "initrd"
        complete_initrd(initrd, tree, kernel.version, new_type=new_type, say=self.say)


def subvolume_option(name: str) -> str:
    """Return the option that mounts a subvolume; empty for the one mounted by default.

    Raises ``ImageError`` where a name is no plain word.
    """
    if name and not _SUBVOLUME.fullmatch(name):
        raise ImageError(f"the subvolume {shown(name)} has a name that cannot be an option's value")
    return f"subvol={name}" if name else ""


def root_arguments(volume: Volume, subvolume: str) -> str:
    """Return the words by which a kernel finds the root on an image that is its VM's first disk.

    Raises ``ImageError`` where a name has no place on a kernel's command line.
    """
    if "/" in volume.name:
        if not _LOGICAL.fullmatch(volume.name):
            raise ImageError(f"{volume.name} is no name of a logical volume")
        words = f"root=/dev/mapper/{mapper_name(volume.name)} rd.lvm.lv={volume.name}"
    else:
        words = f"root=/dev/vda{volume.number or ''}"
    option = subvolume_option(subvolume)
    return f"{words} rootflags={option}" if option else words


def _listed_volumes(volumes: Sequence[Volume]) -> str:
    return "\n".join(
        f"  {volume.name}: {volume.type}, {human(volume.size)}" for volume in dict.fromkeys(volumes)
    )


def _no_root(volumes: Sequence[Volume]) -> ImageError:
    types = {volume.type for volume in volumes}
    has = f"it has:\n{_listed_volumes(volumes)}"
    if types & _ENCRYPTED:
        return ImageError(f"the image is encrypted, and so cannot be taken; {has}")
    if any(kind.startswith(NOT_LOOKED_INTO) for kind in types):
        return ImageError(f"the image has no root file system outside the volumes left out; {has}")
    if types == {"unknown"} and len(volumes) == 1:
        return ImageError(
            "the image is no disk image that is known here: neither a partition table nor a file"
            " system is in it"
        )
    return ImageError(f"the image has no root file system that can be read; {has}")
