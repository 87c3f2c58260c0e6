"""A Debian 13 to build images in, made of the host's own package sources and entered alone."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

SUITE = "trixie"
_PACKAGES = (
    "mkosi", "systemd-ukify", "systemd-repart", "systemd-boot", "systemd-boot-efi", "systemd-sysv",
    "udev", "dbus", "kmod", "linux-image-cloud-amd64", "erofs-utils", "squashfs-tools",
    "dosfstools", "mtools", "btrfs-progs", "xfsprogs", "e2fsprogs", "cryptsetup-bin", "mmdebstrap",
    "python3-pefile", "cpio", "zstd", "fdisk", "ca-certificates", "ostree",
)  # fmt: skip
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
# mkosi's own sandbox takes a root that is no chroot.
_ENTER = """\
set -eu
root=$1 work=$2
shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root/work" "$root/old"
mount --bind "$work" "$root/work"
cat /etc/resolv.conf >"$root/etc/resolv.conf" 2>/dev/null || :
cd "$root"
pivot_root . old
cd /work
umount --lazy /old
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TMPDIR=/work/tmp
exec "$@"
"""


def mirror() -> str:
    """Return where the host's own Debian packages come from."""
    words = ("apt-get", "indextargets", "Created-By: Packages", "--format")
    told = subprocess.check_output([*words, "$(ORIGIN)|$(RELEASE)|$(REPO_URI)"], text=True)
    for line in told.splitlines():
        origin, release, uri = line.split("|")
        if origin == "Debian" and "-" not in release:
            return uri
    raise SystemExit("this host has no package source of Debian's")


def make(root: Path) -> None:
    """Make it, where it is not there yet."""
    if not (root / "usr/bin/mkosi").exists():
        entry = f"deb [signed-by={_KEYS}] {mirror()} {SUITE} main"
        include = f"--include={','.join(_PACKAGES)}"
        command = ["mmdebstrap", "--variant=apt", "--format=dir", include, SUITE, str(root), entry]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def run_inside(root: Path, work: Path, command: Sequence[str], log: Path) -> int:
    """Run a command in it, ``work`` as its ``/work`` and current folder; return its exit code."""
    (work / "tmp").mkdir(parents=True, exist_ok=True)
    alone = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private")
    with log.open("wb") as out:
        return subprocess.run(
            [*alone, "bash", "-c", _ENTER, "enter", str(root), str(work), *command],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False,
        ).returncode  # fmt: skip
