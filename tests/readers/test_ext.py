"""An ext2, ext3 or ext4 is read to the last byte, whatever its shape."""

import os
import random
import re

import pytest

from readers.lab import blkid, files_of, on_host, opened, walked
from support import disk_images as images
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.ext import Ext
from vmtiming_tui.images.files.ext_superblock import Superblock
from vmtiming_tui.images.files.tree import FileKind, Tree

SHAPES = {
    "ext4": "-t ext4",
    "ext2": "-t ext2",
    "ext3 of small blocks": "-t ext3 -b 1024",
    "short block numbers": "-t ext4 -b 1024 -O ^64bit",
    "content in inodes": "-t ext4 -O inline_data -I 256",
    "content in large inodes": "-t ext4 -O inline_data -I 1024 -b 4096",
    "descriptors in their groups": "-t ext4 -O meta_bg,^resize_inode -b 1024",
    "clusters": "-t ext4 -O bigalloc",
    "clusters of small blocks": "-t ext4 -b 1024 -O bigalloc",
    "a superblock in every group": "-t ext2 -O ^sparse_super,^resize_inode -b 2048",
    "two superblocks": "-t ext4 -O sparse_super2,^resize_inode",
    "the largest blocks": "-t ext4 -b 65536 -N 5000",
    "tables in their groups": "-t ext4 -O ^flex_bg,^has_journal -b 1024 -N 5000",
    "inodes of the first kind": "-t ext2 -I 128 -r 0",
    "all that is new": "-t ext4 -O metadata_csum_seed,large_dir,casefold,encrypt,project,quota,"
    "ea_inode,verity",
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A system in miniature, with names and files of every length that is kept differently."""
    root = images.make_tree(tmp_path_factory.mktemp("readers") / "tree")
    noise = random.Random(10)
    for number in range(900):
        images.write(root / "many" / f"file {number:04}", noise.randbytes(number % 200))
    for length in (1, 59, 60, 61, 800):
        (root / f"link{length}").symlink_to("a" * length)
    images.write(root / "large", noise.randbytes(5 * images.MIB + 7))
    with (root / "far").open("wb") as far:
        # Beyond 64 MiB, small blocks take three levels of block numbers.
        for at in (0, 300_000, 70_000_000):
            far.seek(at)
            far.write(noise.randbytes(5000))
    with (root / "pieces").open("wb") as pieces:
        for number in range(400):
            pieces.seek(number * 20_000)
            pieces.write(noise.randbytes(1000))
        pieces.truncate(9_000_000)
    (root / "empty").touch()
    (root / os.fsdecode(b"not \xff utf-8\x1b[31m")).mkdir()
    return root


def made(folder, tree, options: str, size="320M"):
    image = folder / "disk.img"
    images.sh("mke2fs", "-q", "-F", *options.split(), "-L", "tiny", "-d", tree, image, size)
    return image


@pytest.mark.parametrize("options", SHAPES.values(), ids=SHAPES)
def test_a_whole_tree_comes_out_as_it_went_in(options, tree, tmp_path):
    image = made(tmp_path, tree, options)

    with files_of(image) as files:
        found = walked(files)

    expected = on_host(tree)
    if "inline_data" in options:
        # mke2fs 1.47 loses the end of a file with holes here: what it wrote counts.
        for name in ("srv/sparse", "far", "pieces"):
            images.sh("debugfs", "-R", f"dump /{name} {tmp_path / 'dumped'}", image)
            expected[b"/" + name.encode()] = (FileKind.FILE, (tmp_path / "dumped").read_bytes())
    assert found.keys() == expected.keys()
    assert [path for path in expected if found[path] != expected[path]] == []


@pytest.mark.parametrize("options", SHAPES.values(), ids=SHAPES)
def test_its_facts_are_those_of_dumpe2fs_and_blkid(options, tree, tmp_path):
    image = made(tmp_path, tree, options)
    lines = images.sh("dumpe2fs", "-h", image).splitlines()
    told = dict(re.split(r": +", line, maxsplit=1) for line in lines if ": " in line)

    with opened(image) as stretch:
        facts = Superblock.read(stretch)

    assert facts is not None
    counts = ("Block size", "Block count", "Free blocks", "Inode count", "Free inodes")
    assert [facts.block_size, facts.blocks, facts.free_blocks, facts.inodes, facts.free_inodes] == [
        int(told[name]) for name in counts
    ]
    assert facts.features == set(told["Filesystem features"].replace("(none)", "").split())
    assert (facts.uuid, facts.label) == (told["Filesystem UUID"], told["Filesystem volume name"])
    assert facts.type == blkid(image, "TYPE")


def test_a_folder_with_an_index_and_one_that_lost_names(tree, tmp_path):
    image = made(tmp_path, tree, "-t ext4 -b 1024")
    images.sh("sh", "-c", 'e2fsck -fyD "$0" || [ $? = 1 ]', image)
    images.sh("debugfs", "-w", "-R", 'rm "/many/file 0007"', image)
    assert "Flags: 0x81000" in images.sh("debugfs", "-R", "stat /many", image)

    with files_of(image) as files:
        names = Tree(files).names("many")

    assert names == [f"file {number:04}" for number in range(900) if number != 7]


def test_paths_lead_through_links_and_never_out(tree, tmp_path):
    with files_of(made(tmp_path, tree, "-t ext4")) as files:
        paths = Tree(files)
        text = paths.text("etc/os-release")
        outside = paths.find("../../../etc/fstab")
        link = paths.find("lib", follow=False)

    assert "Tiny Linux 1" in text
    assert outside is not None and outside.path == "etc/fstab"
    assert link is not None and link.node.kind is FileKind.LINK


def test_an_unknown_feature_is_named_before_anything_else_stumbles_over_it(tree, tmp_path):
    image = made(tmp_path, tree, "-t ext4")
    images.sh("debugfs", "-w", "-R", "feature FEATURE_I20", image)

    newer = "made by a newer e2fsprogs: it uses FEATURE_I20"
    with pytest.raises(ImageError, match=newer) as caught, files_of(image):
        pass

    assert "tune2fs -O" in caught.value.hint


def test_an_unknown_feature_that_does_not_hinder_reading_is_kept_for_later(tree, tmp_path):
    image = made(tmp_path, tree, "-t ext4")
    images.sh("debugfs", "-w", "-R", "feature FEATURE_C30 FEATURE_R29", image)

    with files_of(image) as files:
        assert isinstance(files, Ext)
        unknown = files.superblock.unknown_features
        with pytest.raises(ImageError, match="FEATURE_C30, FEATURE_R29"):
            files.superblock.refuse_unknown()

    assert unknown == ("FEATURE_C30", "FEATURE_R29")


def test_a_feature_that_is_known_and_not_read_is_refused_by_name(tree, tmp_path):
    image = made(tmp_path, tree, "-t ext4")
    images.sh("debugfs", "-w", "-R", "feature compression", image)

    with pytest.raises(ImageError, match="it uses compression"), files_of(image):
        pass


def test_one_that_was_not_unmounted_says_so(tree, tmp_path):
    image = made(tmp_path, tree, "-t ext4")
    images.sh("debugfs", "-w", "-R", "feature needs_recovery", image)

    with files_of(image) as files:
        assert isinstance(files, Ext) and files.superblock.needs_recovery


def test_an_encrypted_folder_is_told_apart_from_a_damaged_one(tree, tmp_path):
    image = made(tmp_path, tree, "-t ext4 -O encrypt")
    images.sh("debugfs", "-w", "-R", "sif /home flags 0x80800", image)

    with files_of(image) as files, pytest.raises(ImageError, match="is encrypted"):
        Tree(files).names("home")
