"""What an image's fstab(5) and crypttab(5) say, and what is to stand in their place.

Lines of the image's own are kept as they are, for they only go back into the guest.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.disk.volumes import Volume
from vmtiming_tui.images.quoting import shown

_LEFT_OUT = "# not in this image: "
_ROOT_DISK = "/dev/vda"
_EXT = frozenset({"ext2", "ext3", "ext4"})
_MERGEABLE = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "erofs", "squashfs", "auto"}
)
_NOT_MERGED = re.compile(r"/|none|swap|/boot(/.*)?|/efi|/\.snapshots")
_OF_NO_DISK = re.compile(
    r"tmpfs|ramfs|proc|sysfs|devpts|hugetlbfs|debugfs|tracefs|configfs|securityfs|cgroup.*|mqueue"
    r"|overlay"
)
_PATH = re.compile(r"(?:/(?!\.\.?(?:/|$))[A-Za-z0-9_.@+,=:-]+)+")
_SUBVOLUME = re.compile(r"(?:^|,)(subvol(?:id)?=[A-Za-z0-9_./@+=:-]{1,200})(?:,|$)")
_ESCAPE = re.compile(rb"\\([0-7]{3})")
_ROOT_OPTIONS = re.compile(r"[!-~]{1,400}")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an fstab: its words, those that are not there empty."""

    text: str
    spec: str
    path: str
    kind: str
    options: str
    check_pass: str

    @property
    def is_entry(self) -> bool:
        """Whether it is no comment, and not empty."""
        return self.spec != "" and not self.spec.startswith("#")


def fstab_lines(text: str) -> Iterator[Line]:
    """Yield an fstab's lines."""
    for line in text.split("\n"):
        words = line.replace("\t", " ").split(" ")
        spec, path, kind, options, _, check_pass, *_ = [*filter(None, words), *[""] * 6]
        yield Line(line, spec, path, kind, options, check_pass)


@dataclass(frozen=True, slots=True)
class Below:
    """A file system that belongs below the root: where, and as which subvolume."""

    volume: Volume
    path: str
    subvolume: str


def plan_merge(text: str, volumes: Sequence[Volume]) -> tuple[list[Below], list[str]]:
    """Return the volumes that belong below the root, and what to say of those not in the image.

    Raises ``ImageError`` where the system cannot do without one that is not there.
    """
    found, remarks = [], []
    for line in fstab_lines(text):
        path = _unescaped(line.path)
        if not line.is_entry or _NOT_MERGED.fullmatch(path) or line.kind not in _MERGEABLE:
            continue
        volume = volume_of(line.spec, volumes)
        if volume is None:
            missing = f"{shown(path)} is on {shown(line.spec)}, which is not in this image"
            if path in ("/usr", "/var"):
                raise ImageError(missing)
            remarks.append(f"{missing}: left out")
        elif not _PATH.fullmatch(path):
            remarks.append(f"{shown(path)} is no place to put {volume.name}: left out")
        else:
            subvolume = _SUBVOLUME.search(line.options)
            found.append(Below(volume, path, subvolume[1] if subvolume else ""))
    return found, remarks


def paths_in(text: str) -> frozenset[str]:
    """Return where an fstab mounts something."""
    return frozenset(_unescaped(line.path) for line in fstab_lines(text) if line.is_entry)


def _unescaped(word: str) -> str:
    """Return a word with its octal escapes, which are of bytes, undone."""
    raw = word.encode(errors="surrogateescape")
    plain = _ESCAPE.sub(lambda octal: bytes([int(octal[1], 8) & 0xFF]), raw)
    return plain.decode(errors="surrogateescape")


def volume_of(spec: str, volumes: Sequence[Volume]) -> Volume | None:
    """Return the volume that the first word of an fstab's line means; None where it is not here."""
    spec = spec.replace('"', "")
    for volume in volumes:
        if volume.disks and _means(spec, volume):
            return volume
    return None


def _means(spec: str, volume: Volume) -> bool:
    for key, folder, value in (
        ("UUID=", "/dev/disk/by-uuid/", volume.uuid),
        ("PARTUUID=", "/dev/disk/by-partuuid/", volume.partuuid),
    ):
        if spec.startswith((key, folder)):
            return value != "" and spec.lower() in (
                f"{key}{value}".lower(),
                f"{folder}{value}".lower(),
            )
    if spec.startswith(("LABEL=", "/dev/disk/by-label/")):
        return volume.label != "" and spec in (
            f"LABEL={volume.label}",
            f"/dev/disk/by-label/{volume.label}",
        )
    if spec.startswith(("PARTLABEL=", "/dev/disk/by-partlabel/")):
        return volume.part_label != "" and spec in (
            f"PARTLABEL={volume.part_label}",
            f"/dev/disk/by-partlabel/{volume.part_label}",
        )
    if spec.startswith("/dev/mapper/"):
        return "/" in volume.name and spec == f"/dev/mapper/{mapper_name(volume.name)}"
    if spec.startswith("/dev/"):
        number = re.search(r"[0-9]{1,4}$", spec)
        return spec == f"/dev/{volume.name}" or (
            number is not None and volume.name == f"partition {number[0]}"
        )
    return False


def mapper_name(name: str) -> str:
    """Return what the device mapper calls the volume GROUP/NAME."""
    return name.replace("-", "--").replace("/", "-", 1)


def new_fstab(text: str, root_type: str, kept: Sequence[Volume] = ()) -> str:
    """Return an fstab with the root on /dev/vda, and without the disks that will not be there.

    A boot would wait 90 s for each. ``kept`` is the root's volume where it stays what it is: its
    other subvolumes are there.
    """
    options, check_pass = "defaults", "0"
    lines: list[str] = []
    for line in fstab_lines(text):
        if not line.is_entry:
            continue
        if line.path == "/":
            # Options of one kind of file system mean nothing to another.
            if line.kind == root_type or {line.kind, root_type} <= _EXT:
                options = line.options if _ROOT_OPTIONS.fullmatch(line.options) else "defaults"
                check_pass = line.check_pass if re.fullmatch(r"[0-9]", line.check_pass) else "0"
        elif _OF_NO_DISK.fullmatch(line.kind) or (
            line.kind == "none" and re.match(r"/[^d]", line.spec)
        ):
            lines.append(line.text)
        elif line.kind == root_type and volume_of(line.spec, kept):
            lines.append(line.text.replace(line.spec, _ROOT_DISK, 1))
        else:
            lines.append(_LEFT_OUT + line.text)
    first = f"{_ROOT_DISK} / {root_type} {options} 0 {check_pass}"
    return "".join(f"{line}\n" for line in (first, *lines))


def new_crypttab(text: str) -> str:
    """Return a crypttab without volumes; empty where there is nothing to change."""
    lines = text.split("\n")
    if not any(re.match(r"\s*[^#\s]", line) for line in lines):
        return ""
    return "\n".join(re.sub(r"^(?=\s*[^#\s])", _LEFT_OUT, line) for line in lines)
