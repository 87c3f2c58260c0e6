"""What a person may give for a kernel or an initrd by mistake, told by its first bytes."""

import struct

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.system.kernel.file import (
    Content,
    KernelForm,
    bounded,
    form_of,
    head_of,
    plain_kernel,
    windows,
)

# XEN_ELFNOTE_PHYS32_ENTRY, by which QEMU starts an ELF kernel (hw/i386/x86.c).
_PVH_NOTE = struct.pack("<I4s", 18, b"Xen\0")
_ARCHIVES = (b"070701", b"070702")
_TO_UNPACK = "an initrd, or a kernel to be unpacked first"
_MARKS = (
    (b"07070", "an initrd"),
    (b"\x28\xb5\x2f\xfd", f"packed by zstd: {_TO_UNPACK}"),
    (b"\xfd7zXZ", f"packed by xz: {_TO_UNPACK}"),
    (b"\x02\x21\x4c\x18", f"packed by lz4: {_TO_UNPACK}"),
    (b"\x04\x22\x4d\x18", f"packed by lz4: {_TO_UNPACK}"),
    (b"BZh", f"packed by bzip2: {_TO_UNPACK}"),
    (b"\x5d\0\0", f"packed by lzma: {_TO_UNPACK}"),
    (b"\x27\x05\x19\x56", "an image for U-Boot"),
    (b"!<arch>", "a package: dpkg-deb -x takes the kernel out of it"),
    (b"\xed\xab\xee\xdb", "a package: rpm2cpio takes the kernel out of it"),
    (b"QFI\xfb", "a disk image"),
)
_BOOT_SECTOR, _EXT = b"\x55\xaa", b"\x53\xef"
_TEXT = bytes(range(0x20, 0x7F)) + b"\t\r\n"
_LOOKED_AT_BYTES = 512


def refuse_no_kernel(content: Content, *, is_unified: bool) -> None:
    """Raise ``ImageError`` for what is plainly no kernel that QEMU boots, and say what it is."""
    head = head_of(content)
    what = ""
    match form_of(head):
        case KernelForm.UNKNOWN:
            what = _what_else(head)
        case KernelForm.GZIP if next(plain_kernel(content), b"").startswith(_ARCHIVES):
            what = "an initrd"
        case KernelForm.PROGRAM if not is_unified:
            what = "an EFI program without a kernel inside"
        case KernelForm.ELF if not any(_PVH_NOTE in part for part in windows(bounded(content()))):
            what = "an ELF program without the note by which QEMU starts one (PVH)"
    if what:
        raise ImageError(
            f"what was given as the kernel is {what}",
            hint="give what a boot loader loads: vmlinuz, bzImage or Image",
        )


def refuse_no_initrd(content: Content) -> None:
    """Raise ``ImageError`` for what is plainly no initrd, and say what it is."""
    head = head_of(content)
    form = form_of(head)
    if not head:
        what = "empty"
    elif form not in (KernelForm.UNKNOWN, KernelForm.GZIP):
        what = f"a kernel, or another program ({form})"
    else:
        return
    raise ImageError(f"what was given as the initrd is {what}", hint="-k takes the kernel")


def _what_else(head: bytes) -> str:
    if not head:
        return "empty"
    if head[510:512] == _BOOT_SECTOR or head[0x438:0x43A] == _EXT:
        return "a disk image"
    if not head[:_LOOKED_AT_BYTES].translate(None, _TEXT):
        return "a text"
    return next((what for mark, what in _MARKS if head.startswith(mark)), "")
