"""A kernel and its initrd taken out of an image, as a boot loader would hand them over."""

import os
from pathlib import Path
from typing import BinaryIO

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.quoting import shown
from vmtiming_tui.images.system import unified
from vmtiming_tui.images.system.initrd.joint import gap
from vmtiming_tui.images.system.kernel.file import KernelForm, form_in_memory, plain_kernel
from vmtiming_tui.images.system.kernel.kernels import Kernel

MAX_INITRD_BYTES = 1 << 30


def take_kernel(kernel: Kernel, folder: Path) -> tuple[str, ...]:
    """Leave ``vmlinuz``, and ``initrd`` where it has one, in a folder, and return their names.

    One for arm64 or riscv64 is unpacked: QEMU knows few packings. Raises ``ImageError`` where one
    is not there, empty, or larger than any.
    """
    names = ("vmlinuz", "initrd") if kernel.has_initrd else ("vmlinuz",)
    with (folder / "vmlinuz").open("xb") as vmlinuz:
        _take(kernel, vmlinuz)
    if kernel.has_initrd:
        with (folder / "initrd").open("x+b") as initrd:
            if kernel.initrds:
                _take_initrds(kernel, initrd.fileno())
            else:
                _take_inside(kernel, initrd)
    if not all((folder / name).stat().st_size for name in names):
        raise ImageError(
            f"the kernel {shown(kernel.version)} or its initrd is empty",
            hint="--kernel-version takes another",
        )
    return names


def left_beside(kernel: Kernel) -> str:
    """Return what is to be said of what a unified kernel would have been handed over besides."""
    names = unified.left_beside(kernel.tree, kernel.path) if kernel.unified else []
    if not names:
        return ""
    more = f" and {len(names) - 1} more" * (len(names) > 1)
    return f"left out: {shown(names[0])}{more} beside the unified kernel, which a UEFI hands over"


def _take(kernel: Kernel, target: BinaryIO) -> None:
    is_flat = form_in_memory(kernel.content) in (KernelForm.ARM64, KernelForm.RISCV64)
    for data in plain_kernel(kernel.content) if is_flat else kernel.content():
        target.write(data)


def _take_initrds(kernel: Kernel, target: int) -> None:
    """Write them one after another, as a boot loader hands them over."""
    tree = kernel.initrd_tree or kernel.tree
    for name in kernel.initrds:
        begin = os.lseek(target, 0, os.SEEK_END)
        begin += os.write(target, gap(begin) if begin else b"")
        if not tree.copy(name, target, MAX_INITRD_BYTES - begin):
            raise ImageError(
                f"the initrd {shown(name)} of kernel {shown(kernel.label)} is named but not there",
                hint="-i INITRD gives it one of your own, --kernel-version takes another kernel",
            )


def _take_inside(kernel: Kernel, target: BinaryIO) -> None:
    """Write what is in a unified kernel and beside it, as its own loader hands it over."""
    for program, name in unified.initrd(kernel.tree, kernel.path, kernel.profile):
        if begin := target.tell():
            target.write(gap(begin))
        for data in program.content(name):
            target.write(data)
            if target.tell() > MAX_INITRD_BYTES:
                raise ImageError(f"the initrd of {shown(kernel.path)} is larger than any")
