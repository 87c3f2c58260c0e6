"""What cannot be taken is refused with what was found, and nothing is left of the attempt."""

import subprocess

import pytest

from support import disk_images as images
from support.disk_images import Logical, Partition, Piece
from support.spinning import SPIN, digest, spin


def test_a_system_without_systemd(tree, folder):
    copy = folder / "tree"
    images.sh("cp", "-a", tree, copy)
    images.sh("rm", "-r", copy / "usr/lib/systemd")
    (copy / "usr/sbin").mkdir()
    images.write(copy / "usr/bin/busybox", "busybox", 0o755)
    (copy / "sbin").symlink_to("usr/sbin")
    (copy / "usr/sbin/init").symlink_to("../bin/busybox")

    spun = spin(images.ext4(folder / "disk.img", copy, 64), folder / "out")

    assert spun.code == 1
    assert "Tiny Linux 1" in spun.complaint
    assert "no systemd" in spun.complaint
    assert "usr/bin/busybox" in spun.complaint


def test_an_encrypted_root(folder):
    luks = folder / "luks.fs"
    header = b"LUKS\xba\xbe\x00\x02" + (16384).to_bytes(8) + b"\0" * 152
    header += b"5a6f1c3e-0d0b-4c6e-9f8a-0123456789ab\0".ljust(40, b"\0")
    images.write(luks, header.ljust(32 * images.MIB, b"\0"))
    image = images.disk(folder / "disk.img", "gpt", [Partition("linux", luks)])

    spun = spin(image, folder / "out")

    assert spun.code == 1
    assert "is encrypted" in spun.complaint
    assert "partition 1: crypto_LUKS" in spun.complaint


def test_a_logical_volume_that_goes_on_on_another_disk(tree, folder):
    disks = [folder / "disk.img", folder / "other.img"]
    images.volume_group(disks, 10)
    content = images.ext4(folder / "root.fs", tree, 64)
    images.volume_in_pieces(disks, content, [Piece(disks[0], 0, 9), Piece(disks[1], 0, 7)])

    spun = spin(disks[0], folder / "out")

    assert spun.code == 1
    assert "a part of it is on a disk that is not in this image" in spun.said
    assert "qemu-img convert -O raw /dev/vg-tiny/root root.raw" in spun.said
    assert "vg-tiny/root: LVM-incomplete, 64MB" in spun.complaint


STRIPED = (
    Logical(
        "root",
        'type = "striped"\nstripe_count = 2\nstripe_size = 128\n'
        'stripes = [\n"pv0", 0,\n"pv1", 0\n]',
    ),
)
THIN = (
    Logical(
        "root",
        'type = "thin"\nthin_pool = "pool"\ntransaction_id = 0\ndevice_id = 1',
        256,
    ),
    Logical(
        "pool",
        'type = "thin-pool"\nmetadata = "pool_tmeta"\npool = "pool_tdata"\ntransaction_id = 1\n'
        "chunk_size = 128\nzero_new_blocks = 1",
    ),
    Logical("pool_tmeta", images.plain_segment(0), visible=False),
    Logical("pool_tdata", images.plain_segment(2), visible=False),
)


def test_a_striped_volume_with_a_leg_on_another_disk(folder):
    disks = [folder / "disk.img", folder / "other.img"]
    images.volume_group(disks, 10)
    images.logical_volumes(disks, STRIPED)

    spun = spin(disks[0], folder / "out")

    assert spun.code == 1
    assert "vg-tiny/root is left out: a part of it is on a disk that is not in this" in spun.said
    assert "qemu-img convert -O raw /dev/vg-tiny/root root.raw" in spun.said
    assert "vg-tiny/root: LVM-incomplete" in spun.complaint


def test_a_thin_volume_of_which_its_pool_knows_nothing(folder):
    image = folder / "disk.img"
    images.volume_group([image], 10)
    images.logical_volumes([image], THIN)

    spun = spin(image, folder / "out")

    assert spun.code == 1
    assert "a volume of the kind 'thin' is put together by the kernel's device mapper" in spun.said
    assert "no root file system outside the volumes left out" in spun.complaint
    assert "vg-tiny/root: LVM-thin" in spun.complaint
    assert spun.said.count("left out") == 1


@pytest.mark.parametrize("partitioned", [True, False])
def test_an_image_cut_short(partitioned, tree, folder):
    image = images.ext4(folder / "root.fs", tree, 64)
    if partitioned:
        image = images.disk(folder / "disk.img", "gpt", [Partition("linux", image)])
    with image.open("r+b") as file:
        file.truncate(40 * images.MIB)

    spun = spin(image, folder / "out")

    assert spun.code == 1
    assert "is cut short" in spun.complaint


def test_a_damaged_file_system(bare, folder):
    image = folder / "disk.img"
    images.sh("cp", bare, image)
    # The inode of a directory that boots need is made nonsense of.
    images.sh("debugfs", "-w", "-R", "sif /usr/lib mode 0", image)

    spun = spin(image, folder / "out")

    assert spun.code == 1
    assert "damaged" in spun.complaint or "no systemd" in spun.complaint


def test_damage_that_only_e2fsck_sees(bare, folder):
    image = folder / "disk.img"
    images.sh("cp", bare, image)
    images.sh("debugfs", "-w", "-R", "clri /srv", image)

    spun = spin(image, folder / "out")

    assert spun.code == 1
    assert "is damaged; e2fsck says" in spun.complaint


