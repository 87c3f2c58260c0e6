"""What a disk's first sectors tell: whether a UEFI would find something to boot on it."""

import struct
import uuid

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
