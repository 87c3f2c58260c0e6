"""Kernels as far as their headers go: a version, and drivers by the names they have inside."""

import gzip
import lzma
import struct
from collections.abc import Callable, Iterator, Sequence
from functools import partial

_SIGNS = {"virtio_pci": b"virtio-pci", "virtio_blk": b"virtio_blk", "ext4": b"ext4_inode_cache",
          "xfs": b"xfs_inode"}  # fmt: skip
gz = partial(gzip.compress, mtime=0)  # the same bytes whenever it is called
ALL_DRIVERS = ("virtio_pci", "virtio_blk", "ext4")


def vmlinux(version: str, drivers: Sequence[str] = ()) -> bytes:
    """What a kernel is in memory."""
    banner = f"Linux version {version} (builder@host) (gcc) #1 SMP\n".encode()
    names = b"".join(b"\0" + _SIGNS[driver] + b"\0" for driver in drivers)
    return bytes(99_000) + banner + bytes(99_000) + names + bytes(9_000)


def bz_image(
    version: str, drivers: Sequence[str] = (), pack: Callable[[bytes], bytes] = gz
) -> bytes:
    """An x86 kernel (Documentation/arch/x86/boot.rst)."""
    payload = pack(vmlinux(version, drivers))
    head = bytearray(0x1000)
    head[0x1F1] = 7
    head[0x1FE:0x206] = b"\x55\xaa\xeb\x6aHdrS"
    struct.pack_into("<H", head, 0x206, 0x20F)
    struct.pack_into("<H", head, 0x20E, 0x800 - 0x200 if version else 0)
    struct.pack_into("<II", head, 0x248, 0x100, len(payload))
    words = f"{version} (builder@host) #1 SMP".encode()
    head[0x800 : 0x800 + len(words)] = words
    return bytes(head) + bytes(0x100) + payload + struct.pack("<I", 0)


def arm64_image(version: str, drivers: Sequence[str] = ()) -> bytes:
    """An arm64 kernel (Documentation/arch/arm64/booting.rst)."""
    return b"MZ".ljust(0x38, b"\0") + b"ARM\x64" + vmlinux(version, drivers)


def zboot(version: str, pack: Callable[[bytes], bytes] = gz, kind: bytes = b"gzip") -> bytes:
    """An arm64 kernel that unpacks itself under EFI (zboot-header.S)."""
    payload = pack(arm64_image(version, ALL_DRIVERS))
    head = b"MZ\0\0zimg" + struct.pack("<II8x", 0x200, len(payload)) + kind
    return head.ljust(0x200, b"\0") + payload + bytes(300)


def xz_for_x86(data: bytes) -> bytes:
    """As scripts/xz_wrap.sh packs it."""
    filters = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    return lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=filters)


def content(data: bytes) -> Callable[[], Iterator[bytes]]:
    """Its bytes, in pieces that cut words in two."""
    return lambda: (data[at : at + 4093] for at in range(0, len(data), 4093))
