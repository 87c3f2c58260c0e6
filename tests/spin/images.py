"""Disk images for the tests, made with the tools that make real ones, from one small tree."""

import contextlib
import os
import shutil
import struct
import subprocess
import uuid
from collections.abc import Iterator, Sequence
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
    """Mount a file system in a file for as long as the block lasts."""
    where = image.with_name(image.name + ".mnt")
    where.mkdir()
    try:
        sh("mount", "-o", options, image, where)
        try:
            yield where
        finally:
            sh("umount", where)
    finally:
        where.rmdir()


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
    sh("mkfs.btrfs", "-q", "-U", ROOT_UUID, image)
    with mounted(image) as top:
        root = top / subvolume
        sh("btrfs", "subvolume", "create", root)
        sh("btrfs", "subvolume", "create", top / "home")
        sh("cp", "-a", f"{tree}/.", root)
        sh("cp", "-a", f"{tree}/home/.", top / "home")
        shutil.rmtree(root / "home")
        (root / "home").mkdir()
        fstab = (
            f"UUID={ROOT_UUID} / btrfs subvol={subvolume},compress=zstd 0 0\n"
            f"UUID={ROOT_UUID} /home btrfs subvol=home 0 0\n"
            f"UUID={ROOT_UUID} /.snapshots btrfs subvol=.snapshots 0 0\n"
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


def unified_kernel(image: Path, sections: dict[str, bytes]) -> Path:
    """A PE32+ program whose sections are a kernel, an initrd and their facts.

    Laid out as the PE/COFF specification says and as systemd's stub carries them.
    """
    align, base = 0x1000, 0x10000
    headers = 0x400
    table, body, address = b"", b"", base
    for name, content in sections.items():
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


def physical_volume(image: Path, content: Path) -> Path:
    """A disk that is one LVM group `vg-tiny` whose volume `root` lies in two pieces, swapped.

    The group's map is written by lvm2 itself, which needs no device mapper for that.
    """
    extents = -(-content.stat().st_size // (4 * MIB))
    first = extents // 2
    with image.open("wb") as file:
        file.truncate((extents + 2) * 4 * MIB)
    device = sh("losetup", "--find", "--show", image).strip()
    try:
        quiet = ("--config", "global/use_lvmpolld=0", "--devices", device)
        sh("pvcreate", *quiet, device)
        sh("vgcreate", *quiet, "vg-tiny", device)
        backup = image.with_suffix(".vg")
        sh("vgcfgbackup", *quiet, "-f", backup, "vg-tiny")
        backup.write_text(_with_volume(backup.read_text(), extents, first))
        sh("vgcfgrestore", *quiet, "-f", backup, "vg-tiny")
    finally:
        sh("losetup", "-d", device)
    pe_start = 1 * MIB
    split = first * 4 * MIB
    for skip, seek, count in (
        (0, pe_start + (extents - first) * 4 * MIB, split),
        (split, pe_start, content.stat().st_size - split),
    ):
        sh("dd", f"if={content}", f"of={image}", "bs=1M", "status=none", "conv=sparse,notrunc",
           "iflag=skip_bytes,count_bytes", "oflag=seek_bytes",
           f"skip={skip}", f"seek={seek}", f"count={count}")  # fmt: skip
    return image


def _with_volume(metadata: str, extents: int, first: int) -> str:
    def segment(number: int, at: int, count: int, on_disk: int) -> str:
        return (
            f"segment{number} {{\nstart_extent = {at}\nextent_count = {count}\n"
            f'type = "striped"\nstripe_count = 1\nstripes = [\n"pv0", {on_disk}\n]\n}}\n'
        )

    ident = uuid.uuid4().hex
    parts = (ident[:6], *(ident[i : i + 4] for i in range(6, 26, 4)), ident[26:])
    volume = (
        f'logical_volumes {{\nroot {{\nid = "{"-".join(parts)}"\n'
        'status = ["READ", "WRITE", "VISIBLE"]\nflags = []\nsegment_count = 2\n'
        + segment(1, 0, first, extents - first)
        + segment(2, first, extents - first, 0)
        + "}\n}\n"
    )
    end = metadata.rindex("}", 0, metadata.index("# Generated") if "# Generated" in
                          metadata[metadata.index("physical_volumes"):] else None)  # fmt: skip
    return metadata[:end] + volume + metadata[end:]
