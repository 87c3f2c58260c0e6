"""New qcow2 images that hold nothing yet, written from nothing (QEMU's docs/interop/qcow2.rst)."""

import os
import struct

_CLUSTER_BITS = 16
_CLUSTER = 1 << _CLUSTER_BITS
_REFCOUNT_ORDER = 4  # 16 bits a cluster
_HEADER_LENGTH = 104
_TABLE_AT, _BLOCK_AT, _L1_AT = 1, 2, 3  # in clusters
_BACKING_FORMAT = 0xE2792ACA
_SPAN = _CLUSTER * (_CLUSTER // 8)  # what one entry of the first table covers


def write_empty(
    fd: int, virtual_bytes: int, *, backing: str = "", backing_format: str = ""
) -> None:
    """Write an image of that size to an empty file; ``backing`` is what it stands on, if anything.

    Raises ``OSError``, and ``ValueError`` for a name longer than a header may hold.
    """
    entries = max(-(-virtual_bytes // _SPAN), 1)
    clusters = _L1_AT + -(-entries * 8 // _CLUSTER)
    name = os.fsencode(backing)
    if len(name) > 1023:
        raise ValueError(f"a backing file's name of {len(name)} bytes")
    extensions = b""
    if backing_format:
        form = backing_format.encode()
        extensions = struct.pack(">II", _BACKING_FORMAT, len(form)) + form.ljust(
            -(-len(form) // 8) * 8, b"\0"
        )
    extensions += bytes(8)
    header = struct.pack(
        ">4sIQIIQIIQQIIQQQQII",
        b"QFI\xfb", 3, _HEADER_LENGTH + len(extensions) if name else 0, len(name), _CLUSTER_BITS,
        virtual_bytes, 0, entries, _L1_AT * _CLUSTER, _TABLE_AT * _CLUSTER, 1, 0, 0, 0, 0, 0,
        _REFCOUNT_ORDER, _HEADER_LENGTH,
    )  # fmt: skip
    os.ftruncate(fd, clusters * _CLUSTER)
    for at, data in (
        (0, header + extensions + name),
        (_TABLE_AT * _CLUSTER, struct.pack(">Q", _BLOCK_AT * _CLUSTER)),
        (_BLOCK_AT * _CLUSTER, struct.pack(">H", 1) * clusters),
    ):
        if os.pwrite(fd, data, at) != len(data):
            raise OSError(28, os.strerror(28))
