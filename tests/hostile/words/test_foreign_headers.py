"""Headers of other formats, and features of a file system."""

import pytest

from hostile.words.spun import assert_reports, ext4, spun
from support import disk_images as images

BOOT_BLOCKS = [
    b"QFI\xfb\0\0\0\3" + b"\0" * 8 + b"\0\0\1\0" + b"\0\0\0\x0b/etc/passwd",
    b"KDMV\1\0\0\0", b"COWD", b"# Disk DescriptorFile\nversion=1\n", b"vhdxfile", b"conectix",
 b"QED\0", b"WithoutFreeSpace", b"Bochs Virtual HD Image",
    b"\0" * 64 + b"\x7f\x10\xda\xbe\1\0\1\0",
]  # fmt: skip


@pytest.mark.parametrize("block", BOOT_BLOCKS)
def test_no_boot_block_is_carried_over(block, system, host, tmp_path, monkeypatch):
    root = ext4(tmp_path, system)
    with root.open("r+b") as file:
        file.write(block)
    image = images.disk(tmp_path / "whole.img", "dos", [images.Partition("83", root)])

    made = spun(image, monkeypatch)

    assert_reports(made)
    assert (made.work / "rootfs.img").open("rb").read(1024) == bytes(1024)
    assert "file format: raw" in images.sh("qemu-img", "info", made.work / "rootfs.img")


@pytest.mark.parametrize("feature", ["FEATURE_I20", "FEATURE_R21", "FEATURE_C22"])
def test_a_feature_of_a_newer_e2fsprogs_is_named_with_what_helps(
    feature, system, host, tmp_path, monkeypatch
):
    image = ext4(tmp_path, system)
    images.sh("debugfs", "-w", "-R", f"feature {feature}", image)

    made = spun(image, monkeypatch)

    assert made.refused is not None
    assert feature in made.refused.message
    assert "newer e2fsprogs" in made.refused.message
    assert "tune2fs" in made.refused.hint


@pytest.mark.parametrize("recovering", [False, True])
def test_a_journal_on_another_disk_is_not_looked_for(
    recovering, system, host, tmp_path, monkeypatch
):
    image = ext4(tmp_path, system)
    if recovering:
        images.sh("debugfs", "-w", "-R", "feature needs_recovery", image)
    with image.open("r+b") as file:
        file.seek(1024 + 0xD0)
        file.write(b"\x5a" * 16 + bytes(4) + b"\1\3\0\0")

    made = spun(image, monkeypatch)

    assert made.refused is not None
    assert "its journal on another disk" in made.refused.message
