"""Whatever the disk looks like, the new root holds the same files; the source stays as it was."""

import os
import shutil
from pathlib import Path

import pytest

from hostile import forged
from hostile.forged import GptEntry
from support import disk_images as images
from support.disk_images import Partition, Piece
from support.spinning import ASSETS, differences, digest, opened, spin


def assert_ready(
    spun, expected: Path, *, kind: str = "ext4", options: str = "errors=remount-ro,noatime 0 1"
) -> None:
    """Everything that was in the tree, and the report service, and a fstab for /dev/vda."""
    with opened(spun) as root:
        assert differences(expected, root) == set()
        assert (root / "usr/bin/ping").stat().st_ino == (root / "srv/ping-elsewhere").stat().st_ino
        sparse = (root / "srv/sparse").stat()
        assert sparse.st_blocks * 512 < 1024 * 1024 < sparse.st_size
        assert images.sh("getcap", root / "usr/bin/ping").endswith("cap_net_raw=ep\n")
        fstab = (root / "etc/fstab").read_text().splitlines()
        assert fstab[0] == f"/dev/vda / {kind} {options}"
        assert [line for line in fstab[1:] if not line.startswith("#")] in (
            [], ["tmpfs /tmp tmpfs nosuid,nodev 0 0"],
        )  # fmt: skip
        assert_reports(root)


def assert_reports(root: Path) -> None:
    script = root / "usr/bin/vm-report"
    assert script.read_bytes() == (ASSETS / "vm-report.sh").read_bytes()
    assert (script.stat().st_mode & 0o7777, script.stat().st_uid) == (0o755, 0)
    unit = root / "usr/lib/systemd/system/vm-report.service"
    assert unit.read_bytes() == (ASSETS / "vm-report.service").read_bytes()
    enabled = root / "etc/systemd/system/multi-user.target.wants/vm-report.service"
    assert (root / enabled.readlink().relative_to("/")).samefile(unit)


def newest(spun) -> bool:
    return spun.kernel.startswith(b"kernel 6.1.0-56") and spun.initrd.startswith(b"initrd 6.1.0-56")


def test_a_bare_file_system(bare, tree, folder):
    spun = spin(bare, folder / "out")

    assert_ready(spun, tree)
    assert newest(spun)


@pytest.mark.parametrize(
    ("label", "esp", "linux"), [("gpt", "uefi", "linux"), ("dos", "ef", "83")], ids=["gpt", "mbr"]
)
def test_esp_boot_and_root_are_partitions(label, esp, linux, tree, folder):
    bootless = images.without_boot(tree, folder / "tree")
    boot = images.ext4(folder / "boot.fs", tree / "boot", 16, fs_uuid=images.BOOT_UUID)
    root = images.ext4(folder / "root.fs", bootless, 64)
    (folder / "esp").mkdir()
    images.write(folder / "esp/EFI/tiny/shim.efi", "no kernel")
    fat = images.vfat(folder / "esp.fs", folder / "esp", 34)
    image = images.disk(
        folder / "disk.img",
        label,
        [Partition(esp, fat), Partition(linux, boot), Partition(linux, root)],
    )

    spun = spin(image, folder / "out")

    assert_ready(spun, bootless)
    assert newest(spun)


def test_a_logical_partition(tree, folder):
    root = images.ext4(folder / "root.fs", tree, 64)
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(80 * images.MIB)
    images.sh("sfdisk", "-q", image, text="label: dos\nstart=1MiB,type=5\nstart=2MiB,size=64MiB\n")
    images.sh("dd", f"if={root}", f"of={image}", "bs=1M", "seek=2", "conv=notrunc", "status=none")

    spun = spin(image, folder / "out")

    assert "on partition 5" in spun.said
    assert_ready(spun, tree)


def test_an_xfs_stays_one(tree, folder):
    image = images.mounted_fs(folder / "disk.img", "xfs", tree, 320)

    spun = spin(image, folder / "out")

    assert_ready(spun, tree, kind="xfs", options="defaults 0 0")
    assert spun.rootfs.stat().st_size == 320 * images.MIB


