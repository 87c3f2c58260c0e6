"""Debian images that nobody prepared boot, report, and are the same to the byte afterwards."""

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from debians import newer_debian, plain_debian


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


BOOTS = {
    # The name of a boot: which Debian, initrd, what is said after --inject, what is said of it.
    "initramfs-tools": (
        "plain",
        "initramfs-tools",
        "auto",
        r"by the initrd \(initramfs-tools\)",
    ),
    "dracut": ("plain", "dracut", "auto", r"by the initrd \(dracut\)"),
    "credentials": ("newer", "initramfs-tools", "credentials", "by SMBIOS credentials"),
}


@pytest.fixture(scope="module")
def boots(in_folder):
    """Each boot of the table, two at once."""
    debians = {"plain": plain_debian(), "newer": newer_debian()}
    before = {which: sha256(folder / "vm-0.img") for which, folder in debians.items()}

    def boot(name: str):
        which, initrd, way, _ = BOOTS[name]
        folder = debians[which]
        return in_folder(
            "-n", 1, "-p", "vm", "-s", ".img", "-v", folder, "-k", folder / "vmlinuz",
            "-i", folder / f"initrd.{initrd}", f"--inject={way}", "--accel", "tcg",
            "--no-history",
        )  # fmt: skip

    with ThreadPoolExecutor(2) as pool:
        results = dict(zip(BOOTS, pool.map(boot, BOOTS), strict=True))
    after = {which: sha256(folder / "vm-0.img") for which, folder in debians.items()}
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
