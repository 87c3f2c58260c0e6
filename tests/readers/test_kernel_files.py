"""What a kernel's own file says: its version, and what a VM takes of it that is built in."""

import bz2
import gzip
import lzma
import subprocess
from functools import partial

import pytest

from readers.kernel_files import (
    ALL_DRIVERS,
    arm64_image,
    bz_image,
    content,
    vmlinux,
    xz_for_x86,
    zboot,
)
from readers.memory import tree
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.system.kernel.built_in import lacking, needed
from vmtiming_tui.images.system.kernel.file import built_in, plain_kernel, release_of

V = "6.9.1-arch1-1"


def tool(*words: str):
    """Pack by a tool that Python has no module for."""
    return lambda data: subprocess.check_output(words, input=data)


PACKERS = {
    "gzip": gzip.compress, "bzip2": bz2.compress, "xz": xz_for_x86,
    "lzma": partial(lzma.compress, format=lzma.FORMAT_ALONE),
    "zstd": tool("zstd", "-q", "-c", "-19"), "lz4": tool("lz4", "-q", "-l", "-c"),
}  # fmt: skip


@pytest.mark.parametrize(
    "kernel",
    [bz_image(V), arm64_image(V), gzip.compress(arm64_image(V)), zboot(V),
     zboot(V, PACKERS["zstd"], b"zstd22"), zboot(V, PACKERS["xz"], b"xzkern"),
     b"\x7fELF" + vmlinux(V)],
    ids=["bzImage", "Image", "Image.gz", "zboot", "zboot by zstd", "zboot by xz", "vmlinux"],
)  # fmt: skip
def test_a_kernel_says_its_version(kernel):
    assert release_of(content(kernel)) == V


SILENT = {
    "nothing": b"", "zeros": bytes(100_000), "a program": b"MZ", "a cut zboot": b"MZ\0\0zimg",
    "a zboot packed in no known way": zboot(V, bytes.swapcase, b"lzo"), "no words": bz_image(""),
    "a cut header": bz_image(V)[:0x220], "a cut bzImage": bz_image(V)[:0x400],
    "a path": bz_image("../../etc"), "a cut gzip": b"\x1f\x8b",
}  # fmt: skip


@pytest.mark.parametrize("kernel", SILENT.values(), ids=SILENT)
def test_what_says_no_version_has_none(kernel):
    assert release_of(content(kernel)) == ""


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_drivers_are_found_in_a_kernel_however_it_is_packed(pack):
    assert built_in(content(bz_image(V, ["ext4", "virtio_pci"], pack))) == {"ext4", "virtio_pci"}


def test_a_kernel_that_cannot_be_read_through_tells_of_no_driver():
    assert built_in(content(bz_image(V, ALL_DRIVERS, bytes.swapcase))) is None
    assert built_in(content(bytes(100_000))) is None


def test_a_zboot_kernel_is_unpacked_to_what_every_qemu_boots():
    assert b"".join(plain_kernel(content(zboot(V)))) == arm64_image(V, ALL_DRIVERS)


BUILTIN = b"kernel/drivers/block/virtio_blk.ko\nkernel/drivers/virtio/virtio-pci.ko\n"


@pytest.mark.parametrize("folder", ["usr/lib/modules", "lib/modules"])
def test_the_table_of_what_is_built_in_counts_before_the_kernel_itself(folder):
    root = tree({f"{folder}/{V}/modules.builtin": BUILTIN})

    assert lacking(root, V, content(bz_image(V, ["ext4"])), needed("ext4")) == ("ext4",)
    assert lacking(root, "6.1", content(bz_image(V, ["ext4"])), needed("ext3")) == (
        "virtio_pci", "virtio_blk",
    )  # fmt: skip


@pytest.mark.parametrize("place", [f"boot/config-{V}", f"usr/lib/modules/{V}/config"])
def test_a_configuration_tells_where_no_table_does(place):
    config = b"# CONFIG_XFS_FS is not set\nCONFIG_VIRTIO_PCI=y\nCONFIG_VIRTIO_BLK=m\n"
    root = tree({place: config + b"CONFIG_EXT4_FS=y\n"})

    assert lacking(root, V, content(bytes(9000)), needed("ext4")) == ("virtio_blk",)


def test_a_root_of_another_type_takes_its_own_driver():
    kernel = content(bz_image(V, [*ALL_DRIVERS, "xfs"]))

    assert lacking(tree({}), V, kernel, needed("xfs")) == ()
    assert lacking(tree({}), V, kernel, needed("btrfs")) == ("btrfs",)


def test_a_kernel_larger_than_any_is_not_read_through(monkeypatch):
    monkeypatch.setattr("vmtiming_tui.images.system.kernel.file.MAX_PLAIN_BYTES", 50_000)

    assert built_in(content(bz_image(V))) is None
    with pytest.raises(ImageError, match="has more than"):
        list(plain_kernel(content(arm64_image(V))))
