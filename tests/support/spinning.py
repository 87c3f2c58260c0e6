"""Running spin-from-raw.sh, and looking at what it leaves: files, and nothing else."""

import contextlib
import hashlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support import disk_images as images

SPIN = Path(__file__).resolve().parents[2] / "spin" / "spin-from-raw.sh"
ASSETS = SPIN.parents[1] / "assets"


@dataclass(frozen=True)
class Spun:
    """What one run said and left."""

    out: Path
    code: int
    said: str
    complaint: str

    @property
    def rootfs(self) -> Path:
        return self.out / "rootfs.img"

    @property
    def kernel(self) -> bytes:
        return (self.out / "BFILES" / "vmlinuz").read_bytes()

    @property
    def initrd(self) -> bytes:
        return (self.out / "BFILES" / "initrd").read_bytes()


def digest(path: Path) -> str:
    """A checksum of every byte; blocks of zeros count by being absent, so holes need no reading."""
    block, whole, at = 1 << 16, hashlib.sha256(), 0
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        while at < size:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA) // block * block
            except OSError:  # only a hole is left
                break
            content = os.pread(file.fileno(), block, at)
            if content.strip(b"\0"):
                whole.update(f"{at}:".encode() + content)
            at += block
    whole.update(f"{size}".encode())
    return whole.hexdigest()


def left_behind(folder: Path) -> list[str]:
    """Loop devices, mounts and temporary files that belong to this folder."""
    loops = [
        line
        for line in images.sh("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE")
        .splitlines()
        if str(folder) in line
    ]  # fmt: skip
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line]
    files = [str(path) for path in folder.rglob("*spin-from-raw*")]
    return loops + mounts + files


def spin(image: Path, out: Path, *options: str, user: str | None = None) -> Spun:
    """Spin it to the end; the image must be the same afterwards and nothing else be left."""
    before = digest(image)
    done = subprocess.run(
        ["bash", SPIN, image, "--out", out, *options],
        capture_output=True,
        text=True,
        check=False,
        user=user,
        group=user and "nogroup",
        extra_groups=user and [],
    )
    assert digest(image) == before, "the source was written to"
    assert left_behind(image.parent) == []
    assert left_behind(out.parent) == []
    if done.returncode:
        assert not out.exists(), "a failure left something under the final name"
    return Spun(out, done.returncode, done.stdout, done.stderr)


CHECKS = {
    "ext4": (("e2fsck", "-fn"), "noload"),
    "xfs": (("xfs_repair", "-n"), "nouuid"),
    "btrfs": (("btrfs", "check", "--readonly"), ""),
}


def type_of(spun: Spun) -> str:
    """What blkid calls the root it made."""
    assert spun.code == 0, spun.complaint
    return images.sh("blkid", "--probe", "-s", "TYPE", "-o", "value", spun.rootfs).strip()


@contextlib.contextmanager
def opened(spun: Spun) -> Iterator[Path]:
    """The root it made, mounted as its kernel is to, after a check has found no fault in it."""
    check, option = CHECKS[type_of(spun)]
    images.sh(*check, spun.rootfs)
    told = spun.out / "BFILES/cmdline"
    flags = told.read_text().strip().removeprefix("rootflags=") if told.exists() else ""
    options = ",".join(word for word in ("ro", "loop", option, flags) if word)
    with images.mounted(spun.rootfs, options) as root:
        yield root


def facts(root: Path, path: Path) -> tuple[object, ...]:
    """All that a copy of one file must keep."""
    state = path.lstat()
    content: object = None
    if path.is_symlink():
        content = path.readlink()
    elif path.is_file():
        content = digest(path)
    # An xfs shows each ACL a second time under its own name.
    names = [
        name
        for name in os.listxattr(path, follow_symlinks=False)
        if not name.startswith("trusted.SGI_ACL")
    ]
    attributes = {name: os.getxattr(path, name, follow_symlinks=False) for name in sorted(names)}
    return (
        str(path.relative_to(root)), state.st_mode, state.st_uid, state.st_gid, state.st_rdev,
        None if path.is_dir() else (state.st_nlink, state.st_size, state.st_mtime_ns // 10**9),
        content, tuple(attributes.items()),
    )  # fmt: skip


OURS = {
    "etc/fstab", "etc/systemd/system/multi-user.target.wants",
    "etc/systemd/system/multi-user.target.wants/vm-report.service",
    "etc/systemd/system-preset", "etc/systemd/system-preset/00-vm-report.preset",
    "usr/bin/vm-report", "usr/lib/systemd/system/vm-report.service", "lost+found",
}  # fmt: skip


def differences(expected: Path, root: Path) -> set[object]:
    """Which files differ between two trees in anything, but for what spin-from-raw.sh adds."""

    def all_facts(top: Path) -> set[tuple[object, ...]]:
        paths = [top, *top.rglob("*")]
        return {facts(top, path) for path in paths if str(path.relative_to(top)) not in OURS}

    return all_facts(expected) ^ all_facts(root)
