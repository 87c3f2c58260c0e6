"""Disk images for the tests, made with the tools that make real ones, from one small tree."""

import contextlib
import os
import shutil
import struct
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024
ROOT_UUID = "5a6f1c3e-0d0b-4c6e-9f8a-0123456789ab"
BOOT_UUID = "0b6f1c3e-0d0b-4c6e-9f8a-0123456789ab"
FSTAB = f"""\
# made by the installer
UUID={ROOT_UUID} / ext4 errors=remount-ro,noatime 0 1
UUID={BOOT_UUID} /boot ext4 defaults 0 2
/dev/sdz9 /srv/far xfs defaults 0 2
/dev/sdz8 none swap sw 0 0
tmpfs /tmp tmpfs nosuid,nodev 0 0
"""


def sh(*command: str | Path, text: str | None = None) -> str:
    """Run a tool and return what it printed; its complaint is in the error."""
    done = subprocess.run(
        [str(word) for word in command], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stderr or done.stdout}"
    return done.stdout


@contextlib.contextmanager
def mounted(image: Path, options: str = "loop") -> Iterator[Path]:
    """Mount a file system in a file for as long as the block lasts, for whoever sees it."""
    where = image.with_name(image.name + ".mnt")
    where.mkdir()
    try:
        sh("mount", "-o", options, image, where)
        try:
            yield where
        finally:
            sh("umount", where)
            _let_go(image)
    finally:
        where.rmdir()


def _let_go(image: Path) -> None:
    """Return when nobody has it mounted: a neighbour's mount namespace may have kept a copy."""
    for _ in range(300):
        if not sh("losetup", "--associated", image):
            return
        time.sleep(0.1)
    raise AssertionError(f"{image} is still mounted somewhere")


# --- the tree ------------------------------------------------------------------------------------


def write(path: Path, content: str | bytes, mode: int = 0o644) -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def make_tree(root: Path) -> Path:
    """A system in miniature, with one of each thing a copy can lose."""
    root.mkdir()
    root.chmod(0o755)
    for folder in ("boot/efi", "dev", "home", "proc", "run", "srv/far", "sys", "tmp", "usr/bin"):
        (root / folder).mkdir(parents=True)
    for name in ("bin", "lib"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "tmp").chmod(0o1777)
    write(root / "usr/lib/os-release", 'ID=tiny\nPRETTY_NAME="Tiny Linux 1"\n')
    (root / "etc").mkdir()
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")
    write(root / "etc/fstab", FSTAB)
    write(root / "etc/machine-id", "0" * 31 + "1\n")
    write(root / "usr/lib/systemd/systemd", "#!/bin/false\n", 0o755)
    (root / "usr/lib/systemd/system").mkdir()
    (root / "etc/systemd/system").mkdir(parents=True)
    write(root / "usr/bin/su", "setuid", 0o4755)
    owned = write(root / "home/a file of somebody's", "owned", 0o640)
    os.chown(owned, 1234, 5678)
    os.setxattr(owned, "user.note", b"kept\0bytes")
    sh("setfacl", "-m", "u:4321:rw,g:99:r", owned)
    sh("setfacl", "-d", "-m", "u:4321:rx", root / "srv")
    ping = write(root / "usr/bin/ping", "ping", 0o755)
    sh("setcap", "cap_net_raw+ep", ping)
    os.link(ping, root / "usr/bin/ping6")
    os.link(ping, root / "srv/ping-elsewhere")
    with (root / "srv/sparse").open("wb") as sparse:
        sparse.truncate(40 * MIB)
        sparse.seek(20 * MIB)
        sparse.write(b"middle")
    os.mkfifo(root / "srv/fifo")
    os.mknod(root / "dev/null", 0o020666, os.makedev(1, 3))
    os.utime(owned, (1_000_000_000, 1_100_000_000))
    return root


def add_kernel(boot: Path, version: str) -> None:
    """A kernel and its initrd, as Debian names them; what is in them says which they are."""
    write(boot / f"vmlinuz-{version}", f"kernel {version}" * 100)
    write(boot / f"initrd.img-{version}", f"initrd {version}" * 100)


def without_boot(tree: Path, target: Path) -> Path:
    """A copy of the tree whose /boot is empty, as on a disk where it is a partition."""
    sh("cp", "-a", tree, target)
    shutil.rmtree(target / "boot")
    (target / "boot").mkdir()
    return target


# --- file systems --------------------------------------------------------------------------------


