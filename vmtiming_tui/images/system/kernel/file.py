"""What a kernel's own file says: its form, its version, and which drivers are in it.

Forms: the kernel's Documentation/arch/x86/boot.rst (``kernel_version`` at 0x20e, ``payload_offset``
at 0x248); arm/booting.rst, arm64/booting.rst and riscv/boot-image-header.rst beside it; and
drivers/firmware/efi/libstub/zboot-header.S ("zimg" at 4, then the payload's offset and size).
"""

import itertools
import re
import struct
from collections.abc import Callable, Iterator
from enum import StrEnum

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.system.initrd.packings import unpacked

# Yields a file's bytes from its begin, each time anew.
Content = Callable[[], Iterator[bytes]]

HEAD_BYTES = 64 << 10
_HEADER_BYTES = 0x400
MAX_PLAIN_BYTES = 512 << 20
_MAX_RELEASE = 128
_RELEASE = re.compile(rb"[0-9]+\.[A-Za-z0-9._+~-]{1,%d}" % _MAX_RELEASE)
_BANNER = re.compile(rb"Linux version ([0-9]+\.[A-Za-z0-9._+~-]{1,%d}) \(" % _MAX_RELEASE)
_OVERLAP = _MAX_RELEASE + 32
_SETUP_BYTES = 0x200
# The names of drivers as a kernel has them that was built with them.
_SIGNS = {
    "virtio_blk": b"\0virtio_blk\0", "virtio_pci": b"\0virtio-pci\0",
    "ext4": b"\0ext4_inode_cache\0", "xfs": b"\0xfs_inode\0", "btrfs": b"\0btrfs_inode\0",
    "f2fs": b"\0f2fs_inode_cache\0", "squashfs": b"\0squashfs_inode_cache\0",
    "erofs": b"\0erofs_inode\0",
}  # fmt: skip


class KernelForm(StrEnum):
    """How a kernel's file is made; ``UNKNOWN`` says no more than that it is none of these."""

    BZIMAGE = "bzImage"
    ARM64 = "arm64 Image"
    ARM = "ARM zImage"
    RISCV64 = "riscv64 Image"
    ZBOOT = "EFI zboot"
    GZIP = "gzip"
    PROGRAM = "EFI program"
    ELF = "ELF vmlinux"
    UNKNOWN = "unknown"


_FLAT = {b"ARM\x64": KernelForm.ARM64, b"RSC\x05": KernelForm.RISCV64}
_ZIMAGE = b"\x18\x28\x6f\x01"
_PACKED = (KernelForm.ZBOOT, KernelForm.GZIP)
_SILENT = (KernelForm.UNKNOWN, KernelForm.PROGRAM, KernelForm.ARM)


def head_of(content: Content) -> bytes:
    """Return the first bytes of a file; zeros where a header goes on beyond its end."""
    head = b""
    for chunk in content():
        head += chunk
        if len(head) >= HEAD_BYTES:
            break
    return head[:HEAD_BYTES].ljust(_HEADER_BYTES if head else 0, b"\0")


def form_of(head: bytes) -> KernelForm:
    """Return the form of the file that begins so."""
    if head[0x202:0x206] == b"HdrS":
        return KernelForm.BZIMAGE
    if (form := _FLAT.get(head[0x38:0x3C])) is not None:
        return form
    if head[0x24:0x28] == _ZIMAGE:
        return KernelForm.ARM
    if head.startswith(b"MZ"):
        return KernelForm.ZBOOT if head[4:8] == b"zimg" else KernelForm.PROGRAM
    if head.startswith(b"\x1f\x8b"):
        return KernelForm.GZIP
    return KernelForm.ELF if head.startswith(b"\x7fELF") else KernelForm.UNKNOWN


def release_of(content: Content) -> str:
    """Return the version a kernel says it is, as ``uname -r`` has it; empty where it says none.

    Where its header does not tell it is unpacked and read to its end.
    """
    head = head_of(content)
    form = form_of(head)
    if form is KernelForm.BZIMAGE:
        (at,) = struct.unpack_from("<H", head, 0x20E)
        found = _RELEASE.match(head, at + _SETUP_BYTES) if at else None
        return found[0].decode() if found else ""
    try:
        for window in windows(plain_kernel(content)) if form not in _SILENT else ():
            if told := _BANNER.search(window):
                return told[1].decode()
    except ImageError:  # packed in a way that is not known here
        pass
    return ""


def form_in_memory(content: Content) -> KernelForm:
    """Return the form of a kernel once it is unpacked; its own where it unpacks itself.

    Raises ``ImageError`` where it cannot be unpacked.
    """
    form = form_of(head_of(content))
    return form_of(next(plain_kernel(content), b"")) if form in _PACKED else form


def built_in(content: Content) -> frozenset[str] | None:
    """Return the drivers that are in a kernel, of those a VM takes; None where it does not tell."""
    found: set[str] = set()
    is_linux = False
    if form_of(head_of(content)) in _SILENT:
        return None
    try:
        for window in windows(plain_kernel(content)):
            found |= {name for name, sign in _SIGNS.items() if sign in window}
            is_linux = is_linux or b"Linux version " in window
    except ImageError:
        return None
    return frozenset(found) if is_linux else None


def plain_kernel(content: Content) -> Iterator[bytes]:
    """Yield a kernel's code and data as they are in memory, unpacked where they are packed.

    Raises ``ImageError`` where it is packed in a way that is not known here, damaged, or larger
    than any kernel.
    """
    head = head_of(content)
    packed: Iterator[bytes] | None
    match form_of(head):
        case KernelForm.BZIMAGE:
            sectors = head[0x1F1] or 4
            at, size = struct.unpack_from("<II", head, 0x248)
            packed = _part(content(), (sectors + 1) * 512 + at, size)
        case KernelForm.ZBOOT:
            at, size = struct.unpack_from("<II", head, 8)
            packed = _part(content(), at, size)
        case KernelForm.GZIP:
            packed = content()
        case _:
            packed = None
    yield from bounded(content() if packed is None else _unpacked(packed))


def _unpacked(packed: Iterator[bytes]) -> Iterator[bytes]:
    first = next(packed, b"")
    plain = unpacked(itertools.chain([first], packed))
    if plain is None:
        raise ImageError("the kernel is packed in a way that is not known here",
                         hint="apt-get install zstd lz4")  # fmt: skip
    try:
        yield from plain
    except ValueError as error:
        raise ImageError(f"the kernel cannot be unpacked: {error}") from None


def _part(chunks: Iterator[bytes], skip: int, left: int) -> Iterator[bytes]:
    for chunk in chunks:
        wanted = chunk[skip : skip + left]
        skip -= min(skip, len(chunk))
        left -= len(wanted)
        if wanted:
            yield wanted
        if not left:
            return


def bounded(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the chunks; raise ``ImageError`` where they are more than any kernel's."""
    left = MAX_PLAIN_BYTES
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise ImageError(f"the kernel has more than {MAX_PLAIN_BYTES >> 20} MiB")
        yield chunk


def windows(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the chunks, each with the end of the one before, so that no word is cut in two."""
    end = b""
    for chunk in chunks:
        window = end + chunk
        yield window
        end = window[-_OVERLAP:]
