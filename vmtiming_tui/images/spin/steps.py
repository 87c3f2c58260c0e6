"""The order of steps from an image to a root that a VM boots from.

Everything here touches bytes that nobody vouches for, so it runs in a box: it reads the image by a
descriptor, and writes only into its work folder.
"""

import contextlib
import errno
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.disk.volumes import find_volumes
from vmtiming_tui.images.files.ext import Ext
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.guard.tools import NO_ROOM
from vmtiming_tui.images.reader.kernel_reader import KernelReader
from vmtiming_tui.images.spin import rootfs
from vmtiming_tui.images.spin.install_service import Report
from vmtiming_tui.images.spin.new_root import NewRoot
from vmtiming_tui.images.spin.parts import Part, Say, Workplace, find_root, listed_volumes
from vmtiming_tui.images.spin.root_words import root_arguments
from vmtiming_tui.images.spin.wanted import CMDLINE, INITRD, ROOT_IMAGE, VMLINUZ, Made, Wanted
from vmtiming_tui.images.system.completed_initrd import complete_initrd, is_mountable
from vmtiming_tui.images.system.fstab import Below, plan_merge
from vmtiming_tui.images.system.kernels import (
    Kernel,
    choose_kernel,
    find_kernels,
    listed,
)
from vmtiming_tui.images.system.osrelease import folder_of_units, name_of_system
from vmtiming_tui.images.system.take_kernel import take_kernel


def spin(
    image: Stretch, wanted: Wanted, *, report: Report, work: Path, reader: KernelReader, say: Say
) -> Made:
    """Make ready what was asked for, and leave it in the work folder.

    Raises ``ImageError`` where the image cannot be taken, in words that name neither it nor where
    the results are to go.
    """
    try:
        with contextlib.ExitStack() as held:
            place = Workplace(work=work, reader=reader, say=say, held=held)
            return _Job(wanted=wanted, report=report, place=place).run(image)
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

    def run(self, image: Stretch) -> Made:
        say = self.place.say
        parts = self.place.open(self.place.put_together(find_volumes(image, say)))
        root, tree = find_root(parts, self.wanted.root, say)
        units = folder_of_units(tree)
        below = [] if self.wanted.boot_files else self._plan_merge(tree, parts)
        others = [part.tree for part in parts if part.tree and part is not root]
        kernels = find_kernels(tree, others, say)
        kernel = choose_kernel(kernels, self.wanted.kernel_version)
        say(f"{name_of_system(tree)} on {root.volume.name} ({root.volume.type})")
        say(f"kernel {kernel}")
        new = self._new_root(root, tree, below, kernel)
        if self.wanted.dry_run:
            return self._describe(new, parts, kernels)
        self._say_what_to_mind(tree, parts)
        take_kernel(kernel, tree, self.place.work)
        if self.wanted.boot_files:
            return self._leave_boot_files(root, tree, kernel)
        return self._leave_root(new, kernel, units)

    def _new_root(self, part: Part, tree: Tree, below: Sequence[Below], kernel: Kernel) -> NewRoot:
        return NewRoot(
            place=self.place, part=part, below=below, size_bytes=self.wanted.size_bytes,
            convert=self.wanted.convert,
            is_known=is_mountable(tree, kernel.version, part.volume.type),
        )  # fmt: skip

    def _plan_merge(self, tree: Tree, parts: Sequence[Part]) -> list[Below]:
        volumes = [part.volume for part in parts]
        below, remarks = plan_merge(tree.text("etc/fstab"), volumes)
        for remark in remarks:
            self.place.say(remark)
        return below

    # What is said

    def _describe(self, new: NewRoot, parts: Sequence[Part], kernels: Sequence[Kernel]) -> Made:
        say = self.place.say
        root = new.part
        for each in [] if new.is_kept else new.below:
            say(f"{each.path} would come from {each.volume.name}")
        say(f"it has:\n{listed_volumes([part.volume for part in parts])}")
        say(f"its kernels:\n{listed(kernels)}")
        if self.wanted.boot_files:
            return Made()
        if new.is_kept:
            return Made(root_bytes=root.volume.size, cmdline=new.arguments)
        used = 0
        if root.excerpt:
            used = root.excerpt.used_bytes
        elif root.tree and isinstance(root.tree.files, Ext):
            used = root.tree.files.superblock.used_bytes
        return Made(root_bytes=self.wanted.size_bytes or rootfs.roomy(used))

    def _say_what_to_mind(self, tree: Tree, parts: Sequence[Part]) -> None:
        say = self.place.say
        if not self.wanted.boot_files and any(part.volume.type == "swap" for part in parts):
            say("its swap is left out; if the initrd waits for it, boot with --append noresume")
        if not tree.text("etc/machine-id").strip("\n"):
            say("it has no machine-id: every boot from it is a first boot")
        if tree.has("etc/cloud") and not tree.has("etc/cloud/cloud-init.disabled"):
            say("cloud-init is on; --append cloud-init=disabled boots without it")

    # What is made

    def _leave_boot_files(self, root: Part, tree: Tree, kernel: Kernel) -> Made:
        words = root_arguments(root.volume, root.excerpt.subvolume if root.excerpt else "")
        (self.place.work / CMDLINE).write_text(f"{words}\n")
        self._complete(kernel, tree, root.volume.type)
        return Made(files=(VMLINUZ, INITRD, CMDLINE), cmdline=words)

    def _leave_root(self, new: NewRoot, kernel: Kernel, units: str) -> Made:
        root = new.make()
        self._complete(kernel, root.tree, new.type, new.new_type)
        size = new.furnish(root, self.report, units)
        if words := new.arguments:
            (self.place.work / CMDLINE).write_text(f"{words}\n")
        files = (ROOT_IMAGE, VMLINUZ, INITRD, *[CMDLINE] * bool(words))
        return Made(files=files, root_bytes=size, cmdline=words)

    def _complete(self, kernel: Kernel, tree: Tree, root_type: str, new_type: str = "") -> None:
        complete_initrd(
            self.place.work / INITRD, tree, kernel.version, root_type=root_type, new_type=new_type,
            say=self.place.say,
        )  # fmt: skip