def ext4(image: Path, tree: Path, mib: int, *, fs_uuid: str = ROOT_UUID) -> Path:
    """An ext4 with this tree."""
    sh(
        "mke2fs",
        "-q",
        "-F",
        "-t",
        "ext4",
        "-U",
        fs_uuid,
        "-L",
        "tiny",
        "-d",
        tree,
        image,
        f"{mib}M",
    )
    return image


def mounted_fs(image: Path, kind: str, tree: Path, mib: int) -> Path:
    """An xfs with this tree."""
    with image.open("wb") as file:
        file.truncate(mib * MIB)
    sh(f"mkfs.{kind}", "-q", image)
    with mounted(image) as root:
        sh("cp", "-a", f"{tree}/.", root)
    return image


def btrfs(image: Path, tree: Path, mib: int, subvolume: str, *, default: bool = False) -> Path:
    """A btrfs with the tree in a subvolume, /home in another, and a snapshot of the first."""
    with image.open("wb") as file:
        file.truncate(mib * MIB)
    own_uuid = uuid.uuid4()  # the kernel takes two of one number for one
    sh("mkfs.btrfs", "-q", "-U", str(own_uuid), image)
    with mounted(image) as top:
        root = top / subvolume
        sh("btrfs", "subvolume", "create", root)
        sh("btrfs", "subvolume", "create", top / "home")
        sh("cp", "-a", f"{tree}/.", root)
        sh("cp", "-a", f"{tree}/home/.", top / "home")
        shutil.rmtree(root / "home")
        (root / "home").mkdir()
        fstab = (
            f"UUID={own_uuid} / btrfs subvol={subvolume},compress=zstd 0 0\n"
            f"UUID={own_uuid} /home btrfs subvol=home 0 0\n"
            f"UUID={own_uuid} /.snapshots btrfs subvol=.snapshots 0 0\n"
        )
        write(root / "etc/fstab", fstab)
        sh("btrfs", "subvolume", "create", root / ".snapshots")
        sh("btrfs", "subvolume", "snapshot", "-r", root, root / ".snapshots/1")
        if default:
            sh("btrfs", "subvolume", "set-default", root)
    return image


def vfat(image: Path, tree: Path, mib: int) -> Path:
    """A FAT with this tree: an EFI system partition."""
    with image.open("wb") as file:
        file.truncate(mib * MIB)
    sh("mkfs.vfat", "-n", "ESP", image)
    for path in sorted(tree.iterdir()):
        sh("mcopy", "-s", "-i", image, path, "::/")
    return image


# --- disks ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Partition:
    """A file system to put on a disk; ``kind`` is sfdisk's word for the type."""

    kind: str
    content: Path


