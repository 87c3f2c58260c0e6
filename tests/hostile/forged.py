"""Disks forged byte by byte: what no honest tool would write."""

import struct
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
MIB = 1 << 20
LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le
PARTUUID = uuid.UUID("5a6f1c3e-0d0b-4c6e-9f8a-000000000001")


def hollow(path: Path, size: int) -> Path:
    """A file of so many bytes, none of them on the disk."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


def poke(path: Path, at: int, content: bytes) -> None:
    """Write some bytes into a file, at its end too."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


# --- partition tables ----------------------------------------------------------------------------


@dataclass(frozen=True)
class GptEntry:
    """A partition of a GPT, in sectors."""

    first: int
    last: int
    name: bytes = b""


def gpt(
    path: Path,
    entries: Sequence[GptEntry],
    *,
    sector: int = SECTOR,
    sectors: int = 0,
    entry_size: int = 128,
    count: int = 128,
) -> None:
    """Write a GPT with its copy, its checksums right, on a disk that is there already.

    ``sectors`` is what the table claims of the disk's size; ``count`` and ``entry_size`` what it
    claims of itself.
    """
    there = path.stat().st_size // sector
    sectors = sectors or there
    body = b"".join(
        struct.pack("<16s16sQQQ", LINUX, PARTUUID.bytes_le, entry.first, entry.last, 0)
        + entry.name[:72].ljust(entry_size - 56, b"\0")
        for entry in entries
    ).ljust(128 * 128, b"\0")

    def header(own: int, other: int, place: int) -> bytes:
        def packed(check: int) -> bytes:
            return struct.pack(
                "<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, check, 0, own, other, 34,
                sectors - 34, bytes(16), place, count, entry_size, zlib.crc32(body),
            )  # fmt: skip

        return packed(zlib.crc32(packed(0)))

    protective = struct.pack("<B3xB3xII", 0, 0xEE, 1, min(sectors - 1, 0xFFFFFFFF))
    poke(path, 446, protective.ljust(64, b"\0") + b"\x55\xaa")
    poke(path, sector, header(1, sectors - 1, 2))
    poke(path, 2 * sector, body)
    if sectors == there:
        place = sectors - 1 - -(-len(body) // sector)
        poke(path, place * sector, body)
        poke(path, (sectors - 1) * sector, header(sectors - 1, 1, place))


@dataclass(frozen=True)
class MbrEntry:
    """An entry of an MBR, in sectors."""

    kind: int
    start: int
    count: int


def mbr(path: Path, entries: Sequence[MbrEntry], *, sector: int = 0) -> None:
    """Write an MBR, or a link of a chain of logical partitions, into that sector."""
    raw = b"".join(struct.pack("<B3xB3xII", 0, e.kind, e.start, e.count) for e in entries)
    poke(path, sector * SECTOR + 440, b"\1\2\3\4\0\0" + raw.ljust(64, b"\0") + b"\x55\xaa")


# --- LVM -----------------------------------------------------------------------------------------

DISK_ID = "aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggggg"
GROUP_ID = "hhhhhh-iiii-jjjj-kkkk-llll-mmmm-nnnnnn"


def lvm_checksum(raw: bytes) -> int:
    """lvm2's checksum: zlib's with another start, and not inverted."""
    return zlib.crc32(raw, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def physical_volume(
    path: Path, text: str | bytes, *, disk_id: str = DISK_ID, wrap_at: int = 0, claimed: int = 0
) -> Path:
    """Make a disk of LVM's with this metadata, on a file that is there already.

    With ``wrap_at`` the text begins so many bytes before its area's end and goes on behind its
    header; ``claimed`` is a length of the text that is not so.
    """
    raw = (text.encode() if isinstance(text, str) else text) + b"\0"
    header = disk_id.replace("-", "").encode() + struct.pack("<Q", path.stat().st_size)
    header += struct.pack("<QQQQQQQQ", MIB, 0, 0, 0, 4096, MIB - 4096, 0, 0)
    label = struct.pack("<I8s", 32, b"LVM2 001") + header
    label = label.ljust(SECTOR - 20, b"\0")
    poke(path, SECTOR, struct.pack("<8sQI", b"LABELONE", 1, lvm_checksum(label)) + label)
    offset = MIB - 4096 - wrap_at if wrap_at else 512
    place = struct.pack("<QQII", offset, claimed or len(raw), lvm_checksum(raw), 0)
    area = struct.pack("<16sIQQ", b" LVM2 x[5A%r0N*>", 1, 4096, MIB - 4096) + place
    area = area.ljust(SECTOR - 4, b"\0")
    poke(path, 4096, struct.pack("<I", lvm_checksum(area)) + area)
    here = wrap_at or len(raw)
    poke(path, 4096 + offset, raw[:here])
    poke(path, 4096 + 512, raw[here:]) if raw[here:] else None
    return path


def lvm_text(
    *,
    group: str = "vg",
    group_id: str = GROUP_ID,
    volume: str = "root",
    disk_id: str = DISK_ID,
    segments: Sequence[str] = ('extent_count = 2\ntype = "striped"\nstripes = ["pv0", 0]',),
    generation: int = 1,
    extent_size: str = "2048",
    pe_start: str = "2048",
) -> str:
    """A group's metadata in lvm2's words, with one volume of these segments."""
    parts = "".join(
        f"segment{number} {{\nstart_extent = {2 * (number - 1)}\n{body}\n}}\n"
        if "start_extent" not in body
        else f"segment{number} {{\n{body}\n}}\n"
        for number, body in enumerate(segments, 1)
    )
    return f"""\
{group} {{
id = "{group_id}"
seqno = {generation}
format = "lvm2"
status = ["RESIZEABLE", "READ", "WRITE"]
extent_size = {extent_size}
physical_volumes {{
pv0 {{
id = "{disk_id}"
device = "/dev/vda2"
pe_start = {pe_start}
pe_count = 1000
}}
}}
logical_volumes {{
{volume} {{
id = "root00-0000-0000-0000-0000-0000-000000"
status = ["READ", "WRITE", "VISIBLE"]
segment_count = {len(segments)}
{parts}}}
}}
}}
# Generated by LVM2
contents = "Text Format Volume Group"
version = 1
"""
