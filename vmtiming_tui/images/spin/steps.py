"""The order of steps from an image to a root that a VM boots from.

Everything here touches bytes that nobody vouches for, so it runs in a box: it reads the image by a
descriptor, and writes only into its work folder.
"""

import contextlib
import errno
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.disk.volumes import find_volumes
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.guard.tools import NO_ROOM
from vmtiming_tui.images.reader.kernel_reader import KernelReader
from vmtiming_tui.images.spin import rootfs
from vmtiming_tui.images.spin.install_service import Report
from vmtiming_tui.images.spin.new_root import NewRoot
from vmtiming_tui.images.spin.parts import Part, Say, Workplace, find_root, listed_volumes
from vmtiming_tui.images.spin.root_words import root_arguments
from vmtiming_tui.images.spin.wanted import CMDLINE, INITRD, ROOT_IMAGE, VMLINUZ, Made, Wanted
from vmtiming_tui.images.spin.whole_systems import (
    other_trees,
    plan_below,
    used_bytes,
    with_whole_roots,
    with_words_of_ours,
)
from vmtiming_tui.images.system.fstab import Below
from vmtiming_tui.images.system.initrd.completed import complete_initrd, is_mountable
from vmtiming_tui.images.system.kernel.kernels import Kernel, find_kernels, listed
from vmtiming_tui.images.system.kernel.taking import left_beside, take_kernel
from vmtiming_tui.images.system.layout import (
    is_first_boot,
    is_nixos,
    refuse_copy,
    refuse_disk,
    refuse_root,
)
from vmtiming_tui.images.system.loader.carried import Carried, RootDisk, beside, carried
from vmtiming_tui.images.system.loader.told import told
from vmtiming_tui.images.system.osrelease import folder_of_units, name_of_system
from vmtiming_tui.images.system.own_kernel import (
    NOTHING_GIVEN,
    check_own_initrd,
    check_without_initrd,
    kernel_to_take,
)
from vmtiming_tui.images.system.way_in import check_way_in


