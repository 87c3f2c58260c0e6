"""What is in an archive, and which of it is the disk that was meant."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree

from vmtiming_tui.errors import ImageError
from vmtiming_tui.escape import printable
from vmtiming_tui.images.quoting import human, shown

MAX_MEMBERS = 2_000_000
MAX_OVF_BYTES = 1 << 20
_LISTED = 8
_DISK_DRIVE = "17"  # CIM_ResourceAllocationSettingData's ResourceType, as DSP0243 (OVF) has it
_CONTAINER = ({"manifest.json", "repositories"}, {"oci-layout", "index.json"},
              {"oci-layout"}, {"manifest.json"})  # fmt: skip
_BLOBS = re.compile(r"blobs/sha256/|[0-9a-f]{64}(\.json|/layer\.tar|\.tar)$", re.ASCII)
_TREE = re.compile(r"(?:\./)?(?:[\w.-]{1,80}/){0,2}?(?:etc|usr/lib)/os-release", re.ASCII)
_TREE_KERNEL = re.compile(r"(?:^|/)(?:boot/vmlinuz|usr/lib/modules/[^/]+/vmlinuz|boot/Image)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file in an archive: the kind of disk it is, or what else it is, as far as that is told.

    ``is_archive`` says that it is packed again, with other files in it; ``is_description``, that it
    is a VMDK's, whose data is in other members.
    """

    name: str
    size: int
    disk: str = ""
    what: str = ""
    is_archive: bool = False
    is_description: bool = False

    @property
    def base(self) -> str:
        """Its name without folders."""
        return self.name.rpartition("/")[2]

    def __str__(self) -> str:
        return f"{shown(self.name)} ({human(self.size)})"