@pytest.mark.parametrize(("subvolume", "default"), [("@", False), ("odd", True)])
def test_a_btrfs_stays_one_with_its_subvolumes(subvolume, default, tree, folder):
    fs = images.btrfs(folder / "root.fs", tree, 200, subvolume, default=default)
    image = images.disk(folder / "disk.img", "gpt", [Partition("linux", fs)])

    spun = spin(image, folder / "out")

    assert (spun.out / "BFILES/cmdline").exists() != default
    with opened(spun) as root:
        assert (root / "etc/fstab").read_text().splitlines() == [
            f"/dev/vda / btrfs subvol={subvolume},compress=zstd 0 0",
            "/dev/vda /home btrfs subvol=home 0 0",
            "/dev/vda /.snapshots btrfs subvol=.snapshots 0 0",
        ]
        assert (root / ".snapshots/1/usr/bin/su").exists()
        assert not (root / ".snapshots/1/usr/bin/vm-report").exists()
        assert_reports(root)


def test_a_btrfs_becomes_an_ext4_where_that_is_asked_for(tree, folder):
    fs = images.btrfs(folder / "root.fs", tree, 200, "root")
    image = images.disk(folder / "disk.img", "gpt", [Partition("linux", fs)])
    expected = folder / "expected"
    images.sh("cp", "-a", tree, expected)
    (expected / ".snapshots").mkdir()

    spun = spin(image, folder / "out", "--convert")

    with opened(spun) as root:
        assert not list((root / ".snapshots").iterdir())
        shutil.copystat(root / ".snapshots", expected / ".snapshots")
        assert differences(expected, root) == set()
        assert (root / "etc/fstab").read_text().startswith("/dev/vda / ext4 defaults 0 0\n")
        assert_reports(root)


