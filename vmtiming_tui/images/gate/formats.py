"""What the headers of image formats say: formats, and the names of other files they ask for.

Strict readers for the formats that can name other files. What they find is what an image *asks
for*; whether it may have it is decided elsewhere (``permission``). Formats that name no other file
need no reader here: QEMU tells them. Sources: QEMU's docs/interop/qcow2.rst and qed_spec.rst,
block/qcow.c, and VMware's "Virtual Disk Format 5.0".
"""

import os
import re
import struct
from dataclasses import dataclass

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Stretch

# QEMU looks at no more of a file than this when it is to tell its format (BLOCK_PROBE_BUF_SIZE).
PROBED_BYTES = 512
# The image formats QEMU reads through one file; ``luks`` is left out: it is encrypted.
KNOWN_FORMATS = frozenset(
    {"raw", "qcow2", "qcow", "qed", "vdi", "vmdk", "vpc", "vhdx", "parallels", "dmg", "bochs",
     "cloop"}
)  # fmt: skip
CHAINED_FORMATS = frozenset({"qcow2", "qcow", "qed", "vmdk"})

_MAX_NAME_BYTES = 1023
_MAX_DESCRIPTOR_BYTES = 64 << 10
_MAX_EXTENTS = 256
_SECTOR = 512

_QCOW2_MAGIC = b"QFI\xfb"
_DATA_FILE, _KNOWN_INCOMPATIBLE = 1 << 2, 0b11111
_BACKING_FORMAT, _DATA_FILE_NAME = 0xE2792ACA, 0x44415441
_QED_MAGIC = b"QED\0"
_QED_BACKING, _QED_RAW_BACKING, _QED_KNOWN = 1, 4, 7
_VMDK_MAGIC, _VMDK3_MAGIC = b"KDMV", b"COWD"
_VMDK_TEXT = re.compile(rb"(?:#[^\n]*\n|[ \r]*\n)*version=[123]\r?\n")
_EXTENT = re.compile(
    r"^[ \t]*(?P<access>RW|RDONLY|NOACCESS)[ \t]+(?P<sectors>\d{1,20})"
    r"[ \t]+(?P<kind>[A-Z0-9]{1,16})"
    r'(?:[ \t]+"(?P<name>[^"\n]{0,1023})")?(?:[ \t]+(?P<offset>\d{1,20}))?',
    re.MULTILINE | re.ASCII,
)
_FLAT_KINDS = frozenset({"FLAT", "VMFS", "ZERO"})
_PARENT = re.compile(r'^\s*parentFileNameHint\s*=\s*"([^"]{0,1023})"', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """So many bytes of a VMDK's disk, in a file from ``offset`` on; the file ``""`` is zeros.

    ``is_flat`` says that the file holds them as they are.
    """

    kind: str
    name: str
    offset: int
    size: int
    is_flat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """What an image says of itself, none of it believed: names are as they stand there.

    ``backing_format`` is empty where it says none; ``extents`` is what a VMDK that is a description
    alone is made of.
    """

    format: str
    virtual_bytes: int
    backing: str = ""
    backing_format: str = ""
    data_file: str = ""
    extents: tuple[Extent, ...] = ()


def read_header(image: Stretch, told: str = "") -> ImageHeader | None:
    """Return what an image's header says; None where it has none of the marks known here.

    ``told`` is the format where it is settled already; then the header must be of that format.
    Raises ``ImageError`` where it is damaged, encrypted, or not to be understood.
    """
    mark = format_by_mark(image.head(PROBED_BYTES))
    if told and told != mark:
        if told in CHAINED_FORMATS:
            raise ImageError(
                f"the image is no {told}, as --format, its overlay or an earlier run has it",
                hint="give the right one: --format raw, say",
            )
        return None
    match mark:
        case "qcow2":
            return _qcow2(image)
        case "qcow":
            return _qcow(image)
        case "qed":
            return _qed(image)
        case "vmdk":
            return _vmdk(image)
        case "luks":
            raise _encrypted()
    return None


def format_by_mark(head: bytes) -> str:
    """Return which of the formats read here has its mark in an image's first bytes, if any."""
    if head.startswith(_QCOW2_MAGIC) and len(head) >= 8:
        return {1: "qcow", 2: "qcow2", 3: "qcow2"}.get(struct.unpack(">I", head[4:8])[0], "")
    if head.startswith(_QED_MAGIC):
        return "qed"
    if head.startswith((_VMDK_MAGIC, _VMDK3_MAGIC)) or _VMDK_TEXT.match(head):
        return "vmdk"
    return "luks" if head.startswith(b"LUKS\xba\xbe") else ""


def _encrypted() -> ImageError:
    return ImageError(
        "the image is encrypted",
        hint="write it out without encryption first: qemu-img convert, with its secret",
    )


def _damaged(kind: str, what: str) -> ImageError:
    return ImageError(
        f"the image is a damaged {kind}: {what}", hint="get it again, or try qemu-img check"
    )


def _name(raw: bytes) -> str:
    return os.fsdecode(raw.split(b"\0", 1)[0])


def _backing_name(image: Stretch, kind: str, at: int, size: int) -> str:
    if not at or not size:
        return ""
    if size > _MAX_NAME_BYTES or at + size > image.size:
        raise _damaged(kind, "the name of its backing file lies outside of it")
    return _name(image.read(at, size))


def _qcow2(image: Stretch) -> ImageHeader:
    if image.size < 104:
        raise _damaged("qcow2", "it is cut short")
    head = image.read(0, 104)
    version, backing_at, backing_size, cluster_bits, size, crypt = struct.unpack(
        ">IQIIQI", head[4:36]
    )
    incompatible, length = 0, 72
    if version == 3:
        (incompatible,) = struct.unpack(">Q", head[72:80])
        (length,) = struct.unpack(">I", head[100:104])
    if not 9 <= cluster_bits <= 21:
        raise _damaged("qcow2", f"clusters of 2^{cluster_bits} bytes")
    if crypt:
        raise _encrypted()
    if incompatible & ~_KNOWN_INCOMPATIBLE:
        raise ImageError(
            f"the image is a qcow2 with features unknown here ({incompatible:#x})",
            hint="write it anew: qemu-img convert -O qcow2 IMAGE NEW",
        )
    cluster = 1 << cluster_bits
    if not 72 <= length <= cluster:
        raise _damaged("qcow2", f"a header whose length is {length}")
    end = backing_at if length <= backing_at <= cluster else cluster
    extensions = _qcow2_extensions(image.head(end), length)
    data_file = ""
    if incompatible & _DATA_FILE:
        data_file = _name(extensions.get(_DATA_FILE_NAME, b""))
        if not data_file:
            raise ImageError(
                "the image keeps its data in another file, and does not say in which",
                hint="write it into one file where it was made: qemu-img convert -O qcow2",
            )
    return ImageHeader(
        format="qcow2",
        virtual_bytes=size,
        backing=_backing_name(image, "qcow2", backing_at, backing_size),
        backing_format=_name(extensions.get(_BACKING_FORMAT, b"")),
        data_file=data_file,
    )


def _qcow2_extensions(head: bytes, at: int) -> dict[int, bytes]:
    """Return the header's extensions; the last of a kind counts, as for QEMU."""
    found: dict[int, bytes] = {}
    while at + 8 <= len(head):
        kind, size = struct.unpack(">II", head[at : at + 8])
        if kind == 0:
            break
        if at + 8 + size > len(head):
            raise _damaged("qcow2", "a header extension is cut short")
        found[kind] = head[at + 8 : at + 8 + size]
        at += 8 + (size + 7) // 8 * 8
    return found


def _qcow(image: Stretch) -> ImageHeader:
    if image.size < 48:
        raise _damaged("qcow", "it is cut short")
    backing_at, backing_size, _, size = struct.unpack(">QIIQ", image.read(8, 24))
    (crypt,) = struct.unpack(">I", image.read(36, 4))
    if crypt:
        raise _encrypted()
    return ImageHeader(
        format="qcow",
        virtual_bytes=size,
        backing=_backing_name(image, "qcow", backing_at, backing_size),
    )


def _qed(image: Stretch) -> ImageHeader:
    if image.size < 64:
        raise _damaged("qed", "it is cut short")
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


def _vmdk(image: Stretch) -> ImageHeader:
    """Read a VMDK: one sparse file with a description inside, or a description of other files.

    A sparse file that says no capacity would have QEMU look for it in the files that its
    description names (block/vmdk.c); there is no honest one.
    """
    magic = image.head(len(_VMDK_MAGIC))
    if magic == _VMDK3_MAGIC:
        raise ImageError("the image is a VMDK of the old kind", hint="convert it: qemu-img convert")
    if magic != _VMDK_MAGIC:
        text = _vmdk_text(image.head(_MAX_DESCRIPTOR_BYTES))
        extents = tuple(map(_extent, _EXTENT.finditer(text)))
        if not 0 < len(extents) <= _MAX_EXTENTS:
            raise _damaged("vmdk", f"{len(extents)} extents")
        size = sum(extent.size for extent in extents)
        return ImageHeader(
            format="vmdk", virtual_bytes=size, backing=_parent(text), extents=extents
        )
    if image.size < _SECTOR:
        raise _damaged("vmdk", "it is cut short")
    sectors, _, at, count = struct.unpack("<QQQQ", image.read(12, 32))
    if not sectors:
        raise _damaged("vmdk", "it says no size of its own")
    if at == 0:
        return ImageHeader(format="vmdk", virtual_bytes=sectors * _SECTOR)
    if (at + count) * _SECTOR > image.size:
        raise _damaged("vmdk", "its description lies outside of it")
    text = _vmdk_text(image.read(at * _SECTOR, min(count * _SECTOR, _MAX_DESCRIPTOR_BYTES)))
    return ImageHeader(format="vmdk", virtual_bytes=sectors * _SECTOR, backing=_parent(text))


def _vmdk_text(raw: bytes) -> str:
    return os.fsdecode(raw.split(b"\0", 1)[0]).replace("\r\n", "\n")


def _parent(text: str) -> str:
    found = _PARENT.search(text)
    return found[1] if found else ""


def _extent(found: re.Match[str]) -> Extent:
    kind = found["kind"]
    return Extent(
        kind=kind,
        name="" if kind == "ZERO" else found["name"] or "",
        offset=int(found["offset"] or 0) * _SECTOR,
        size=int(found["sectors"]) * _SECTOR,
        is_flat=kind == "ZERO" or (kind in _FLAT_KINDS and found["access"] != "NOACCESS"
                                   and bool(found["name"])),
    )  # fmt: skip


def local_name(name: str) -> str | None:
    """Return the path that a name in a header stands for; None where QEMU would see no path in it.

    QEMU takes what stands before a colon, where no slash comes first, for a driver's name
    (block.c, path_has_protocol): ``nbd://host``, ``json:{...}``, ``host_device:/dev/sda``. Only
    ``file:`` before a path is one.
    """
    if not name or "\0" in name:
        return None
    if name.startswith("file:") and not name.startswith("file://"):
        name = name.removeprefix("file:")
    before, colon, _ = name.partition(":")
    return None if (colon and "/" not in before) or not name else name
