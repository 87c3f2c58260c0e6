"""Debian images that nobody prepared boot, report, and are the same to the byte afterwards."""

import re
import shlex
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.checksums import sha256
from support.debians import newer_debian, plain_debian
from support.disks import uefi_disk
from vmtiming_tui.guests.demo_guest import Guest

# The name of a boot: what is said of the way the report service comes in.
BOOTS = {
    "initramfs-tools": r"by the initrd \(initramfs-tools\)",
    "dracut": r"by the initrd \(dracut\)",
    "shell": r"by the initrd \(dracut\)",
    "systemd": r"by the initrd \(systemd\)",
    "firmware": "by SMBIOS credentials",
}


@pytest.fixture(scope="module")
def images(in_folder):
    """The images: a Debian as it is, and a newer one on a disk that boots itself by UEFI."""
    with ThreadPoolExecutor(2) as pool:
        plain, newer = pool.map(lambda make: make(), (plain_debian, newer_debian))
    parts = in_folder.folder / "newer"
    (parts / "BFILES").mkdir(parents=True)
    (parts / "rootfs.img").symlink_to(newer / "vm-0.img")
    (parts / "BFILES/vmlinuz").symlink_to(newer / "vmlinuz")
    (parts / "BFILES/initrd").symlink_to(newer / "initrd.initramfs-tools")
    return plain, uefi_disk(Guest(parts), parts / "vm-0.img")


@pytest.fixture(scope="module")
def boots(images, in_folder):
    """Each boot of the table, two at once."""
    plain, newer = images
    before = [sha256(plain / "vm-0.img"), sha256(newer)]

    def boot(name: str):
        how: tuple[object, ...] = (
            "-v", plain, "-k", plain / "vmlinuz", "-i", plain / f"initrd.{name}"
        )  # fmt: skip
        if name == "firmware":
            how = ("-v", newer.parent, "--boot", "firmware")
        elif name == "initramfs-tools":
            done = in_folder("prepare", plain / "vm-0.img", "--untouched", "-n", 1, "--out", "own")
            how = (*shlex.split(done.stdout.splitlines()[-1])[1:], "-v", "own/vms")
        return in_folder(
            *how, "-n", 1, "-p", "vm", "-s", ".img", "--inject", "--accel", "tcg", "--no-history",
            "--timeout", 900,
        )  # fmt: skip

    with ThreadPoolExecutor(2) as pool:
        results = dict(zip(BOOTS, pool.map(boot, BOOTS), strict=True))
    after = [sha256(plain / "vm-0.img"), sha256(newer)]
    return results, before, after


@pytest.mark.parametrize("name", BOOTS)
def test_it_reports_when_its_systemd_has_finished(boots, name):
    result = boots[0][name]

    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"VM 0 booted in: [\d.]+s: Startup finished in .*userspace", result.stdout)


@pytest.mark.parametrize("name", BOOTS)
def test_the_way_taken_is_said(boots, name):
    assert re.search(BOOTS[name], boots[0][name].stderr)


def test_the_images_are_the_same_to_the_byte(boots):
    _, before, after = boots

    assert after == before


def test_nothing_is_left_of_the_initrds_made_for_it(boots, in_folder):
    assert not list(in_folder.runtime.iterdir())