def test_an_erofs_on_a_disk_with_sectors_of_4096_bytes(tree, folder):
    fs = folder / "root.fs"
    images.sh("mkfs.erofs", "-zlz4hc", fs, tree)
    image = forged.hollow(folder / "disk.img", 8 * images.MIB)
    forged.gpt(image, [GptEntry(256, 255 + -(-fs.stat().st_size // 4096))], sector=4096)
    forged.poke(image, images.MIB, fs.read_bytes())

    spun = spin(image, folder / "out")

    assert "on partition 1 (erofs)" in spun.said
    assert_ready(spun, tree)


def test_a_system_spread_over_partitions_becomes_one(tree, folder):
    rest = folder / "tree"
    images.sh("cp", "-a", tree, rest)
    (rest / "home").rename(folder / "home")
    (rest / "home").mkdir()
    home = images.ext4(folder / "home.fs", folder / "home", 16, fs_uuid=images.BOOT_UUID)
    fstab = rest / "etc/fstab"
    fstab.write_text(fstab.read_text().replace("/boot ext4", "/home ext4"))
    root = images.ext4(folder / "root.fs", rest, 64)
    image = images.disk(
        folder / "disk.img", "gpt", [Partition("home", home), Partition("linux", root)]
    )

    spun = spin(image, folder / "out")

    assert "/home comes from partition 1" in spun.said
    with opened(spun) as root:
        assert (root / "home/a file of somebody's").read_text() == "owned"
        assert_reports(root)


def test_a_logical_volume_in_pieces(tree, folder):
    disk = folder / "disk.img"
    images.volume_group([disk], 18)
    content = images.ext4(folder / "root.fs", tree, 64)
    images.volume_in_pieces([disk], content, [Piece(disk, 9, 8), Piece(disk, 0, 8)])

    spun = spin(disk, folder / "out")

    assert "on vg-tiny/root" in spun.said
    assert_ready(spun, tree)


def test_a_logical_volume_on_two_partitions_of_the_image(tree, folder):
    disks = [folder / "first.pv", folder / "second.pv"]
    images.volume_group(disks, 10)
    content = images.ext4(folder / "root.fs", tree, 64)
    images.volume_in_pieces(disks, content, [Piece(disks[1], 1, 9), Piece(disks[0], 0, 7)])
    image = images.disk(folder / "disk.img", "gpt", [Partition("lvm", disk) for disk in disks])

    spun = spin(image, folder / "out")

    assert spun.said.count("putting the pieces of vg-tiny/root together") == 1
    assert_ready(spun, tree)


def test_a_system_whose_usr_is_not_merged(tree, folder):
    split = folder / "tree"
    images.sh("cp", "-a", tree, split)
    (split / "lib").unlink()
    (split / "lib").mkdir()
    (split / "usr/lib/systemd").rename(split / "lib/systemd")

    spun = spin(images.ext4(folder / "disk.img", split, 64), folder / "out")

    with opened(spun) as root:
        assert (root / "lib/systemd/system/vm-report.service").is_file()
        enabled = root / "etc/systemd/system/multi-user.target.wants/vm-report.service"
        assert str(enabled.readlink()) == "/lib/systemd/system/vm-report.service"


@pytest.mark.parametrize("kind", ["qcow2", "vmdk", "vdi", "vhdx"])
def test_other_kinds_of_image(kind, bare, tree, folder):
    image = folder / f"disk.{kind}"
    images.sh("qemu-img", "convert", "-O", kind, bare, image)

    assert_ready(spin(image, folder / "out"), tree)


@pytest.mark.parametrize("kind", ["monolithicFlat", "twoGbMaxExtentFlat"])
def test_a_vmdk_whose_data_is_in_flat_files_beside_it(kind, tree, folder):
    raw = images.ext4(folder / "disk.raw", tree, 64)
    with raw.open("r+b") as file:
        file.truncate(2100 * images.MIB)
    image = folder / "disk.vmdk"
    images.sh("qemu-img", "convert", "-O", "vmdk", "-o", f"subformat={kind}", raw, image)

    assert_ready(spin(image, folder / "out"), tree)


def test_a_vmdk_in_pieces_with_zeros_between(tree, folder):
    whole = images.ext4(folder / "root.fs", tree, 64).read_bytes()
    half = len(whole) // 2
    (folder / "first").write_bytes(b"before".ljust(512) + whole[:half])
    (folder / "second").write_bytes(whole[half:])
    lines = [f'RW {half // 512} FLAT "first" 1', f'RW {half // 512} VMFS "second"', "RW 64 ZERO"]
    image = images.write(folder / "disk.vmdk", "\n".join(["version=1", *lines, ""]))

    assert_ready(spin(image, folder / "out"), tree)


def test_a_vmdk_in_sparse_files(bare, tree, folder):
    image = folder / "disk.vmdk"
    kind = "subformat=twoGbMaxExtentSparse"
    images.sh("qemu-img", "convert", "-O", "vmdk", "-o", kind, bare, image)

    assert_ready(spin(image, folder / "out"), tree)
    assert spin(image, folder / "boot", "--boot-files").code == 1
    (folder / "disk-s001.vmdk").rename(folder / "other.vmdk")
    assert "asks for the extent 'disk-s001.vmdk'" in spin(image, folder / "gone").complaint


def test_an_overlay_with_what_it_stands_on_in_the_folder_above(bare, tree, folder):
    images.sh("cp", "--sparse=always", bare, folder / "base.img")
    (folder / "vms").mkdir()
    overlay = folder / "vms/vm-0.img"
    images.sh("qemu-img", "create", "-q", "-f", "qcow2", "-b", "../base.img", "-F", "raw", overlay)

    assert_ready(spin(overlay, folder / "out"), tree)


def test_one_that_stands_elsewhere_with_the_users_leave_only(bare, tree, folder):
    images.sh("cp", "--sparse=always", bare, folder / "base.img")
    (folder / "far/vms").mkdir(parents=True)
    overlay = folder / "far/vms/vm-0.img"
    base = folder / "base.img"
    images.sh("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", overlay)

    refused = spin(overlay, folder / "out")

    assert refused.code == 1
    assert f"--allow-backing {folder}" in refused.complaint
    assert_ready(spin(overlay, folder / "out", "--allow-backing", str(folder)), tree)


def test_a_format_that_is_told_is_believed(bare, tree, folder):
    image = folder / "disk.img"
    images.sh("cp", "--sparse=always", bare, image)
    with image.open("r+b") as file:
        file.write(b"QFI\xfb\0\0\0\3")

    assert spin(image, folder / "out").code == 1
    assert_ready(spin(image, folder / "out", "--format", "raw"), tree)


def test_more_than_two_gibibytes_mostly_holes(tree, folder):
    large = folder / "tree"
    images.sh("cp", "-a", tree, large)
    with (large / "srv/huge").open("wb") as huge:
        huge.truncate(3 * 1024**3)
        huge.seek(5 * 512 * 1024**2)
        huge.write(b"beyond two GiB")
    image = images.ext4(folder / "disk.img", large, 4 * 1024)

    spun = spin(image, folder / "out")

    with opened(spun) as root:
        state = (root / "srv/huge").stat()
        assert state.st_size == 3 * 1024**3
        assert state.st_blocks * 512 < images.MIB
        with (root / "srv/huge").open("rb") as huge:
            huge.seek(5 * 512 * 1024**2)
            assert huge.read(14) == b"beyond two GiB"
    # As large as its content, a quarter, and 256 MiB: not as large as the disk was.
    assert spun.rootfs.stat().st_size < 450 * images.MIB
    assert spun.rootfs.stat().st_blocks * 512 < 100 * images.MIB


def test_an_ext4_that_was_not_unmounted_gets_its_journal_played_back(tree, folder):
    image = images.ext4(folder / "disk.img", tree, 64)
    image_live = folder / "live.img"
    with images.mounted(image) as root:
        images.write(root / "srv/late", "only in the journal")
        os.sync()
        shutil.copyfile(image, image_live)
    assert "needs_recovery" in images.sh("dumpe2fs", "-h", image_live)

    spun = spin(image_live, folder / "out")

    assert "playing back its journal" in spun.said
    with opened(spun) as root:
        assert (root / "srv/late").read_text() == "only in the journal"


def test_an_xfs_that_was_not_unmounted_is_mended_in_a_copy(tree, folder):
    image = images.mounted_fs(folder / "disk.img", "xfs", tree, 320)
    live = folder / "live.img"
    with images.mounted(image) as root:
        images.write(root / "srv/late", "late")
        images.sh("sync")
        images.sh("cp", "--sparse=always", image, live)

    spun = spin(live, folder / "out", "--convert")

    assert "trying a copy" in spun.said
    with opened(spun) as root:
        assert (root / "srv/late").read_text() == "late"


def test_without_root_an_ext4_works_all_the_same(tree, public_folder):
    image = images.ext4(public_folder / "disk.img", tree, 64)

    spun = spin(image, public_folder / "theirs/out", user="nobody")

    assert_ready(spun, tree)


def test_without_root_an_xfs_works_too(tree, public_folder):
    image = images.mounted_fs(public_folder / "disk.img", "xfs", tree, 320)

    spun = spin(image, public_folder / "theirs/out", user="nobody")

    assert_ready(spun, tree, kind="xfs", options="defaults 0 0")


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_the_hosts_own_kernel_reads_a_trusted_image_as_well(kind, tree, folder):
    if kind == "xfs":
        image = images.mounted_fs(folder / "disk.img", "xfs", tree, 320)
        spun = spin(image, folder / "out", "--mount")
        assert_ready(spun, tree)
    else:
        image = images.btrfs(folder / "disk.img", tree, 200, "@")
        spun = spin(image, folder / "out", "--mount")
        assert "the root is in subvolume @" in spun.said
        with opened(spun) as root:
            assert_reports(root)
            assert not list((root / ".snapshots").iterdir())


def test_without_root_nothing_is_mounted(tree, public_folder):
    image = images.mounted_fs(public_folder / "disk.img", "xfs", tree, 320)

    spun = spin(image, public_folder / "theirs/out", "--mount", user="nobody")

    assert spun.code == 1
    assert "--mount takes root" in spun.complaint


def test_the_originals_loop_makes_overlays_on_the_result(bare, folder):
    spun = spin(bare, folder / "out")
    assert spun.code == 0
    vms = spun.out / "vms"
    vms.mkdir()

    loop = (
        "for i in {0..20}; do qemu-img create your-os-$i.img -b ../rootfs.img -f qcow2 -F raw; done"
    )
    images.sh("bash", "-c", f"cd {vms} && {loop}")

    assert len(list(vms.iterdir())) == 21
    before = digest(spun.rootfs)
    images.sh("qemu-img", "check", vms / "your-os-20.img")
    assert digest(spun.rootfs) == before


def test_f2fs_is_taken_or_refused_as_the_kernel_can(tree, folder):
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(100 * images.MIB)
    images.sh("mkfs.f2fs", "-q", image)
    if "f2fs" in Path("/proc/filesystems").read_text():
        with images.mounted(image) as root:
            images.sh("cp", "-a", f"{tree}/.", root)
        assert_ready(spin(image, folder / "out"), tree)
    else:
        spun = spin(image, folder / "out")
        assert spun.code == 1
        known = list(Path("/lib/modules").glob("*/kernel/fs/f2fs"))
        reason = "no root" if known else "f2fs, which this host's kernel does not know"
        assert reason in spun.complaint
