"""Disk images that ask for more than their own bytes, made as an attacker would."""

import os
import struct
import subprocess
import uuid
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


def differencing_vhd(path: Path, parent: str) -> Path:
    """A VHD that holds what differs from another (Microsoft's specification 1.0)."""
    footer = struct.pack(
        ">8sIIQI4sI4sQQIII16s", b"conectix", 2, 0x10000, 512, 0, b"vbox", 0x40003, b"Wi2k",
        1 << 20, 1 << 20, 0, 4, 0, b"\1" * 16,
    )  # fmt: skip
    header = struct.pack(">8sQQIII", b"cxsparse", (1 << 64) - 1, 1536, 0x10000, 1, 2 << 20)
    header = header.ljust(64, b"\0") + parent.encode("utf-16-be")
    path.write_bytes(
        footer.ljust(512, b"\0") + header.ljust(1024, b"\0") + b"\xff" * 512
        + footer.ljust(512, b"\0")
    )  # fmt: skip
    return path


def differencing_vdi(path: Path, parent: uuid.UUID) -> Path:
    """A VDI that holds what differs from another (QEMU's block/vdi.c, VirtualBox's kind 4)."""
    head = bytearray(1 << 20)
    head[:39] = b"<<< Oracle VM VirtualBox Disk Image >>>"
    head[64:72] = struct.pack("<4sI", b"\x7f\x10\xda\xbe", 0x10001)
    head[72:80] = struct.pack("<II", 400, 4)
    head[0x1A8:0x1B8] = parent.bytes_le
    path.write_bytes(head)
    return path


def differencing_vhdx(path: Path, parent: str) -> Path:
    """A VHDX that holds what differs from another, made of one that does not ([MS-VHDX])."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "vhdx", path, "16M"], check=True)
    raw = bytearray(path.read_bytes())
    metadata = raw.index(b"metadata")
    parameters = raw.index(uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le, metadata)
    place = metadata + struct.unpack("<I", raw[parameters + 16 : parameters + 20])[0]
    raw[place + 4] |= 2
    key, value = "relative_path".encode("utf-16-le"), parent.encode("utf-16-le")
    locator = struct.pack("<16sHHIIHH", bytes(16), 0, 1, 32, 32 + len(key), len(key), len(value))
    locator += key + value
    (count,) = struct.unpack("<H", raw[metadata + 10 : metadata + 12])
    at = metadata + 32 * (count + 1)
    kind = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c").bytes_le
    raw[at : at + 28] = struct.pack("<16sIII", kind, 0x20000, len(locator), 4)
    raw[metadata + 10 : metadata + 12] = struct.pack("<H", count + 1)
    raw[metadata + 0x20000 : metadata + 0x20000 + len(locator)] = locator
    path.write_bytes(raw)
    return path


def taken(path: Path | str, ledger: Ledger | None = None, **rules: object):
    """Let an image in; return what it is."""
    with take(str(path), Rules(**rules), ledger or Ledger(), QemuImg()) as found:
        for file, fd in found.fds.items():
            assert os.fstat(fd).st_ino == file.inode
        return found.image
