"""Debian images that nobody prepared boot, report, and are the same to the byte afterwards."""

import hashlib
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kept import kept

PACKAGES = "systemd-sysv,udev,linux-image-cloud-amd64,initramfs-tools,dracut-core"
DRACUT = (
    'chroot "$1" sh -c "dracut --quiet --no-hostonly /boot/initrd.dracut $(ls "$1/lib/modules")"'
)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def debian(suite: str, folder: Path) -> None:
    """Make a Debian as mmdebstrap does, with the initrds of initramfs-tools and of dracut.

    The hooks may run as another user, so for their time anyone may write to the folder.
    """
    folder.chmod(0o777)
    out = [
        DRACUT,
        f'cp "$1"/boot/vmlinuz-* {folder}/vmlinuz',
        f'cp "$1"/boot/initrd.img-* {folder}/initrd.initramfs-tools',
        f'cp "$1/boot/initrd.dracut" {folder}/initrd.dracut',
        f"chmod a+r {folder}/initrd.*",
        # A plain bind mount shows the tree without the /proc, /sys and /dev mounted inside it.
        'unshare --mount sh -c \'mount --bind "$0" "$0/mnt" && '
        f'mke2fs -q -t ext4 -d "$0/mnt" {folder}/vm-0.img 900M\' "$1"',
    ]
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}",
         *(f"--customize-hook={hook}" for hook in out), suite, "/dev/null"],
        check=True,
    )  # fmt: skip
    folder.chmod(0o755)


BOOTS = {
    # The name of a boot: suite, initrd, what is said after --inject, what is said of it.
    "initramfs-tools": (
        "bookworm",
        "initramfs-tools",
        "auto",
        r"by the initrd \(initramfs-tools\)",
    ),
    "dracut": ("bookworm", "dracut", "auto", r"by the initrd \(dracut\)"),
    "credentials": ("trixie", "initramfs-tools", "credentials", "by SMBIOS credentials"),
}


@pytest.fixture(scope="module")
def boots(in_folder):
    """Each boot of the table, two at once."""
    debians = {
        suite: kept(f"untouched-{suite}", lambda folder, suite=suite: debian(suite, folder))
        for suite in ("bookworm", "trixie")
    }
    before = {suite: sha256(folder / "vm-0.img") for suite, folder in debians.items()}

    def boot(name: str):
        suite, initrd, way, _ = BOOTS[name]
        folder = debians[suite]
        return in_folder(
            "-n", 1, "-p", "vm", "-s", ".img", "-v", folder, "-k", folder / "vmlinuz",
            "-i", folder / f"initrd.{initrd}", f"--inject={way}", "--accel", "tcg",
            "--no-history",
        )  # fmt: skip

    with ThreadPoolExecutor(2) as pool:
        results = dict(zip(BOOTS, pool.map(boot, BOOTS), strict=True))
    after = {suite: sha256(folder / "vm-0.img") for suite, folder in debians.items()}
    return results, before, after


@pytest.mark.parametrize("name", BOOTS)
def test_it_reports_when_its_systemd_has_finished(boots, name):
    result = boots[0][name]

    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"VM 0 booted in: [\d.]+s: Startup finished in .*userspace", result.stdout)


@pytest.mark.parametrize("name", BOOTS)
def test_the_way_taken_is_said(boots, name):
    assert re.search(BOOTS[name][3], boots[0][name].stderr)


def test_the_images_are_the_same_to_the_byte(boots):
    _, before, after = boots

    assert after == before


def test_nothing_is_left_of_the_initrds_made_for_it(boots, in_folder):
    assert not list(in_folder.runtime.iterdir())