def test_a_cut_qcow2(bare, folder):
    image = folder / "disk.qcow2"
    images.sh("qemu-img", "convert", "-O", "qcow2", bare, image)
    with image.open("r+b") as file:
        file.truncate(300_000)

    spun = spin(image, folder / "out")

    assert spun.code == 1
    assert spun.complaint


def test_a_system_without_a_kernel(tree, folder):
    spun = spin(
        images.ext4(folder / "disk.img", images.without_boot(tree, folder / "tree"), 64),
        folder / "out",
    )

    assert spun.code == 1
    assert "has no kernel" in spun.complaint


def test_nothing_but_data(folder):
    (folder / "files").mkdir()
    spun = spin(images.ext4(folder / "disk.img", folder / "files", 16), folder / "out")

    assert spun.code == 1
    assert "no root file system" in spun.complaint
    assert "the whole image: ext4, 16MB" in spun.complaint


def test_two_systems_on_one_disk_until_one_is_chosen(tree, folder):
    root = Partition("linux", images.ext4(folder / "root.fs", tree, 64))
    menu = images.write(folder / "grub.cfg", "menuentry x { linux /boot/vmlinuz root=/dev/sda2 }\n")
    images.sh("debugfs", "-w", "-R", f"write {menu} /boot/grub.cfg", root.content)
    image = images.disk(folder / "disk.img", "gpt", [root, root])

    spun = spin(image, folder / "out")

    assert spun.code == 1
    assert "partition 1: Tiny Linux 1\n" in spun.complaint
    assert "partition 2: Tiny Linux 1, which its loader boots\n" in spun.complaint
    assert spin(image, folder / "out", "--root", "2").code == 0


def test_a_size_the_content_does_not_fit_in(bare, folder):
    spun = spin(bare, folder / "out", "--size", "1M")

    assert spun.code == 1
    assert "too small" in spun.complaint


@pytest.mark.parametrize(
    "arguments", [[], ["--nonsense", "x"], ["a", "b"], ["x", "--size", "big"], ["x", "--out"]]
)
def test_bad_usage_exits_2_and_shows_the_right_one(arguments, tmp_path):
    done = subprocess.run(
        ["bash", SPIN, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "usage: spin-from-raw.sh RAW" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_result_that_is_there_is_not_replaced_unless_forced(bare, folder):
    first = spin(bare, folder / "out")
    before = digest(first.rootfs)
    command = ["bash", SPIN, bare, "--out", folder / "out"]

    again = subprocess.run(command, capture_output=True, text=True, check=False)

    assert again.returncode == 1
    assert "--force replaces it" in again.stderr
    assert digest(first.rootfs) == before
    images.sh(*command, "--force", "--kernel-version", "6.1.0-9")
    assert first.kernel.startswith(b"kernel 6.1.0-9")


def test_an_image_that_a_vm_is_using(bare, folder):
    image = folder / "disk.qcow2"
    images.sh("qemu-img", "convert", "-O", "qcow2", bare, image)
    command = ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-S", "-monitor", "stdio"]
    with subprocess.Popen(
        [*command, "-drive", f"file={image},format=qcow2,if=virtio"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as qemu:  # fmt: skip
        assert qemu.stdout is not None
        qemu.stdout.readline()
        spun = spin(image, folder / "out")
        qemu.kill()

    assert spun.code == 1
    assert "is in use, by a running VM it seems" in spun.complaint


@pytest.mark.parametrize(
    ("name", "what"),
    [("a folder", "is a folder; name the disk image"), ("/dev/null", "a disk is copied first")],
)
def test_what_is_no_file(name, what, folder):
    (folder / "a folder").mkdir()

    done = subprocess.run(
        ["bash", SPIN, name, "--out", "out"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, what in done.stderr) == (1, True)
    assert not (folder / "out").exists()


def test_a_file_that_is_no_disk_image(folder):
    spun = spin(images.write(folder / "letter.txt", "Dear all,\n"), folder / "out")

    assert spun.code == 1
    assert "is no disk image that is known here" in spun.complaint


def test_a_folder_whose_name_debugfs_does_not_take(bare, folder):
    spun = spin(bare, folder / "two\nlines")

    assert spun.code == 1
    assert "has a line break, quote or backslash in it" in spun.complaint


def test_names_with_spaces_and_commas(bare, folder):
    image = folder / "a disk, of mine"
    images.sh("cp", "--sparse=always", bare, image)

    assert spin(image, folder / "to here, please").code == 0


def test_a_disk_that_gets_full_half_way(tree, folder):
    copy = folder / "tree"
    images.sh("cp", "-a", tree, copy)
    images.write(copy / "srv/much", b"much\n" * (6 * images.MIB))
    raw = images.ext4(folder / "disk.img", copy, 100)
    # Compressed, it does not tell how large it will be.
    images.sh("qemu-img", "convert", "-c", "-O", "qcow2", raw, folder / "disk.qcow2")
    small = folder / "small"
    small.mkdir()
    images.sh("mount", "-t", "tmpfs", "-o", "size=8m", "none", small)
    try:
        command = ["bash", SPIN, folder / "disk.qcow2", "--out", small / "out"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        left = list(small.iterdir())
    finally:
        images.sh("umount", small)

    assert done.returncode == 1
    assert "no room is left for" in done.stderr
    assert left == []
