"""Disk images that ask for more than their own bytes, made as an attacker would."""

import os
import struct
from pathlib import Path

from vmtiming_tui.images.gate.ask_qemu_img import QemuImg
from vmtiming_tui.images.gate.format_ledger import Ledger
from vmtiming_tui.images.gate.permission import Rules, take
from vmtiming_tui.images.gate.qcow2 import write_empty


def overlay(path: Path, backing: str, form: str = "raw", size: int = 1 << 20) -> Path:
    """A qcow2 with a backing file, which need not be there."""
    with path.open("w+b") as file:
        write_empty(file.fileno(), 512, backing=backing, backing_format=form)
        os.pwrite(file.fileno(), struct.pack(">Q", size), 24)
    return path


def with_data_file(path: Path, name: str) -> Path:
    """A qcow2 whose data is in another file (docs/interop/qcow2.rst: bit 2, extension "DATA")."""
    overlay(path, "")
    raw = bytearray(path.read_bytes())
    raw[72:80] = struct.pack(">Q", 1 << 2)
    extension = struct.pack(">II", 0x44415441, len(name)) + name.encode()
    raw[104 : 104 + len(extension)] = extension
    path.write_bytes(raw)
    return path


def vmdk_description(path: Path, extent: str) -> Path:
    """A VMDK that is a description alone, of a flat extent."""
    return vmdk_of(path, f'RW 2048 FLAT "{extent}" 0')


def vmdk_of(path: Path, *lines: str) -> Path:
    """A VMDK that is a description alone, with these lines about its extents."""
    path.write_text(
        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
        'createType="custom"\n\n' + "".join(f"{line}\n" for line in lines)
    )
    return path


def vmdk_in_disguise(path: Path, extent: str) -> Path:
    """A sparse VMDK that claims no capacity, for which QEMU believes the description inside."""
    text = vmdk_description(path, extent).read_bytes()
    head = struct.pack("<4sIIQQQQ", b"KDMV", 1, 3, 0, 128, 1, 20)
    path.write_bytes(head.ljust(512, b"\0") + text.ljust(20 * 512, b"\0"))
    return path


def taken(path: Path | str, ledger: Ledger | None = None, **rules: object):
    """Let an image in; return what it is."""
    with take(str(path), Rules(**rules), ledger or Ledger(), QemuImg()) as found:
        for file, fd in found.fds.items():
            assert os.fstat(fd).st_ino == file.inode
        return found.image
