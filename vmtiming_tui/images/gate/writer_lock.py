"""Whether somebody is writing to an image, told by the locks that QEMU keeps on what it writes."""

import fcntl
import os
import struct

from vmtiming_tui.errors import ImageError

# QEMU's block/file-posix.c: byte 100 + n of a file is locked by whoever has permission n of
# qapi/block-core.json's BlockPermission, of which "write" is number 1.
_WRITE_PERMISSION_BYTE = 101
_FLOCK = "hhqqi4x"


def refuse_in_use(fd: int, name: str) -> None:
    """Raise ``ImageError`` where a VM, or another program of QEMU's, may write to an open file."""
    wanted = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _WRITE_PERMISSION_BYTE, 1, 0)
    try:
        found = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, wanted)
    except OSError:
        return  # a file system without locks
    if struct.unpack(_FLOCK, found)[0] != fcntl.F_UNLCK:
        raise ImageError(f"{name} is in use, by a running VM it seems: shut that down first")
