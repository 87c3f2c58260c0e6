"""Kernels and initrds that a VM would not boot from."""

from pathlib import Path

import pytest

from faults.fault import Fault
from faults.preparing import of, refused
from faults.scene import How, Scene
from readers.kernel_files import bz_image
from support import disk_images as images

TITLE = "Kernels that boot no VM"

KEPT = "the image, to the byte; nothing is left of the attempt"


def system(image: Path, folder: Path, *, kernel: bytes = b"") -> None:
    tree = images.make_tree(folder / "tree")
    if kernel:
        images.write(tree / "boot/vmlinuz-6.1", kernel)
    images.ext4(image, tree, 64)


def with_a_folder_for_a_kernel(image: Path, folder: Path) -> None:
    system(image, folder)
    (image.parent / "own").mkdir()


FAULTS: list[Fault[How]] = [
    Fault(
        "an image without a kernel",
        of(system),
        ends="exit code 1",
        words="the image has no kernel: none in /boot, in an EFI system partition or in "
        "/usr/lib/modules (an image of a container?); -k KERNEL -i INITRD takes one of your own",
        kept=KEPT,
    ),
    Fault(
        "a kernel without an initrd, and without virtio built in",
        of(lambda image, folder: system(image, folder, kernel=bz_image("6.1", ["ext4"]))),
        ends="exit code 1",
        words="6.1 (boot/vmlinuz-6.1, without an initrd, virtio_pci is not built in, virtio_blk is"
        " not built in) -i INITRD gives one its initrd",
        kept=KEPT,
    ),
    Fault(
        "a kernel of one's own that is a folder",
        of(with_a_folder_for_a_kernel, "-k", "own"),
        ends="exit code 1",
        words="--kernel: 'own' is a folder; give a regular file",
        kept=KEPT,
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_it_is_refused_in_one_sentence_and_nothing_is_left(fault: Fault[How], scene: Scene):
    refused(fault, scene)
