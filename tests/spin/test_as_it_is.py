"""What is not copied honestly is refused, with the exact command that boots it as it is."""

import shlex
import subprocess
import sys

import pytest

from support import disk_images as images
from support.disk_images import Partition
from support.spinning import digest, left_behind, spin
from vmtiming_tui.errors import AsItIsError
from vmtiming_tui.images.spin.arguments import parse
from vmtiming_tui.images.spin.as_it_is import advised

ROOT = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
ROOT_VERITY = "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5"


def advice(words: str, **facts: object) -> list[str]:
    return advised(AsItIsError("why", **facts), parse(shlex.split(words))).message.splitlines()


@pytest.mark.parametrize(
    ("words", "facts", "way", "command"),
    [
        (
            "disk.raw --out ready", {"systemd": 257}, "its own loader boots it as it is:",
            "vm-timing-report -n 1 -p vm -s .img -v ready/vms --base disk.raw --boot firmware "
            "--inject=credentials",
        ),
        (
            "'a disk' --storm='-n 8 -m 512 -p os'", {},
            "its own loader boots it as it is, if its systemd is 256 or newer:",
            "vm-timing-report -n 8 -m 512 -p os -v vms --base 'a disk' --boot firmware "
            "--inject=credentials",
        ),
        (
            "./-x --allow-backing=/srv --allow-device", {"systemd": 252},
            "its systemd is 252, and takes a service from outside from 256 on: bring "
            "vm-report.service into it (vm-timing-report manual guests), then:",
            "vm-timing-report -n 1 -p vm -s .img -v vms --base ./-x --allow-backing /srv "
            "--allow-device --boot firmware",
        ),
        (
            "disk --format raw", {"systemd": 252, "untouched": True},
            "its own kernel and initrd boot it as it is:",
            "vm-timing-report prepare disk --out . -n 1 -p vm -s .img --format raw --untouched",
        ),
        (
            "disk --boot-files", {"systemd": 257, "untouched": True},
            "its own loader boots it as it is:",
            "vm-timing-report -n 1 -p vm -s .img -v vms --base disk --boot firmware "
            "--inject=credentials",
        ),
    ],
)  # fmt: skip
def test_the_way_that_works_is_told_with_its_command(words, facts, way, command):
    assert advice(words, **facts) == ["why", way, command]


@pytest.fixture
def verified(tree, folder):
    """A disk whose root is verified, as mkosi and systemd-repart make them."""
    copy = folder / "tree"
    images.sh("cp", "-a", tree, copy)
    images.write(copy / "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-257.so", "")
    hashes = images.write(folder / "hashes", b"verity\0\0".ljust(images.MIB, b"\0"))
    return images.disk(
        folder / "disk.img", "gpt",
        [Partition(ROOT, images.ext4(folder / "root.fs", copy, 64)),
         Partition(ROOT_VERITY, hashes)],
    )  # fmt: skip


WHY = (
    "spin-from-raw: Tiny Linux 1 has its / (partition 1) verified at every boot, by the hashes on "
    "partition 2"
)


@pytest.mark.parametrize("option", ["--dry-run", "--boot-files", "--force"])
def test_a_verified_root_is_refused_by_spin_from_raw(option, verified, folder):
    spun = spin(verified, folder / "out", option)

    assert spun.code == 1
    assert spun.complaint.splitlines() == [
        WHY,
        "  its own loader boots it as it is:",
        f"  vm-timing-report -n 1 -p vm -s .img -v {folder}/out/vms --base {verified} --boot "
        "firmware --inject=credentials",
    ]


def test_what_is_no_root_to_us_may_still_boot_by_itself(tree, folder):
    (folder / "files").mkdir()
    esp = images.vfat(folder / "esp.fs", folder / "files", 8)
    data = images.ext4(folder / "data.fs", folder / "files", 8)
    disk = images.disk(
        folder / "disk.img", "gpt", [Partition("uefi", esp), Partition("linux", data)]
    )

    lines = spin(disk, folder / "out").complaint.splitlines()

    assert lines[0] == "spin-from-raw: the image has no root file system that can be read; it has:"
    assert lines[-2] == "  its own loader boots it as it is, if its systemd is 256 or newer:"
    assert lines[-1].endswith("--boot firmware --inject=credentials")


def test_a_verified_root_is_refused_by_prepare_with_what_was_asked_of_it(verified, folder):
    before = digest(verified)

    done = subprocess.run(
        [sys.executable, "-m", "vmtiming_tui", "prepare", "disk.img", "--out", "out", "-n", "3",
         "-m", "700", "-p", "os", "-s", ".qcow2", "--untouched"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr.splitlines()[:3] == [
        WHY,
        "  its own loader boots it as it is:",
        "  vm-timing-report -n 3 -m 700 -p os -s .qcow2 -v out/vms --base disk.img --boot "
        "firmware --inject=credentials",
    ]
    assert digest(verified) == before
    assert left_behind(folder) == []
    assert not (folder / "out").exists()