def disk(image: Path, label: str, partitions: Sequence[Partition]) -> Path:
    """A partitioned disk; holes stay holes."""
    script, start = [f"label: {label}"], 1
    for partition in partitions:
        mib = -(-partition.content.stat().st_size // MIB)
        script.append(f"start={start}MiB, size={mib}MiB, type={partition.kind}")
        start += mib
    with image.open("wb") as file:
        file.truncate((start + 1) * MIB)
    sh("sfdisk", "--quiet", image, text="\n".join(script) + "\n")
    start = 1
    for partition in partitions:
        sh("dd", f"if={partition.content}", f"of={image}", "bs=1M", f"seek={start}", "status=none",
           "conv=sparse,notrunc")  # fmt: skip
        start += -(-partition.content.stat().st_size // MIB)
    return image


def unified_kernel(image: Path, *parts: dict[str, bytes]) -> Path:
    """A PE32+ program whose sections are a kernel, an initrd and their facts, all parts' in turn.

    Laid out as the PE/COFF specification says and as systemd's stub carries them.
    """
    align, base = 0x1000, 0x10000
    headers = 0x400
    table, body, address = b"", b"", base
    sections = [section for part in parts for section in part.items()]
    for name, content in sections:
        raw = content + b"\0" * (-len(content) % 0x200)
        table += struct.pack(
            "<8sIIIIIIHHI", name.encode(), len(content), address, len(raw), headers + len(body),
            0, 0, 0, 0, 0x40000040,
        )  # fmt: skip
        body += raw
        address += -(-len(content) // align) * align
    optional = struct.pack(
        "<HBBIIIIIQIIHHHHHHIIIIHHQQQQII", 0x20B, 0, 0, 0, len(body), 0, base, base, 0, align, 0x200,
        0, 0, 0, 0, 0, 0, 0, address, headers, 0, 10, 0, 0, 0, 0, 0, 0, 0,
    )  # fmt: skip
    coff = struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, len(optional), 0x22E)
    dos = b"MZ" + b"\0" * 58 + struct.pack("<I", 64)
    start = (dos + b"PE\0\0" + coff + optional + table).ljust(headers, b"\0")
    return write(image, start + body)


EXTENT = 4 * MIB


@dataclass(frozen=True)
class Piece:
    """Extents of a physical volume, by number, and how many."""

    disk: Path
    first: int
    count: int


def volume_group(disks: Sequence[Path], extents: int) -> None:
    """Make files of so many extents the physical volumes of the group `vg-tiny`."""
    for path in disks:
        with path.open("wb") as file:
            file.truncate((extents + 1) * EXTENT)
    with _devices(disks) as (lvm, devices):
        lvm("pvcreate", *devices.values())
        lvm("vgcreate", "vg-tiny", *devices.values())


@dataclass(frozen=True)
class Logical:
    """A logical volume as the group's metadata tells it (lvm2's own text format)."""

    name: str
    segment: str
    extents: int = 2
    visible: bool = True

    def __str__(self) -> str:
        words = '"READ", "WRITE"' + (', "VISIBLE"' if self.visible else "")
        ident = uuid.uuid4().hex
        parts = (ident[:6], *(ident[i : i + 4] for i in range(6, 26, 4)), ident[26:])
        return (
            f'{self.name} {{\nid = "{"-".join(parts)}"\nstatus = [{words}]\nflags = []\n'
            f"segment_count = 1\nsegment1 {{\nstart_extent = 0\n"
            f"extent_count = {self.extents}\n{self.segment}\n}}\n}}\n"
        )


def plain_segment(first: int) -> str:
    """A segment on the first disk of the group, from that extent on."""
    return f'type = "striped"\nstripe_count = 1\nstripes = [\n"pv0", {first}\n]'


def logical_volumes(disks: Sequence[Path], volumes: Sequence[Logical]) -> None:
    """Give the group these volumes; lvm2 itself checks and writes the metadata."""
    backup = disks[0].with_suffix(".vg")
    with _devices(disks) as (lvm, _):
        lvm("vgcfgbackup", "--file", backup, "vg-tiny")
        text = backup.read_text()
        end = text.index("\n\t}\n", text.index("physical_volumes {")) + 4
        volumes_text = "".join(map(str, volumes))
        backup.write_text(text[:end] + f"logical_volumes {{\n{volumes_text}}}\n" + text[end:])
        lvm("vgcfgrestore", "--force", "--file", backup, "vg-tiny")


def volume_in_pieces(disks: Sequence[Path], content: Path, pieces: Sequence[Piece]) -> None:
    """Make the logical volume `root` of these pieces, in their order, with this content."""
    with _devices(disks) as (lvm, devices):
        for number, piece in enumerate(pieces):
            where = f"{devices[piece.disk]}:{piece.first}-{piece.first + piece.count - 1}"
            quiet = ("--activate", "n", "--zero", "n", "--wipesignatures", "n", "--name", "root")
            if number == 0:
                lvm("lvcreate", *quiet, "--extents", str(piece.count), "vg-tiny", where)
            else:
                lvm("lvextend", "--extents", f"+{piece.count}", "vg-tiny/root", where)
    at = 0
    for piece in pieces:
        sh("dd", f"if={content}", f"of={piece.disk}", "bs=1M", "status=none", "conv=sparse,notrunc",
           "iflag=skip_bytes,count_bytes", "oflag=seek_bytes", f"skip={at}",
           f"count={piece.count * EXTENT}", f"seek={MIB + piece.first * EXTENT}")  # fmt: skip
        at += piece.count * EXTENT


@contextlib.contextmanager
def _devices(disks: Sequence[Path]) -> Iterator[tuple[Callable[..., str], dict[Path, str]]]:
    """Yield lvm2 for these disks alone, which then needs no device mapper, and their devices."""
    devices: dict[Path, str] = {}
    try:
        for path in disks:
            devices[path] = sh("losetup", "--find", "--show", path).strip()
        only = ("--driverloaded", "n", "--config", "global/use_lvmpolld=0",
                "--devices", ",".join(devices.values()))  # fmt: skip
        yield lambda name, *words: sh(name, *only, *words), devices
    finally:
        for device in devices.values():
            sh("losetup", "-d", device)
