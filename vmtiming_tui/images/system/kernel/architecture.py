"""Which processor a kernel, and the programs of a system, are made for."""

import struct
from functools import partial

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.tree import FileKind, Tree
from vmtiming_tui.images.system.kernel.file import Content, KernelForm, form_in_memory, head_of
from vmtiming_tui.images.system.osrelease import SYSTEMD_FOLDERS

# Whose kernels are taken, and booted by -kernel.
_BOOTED = ("x86", "arm64", "arm", "riscv64")
# e_machine of elf(5).
_OF_PROGRAMS = {
    3: "x86", 62: "x86", 183: "arm64", 40: "arm", 243: "riscv64", 8: "mips", 20: "ppc",
    21: "ppc64", 22: "s390x", 43: "sparc64", 258: "loongarch64",
}  # fmt: skip
_MACHINE_AT, _BYTE_ORDER_AT, _BIG_ENDIAN = 18, 5, 2
_OF_KERNELS = {
    KernelForm.BZIMAGE: "x86", KernelForm.ARM64: "arm64", KernelForm.ARM: "arm",
    KernelForm.RISCV64: "riscv64",
}  # fmt: skip


def architecture_of(root: Tree) -> str:
    """Return what a root's systemd is made for; empty where it does not tell.

    Raises ``ImageError`` for what no kernel here would boot.
    """
    for folder in SYSTEMD_FOLDERS:
        found = root.find(f"{folder}/systemd")
        if found is None or found.node.kind is not FileKind.FILE:
            continue
        head = head_of(partial(root.files.chunks, found.node))
        if not head.startswith(b"\x7fELF"):
            continue
        form = ">H" if head[_BYTE_ORDER_AT] == _BIG_ENDIAN else "<H"
        (machine,) = struct.unpack_from(form, head, _MACHINE_AT)
        name = _OF_PROGRAMS.get(machine, "")
        if name and name not in _BOOTED:
            raise ImageError(
                f"the image's system is for {name}; taken are those for {', '.join(_BOOTED)}"
            )
        return name
    return ""


def refuse_other(kernel: Content, architecture: str) -> None:
    """Raise ``ImageError`` where a kernel is for another processor than a system's programs."""
    name = _OF_KERNELS.get(form_in_memory(kernel), "")
    if name and architecture and name != architecture:
        raise ImageError(
            f"your kernel is for {name}, and the image's system for {architecture}",
            hint="give one for that",
        )
