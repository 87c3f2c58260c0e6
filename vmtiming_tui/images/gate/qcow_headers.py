"""The headers of QEMU's own formats: qcow2, qcow and qed.

Sources: QEMU's docs/interop/qcow2.rst and qed_spec.rst, block/qcow.c.
"""

import struct

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.gate.header import (
    MAX_NAME_BYTES,
    ImageHeader,
    damaged,
    encrypted,
    name_in,
)

_ELSEWHERE = "write it anew with the QEMU that made it: qemu-img convert -O raw"
_VERSIONS = (2, 3)
_CORRUPT, _DATA_FILE, _KNOWN_INCOMPATIBLE = 1 << 1, 1 << 2, 0b11111
_MAX_OFFSET = (1 << 56) - 1
_BACKING_FORMAT, _DATA_FILE_NAME = 0xE2792ACA, 0x44415441
_QED_BACKING, _QED_RAW_BACKING, _QED_KNOWN = 1, 4, 7


def _backing_name(image: Stretch, kind: str, at: int, size: int) -> str:
    if not at or not size:
        return ""
    if size > MAX_NAME_BYTES or at + size > image.size:
        raise damaged(kind, "the name of its backing file lies outside of it")
    return name_in(image.read(at, size))


def read_qcow2(image: Stretch) -> ImageHeader:
    """Read a qcow2's header; raise ``ImageError`` where it cannot be taken."""
    if image.size < 104:
        raise damaged("qcow2", "it is cut short")
    head = image.read(0, 104)
    version, backing_at, backing_size, cluster_bits, size, crypt, table_at = struct.unpack(
        ">IQIIQI4xQ", head[4:48]
    )
    if version not in _VERSIONS:
        raise ImageError(
            f"the image is a qcow2 of version {version}, which is unknown here",
            hint=_ELSEWHERE,
        )
    incompatible, length = 0, 72
    if version == 3:
        (incompatible,) = struct.unpack(">Q", head[72:80])
        (length,) = struct.unpack(">I", head[100:104])
    if not 9 <= cluster_bits <= 21:
        raise damaged("qcow2", f"clusters of 2^{cluster_bits} bytes")
    if crypt:
        raise encrypted()
    if incompatible & ~_KNOWN_INCOMPATIBLE:
        raise ImageError(
            f"the image is a qcow2 with features unknown here ({incompatible:#x})",
            hint=_ELSEWHERE,
        )
    cluster = 1 << cluster_bits
    if table_at % cluster or table_at > _MAX_OFFSET:
        raise damaged("qcow2", "its first table lies where none can")
    if not 72 <= length <= cluster:
        raise damaged("qcow2", f"a header whose length is {length}")
    end = backing_at if length <= backing_at <= cluster else cluster
    extensions = _qcow2_extensions(image.head(end), length)
    data_file = ""
    if incompatible & _DATA_FILE:
        data_file = name_in(extensions.get(_DATA_FILE_NAME, b""))
        if not data_file:
            raise ImageError(
                "the image keeps its data in another file, and does not say in which",
                hint="write it into one file where it was made: qemu-img convert -O qcow2",
            )
    return ImageHeader(
        format="qcow2",
        virtual_bytes=size,
        backing=_backing_name(image, "qcow2", backing_at, backing_size),
        backing_format=name_in(extensions.get(_BACKING_FORMAT, b"")),
        data_file=data_file,
        is_damaged=bool(incompatible & _CORRUPT),
    )


def _qcow2_extensions(head: bytes, at: int) -> dict[int, bytes]:
    """Return the header's extensions; the last of a kind counts, as for QEMU."""
    found: dict[int, bytes] = {}
    while at + 8 <= len(head):
        kind, size = struct.unpack(">II", head[at : at + 8])
        if kind == 0:
            break
        if at + 8 + size > len(head):
            raise damaged("qcow2", "a header extension is cut short")
        found[kind] = head[at + 8 : at + 8 + size]
        at += 8 + (size + 7) // 8 * 8
    return found


def read_qcow(image: Stretch) -> ImageHeader:
    """Read a qcow's header; raise ``ImageError`` where it cannot be taken."""
    if image.size < 48:
        raise damaged("qcow", "it is cut short")
    backing_at, backing_size, _, size = struct.unpack(">QIIQ", image.read(8, 24))
    (crypt,) = struct.unpack(">I", image.read(36, 4))
    if crypt:
        raise encrypted()
    return ImageHeader(
        format="qcow",
        virtual_bytes=size,
        backing=_backing_name(image, "qcow", backing_at, backing_size),
    )


def read_qed(image: Stretch) -> ImageHeader:
    """Read a qed's header; raise ``ImageError`` where it cannot be taken."""
    if image.size < 64:
        raise damaged("qed", "it is cut short")
    features, size = struct.unpack("<Q", image.read(16, 8))[0], 0
    (size,) = struct.unpack("<Q", image.read(48, 8))
    at, length = struct.unpack("<II", image.read(56, 8))
    if features & ~_QED_KNOWN:
        raise ImageError(f"the image is a qed with features unknown here ({features:#x})")
    has_backing = features & _QED_BACKING
    return ImageHeader(
        format="qed",
        virtual_bytes=size,
        backing=_backing_name(image, "qed", at, length) if has_backing else "",
        backing_format="raw" if features & _QED_RAW_BACKING else "",
    )
