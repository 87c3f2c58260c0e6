"""A person's own kernel and initrd, taken in the place of the image's."""

import gzip
import lzma
import struct

import pytest

from readers.kernel_files import ALL_DRIVERS, arm64_image, bz_image, vmlinux, zboot
from readers.memory import tree
from support import disk_images as images
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.files.given import GivenFiles
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.system.initrd.cpio import Entry, cpio
from vmtiming_tui.images.system.kernel.file import KernelForm, form_of
from vmtiming_tui.images.system.kernel.kernels import Kernel, find_kernels
from vmtiming_tui.images.system.kernel.taking import take_kernel
from vmtiming_tui.images.system.own_kernel import (
    check_own_initrd,
    check_without_initrd,
    kernel_to_take,
)

V = "6.9.1"
INITRD = b"070701" + bytes(200)


def elf(machine: int) -> bytes:
    return b"\x7fELF".ljust(18, b"\0") + struct.pack("<H", machine) + bytes(99)


SYSTEM = {"usr/lib/systemd/systemd": elf(62), f"usr/lib/modules/{V}/modules.dep": b""}
THEIRS = {"boot/vmlinuz-6.1": b"theirs", "boot/initrd-6.1": b"their initrd"}


@pytest.fixture
def take(tmp_path):
    """Choose a kernel and take it out; return what is left, by name, and what was said."""

    def call(given, files=SYSTEM, asked=""):
        root, said = tree(files), []
        kernel = kernel_to_take(
            find_kernels(root, [], said.append), asked, given=tree(given), root=root,
            root_type="ext4", say=said.append,
        )  # fmt: skip
        take_kernel(kernel, tmp_path)
        left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        return left, "\n".join(said)

    return call


def test_a_kernel_and_its_initrd_are_taken_where_the_image_has_none(take):
    left, said = take({"kernel": bz_image(V), "initrd": INITRD})

    assert left == {"vmlinuz": bz_image(V), "initrd": INITRD}
    assert said == f"kernel {V} (your own)"


def test_they_go_before_those_of_the_image(take):
    left, said = take({"kernel": bz_image("7.0"), "initrd": INITRD}, SYSTEM | THEIRS)

    assert left == {"vmlinuz": bz_image("7.0"), "initrd": INITRD}
    assert "the image has no modules of it" in said


def test_an_initrd_alone_goes_with_the_images_kernel(take):
    left, said = take({"initrd": INITRD}, SYSTEM | THEIRS)

    assert left == {"vmlinuz": b"theirs", "initrd": INITRD}
    assert "kernel 6.1 (boot/vmlinuz-6.1, without its modules), with your own initrd" in said


def test_an_initrd_makes_fit_what_has_none(take):
    left, _ = take({"initrd": INITRD}, SYSTEM | {"boot/vmlinuz-6.1": b"theirs"}, "6.1")

    assert left == {"vmlinuz": b"theirs", "initrd": INITRD}


def test_a_kernel_that_has_all_built_in_needs_no_initrd(take):
    left, said = take({"kernel": bz_image(V, ALL_DRIVERS)})

    assert list(left) == ["vmlinuz"]
    assert "it has virtio_pci, virtio_blk and ext4 built in, and boots without an initrd" in said


def test_a_kernel_that_lacks_a_driver_takes_an_initrd(take):
    with pytest.raises(ImageError, match="no virtio_blk and no ext4 built in") as refused:
        take({"kernel": bz_image(V, ["virtio_pci"])})

    assert refused.value.hint == "give its initrd by -i INITRD"


def test_what_cannot_be_told_of_a_kernel_is_said(take):
    left, said = take({"kernel": bytes(5000)})

    assert left == {"vmlinuz": bytes(5000)}
    assert "kernel of a version unknown (your own)" in said
    assert "virtio_pci, virtio_blk and ext4 built in, as it must without an initrd" in said


def test_a_unified_kernel_brings_its_initrd(take, tmp_path):
    parts = {".linux": bz_image(V), ".initrd": INITRD}
    program = images.unified_kernel(tmp_path / "uki", parts).read_bytes()
    (tmp_path / "uki").unlink()

    left, _ = take({"kernel": program})

    assert left == {"vmlinuz": bz_image(V), "initrd": INITRD}


NO_KERNELS = {
    "empty": b"",
    "an initrd": INITRD,
    "an init": gzip.compress(INITRD),
    "packed by xz: an initrd, or a kernel to be unpacked first": lzma.compress(INITRD),
    "an ELF program without the note": elf(62),
    "an EFI program without a kernel inside": b"MZ" + bytes(999),
    "a disk image": b"QFI\xfb" + bytes(999),
    "a disk": bytes(510) + b"\x55\xaa" + bytes(999),
    "a text": b"<!DOCTYPE html>\n" * 99,
    "a package": b"!<arch>\ndebian-binary",
}


