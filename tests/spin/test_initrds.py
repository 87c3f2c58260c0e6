"""An initrd made for one machine alone is given what the VM takes; any other is left as it is."""

import gzip
import io

import pytest

from support import disk_images as images
from support.packers import PACKERS, zstd
from support.spinning import spin
from vmtiming_tui.images.system.initrd.contents import names
from vmtiming_tui.images.system.initrd.cpio import Entry, cpio

VERSION = "6.1.0-56"
MODULES = f"usr/lib/modules/{VERSION}"
BLOCK = "kernel/drivers/block/virtio_blk.ko.xz"
PCI = ("kernel/drivers/virtio/virtio_pci.ko.xz", "kernel/drivers/virtio/virtio_ring.ko.xz")
EXT4 = ("kernel/fs/ext4/ext4.ko.xz", "kernel/fs/jbd2/jbd2.ko.xz")
CRC = "kernel/arch/x86/crypto/crc32c-intel.ko.xz"
DEP = (
    f"{BLOCK}: {PCI[1]}\n{PCI[0]}: {PCI[1]}\n{PCI[1]}:\n{EXT4[0]}: {EXT4[1]}\n{EXT4[1]}:\n"
    f"{CRC}:\nkernel/fs/xfs/xfs.ko.xz:\n"
)
ALL = (BLOCK, *PCI, *EXT4, CRC)
TABLES = ("modules.alias.bin", "modules.builtin", "modules.dep")


def archive(*paths: str) -> bytes:
    """An initrd with these files, in a size that no pipe holds at once, and the folders above."""
    folders = {
        "/".join(path.split("/")[:depth])
        for path in paths
        for depth in range(1, path.count("/") + 1)
    }
    return cpio([*map(Entry, sorted(folders)), *(Entry(path, b"x" * 9999) for path in paths)])


FULL = archive("init", *(f"{MODULES}/{path}" for path in ALL))
LEAN = archive("init", f"{MODULES}/kernel/fs/xfs/xfs.ko.xz", f"{MODULES}/{PCI[1]}")


@pytest.fixture
def system(tree, folder):
    """A tree with one kernel, its modules, and the initrd that is asked for."""

    def make(initrd: bytes, dep: str = DEP):
        copy = images.without_boot(tree, folder / "tree")
        images.write(copy / f"boot/vmlinuz-{VERSION}", "kernel")
        images.write(copy / f"boot/initrd.img-{VERSION}", initrd)
        for path in ALL:
            images.write(copy / MODULES / path, f"module {path}")
        images.write(copy / MODULES / "modules.dep", dep)
        images.write(copy / MODULES / "modules.builtin", "kernel/fs/fat/fat.ko\n")
        images.write(copy / MODULES / "modules.alias.bin", b"\0alias")
        return copy

    return make


def ext4(folder, tree):
    return images.ext4(folder / "disk.img", tree, 64)


def listed(initrd: bytes) -> set[str]:
    return set(names(io.BytesIO(initrd)))


MICROCODE = archive("kernel/x86/microcode/AuthenticAMD.bin") + b"\0" * 512


@pytest.mark.parametrize("early", [b"", MICROCODE], ids=["alone", "after microcode"])
@pytest.mark.parametrize("pack", PACKERS)
def test_every_compression_of_the_kernels_is_read(pack, early):
    initrd = early + pack(LEAN) + b"\0" * 3

    assert listed(initrd) == listed(early) | listed(LEAN)


def test_what_is_missing_is_added_with_all_it_depends_on(system, folder):
    lean = MICROCODE + gzip.compress(LEAN)

    spun = spin(ext4(folder, system(lean)), folder / "out")

    assert "added virtio_pci virtio_blk ext4 jbd2 crc32c-intel from its modules" in spun.said
    assert spun.initrd.startswith(lean)
    extra = spun.initrd[len(lean) + -len(lean) % 4 :]
    found = {name for name in listed(extra) if not name.endswith("kernel")}
    assert {f"{MODULES}/{path}" for path in (BLOCK, PCI[0], *EXT4, CRC, *TABLES)} <= found
    assert f"{MODULES}/{PCI[1]}" not in found
    assert f"module {EXT4[0]}".encode() in extra


def test_an_initrd_that_has_it_all_is_left_as_it_is(system, folder):
    full = MICROCODE + zstd(FULL)

    spun = spin(ext4(folder, system(full)), folder / "out")

    assert spun.initrd == full
    assert "added" not in spun.said


def test_what_an_initrd_knows_of_the_old_root_is_undone(system, folder):
    lean = archive("init", "etc/cmdline.d/95root-dev.conf", f"{MODULES}/{PCI[1]}")
    image = images.mounted_fs(folder / "disk.img", "xfs", system(lean), 320)

    spun = spin(image, folder / "out", "--convert")

    assert "etc/cmdline.d/99-vm-report.conf" in listed(spun.initrd)
    assert b" rootfstype=ext4 rootflags=\n" in spun.initrd


@pytest.mark.parametrize("initrd", [b"no archive at all", b"\x28\xb5\x2f\xfd broken"])
def test_an_initrd_that_cannot_be_read_is_taken_and_that_is_said(initrd, system, folder):
    spun = spin(ext4(folder, system(initrd)), folder / "out")

    assert spun.code == 0
    assert spun.initrd.startswith(initrd)
    assert "whether the initrd has all the VM takes cannot be told" in spun.said


def test_a_kernel_that_cannot_mount_the_root_is_told(system, folder):
    without_ext4 = "".join(line for line in DEP.splitlines(keepends=True) if "ext4" not in line)

    spun = spin(ext4(folder, system(FULL, without_ext4)), folder / "out")

    assert f"the kernel {VERSION} has no ext4" in spun.said


@pytest.mark.parametrize(
    "waits",
    [
        "usr/lib/dracut/hooks/initqueue/finished/devexists-\\x2fdev\\x2fmapper\\x2fvg-root.sh",
        "etc/systemd/system/initrd.target.wants/dev-mapper-vg\\x2droot.device",
    ],
)
def test_an_initrd_that_waits_for_a_volume_of_the_old_machine_is_told(waits, system, folder):
    full = archive("init", waits, *(f"{MODULES}/{path}" for path in ALL))

    spun = spin(ext4(folder, system(full)), folder / "out")

    assert "the initrd waits for that machine's own volumes" in spun.said
