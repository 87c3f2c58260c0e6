"""What an image's boot loader tells the kernel reaches the command that boots without it."""

import shlex
import subprocess
import sys

import pytest

from support import disk_images as images
from support.spinning import digest, left_behind, spin

CARRIED = "init=/opt/sys/init rootflags=subvol=root mount.usr=/dev/vda3"
ENTRY = f"""\
title Tiny
linux /boot/vmlinuz-6.1.0-56
initrd /boot/initrd.img-6.1.0-56
options root=LABEL=old {CARRIED} quiet
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory, tree):
    folder = tmp_path_factory.mktemp("loader")
    images.sh("cp", "-a", tree, folder / "tree")
    images.write(folder / "tree/boot/loader/entries/tiny.conf", ENTRY)
    return images.ext4(folder / "disk.img", folder / "tree", 64)


@pytest.mark.parametrize(
    ("option", "append"),
    [((), CARRIED), (("--untouched",), f"root=/dev/vda {CARRIED}")],
    ids=["spun", "untouched"],
)
def test_it_is_said_and_in_the_printed_command(image, folder, option, append):
    before = digest(image)
    done = subprocess.run(
        [sys.executable, "-m", "vmtiming_tui", "prepare", image, "--out", "o", "-n", "1", *option],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    entry = "/boot/loader/entries/tiny.conf of the whole image"
    assert f"carried over from {entry}: {CARRIED}\n" in done.stderr
    command = shlex.split(done.stdout.splitlines()[-1])
    assert command[command.index("--append") + 1] == append
    assert digest(image) == before
    assert left_behind(folder) == []


def test_a_dry_run_says_it_too(image, folder):
    spun = spin(image, folder / "out", "--dry-run")

    assert f": {CARRIED}\n" in spun.said
    assert "BFILES/cmdline; nothing was written" in spun.said


def test_words_of_an_earlier_image_do_not_stay(image, bare, folder):
    told = spin(image, folder / "out")
    words = folder / "out/BFILES/cmdline"

    assert words.read_text() == f"{CARRIED}\n"
    assert f"cmdline (for --append: {CARRIED})" in told.said
    assert spin(bare, folder / "out", "--force").code == 0
    assert not words.exists()


def test_words_for_a_kernel_are_obeyed_by_nobody_else(tree, folder):
    marker = folder / "marker"
    evil = (
        f'a=$(touch {marker}) b=`touch {marker}` ; touch {marker} ; \'c d="e f" -append --help '
        f'\x1b[2J caf\u00e9 g="never closed -- --version'
    )
    images.sh("cp", "-a", tree, folder / "tree")
    images.write(folder / "tree/etc/kernel/cmdline", evil)
    image = images.ext4(folder / "disk.img", folder / "tree", 64)
    done = subprocess.run(
        [sys.executable, "-m", "vmtiming_tui", "prepare", image, "-n", "1"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    line = done.stdout.splitlines()[-1]
    pasted = images.sh("bash", "-c", f"set -- {line}; printf '%s\\n' \"$@\"")
    assert pasted.splitlines() == shlex.split(line)
    assert pasted.splitlines()[-2:] == [
        "--append",
        f'a=$(touch {marker}) b=`touch {marker}` ; touch {marker} ; \'c d="e f"',
    ]
    assert not marker.exists()
    assert done.stderr.replace("\n", "").isprintable()
    assert r"\x1b[2J" in done.stderr
