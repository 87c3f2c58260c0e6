"""``--boot-files`` takes kernel and initrd out, and names the root where the image has it."""

import pytest

from support import disk_images as images
from support.disk_images import Partition, Piece
from support.spinning import SPIN, spin


def bare(tree, folder):
    return images.ext4(folder / "disk.img", tree, 64)


def partitioned(tree, folder):
    (folder / "esp").mkdir()
    fat = images.vfat(folder / "esp.fs", folder / "esp", 34)
    root = images.ext4(folder / "root.fs", tree, 64)
    parts = [Partition("uefi", fat), Partition("linux", root)]
    return images.disk(folder / "disk.img", "gpt", parts)


def subvolume(tree, folder):
    return images.btrfs(folder / "disk.img", tree, 200, "@")


def logical(tree, folder):
    disk = folder / "disk.img"
    images.volume_group([disk], 18)
    content = images.ext4(folder / "root.fs", tree, 64)
    images.volume_in_pieces([disk], content, [Piece(disk, 0, 16)])
    return disk


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (bare, "root=/dev/vda"),
        (partitioned, "root=/dev/vda2"),
        (subvolume, "root=/dev/vda rootflags=subvol=@"),
        (logical, "root=/dev/mapper/vg--tiny-root rd.lvm.lv=vg-tiny/root"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_kernel_initrd_and_where_the_root_is(make, arguments, tree, folder):
    spun = spin(make(tree, folder), folder / "out", "--boot-files")

    assert spun.code == 0, spun.complaint
    assert spun.kernel == b"kernel 6.1.0-56" * 100
    assert spun.initrd.startswith(b"initrd 6.1.0-56")
    assert (folder / "out/BFILES/cmdline").read_text() == f"{arguments}\n"
    assert not spun.rootfs.exists()


def test_they_are_replaced_by_force_only(tree, folder):
    image = bare(tree, folder)
    spin(image, folder / "out", "--boot-files")

    again = images.sh("bash", "-c", f'! bash {SPIN} "$0" --out "$1" --boot-files 2>&1',
                      image, folder / "out")  # fmt: skip

    assert "BFILES/vmlinuz is there already" in again
    images.sh("bash", SPIN, image, "--out", folder / "out", "--boot-files", "--force")
