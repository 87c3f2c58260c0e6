"""What was spun boots for real: a demo guest's own files, put on four kinds of disk."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import disk_images as images
from support.disk_images import Partition
from support.spinning import spin
from vmtiming_tui.guests.demo_guest import DemoVariant, Guest, build_guest

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def guest() -> Guest:
    return build_guest(DemoVariant.QUICK)


@pytest.fixture(scope="module")
def system(guest, tmp_path_factory):
    """The guest's tree with its kernel in /boot and nothing of ours inside."""
    folder = tmp_path_factory.mktemp("system")
    tree = folder / "tree"
    tree.mkdir()
    copy = folder / "rootfs.img"
    images.sh("cp", "--sparse=always", guest.rootfs, copy)
    with images.mounted(copy, "ro,loop,noload") as root:
        images.sh("cp", "-a", f"{root}/.", tree)
    copy.unlink()
    for unit in list(tree.rglob("vm-report*")):  # dangling links, too
        unit.unlink()
    assert not list(tree.rglob("vm-report*"))
    shutil.copy(guest.kernel, tree / "boot/vmlinuz-6.1.0-1")
    shutil.copy(guest.initrd, tree / "boot/initrd.img-6.1.0-1")
    yield tree
    images.sh("rm", "-rf", folder)


def esp_boot_and_root(folder: Path, tree: Path) -> Path:
    (folder / "esp").mkdir()
    images.write(folder / "esp/EFI/debian/grub.cfg", "search --fs-uuid x\n")
    fat = images.vfat(folder / "esp.fs", folder / "esp", 34)
    boot = images.ext4(folder / "boot.fs", tree / "boot", 64, fs_uuid=images.BOOT_UUID)
    root = images.ext4(folder / "root.fs", images.without_boot(tree, folder / "tree"), 600)
    parts = [Partition("uefi", fat), Partition("linux", boot), Partition("linux", root)]
    return images.disk(folder / "disk.img", "gpt", parts)


def xfs(folder: Path, tree: Path) -> Path:
    return images.mounted_fs(folder / "disk.img", "xfs", tree, 800)


def btrfs(folder: Path, tree: Path) -> Path:
    return images.btrfs(folder / "disk.img", tree, 1000, "@")


def unified(folder: Path, tree: Path) -> Path:
    efi = folder / "esp/EFI/Linux"
    efi.mkdir(parents=True)
    sections = {
        ".uname": b"6.1.0-1",
        ".linux": (tree / "boot/vmlinuz-6.1.0-1").read_bytes(),
        ".initrd": (tree / "boot/initrd.img-6.1.0-1").read_bytes(),
    }
    images.unified_kernel(efi / "debian.efi", sections)
    fat = images.vfat(folder / "esp.fs", folder / "esp", 80)
    root = images.ext4(folder / "root.fs", images.without_boot(tree, folder / "tree"), 600)
    return images.disk(
        folder / "disk.img", "gpt", [Partition("uefi", fat), Partition("linux", root)]
    )


def test_gpt_xfs_btrfs_and_uki_boot_and_report(guest, system, folder):
    fleet = folder / "fleet"
    fleet.mkdir()
    for number, make in enumerate((esp_boot_and_root, xfs, btrfs, unified)):
        work = folder / make.__name__
        work.mkdir()
        # The demo guest's own initrd knows no other file system than ext4.
        spun = spin(make(work, system), folder / f"out-{number}", "--convert")
        assert spun.code == 0, spun.complaint
        assert spun.kernel == guest.kernel.read_bytes()
        # Joined initrds are padded to four bytes.
        assert spun.initrd.rstrip(b"\0") == guest.initrd.read_bytes().rstrip(b"\0")
        spun.rootfs.rename(fleet / f"spun-{number}.img")
        images.sh("rm", "-rf", work)

    done = subprocess.run(
        [
            sys.executable, "-m", "vmtiming_tui", "--plain", "--no-history", "--accel", "tcg",
            "-n", "4", "--parallel", "2", "-m", "340", "-p", "spun", "-s", ".img", "-v", fleet,
            "-k", folder / "out-0/BFILES/vmlinuz", "-i", folder / "out-0/BFILES/initrd",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    for number in range(4):
        assert f"VM {number} booted in: " in done.stdout
    assert done.stdout.count("Startup finished in ") == 4
