"""A kernel and its initrd taken out of an image, as a boot loader would hand them over."""

import os
from pathlib import Path
from typing import BinaryIO

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.quoting import shown
from vmtiming_tui.images.system import unified
from vmtiming_tui.images.system.joint import gap
from vmtiming_tui.images.system.kernels import MODULES, Kernel

MAX_KERNEL_BYTES = 512 << 20
MAX_INITRD_BYTES = 1 << 30


def take_kernel(kernel: Kernel, root: Tree, folder: Path) -> None:
    """Leave ``vmlinuz`` and ``initrd`` in a folder, where neither is yet.

    Raises ``ImageError`` where one is not there, empty, or larger than any.
    """
    with (folder / "vmlinuz").open("xb") as vmlinuz, (folder / "initrd").open("x+b") as initrd:
        if kernel.unified:
            _take_unified(kernel, vmlinuz, initrd)
        else:
            beside = f"{MODULES}/{kernel.version}/vmlinuz"
            if not kernel.tree.copy(kernel.path, vmlinuz.fileno(), MAX_KERNEL_BYTES) and not (
                root.copy(beside, vmlinuz.fileno(), MAX_KERNEL_BYTES)
            ):
                raise ImageError(f"the kernel {shown(kernel.path)} cannot be read")
            _take_initrds(kernel, initrd.fileno())
        sizes = [os.fstat(file.fileno()).st_size for file in (vmlinuz, initrd)]
    if not all(sizes):
        raise ImageError(
            f"the kernel {shown(kernel.version)} or its initrd is empty",
            hint="--kernel-version takes another",
        )


def _take_initrds(kernel: Kernel, target: int) -> None:
    """Write them one after another, as a boot loader hands them over."""
    for name in kernel.initrds:
        begin = os.lseek(target, 0, os.SEEK_END)
        begin += os.write(target, gap(begin) if begin else b"")
        if not kernel.tree.copy(name, target, MAX_INITRD_BYTES - begin):
            raise ImageError(f"the initrd {shown(name)} is named but not there")


def _take_unified(kernel: Kernel, vmlinuz: BinaryIO, initrd: BinaryIO) -> None:
    found = kernel.tree.find(kernel.path)
    parts = unified.sections(kernel.tree.files, found.node) if found else {}
    if not found or ".linux" not in parts:
        raise ImageError(f"the kernel {shown(kernel.path)} cannot be read")
    if ".initrd" not in parts or not parts[".initrd"].size:
        raise ImageError(f"the unified kernel image {shown(kernel.path)} has no initrd inside")
    for name, file in ((".linux", vmlinuz), (".initrd", initrd)):
        for data in unified.content(kernel.tree.files, found.node, parts[name]):
            file.write(data)
        file.flush()
