"""Disks whose boot sector does one thing without end, in a few bytes of 8086 code."""

from pathlib import Path

SECTORS = {
    # mov dx,0x505; mov al,VALUE; again: out dx,al; jmp again  (pvpanic: 1 panicked, 2 crashloaded)
    "tells QEMU of a crash": bytes.fromhex("ba0505 b002 ee ebfd"),
    "tells QEMU of a panic": bytes.fromhex("ba0505 b001 ee ebfd"),
    # again: mov dx,0x3fd; wait: in al,dx; test al,0x20; jz wait; mov dx,0x3f8; mov al,'y';
    # out dx,al; jmp again
    "writes to its serial port": bytes.fromhex("bafd03 ec a820 74fb baf803 b079 ee ebf0"),
    # again: hlt; jmp again
    "does nothing": bytes.fromhex("f4 ebfd"),
}


def disk(path: Path, does: str) -> Path:
    """Make a disk whose guest does that."""
    code = SECTORS[does]
    path.write_bytes(code + bytes(510 - len(code)) + b"\x55\xaa" + bytes(1 << 20))
    return path
