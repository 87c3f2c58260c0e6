"""What a disk's first sectors tell: whether a UEFI would find something to boot on it."""

import struct
import uuid
from pathlib import Path

from vmtiming_tui.engine.children import Children
from vmtiming_tui.engine.images import image_format
from vmtiming_tui.errors import QemuError

HEAD_BYTES = 64 << 10
_SECTOR_SIZES = (512, 4096)
_ESP_GUID = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b").bytes_le
_ESP_TYPE = 0xEF
_MAX_PARTITIONS = 128


def has_esp(head: bytes) -> bool:
    """Return whether a disk has an EFI system partition, by GPT or MBR (UEFI 5.3.3, 5.2.2)."""
    if len(head) < 512 or head[510:512] != b"\x55\xaa":
        return False
    if any(head[446 + 16 * slot + 4] == _ESP_TYPE for slot in range(4)):
        return True
    return any(_gpt_has_esp(head, size) for size in _SECTOR_SIZES)


def _gpt_has_esp(head: bytes, sector: int) -> bool:
    header = head[sector : sector + 92]
    if not header.startswith(b"EFI PART") or len(header) < 92:
        return False
    first, count, size = struct.unpack("<QII", header[72:88])
    return any(
        head[at : at + 16] == _ESP_GUID
        for at in (first * sector + size * n for n in range(min(count, _MAX_PARTITIONS)))
    )


async def read_head(image: Path, children: Children, scratch: Path) -> bytes:
    """Return the first bytes of the disk in an image of any format.

    What is not raw is read by qemu-img, which knows backing files; ``scratch`` is a file it may
    write meanwhile. Raises ``OSError`` or ``QemuError``.
    """
    form = image_format(image)
    if form == "raw":
        return _first_bytes(image)
    try:
        command = ["qemu-img", "dd", "-f", form, "-O", "raw", f"bs={HEAD_BYTES}", "count=1"]
        code, words = await children.output([*command, f"if={image}", f"of={scratch}"], 20)
        if code != 0:
            raise QemuError(f"qemu-img cannot read {str(image)!r}: {words.strip()[:300]}")
        return _first_bytes(scratch)
    finally:
        _discard(scratch)


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _discard(path: Path) -> None:
    path.unlink(missing_ok=True)