def spin(
    image: Stretch,
    wanted: Wanted,
    *,
    report: Report,
    work: Path,
    reader: KernelReader,
    say: Say,
    given: Tree = NOTHING_GIVEN,
) -> Made:
    """Make ready what was asked for, and leave it in the work folder.

    ``given`` are a kernel and an initrd of a person's own (``own_kernel``). Raises ``ImageError``
    where the image cannot be taken, in words that name neither it nor where the results are to go.
    """
    try:
        with contextlib.ExitStack() as held:
            place = Workplace(work=work, reader=reader, say=say, held=held)
            return _Job(wanted=wanted, report=report, place=place, given=given).run(image)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ImageError(f"{NO_ROOM}; use --out elsewhere") from None
        raise ImageError(f"the work folder cannot be used: {error.strerror}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One spin: what was asked, with what, and where."""

    wanted: Wanted
    report: Report
    place: Workplace
    given: Tree

    def run(self, image: Stretch) -> Made:
        say = self.place.say
        parts = with_whole_roots(self.place.open(self.place.put_together(find_volumes(image, say))))
        volumes = [part.volume for part in parts]
        refuse_disk(volumes, [part.tree for part in parts if part.tree])
        root, tree = find_root(parts, self.wanted.root, say)
        refuse_root(tree, volumes)
        if not self.wanted.boot_files:
            refuse_copy(tree, root.tree)
        units = "" if is_nixos(tree) else folder_of_units(tree)
        below = [] if self.wanted.boot_files else self._plan_merge(tree, parts)
        new = NewRoot(
            place=self.place, part=root, below=below, size_bytes=self.wanted.size_bytes,
            convert=self.wanted.convert,
        )  # fmt: skip
        others = other_trees(root, parts)
        root_type = root.volume.type if self.wanted.boot_files else new.type
        say(f"{name_of_system(tree)} on {root.volume.name} ({root.volume.type})")
        kernels = find_kernels(tree, others, say, root_type=root_type)
        kernel = kernel_to_take(
            kernels, self.wanted.kernel_version, given=self.given, root=tree, root_type=root_type,
            say=say,
        )  # fmt: skip
        new = replace(new, is_known=is_mountable(tree, kernel.version, root_type))
        disk = RootDisk(type=root.volume.type) if self.wanted.boot_files else new.disk
        loaders = carried(told(kernel, tree, others), disk)
        loaders = with_words_of_ours(loaders, tree, root, parts, untouched=self.wanted.boot_files)
        for line in loaders.lines():
            say(line)
        found = _Found(tree=tree, kernel=kernel, loaders=loaders, new=new)
        if self.wanted.dry_run:
            return self._describe(found, parts, kernels)
        self._say_what_to_mind(tree, parts)
        boot = take_kernel(kernel, self.place.work)
        if kernel.initrd_tree is self.given:
            check_own_initrd(self.place.work / INITRD, kernel, tree, root_type, say)
        if left := left_beside(kernel):
            say(left)
        if self.wanted.boot_files:
            return self._leave_boot_files(found, boot)
        return self._leave_root(found, units, boot)

    def _plan_merge(self, tree: Tree, parts: Sequence[Part]) -> list[Below]:
        below, remarks = plan_below(tree, parts)
        for remark in remarks:
            self.place.say(remark)
        return below

    # What is said

    def _describe(self, found: "_Found", parts: Sequence[Part], kernels: Sequence[Kernel]) -> Made:
        say, root = self.place.say, found.new.part
        for each in [] if found.new.is_kept else found.new.below:
            say(f"{each.path} would come from {each.volume.name}")
        say(f"it has:\n{listed_volumes([part.volume for part in parts])}")
        say(f"its kernels:\n{listed(kernels)}")
        boot = (VMLINUZ, INITRD) if found.kernel.has_initrd else (VMLINUZ,)
        if self.wanted.boot_files:
            return Made(files=(*boot, CMDLINE))
        words = found.words
        files = (ROOT_IMAGE, *boot, *([CMDLINE] if words else []))
        if found.new.is_kept:
            return Made(files=files, root_bytes=root.volume.size, cmdline=words)
        used = used_bytes(root, found.new.below, parts)
        size = self.wanted.size_bytes or rootfs.roomy(used)
        return Made(files=files, root_bytes=size, cmdline=words)

    def _say_what_to_mind(self, tree: Tree, parts: Sequence[Part]) -> None:
        say = self.place.say
        if not self.wanted.boot_files and any(part.volume.type == "swap" for part in parts):
            say("its swap is left out; if the initrd waits for it, boot with --append noresume")
        if is_first_boot(tree):
            say("it has no machine-id: every boot from it is a first boot")
        if tree.has("etc/cloud") and not tree.has("etc/cloud/cloud-init.disabled"):
            say("cloud-init is on; --append cloud-init=disabled boots without it")

    # What is made

    def _leave_boot_files(self, found: "_Found", boot: tuple[str, ...]) -> Made:
        root = found.new.part
        if not found.kernel.has_initrd:
            check_without_initrd(root.volume.name, found.tree, self.place.say)
        else:
            check_way_in(self.place.work / INITRD, found.tree, self.place.say)
        own = root_arguments(root.volume, root.excerpt.subvolume if root.excerpt else "")
        self._complete(found.kernel, found.tree, root.volume.type)
        words = beside(own, found.loaders.words)
        return Made(files=(*boot, *self._leave_cmdline(words)), cmdline=words)

    def _leave_root(self, found: "_Found", units: str, boot: tuple[str, ...]) -> Made:
        new = found.new
        root = new.make()
        self._complete(found.kernel, root.tree, new.type, new.new_type)
        size = new.furnish(root, self.report, units)
        files = (ROOT_IMAGE, *boot, *self._leave_cmdline(found.words))
        return Made(files=files, root_bytes=size, cmdline=found.words)

    def _leave_cmdline(self, words: str) -> tuple[str, ...]:
        if words:
            (self.place.work / CMDLINE).write_text(f"{words}\n")
        return (CMDLINE,) if words else ()

    def _complete(self, kernel: Kernel, tree: Tree, root_type: str, new_type: str = "") -> None:
        if kernel.has_initrd:
            complete_initrd(
                self.place.work / INITRD, tree, kernel.version, root_type=root_type,
                new_type=new_type, say=self.place.say,
            )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The system in an image: its files, its kernel and what that is told, the root to be made."""

    tree: Tree
    kernel: Kernel
    loaders: Carried
    new: NewRoot

    @property
    def words(self) -> str:
        """What a kernel is told of the new root, beside what its loader told it."""
        return beside(self.new.arguments, self.loaders.words)
