"""What a VM that reads file systems is made of, and what is believed of its words."""

import gzip
import lzma
import os

import pytest

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.disk.lvm import Assembly
from vmtiming_tui.images.disk.volumes import Volume
from vmtiming_tui.images.reader import guest_kernel, reader_vm_initrd
from vmtiming_tui.images.reader.guest_kernel import GuestKernel, module_name
from vmtiming_tui.images.reader.kernel_reader import Mount
from vmtiming_tui.images.reader.reader_vm import ReaderVm
from vmtiming_tui.images.reader.reader_vm_initrd import initrd


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A kernel with a few modules, each compressed another way."""
    folder = tmp_path / "6.1"
    folder.mkdir()
    (folder / "modules.builtin").write_text(
        "kernel/fs/ext4/ext4.ko\nkernel/drivers/virtio-pci.ko\n"
    )
    (folder / "modules.dep").write_text(
        "fs/xfs.ko.xz: lib/libcrc32c.ko.gz crypto/crc32c-generic.ko\n"
        "lib/libcrc32c.ko.gz: crypto/crc32c-generic.ko\ncrypto/crc32c-generic.ko:\n"
    )
    for name, pack in (("fs/xfs.ko.xz", lzma.compress), ("lib/libcrc32c.ko.gz", gzip.compress),
                       ("crypto/crc32c-generic.ko", bytes)):  # fmt: skip
        (folder / name).parent.mkdir()
        (folder / name).write_bytes(pack(name.encode()))
    monkeypatch.setattr(guest_kernel, "_MODULES", tmp_path)
    return GuestKernel("6.1", os.open("/dev/null", os.O_RDONLY))


def test_modules_come_unpacked_and_each_after_what_it_needs(kernel):
    assert list(kernel.modules(["virtio_pci", "xfs", "nonsense"])) == [
        ("crc32c_generic", b"crypto/crc32c-generic.ko"),
        ("libcrc32c", b"lib/libcrc32c.ko.gz"),
        ("xfs", b"fs/xfs.ko.xz"),
    ]


def test_a_kernel_has_what_is_in_it_or_beside_it(kernel):
    assert kernel.has(["ext4", "xfs", "virtio_pci"])
    assert not kernel.has(["xfs", "f2fs"])
    assert module_name("kernel/a/virtio-blk.ko.zst") == "virtio_blk"


def test_the_initrd_has_a_script_tools_modules_and_the_job(kernel):
    data = initrd(kernel, ["xfs"], {"kind": "copy\n", "label": "-L\udcff"})

    for name in (b"init", b"bin/busybox", b"tools/mke2fs", b"modules/xfs.ko", b"job/kind"):
        assert name + b"\0" in data
    assert b"crc32c_generic\nlibcrc32c\nxfs\n" in data
    assert b"-L\xff" in data


def volume(kind):
    return Volume(name="partition 1", type=kind, size=512, stretch=Stretch([]), number=1)


def reader(kernels, tmp_path):
    return ReaderVm(kernels=kernels, work=tmp_path, say=print, progress=None)


def test_without_a_kernel_the_reason_and_both_ways_out_are_said(tmp_path):
    with pytest.raises(ImageError, match="partition 1 is xfs: only a kernel reads") as refused:
        reader([], tmp_path).excerpts([volume("xfs")])

    assert "apt-get install linux-image-cloud-" in refused.value.hint
    assert "--mount" in refused.value.hint


def test_a_file_system_no_kernel_here_knows(kernel, tmp_path):
    with pytest.raises(ImageError, match="is f2fs, which this host's kernel does not know"):
        reader([kernel], tmp_path).copy(
            [Mount(volume("f2fs"), "/", "")], tmp_path / "x", size=max, uuid="", label=""
        )


def logical(*kinds):
    parts = Assembly((Stretch([]),), frozenset(kinds))
    return Volume(name="vg/root", type=f"LVM-{kinds[0]}", size=512, stretch=None, assembly=parts)


@pytest.mark.parametrize(
    ("kinds", "why"),
    [
        (("vdo", "vdo-pool"), "what the kind 'vdo' takes is not known here"),
        (("thin", "thin-pool"), "this host's kernel has no dm_mod for it"),
    ],
)
def test_a_volume_nobody_can_put_together_is_said_to_be_left_out(kinds, why, kernel, tmp_path):
    said = []
    vm = ReaderVm(kernels=[kernel], work=tmp_path, say=said.append, progress=None)

    assert vm.assembled([logical(*kinds)]) == {}
    [line] = said
    assert f"vg/root is left out: a volume of the kind '{kinds[0]}' is put together by the" in line
    assert why in line
    assert "qemu-img convert -O raw /dev/vg/root root.raw" in line


def test_without_lvm2_its_package_is_named(kernel, monkeypatch):
    monkeypatch.setattr(reader_vm_initrd, "_SYSTEM_PATH", "/nowhere")

    with pytest.raises(ImageError, match="has no lvm") as refused:
        initrd(kernel, [], {}, lvm=True)

    assert refused.value.hint == "apt-get install lvm2"
