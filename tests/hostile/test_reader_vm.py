"""File systems made for the kernel that reads them: what they can do is to end a VM."""

import os
import subprocess
from pathlib import Path

import pytest

from hostile.whole import MARKER, SPIN, holds, spin
from support import disk_images as images
from support.mapped import group_made_by

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="making an xfs takes a mount")


@pytest.fixture
def wild(system):
    """The system with names that are words for a shell, a terminal or a table."""
    for name in (f"$(touch {MARKER})", "`reboot`", "a b", "-rf", "two\nlines", "\x1b[2J", "*",
                 "'\";exit", "TOKEN finished"):  # fmt: skip
        images.write(system / "srv" / name, name)
        images.write(system / "boot" / f"vmlinuz-{name}", "kernel")
        (system / "srv" / f"{name}-link").symlink_to(f"/{name}/../..//etc")
    (system / "usr/lib/modules").mkdir()
    (system / "usr/lib/modules" / f"$(touch {MARKER})").mkdir()
    (system / "opt").symlink_to("/../../../../bin")
    return system


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("options", [(), ("--convert", "--mount")], ids=["VM", "mount"])
def test_wild_names_arrive_as_they_are(options, wild, place, decoy):
    image = images.mounted_fs(place / "disk.img", "xfs", wild, 320)
    before = decoy.facts()

    ran = spin(image, place, *options)

    assert ran.code == 0
    assert decoy.facts() == before
    option = "noload" if options else "nouuid"
    with images.mounted(place / "out/rootfs.img", f"ro,loop,{option}") as root:
        assert names(root / "srv") == names(wild / "srv")
        assert (root / "opt").readlink() == (wild / "opt").readlink()
    assert not os.path.lexists(place / MARKER)


@pytest.mark.parametrize("options", [(), ("--mount",)], ids=["VM", "mount"])
def test_subvolumes_with_wild_names_are_passed_over(options, system, place):
    image = place / "disk.img"
    with image.open("wb") as file:
        file.truncate(200 * images.MIB)
    images.sh("mkfs.btrfs", "-q", image)
    with images.mounted(image) as top:
        for name in (f"$(touch {MARKER})", "a,suid", "two\nlines", "..x", "@ok"):
            images.sh("btrfs", "subvolume", "create", top / name)
            images.sh("cp", "-a", f"{system}/.", top / name)

    ran = spin(image, place, "--boot-files", *options)

    assert ran.code == 0
    assert b"the root is in subvolume @ok" in ran.said
    assert b"rootflags=subvol=@ok" in (place / "out/BFILES/cmdline").read_bytes()


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_noise_in_a_file_system_ends_in_a_word(kind, system, place):
    image = place / "disk.img"
    if kind == "xfs":
        images.mounted_fs(image, "xfs", system, 320)
    else:
        images.btrfs(image, system, 200, "@")
    with image.open("r+b") as file:
        # Close enough together that no file system has all its folders in between.
        for at in range(128 << 10, 180 << 20, 64 << 10):
            file.seek(at)
            file.write(os.urandom(4096))

    ran = spin(image, place)

    assert ran.code == 1
    assert len(ran.complaint) < 2000


def test_noise_in_a_thin_pool_ends_in_a_word(system, place):
    image = place / "disk.img"
    make = (
        "lvm lvcreate -y -L 96M --poolmetadatasize 4M --thinpool pool vg-tiny && "
        "lvm lvcreate -y -V 200M --thin -n root vg-tiny/pool && "
        "dd if=$content of=/dev/mapper/vg--tiny-root bs=1M"
    )
    content = images.ext4(place / "root.fs", system, 64)
    group_made_by(make, [image], content, ["thin"], 120)
    with image.open("r+b") as file:
        for at in range(1 << 20, 120 << 20, 64 << 10):
            file.seek(at)
            file.write(os.urandom(4096))

    ran = spin(image, place)

    assert ran.code == 1
    assert b"vg-tiny/root is left out: a volume of the kind 'thin'" in ran.said
    assert len(ran.said) + len(ran.complaint) < 3000


@pytest.mark.parametrize("options", [(), ("--mount",)], ids=["VM", "mount"])
def test_links_of_the_root_do_not_lead_to_the_hosts_files(options, system, place, decoy):
    for name in ("etc/machine-id", "boot/vmlinuz-7", "boot/initrd.img-7", "usr/lib/os-release"):
        (system / name).unlink(missing_ok=True)
        (system / name).symlink_to(decoy.path / "passwd")
    images.sh("rm", "-rf", system / "etc/systemd")
    (system / "etc/systemd").symlink_to(decoy.path)
    before = decoy.facts()
    image = images.mounted_fs(place / "disk.img", "xfs", system, 320)

    spin(image, place, *options)

    assert decoy.facts() == before
    assert not (place / "out").exists() or not holds(place / "out", decoy.secret)


def test_nobody_else_sees_a_mount(system, place):
    image = images.mounted_fs(place / "disk.img", "xfs", system, 320)
    command = [SPIN, image, "--out", place / "out", "--mount"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as spinning:
        assert spinning.stdout is not None
        for line in spinning.stdout:
            mounts = Path("/proc/self/mountinfo").read_text()
            assert "vmtiming-mount" not in mounts, line

    assert spinning.returncode == 0
