"""Images of formats that QEMU reads and does not write, made of a raw disk as they are specified.

Sources: QEMU's block/cloop.c, block/bochs.c and block/dmg.c, VMware's "Virtual Disk Format 5.0".
"""

import plistlib
import struct
import zlib
from pathlib import Path

_SECTOR = 512
_CLOOP = b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n"
_ZLIB_CHUNK, _LAST_CHUNK = 0x80000005, 0xFFFFFFFF


def _blocks(disk: bytes, size: int) -> list[bytes]:
    return [disk[at : at + size].ljust(size, b"\0") for at in range(0, len(disk), size)]


def cloop(disk: bytes, size: int = 65536) -> bytes:
    """A disk as a compressed loop, as live systems had it."""
    packed = [zlib.compress(block) for block in _blocks(disk, size)]
    places = [128 + 8 + 8 * (len(packed) + 1)]
    for block in packed:
        places.append(places[-1] + len(block))
    head = _CLOOP.ljust(128, b"\0") + struct.pack(">II", size, len(packed))
    return head + struct.pack(f">{len(places)}Q", *places) + b"".join(packed)


def bochs(disk: bytes, size: int = 65536) -> bytes:
    """A disk as Bochs keeps it where it grows."""
    blocks = _blocks(disk, size)
    head = struct.pack(
        "<32s16s16sIIIIIIQ", b"Bochs Virtual HD Image", b"Redolog", b"Growing", 0x20000, _SECTOR,
        len(blocks), _SECTOR, size, 0, len(disk),
    )  # fmt: skip
    catalog, body = [], b""
    for block in blocks:
        if block.strip(b"\0"):
            catalog.append(len(body) // (size + _SECTOR))
            body += b"\xff" * _SECTOR + block
        else:
            catalog.append(0xFFFFFFFF)
    return head.ljust(_SECTOR, b"\0") + struct.pack(f"<{len(blocks)}I", *catalog) + body


def dmg(disk: bytes, size: int = 1 << 20) -> bytes:
    """A disk as macOS hands it out (UDIF)."""
    body, chunks = b"", b""
    for at in range(0, len(disk), size):
        packed = zlib.compress(disk[at : at + size])
        sectors = len(disk[at : at + size]) // _SECTOR
        chunks += struct.pack(
            ">IIQQQQ", _ZLIB_CHUNK, 0, at // _SECTOR, sectors, len(body), len(packed)
        )
        body += packed
    whole = len(disk) // _SECTOR
    chunks += struct.pack(">IIQQQQ", _LAST_CHUNK, 0, whole, 0, len(body), 0)
    table = (b"mish" + struct.pack(">IQQQI", 1, 0, whole, 0, 0x208)).ljust(200, b"\0")
    table += struct.pack(">I", len(chunks) // 40) + chunks
    entry = {"Attributes": "0x0050", "CFName": "disk", "Data": table, "ID": "0", "Name": "disk"}
    text = plistlib.dumps({"resource-fork": {"blkx": [entry]}})
    trailer = bytearray(_SECTOR)
    trailer[:16] = b"koly" + struct.pack(">III", 4, _SECTOR, 1)
    trailer[0x20:0x28] = struct.pack(">Q", len(body))
    trailer[0xD8:0xE8] = struct.pack(">QQ", len(body), len(text))
    trailer[0x1EC:0x1F4] = struct.pack(">Q", whole)
    return body + text + trailer


def cowd(disk: bytes, grain: int = 65536) -> bytes:
    """A disk as the sparse part of a VMDK of an ESX server; its description is to be elsewhere."""
    blocks = _blocks(disk, grain)
    tables = -(-len(blocks) // 4096)
    data = 4 + -(-tables * 4 // _SECTOR) + tables * 32
    per_grain, entries, body = grain // _SECTOR, [], b""
    for block in blocks:
        used = bool(block.strip(b"\0"))
        entries.append(data + len(body) // _SECTOR if used else 0)
        body += block if used else b""
    head = struct.pack("<4sIIIIIII", b"COWD", 1, 3, len(disk) // _SECTOR, per_grain, 4, tables, 0)
    first = 4 + -(-tables * 4 // _SECTOR)
    directory = struct.pack(f"<{tables}I", *(first + 32 * number for number in range(tables)))
    table = struct.pack(f"<{len(entries)}I", *entries).ljust(tables * 32 * _SECTOR, b"\0")
    return (
        head.ljust(4 * _SECTOR, b"\0")
        + directory.ljust((first - 4) * _SECTOR, b"\0")
        + table
        + body
    )


def write(path: Path, content: bytes) -> Path:
    """Write an image; return where."""
    path.write_bytes(content)
    return path
