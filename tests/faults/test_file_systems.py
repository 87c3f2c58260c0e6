"""File systems and disks that nobody here reads, or that no VM would boot from as they are."""

from pathlib import Path

import pytest

from faults.fault import Fault
from faults.preparing import of, refused
from faults.scene import How, Scene
from hostile import forged
from hostile.forged import GptEntry, MbrEntry
from support import disk_images as images

TITLE = "File systems that cannot be taken as they are"

KEPT = "the image, to the byte; nothing is left of the attempt"
MIB = images.MIB
JOURNAL_INODE_AT = 1024 + 0xE0


def system(folder: Path) -> Path:
    """An ext4 with a system in it that would be taken."""
    tree = images.make_tree(folder / "tree")
    images.add_kernel(tree / "boot", "6.1")
    return images.ext4(folder / "root.fs", tree, 64)


def two_devices(image: Path, folder: Path) -> None:
    forged.hollow(image, 200 * MIB)
    images.sh("mkfs.btrfs", "-q", image, forged.hollow(folder / "other", 200 * MIB))


def unheard_of(image: Path, folder: Path) -> None:
    system(folder).rename(image)
    images.sh("debugfs", "-w", "-R", "feature FEATURE_I20", image)


def journal_elsewhere(image: Path, folder: Path) -> None:
    system(folder).rename(image)
    forged.poke(image, JOURNAL_INODE_AT, bytes(4))


def large_sectors(image: Path, folder: Path) -> None:
    root = system(folder)
    forged.hollow(image, 80 * MIB)
    forged.gpt(image, [GptEntry(256, 255 + 64 * 256)], sector=4096)
    images.sh("dd", f"if={root}", f"of={image}", "bs=1M", "seek=1", "conv=notrunc", "status=none")


def beyond_the_end(image: Path, _: Path) -> None:
    forged.mbr(forged.hollow(image, 4 * MIB), [MbrEntry(0x83, 2048, 20480)])


FAULTS: list[Fault[How]] = [
    Fault(
        "a btrfs on several devices",
        of(two_devices),
        ends="exit code 1",
        words="the whole image is one of the 2 devices of a btrfs",
        kept=KEPT,
    ),
    Fault(
        "an ext4 with a feature that nobody here knows",
        of(unheard_of),
        ends="exit code 1",
        words="it was made by a newer e2fsprogs: it uses FEATURE_I20",
        kept=KEPT,
    ),
    Fault(
        "an ext4 whose journal is on another disk",
        of(journal_elsewhere),
        ends="exit code 1",
        words="the file system has its journal on another disk, which is not read",
        kept=KEPT,
    ),
    Fault(
        "a disk with sectors of 4096 bytes, to be booted untouched",
        of(large_sectors, "--untouched"),
        ends="exit code 1",
        words="its kernel would find no partition; a root made anew boots: leave out --untouched",
        kept=KEPT,
    ),
    Fault(
        "a partition beyond the end of the image",
        of(beyond_the_end),
        ends="exit code 1",
        words="the image is cut short: partition 1 ends at byte 11534336, the image at 4194304",
        kept=KEPT,
    ),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_it_is_refused_in_one_sentence_and_nothing_is_left(fault: Fault[How], scene: Scene):
    refused(fault, scene)