@pytest.mark.parametrize(("what", "kernel"), NO_KERNELS.items(), ids=NO_KERNELS)
def test_what_is_no_kernel_is_said(what, kernel, take):
    with pytest.raises(ImageError, match=f"what was given as the kernel is {what}") as refused:
        take({"kernel": kernel, "initrd": INITRD})

    assert "vmlinuz, bzImage or Image" in refused.value.hint


def test_an_elf_kernel_that_qemu_starts_is_taken(take):
    kernel = elf(62) + struct.pack("<III4sI", 4, 4, 18, b"Xen\0", 0x1000) + vmlinux(V)

    assert take({"kernel": kernel, "initrd": INITRD})[0]["vmlinuz"] == kernel


@pytest.mark.parametrize("initrd", [b"", bz_image(V), elf(62), arm64_image(V)], ids=len)
def test_what_is_no_initrd_is_said(initrd, take):
    with pytest.raises(ImageError, match="what was given as the initrd is"):
        take({"kernel": bz_image(V), "initrd": initrd})


@pytest.mark.parametrize(
    "kernel", [arm64_image(V), gzip.compress(arm64_image(V)), zboot(V)], ids=len
)
def test_a_kernel_for_another_architecture_than_the_systems_is_refused(kernel, take):
    with pytest.raises(ImageError, match="is for arm64, and the image's system for x86"):
        take({"kernel": kernel, "initrd": INITRD})

    left, _ = take({"kernel": kernel, "initrd": INITRD}, {"lib/systemd/systemd": elf(183)})
    assert left["vmlinuz"][:0x3C].endswith(b"ARM\x64")


def test_an_arm_kernel_is_told_from_others():
    assert form_of(bytes(0x24) + b"\x18\x28\x6f\x01") is KernelForm.ARM


@pytest.mark.parametrize(
    ("head", "name"), [(elf(21), "ppc64"), (b"\x7fELF\2\2".ljust(18, b"\0") + b"\0\x16", "s390x")]
)  # fmt: skip
def test_a_system_that_no_kernel_here_boots_is_refused(head, name, take):
    with pytest.raises(ImageError, match=f"the image's system is for {name}; taken are"):
        take({}, THEIRS | {"usr/lib/systemd/systemd": head})


def initrd_of(version: str) -> bytes:
    return cpio([Entry(f"usr/lib/modules/{version}/kernel/virtio_blk.ko", b"m")])


def test_an_initrd_of_another_kernel_is_refused_where_the_kernel_needs_its_own(tmp_path):
    (tmp_path / "initrd").write_bytes(initrd_of("6.1"))

    def check(kernel: bytes, *, version: str = V) -> list[str]:
        said: list[str] = []
        own = Kernel(version=version, tree=tree({"kernel": kernel}), path="kernel")
        check_own_initrd(tmp_path / "initrd", own, tree({}), "ext4", said.append)
        return said

    with pytest.raises(ImageError, match=r"of 6\.1 only, not of 6\.9\.1, which has no virtio_pci"):
        check(bz_image(V))
    for kernel in (bz_image(V, ALL_DRIVERS), bytes(999)):
        assert check(kernel) == [f"your initrd has modules of 6.1 only, not of {V}"]
    assert check(bz_image(V), version="6.1") == [
        "neither the kernel nor your initrd has virtio_pci and ext4: the guest may not find its"
        " root"
    ]
    assert check(bz_image(V, ALL_DRIVERS), version="6.1") == []


def test_files_that_were_opened_are_a_file_system(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * (2 << 20))
    with (tmp_path / "a").open("rb") as file:
        given = Tree(GivenFiles({"kernel": Stretch([Piece(file.fileno(), 0, 2 << 20)])}))

        assert given.names("") == ["kernel"]
        assert given.read("kernel", 4 << 20) == b"x" * (2 << 20)
        assert not given.has("initrd")


def test_without_an_initrd_a_system_as_it_is_takes_a_newer_systemd():
    said: list[str] = []
    check_without_initrd("partition 1", tree({"usr/lib/systemd/libsystemd-shared-257.so": b""}),
                         said.append)  # fmt: skip
    assert "brought in by credentials, which takes systemd 256 or newer" in said[0]

    with pytest.raises(ImageError, match="the image has 252") as refused:
        check_without_initrd("partition 1", tree({"usr/lib/systemd/libsystemd-shared-252.so": b""}),
                             print)  # fmt: skip
    assert "without --untouched" in refused.value.hint

    with pytest.raises(ImageError, match="vg/root is a logical volume, which takes an initrd"):
        check_without_initrd("vg/root", tree({}), print)
