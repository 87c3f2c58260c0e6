"""Logical volumes that only the device mapper can put together: the same files, by way of a VM."""

import pytest

from support import disk_images as images
from support.disk_images import Partition
from support.mapped import group_made_by
from support.spinning import differences, opened, spin

FILL = "dd if=$content of=/dev/mapper/vg--tiny-root bs=1M conv=notrunc"
THIN = (
    "lvm lvcreate -y -L {pool}M --poolmetadatasize 4M --thinpool pool vg-tiny && "
    f"lvm lvcreate -y -V {{size}}M --thin -n root vg-tiny/pool && {FILL}"
)
CACHED = (
    "lvm lvcreate -y -L 64M -n root vg-tiny /dev/vdb && lvm lvcreate -y --type cache-pool "
    "-L 16M -n fast vg-tiny /dev/vdc && lvm lvconvert -y --type cache --cachemode writeback "
    f"--cachepool fast vg-tiny/root && {FILL}"
)


@pytest.mark.parametrize(
    ("kinds", "make", "disks"),
    [
        (["thin"], THIN.format(pool=96, size=200), 1),
        (["striped"], f"lvm lvcreate -y -i 2 -I 64 -L 64M -n root vg-tiny && {FILL}", 2),
        (["raid1"], f"lvm lvcreate -y --type raid1 -m 1 -L 64M -n root vg-tiny && {FILL}", 2),
        (["cache"], CACHED, 2),
    ],
    ids=["thin", "striped", "raid1", "cached"],
)
def test_an_ext4_in_a_volume_the_device_mapper_puts_together(kinds, make, disks, tree, folder):
    parts = [folder / f"{number}.pv" for number in range(disks)]
    group_made_by(make, parts, images.ext4(folder / "root.fs", tree, 64), kinds, 120)
    image = images.disk(folder / "disk.img", "gpt", [Partition("lvm", part) for part in parts])

    spun = spin(image, folder / "out")

    assert "Tiny Linux 1 on vg-tiny/root (ext4)" in spun.said
    with opened(spun) as root:
        assert differences(tree, root) == set()
        assert (root / "etc/fstab").read_text().startswith("/dev/vda / ext4 ")


def test_an_xfs_in_a_thin_volume(tree, folder):
    content = images.mounted_fs(folder / "root.fs", "xfs", tree, 320)
    image = folder / "disk.img"
    group_made_by(THIN.format(pool=340, size=400), [image], content, ["thin"], 400)

    spun = spin(image, folder / "out")

    assert "Tiny Linux 1 on vg-tiny/root (xfs)" in spun.said
    with opened(spun) as root:
        assert differences(tree, root) == set()


def test_thin_volumes_merge_boot_untouched_and_are_left_out_by_mount(tree, folder):
    copy = folder / "tree"
    images.sh("cp", "-a", tree, copy)
    images.sh("rm", "-r", copy / "home")
    (copy / "home").mkdir()
    with (copy / "etc/fstab").open("a") as fstab:
        fstab.write("/dev/vg-tiny/home /home ext4 defaults 0 0\n")
    device = "/dev/mapper/vg--tiny-home"
    home = (
        "lvm lvcreate -y -V 32M --thin -n home vg-tiny/pool && "
        f"/tools/mke2fs -q -t ext4 {device} && mount -t ext4 {device} /tmp && "
        "echo hers >/tmp/letter && umount /tmp"
    )
    image = folder / "disk.img"
    content = images.ext4(folder / "root.fs", copy, 64)
    group_made_by(f"{THIN.format(pool=96, size=64)} && {home}", [image], content, ["thin"], 120)

    whole = spin(image, folder / "out")
    untouched = spin(image, folder / "boot", "--boot-files")
    trusted = spin(image, folder / "trusted", "--mount")

    with opened(whole) as root:
        assert (root / "home/letter").read_text() == "hers\n"
    assert (untouched.out / "BFILES/cmdline").read_text() == (
        "root=/dev/mapper/vg--tiny-root rd.lvm.lv=vg-tiny/root\n"
    )
    assert trusted.code == 1
    assert trusted.said.count("--mount does not (without --mount a VM does)") == 2
