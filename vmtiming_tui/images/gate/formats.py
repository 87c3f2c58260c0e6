"""What the headers of image formats say: formats, and the names of other files they ask for.

Strict readers for the formats that can name other files. What they find is what an image *asks
for*; whether it may have it is decided elsewhere (``permission``). All else QEMU tells.
"""

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.gate.differencing import (
    VDI_MARK,
    VDI_MARK_AT,
    VHD_MARK,
    VHDX_MARK,
    is_fixed_vhd,
    parent_of_vdi,
    parent_of_vhd,
    parent_of_vhdx,
    sector_bytes_of_vhdx,
)
from vmtiming_tui.images.gate.header import SECTOR, ImageHeader, encrypted
from vmtiming_tui.images.gate.qcow_headers import read_qcow, read_qcow2, read_qed
from vmtiming_tui.images.gate.vmdk import (
    DESCRIPTION_MARK,
    OLD_SPARSE_MARK,
    SPARSE_MARK,
    read_vmdk,
)

# QEMU looks at no more of a file than this when it is to tell its format (BLOCK_PROBE_BUF_SIZE).
PROBED_BYTES = 512
# The image formats QEMU reads through one file; ``luks`` is left out: it is encrypted.
KNOWN_FORMATS = frozenset(
    {"raw", "qcow2", "qcow", "qed", "vdi", "vmdk", "vpc", "vhdx", "parallels", "dmg", "bochs",
     "cloop"}
)  # fmt: skip
CHAINED_FORMATS = frozenset({"qcow2", "qcow", "qed", "vmdk"})
# QEMU has no way to write them.
READ_ONLY_FORMATS = frozenset({"dmg", "bochs", "cloop"})

_QCOW_MARK, _QED_MARK, _LUKS_MARK = b"QFI\xfb", b"QED\0", b"LUKS\xba\xbe"
_DMG_MARK, _DMG_TRAILER_BYTES = b"koly", 512


def read_header(image: Stretch, told: str = "") -> ImageHeader | None:
    """Return what an image's header says; None where it has none that can name other files.

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
    parent = ""
    match mark:
        case "qcow2":
            return read_qcow2(image)
        case "qcow":
            return read_qcow(image)
        case "qed":
            return read_qed(image)
        case "vmdk":
            return read_vmdk(image)
        case "luks":
            raise encrypted()
        case "vdi":
            parent = parent_of_vdi(image)
        case "vpc":
            parent = parent_of_vhd(image)
        case "vhdx":
            parent = parent_of_vhdx(image)
            _refuse_large_sectors(sector_bytes_of_vhdx(image))
    return ImageHeader(format=mark, differs_from=parent) if parent else None


def _refuse_large_sectors(size: int) -> None:
    if size > SECTOR:
        raise ImageError(
            f"the image is a vhdx whose disk has sectors of {size} bytes, which QEMU does not read",
            hint="copy the disk into a raw file where the image is attached: "
            "dd if=/dev/DISK of=disk.raw bs=1M",
        )


def format_by_mark(head: bytes) -> str:
    """Return which of the formats read here has its mark in an image's first bytes, if any."""
    if head.startswith(_QCOW_MARK) and len(head) >= 8:
        return "qcow" if int.from_bytes(head[4:8]) == 1 else "qcow2"
    if head.startswith((SPARSE_MARK, OLD_SPARSE_MARK)) or DESCRIPTION_MARK.match(head):
        return "vmdk"
    if head[VDI_MARK_AT:].startswith(VDI_MARK):
        return "vdi"
    marks = {_QED_MARK: "qed", _LUKS_MARK: "luks", VHD_MARK: "vpc", VHDX_MARK: "vhdx"}
    return next((form for mark, form in marks.items() if head.startswith(mark)), "")


def format_by_end(image: Stretch) -> str:
    """Return which format has its mark in an image's last bytes, where QEMU does not look, if any.

    A fixed VHD, as Azure's images are, is what the guest sees and a footer; a DMG has a trailer.
    """
    if is_fixed_vhd(image):
        return "vpc"
    if image.size < _DMG_TRAILER_BYTES:
        return ""
    trailer = image.read(image.size - _DMG_TRAILER_BYTES, len(_DMG_MARK))
    return "dmg" if trailer == _DMG_MARK else ""