@dataclass(slots=True)
class Content:
    """All that was found in an archive: the members that matter, and signs of what it is.

    ``ovf`` is the text of its OVF descriptor. ``kept`` is the member that was written out in
    passing.
    """

    members: list[Member] = field(default_factory=list)
    names: int = 0
    ovf: bytes = b""
    kept: str = ""
    has_tree: bool = False
    has_kernel: bool = False
    has_blobs: bool = False
    top: set[str] = field(default_factory=set)

    def note(self, name: str) -> None:
        """Take a member's name in; raise ``ImageError`` for one too many."""
        self.names += 1
        if self.names > MAX_MEMBERS:
            raise ImageError(f"the archive has more than {MAX_MEMBERS:,} files")
        self.has_tree |= _TREE.fullmatch(name) is not None
        self.has_kernel |= _TREE_KERNEL.search(name) is not None
        self.has_blobs |= _BLOBS.search(name) is not None
        plain = name.removeprefix("./")
        if "/" not in plain and len(self.top) < _LISTED * 8:
            self.top.add(plain)

    @property
    def disks(self) -> list[Member]:
        """The members that are disks; where there is none, those that may have some in them."""
        found = [member for member in self.members if member.disk]
        return found or [member for member in self.members if member.is_archive]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The member that is taken, and what to say of it; ``is_wanted``: it was asked for."""

    member: Member
    remark: str = ""
    is_wanted: bool = False


def choose(content: Content, wanted: str) -> Chosen:
    """Return the disk that is meant; raise ``ImageError`` where that cannot be told, or is none."""
    if wanted and (found := _wanted(content, wanted)):
        return Chosen(member=found, is_wanted=True)
    _refuse_others(content)
    disks = content.disks
    if wanted and any(disk.disk for disk in disks):
        names = ", ".join(map(str, disks[:_LISTED]))
        raise ImageError(f"the archive has no '{shown(wanted)}'; its disks are {names}")
    if not disks:
        raise _without_disk(content)
    if len(disks) == 1:
        return Chosen(member=disks[0])
    names = ", ".join(map(str, disks[:_LISTED])) + (", ..." if len(disks) > _LISTED else "")
    if first := _first_by_ovf(content, disks):
        remark = (f"it has {len(disks)} disks: {names}; its .ovf names {shown(first.name)} first, "
                  "which is taken (--member NAME takes another)")  # fmt: skip
        return Chosen(member=first, remark=remark)
    kind = "disks" if disks[0].disk else "archives, and no disk beside them"
    raise ImageError(
        f"the archive has {len(disks)} {kind}: {names}",
        hint=f"say which one: vm-timing-report prepare {{image}} --member {_word(disks[0].name)}",
    )


def _word(name: str) -> str:
    return shlex.quote(name) if printable(name, keep="") == name else "NAME"


def _wanted(content: Content, wanted: str) -> Member | None:
    exact = [member for member in content.members if member.name == wanted]
    found = exact or [member for member in content.members if member.base == wanted]
    if len(found) > 1 and not exact:
        names = ", ".join(str(member) for member in found[:_LISTED])
        raise ImageError(
            f"several files in the archive are called so: {names}",
            hint=f"say it with its folders: --member {_word(found[0].name)}",
        )
    if found and found[0].what and not found[0].disk and not found[0].is_archive:
        raise ImageError(f"'{shown(wanted)}' is {found[0].what}")
    return found[0] if found else None


def _refuse_others(content: Content) -> None:
    """Raise ``ImageError`` for what is an archive of something else than disks."""
    if content.has_blobs and any(names <= content.top for names in _CONTAINER):
        raise ImageError(
            "the image is a container's, packed (docker or OCI): it has no kernel, and no disk",
            hint="build a disk image of it (of a bootc image: bootc-image-builder --type qcow2), "
            "and prepare that",
        )
    if {"ova.xml"} & content.top:
        raise ImageError(
            "the archive is a XenServer export (XVA), whose disk is in pieces",
            hint="export the disk itself, as VHD or raw, and prepare that",
        )
    described = [member for member in content.members if member.is_description]
    if described and not any(member.base == "box.img" for member in content.disks):
        name = _word(described[0].name)
        raise ImageError(
            f"the disk {shown(described[0].name)} in the archive is a VMDK of several files",
            hint="unpack them beside each other: mkdir unpacked && {unpack} unpacked, then "
            f"vm-timing-report prepare unpacked/{name}",
        )
    if content.has_tree and not any(member.disk for member in content.members):
        own = "" if content.has_kernel else " -k KERNEL -i INITRD"
        lacks = "" if content.has_kernel else ", and no kernel"
        raise ImageError(
            f"the archive holds the files of a system, not a disk{lacks}",
            hint="make a disk of them, as root: mkdir tree && {unpack} tree && mke2fs -q -t ext4 "
            f"-d tree root.img 8G && vm-timing-report prepare root.img{own}",
        )


def _without_disk(content: Content) -> ImageError:
    largest = sorted(content.members, key=lambda member: -member.size)[:3]
    told = next((f"{shown(each.name)} is {each.what}" for each in largest if each.what), "")
    names = ", ".join(map(str, largest)) or "nothing"
    return ImageError(
        f"the archive has no disk image in it; {told or f'it has {names}'}",
        hint="--member NAME takes a file of it all the same" if largest and not told else "",
    )


def _first_by_ovf(content: Content, disks: Sequence[Member]) -> Member | None:
    """Return the disk that comes first in the descriptor of an OVA (DMTF's DSP0243)."""
    for name in _ovf_names(content.ovf):
        for disk in disks:
            if name in (disk.name, disk.base):
                return disk
    return None


def _ovf_names(ovf: bytes) -> list[str]:
    """Return the names of a descriptor's disks, those of its first machine's drives first."""
    if not ovf or b"<!DOCTYPE" in ovf or b"<!ENTITY" in ovf:
        return []
    try:
        top = ElementTree.fromstring(ovf)  # noqa: S314  in the box, without entities, of 1 MiB
    except ElementTree.ParseError:
        return []
    files: dict[str, str] = {}
    disks: dict[str, str] = {}
    drives: list[str] = []
    for element in top.iter():
        there = {_local(name): value for name, value in element.attrib.items()}
        match _local(element.tag):
            case "File":
                files[there.get("id", "")] = there.get("href", "")
            case "Disk":
                disks[there.get("diskId", "")] = files.get(there.get("fileRef", ""), "")
            case "Item" | "StorageItem":
                words = {_local(each.tag): (each.text or "").strip() for each in element}
                if words.get("ResourceType") == _DISK_DRIVE:
                    drives.append(words.get("HostResource", "").rpartition("/")[2])
    ordered = [disks[drive] for drive in drives if disks.get(drive)]
    return ordered + [name for name in disks.values() if name and name not in ordered]


def _local(name: str) -> str:
    return name.rpartition("}")[2]
