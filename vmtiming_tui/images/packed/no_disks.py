"""What people give for a disk image that is none, told by how it begins, with what helps.

One row a kind: marks at their places, or how its text begins. ``{disk}`` in a hint stands for the
file that a description names; ``{image}`` for the name of what was given, and ``{folder}`` for the
folder it is in, which are known outside of the box alone (``quoting.for_image``).
"""

import re
import shlex
from dataclasses import dataclass

from vmtiming_tui.errors import ImageError
from vmtiming_tui.escape import printable

HEAD_BYTES = 68 << 10
"""So much of a file tells what it is: an ISO 9660's mark is at 32 KiB, a btrfs's above 64 KiB."""

_TEXT_BYTES = 64 << 10
_MAX_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NoDisk:
    """A kind of thing: what it is, what to do, and how it is told: by one mark, or by its text.

    ``names`` finds the disk that a description names.
    """

    what: str
    hint: str
    marks: tuple[tuple[int, bytes], ...] = ()
    text: str = ""
    names: str = ""

    def is_how(self, head: bytes) -> bool:
        """Return whether a file that begins so is one."""
        if any(head[at : at + len(mark)] == mark for at, mark in self.marks):
            return True
        text = head[:_TEXT_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
        return bool(self.text) and re.match(self.text.encode(), text, re.I | re.S) is not None

    def error(self, head: bytes) -> ImageError:
        """Return what to raise for one that begins so."""
        return ImageError(f"the image is {self.what}", hint=self.advice(head))

    def advice(self, head: bytes) -> str:
        """Return what to do, with the name of the disk where it is known."""
        disk = "DISK"
        if self.names and (found := re.search(self.names.encode(), head[:_TEXT_BYTES], re.I)):
            name = found[1].decode(errors="replace")
            if printable(name, keep="") == name and len(name) <= _MAX_NAME:
                disk = shlex.quote(name if not name.startswith("-") else f"./{name}")
                disk = disk if name.startswith("/") else f"{{folder}}{disk}"
        return self.hint.replace("{disk}", disk)


_PREPARE = "vm-timing-report prepare"
_AGAIN = "get it again, by the address of the file itself: curl -fLO ADDRESS"
_NAMED = f"give the disk it names: {_PREPARE} {{disk}}"
_BESIDE = f"give the disk image it was made for: {_PREPARE} DISK"
_OWN_KERNEL = f"give it beside a disk image: {_PREPARE} DISK -k {{image}}"
_OWN_INITRD = f"give it beside a disk image: {_PREPARE} DISK -k KERNEL -i {{image}}"

_XML = r"(<\?xml[^>]*>\s*)?(<!--[^>]*>\s*)*"

MEDIUM = NoDisk(
    what="the medium of an installer or a live system (ISO 9660 or UDF), not the disk of a machine",
    hint="install it to a disk, and prepare that: qemu-img create -f qcow2 disk.qcow2 20G && "
    "qemu-system-x86_64 -m 2G -cdrom {image} -hda disk.qcow2",
    marks=tuple((0x8001, mark) for mark in (b"CD001", b"BEA01", b"NSR02", b"NSR03")),
)

NO_DISKS: tuple[NoDisk, ...] = (
    MEDIUM,
    NoDisk(
        what="a Linux kernel", hint=_OWN_KERNEL,
        marks=((0x202, b"HdrS"), (0x38, b"ARM\x64"), (0x4, b"zimg")),
    ),
    NoDisk(
        what="a program for UEFI: a unified kernel or a boot loader",
        hint="of a unified kernel take the parts: objcopy -O binary -j .linux {image} vmlinuz; "
        f"objcopy -O binary -j .initrd {{image}} initrd; {_PREPARE} DISK -k vmlinuz -i initrd",
        marks=((0, b"MZ"),),
    ),
    NoDisk(
        what="an initrd, or another cpio archive", hint=_OWN_INITRD,
        marks=tuple((0, mark) for mark in (b"070701", b"070702", b"070707", b"\xc7\x71")),
    ),
    NoDisk(
        what="an AppImage, which is a program",
        hint=f"give a disk image of a machine: {_PREPARE} DISK", marks=((8, b"AI\2"), (8, b"AI\1")),
    ),
    NoDisk(
        what="a program or an unpacked kernel (ELF)",
        hint="of a kernel's build give arch/x86/boot/bzImage, beside a disk image: "
        f"{_PREPARE} DISK -k bzImage",
        marks=((0, b"\x7fELF"),),
    ),
    NoDisk(
        what="an Android sparse image",
        hint="simg2img {image} disk.raw (apt-get install android-sdk-libsparse-utils), then "
        f"{_PREPARE} disk.raw",
        marks=((0, b"\x3a\xff\x26\xed"),),
    ),
    NoDisk(
        what="an Android boot image, which has a kernel and no root", hint=_BESIDE,
        marks=((0, b"ANDROID!"), (0, b"VNDRBOOT")),
    ),
    NoDisk(
        what="a Proxmox backup of a machine (VMA)",
        hint="on Proxmox: vma extract {image} FOLDER, then "
        f"{_PREPARE} FOLDER/disk-drive-scsi0.raw",
        marks=((0, b"VMA\0"),),
    ),
    NoDisk(
        what="a Windows image (WIM)", hint="machines of Linux are timed, by their disk images",
        marks=((0, b"MSWIM\0\0\0"), (0, b"WLPWM\0\0\0")),
    ),
    NoDisk(
        what="a 7z archive",
        hint="7z x {image} (apt-get install p7zip-full), then prepare the disk in it",
        marks=((0, b"7z\xbc\xaf\x27\x1c"),),
    ),
    NoDisk(
        what="a RAR archive",
        hint="unar {image} (apt-get install unar), then prepare the disk in it",
        marks=((0, b"Rar!\x1a\x07"),),
    ),
    NoDisk(
        what="a file packed by compress",
        hint="uncompress {image}, then prepare what that leaves", marks=((0, b"\x1f\x9d"),),
    ),
    NoDisk(
        what="a cabinet archive",
        hint="cabextract {image} (apt-get install cabextract), then prepare the disk in it",
        marks=((0, b"MSCF\0\0\0\0"),),
    ),
    NoDisk(
        what="a package of a distribution (deb, rpm), not a machine",
        hint="build a disk image with it in: mkosi, say", marks=((0, b"!<arch>\n"),
                                                                 (0, b"\xed\xab\xee\xdb")),
    ),
    NoDisk(
        what="a Clonezilla (partclone) image of a partition",
        hint="partclone.restore -s {image} -O root.raw (apt-get install partclone), then "
        f"{_PREPARE} root.raw",
        marks=((0, b"partclone-image"),),
    ),
    NoDisk(
        what="an FSArchiver archive",
        hint="restore it to a disk first: fsarchiver restfs (apt-get install fsarchiver)",
        marks=((0, b"FsArCh_"),),
    ),
    NoDisk(
        what="an EnCase (EWF) image",
        hint="ewfexport -f raw -t disk {image} (apt-get install ewf-tools), then "
        f"{_PREPARE} disk.raw",
        marks=((0, b"EVF\x09\x0d\x0a\xff\0"), (0, b"EVF2\x0d\x0a\x81\0")),
    ),
    NoDisk(
        what="the image of a flash chip (UBI), which no disk of a VM is",
        hint="build the image for a disk: Yocto's wic, buildroot's rootfs.ext4",
        marks=((0, b"UBI#"), (0, b"\x31\x18\x10\x06")),
    ),
    NoDisk(
        what="a kernel or initrd packed for U-Boot",
        hint="build the image for a disk (Yocto's wic, buildroot's rootfs.ext4), and a bzImage",
        marks=((0, b"\x27\x05\x19\x56"), (0, b"\xd0\x0d\xfe\xed")),
    ),
    NoDisk(
        what="a Git LFS pointer: the file itself was not fetched",
        hint="git lfs pull --include {image}", text=r"version https://git-lfs\.github\.com/spec/",
    ),
    NoDisk(
        what="a git-annex pointer: the file itself was not fetched",
        hint="git annex get {image}", text=r"/annex/objects/",
    ),
    NoDisk(
        what="a web page: the download failed, or the address is that of a page", hint=_AGAIN,
        text=rf"{_XML}<(!doctype\s+html|html|head|body)\b",
    ),
    NoDisk(
        what="an error message of a storage server: the download failed", hint=_AGAIN,
        text=rf"{_XML}<Error>|(404|403):? |(file )?not found\s*$",
    ),
    NoDisk(
        what="an .ovf: it describes a machine, whose disks are other files", hint=_NAMED,
        text=rf"{_XML}<(\w+:)?Envelope\b",
        names=r"<(?:\w+:)?File\b[^>]*\bhref=\"([^\"]+)\"",
    ),
    NoDisk(
        what="VirtualBox's description of a machine, whose disks are other files", hint=_NAMED,
        text=rf"{_XML}<VirtualBox\b",
        names=r"<HardDisk\b[^>]*\blocation=\"([^\"]+)\"",
    ),
    NoDisk(
        what="libvirt's description of a machine, whose disks are other files", hint=_NAMED,
        text=rf"{_XML}<(domain|domainsnapshot)\b",
        names=r"<source\b[^>]*\bfile=['\"]([^'\"]+)['\"]",
    ),
    NoDisk(
        what="VMware's description of a machine, whose disks are other files", hint=_NAMED,
        text=r"(#!/usr/bin/vmware\s+)?([^\n=]{1,80}=[^\n]*\n)*?"
        r"\s*(config\.version|virtualHW\.version|\.encoding)\s*=",
        names=r"fileName\s*=\s*\"([^\"]+\.vmdk)\"",
    ),
    NoDisk(
        what="a map of an image's blocks (bmap)", hint=_BESIDE,
        text=rf"{_XML}<bmap\b",
    ),
    NoDisk(
        what="a list of where to download from (metalink)", hint=_AGAIN,
        text=rf"{_XML}<metalink\b",
    ),
    NoDisk(
        what="a torrent, not what it leads to",
        hint="aria2c {image} (apt-get install aria2), then prepare what that fetches",
        text=r"d\d{1,4}:(announce|created|comment|creation|info|name|url-list)",
    ),
    NoDisk(
        what="a zsync file, not the image it leads to",
        hint="zsync {image} (apt-get install zsync), then prepare what that fetches",
        text=r"zsync: ",
    ),
    NoDisk(
        what="a list of checksums", hint=_BESIDE,
        text=r"(#[^\n]*\n\s*)*(\\?([0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}"
        r"|[0-9a-f]{128})([ \t][^\n]*)?\r?(\n|$)|(MD5|SHA\d{1,3}|BLAKE2b)\s?\([^\n]+\)\s?=)",
    ),
    NoDisk(
        what="a signature or a signed list (PGP)", hint=_BESIDE,
        text=r"-----BEGIN PGP (SIGNATURE|SIGNED MESSAGE|PUBLIC KEY BLOCK)",
    ),
    NoDisk(
        what="the index of a container's image, which has no kernel",
        hint="build a disk image of it (of a bootc image: bootc-image-builder --type qcow2), and "
        "prepare that",
        text=r"[\[{][^\0]{0,200}?\"(schemaVersion|imageLayoutVersion|Config)\"\s*:",
    ),
    NoDisk(
        what="a description in JSON, not the image it belongs to", hint=_BESIDE,
        text=r"[\[{]\s*[\"{\[\]}]",
    ),
    NoDisk(
        what="a script, not the image it makes", hint="run it, and prepare what it makes",
        text=r"#!\s?/",
    ),
)  # fmt: skip


def told(head: bytes) -> NoDisk | None:
    """Return what a file is that begins with these ``HEAD_BYTES``, where it is plainly no disk."""
    return next((row for row in NO_DISKS if row.is_how(head)), None)
