"""An ext4 made by somebody who wants the host's memory, time, files: refused or bounded."""

import struct

import pytest

from hostile import forged
from hostile.reading import read
from support import disk_images as images
from support.disk_images import MIB
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.folders import FolderCache

TIB = 1 << 40
EXTENTS, INLINE = 0x80000, 0x10000000


@pytest.fixture
def tree(tmp_path):
    """A folder to make an ext4 of, beside the image and not in its way."""
    folder = tmp_path / "source" / "tree"
    images.write(folder / "etc/fstab", "/dev/sda1 / ext4")
    return folder


class Ext:
    """An ext4 (or ext2) of one tree, whose inodes can be written over."""

    def __init__(self, folder, tree, *options: str, mib: int = 16) -> None:
        (folder / "image").mkdir()
        self.path = folder / "image" / "disk.img"
        images.sh("mke2fs", "-q", "-F", "-b", "1024", *options, "-d", tree, self.path, f"{mib}M")

    def debugfs(self, *requests: str) -> str:
        return "".join(images.sh("debugfs", "-w", "-R", each, self.path) for each in requests)

    def inode(self, path: str) -> int:
        """Where the inode of a path lies."""
        _, _, place = self.debugfs(f"imap {path}").rpartition("located at block ")
        block, offset = place.split(", offset ")
        return int(block) * 1024 + int(offset, 16)

    def block(self, path: str) -> int:
        """The first block of a path's content."""
        return int(self.debugfs(f"blocks {path}").split()[0])

    def free_block(self) -> int:
        return int(self.debugfs("ffb 1").split()[-1])

    def set_inode(self, path: str, *, size: int, flags: int = EXTENTS, body: bytes = b"") -> None:
        at = self.inode(path)
        forged.poke(self.path, at + 4, struct.pack("<I", size & 0xFFFFFFFF))
        forged.poke(self.path, at + 0x6C, struct.pack("<I", size >> 32))
        forged.poke(self.path, at + 0x20, struct.pack("<I", flags))
        if body:
            forged.poke(self.path, at + 0x28, body.ljust(60, b"\0"))


def node(depth: int, *entries: tuple[int, int, int], room: int = 4) -> bytes:
    """A node of an extent tree: (block in the file, where, blocks), or the index of such nodes."""
    body = b"".join(
        struct.pack("<IIHH", first, where, 0, 0)
        if depth
        else struct.pack("<IHHI", first, count, 0, where)
        for first, where, count in entries
    )
    return struct.pack("<4HI", 0xF30A, len(entries), room, depth, 0) + body


# --- ext4: trees of extents ----------------------------------------------------------------------


def test_an_extent_tree_whose_node_leads_to_itself(tree, tmp_path):
    images.write(tree / "loop", "x" * 3000)
    ext = Ext(tmp_path, tree, "-t", "ext4", "-O", "^metadata_csum")
    block = ext.free_block()
    for depth in (1, 2, 5):
        ext.set_inode("/loop", size=5 * MIB, body=node(depth, (0, block, 0)))
        forged.poke(ext.path, block * 1024, node(depth, (0, block, 0), room=84))

        assert "a file's tree of extents is damaged" in read(ext.path).complaints


def test_an_extent_tree_that_fans_out_for_ever(tree, tmp_path):
    images.write(tree / "loop", "x" * 3000)
    ext = Ext(tmp_path, tree, "-t", "ext4", "-O", "^metadata_csum")
    blocks = [ext.free_block() + 20 + number for number in range(5)]
    ext.set_inode("/loop", size=5 * MIB, body=node(5, *((n, blocks[0], 0) for n in range(4))))
    for at, block in enumerate(blocks):
        below = blocks[at + 1] if at < 4 else 5
        many = [(n, below, 1) for n in range(84)]
        forged.poke(ext.path, block * 1024, node(4 - at, *many, room=84))

    assert "a file's tree of extents goes back or in a circle" in read(ext.path).complaints


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (node(0, (0, 100, 5), (3, 200, 5)), "lie over one another"),
        (node(0, (5, 100, 5), (0, 200, 5)), "goes back or in a circle"),
        (node(0, (0, 100, 0)), "lie over one another"),
        (node(0, (0, 0xFFFFFFF0, 8)), "that it does not have"),
        (node(6, (0, 100, 5)), "is damaged"),
        (node(1, (0, 0xFFFFFFF0, 8)), "that it does not have"),
        (b"\x0a\xf3\xff\xff\xff\xff\0\0", "is damaged"),
        (b"\xff" * 60, "is damaged"),
    ],
)
def test_extents_that_cannot_be(body, complaint, tree, tmp_path):
    images.write(tree / "loop", "x" * 3000)
    ext = Ext(tmp_path, tree, "-t", "ext4", "-O", "^metadata_csum")
    ext.set_inode("/loop", size=MIB, body=body)

    assert any(complaint in line for line in read(ext.path).complaints)


# --- ext4: sizes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [64 * TIB, (1 << 64) - 1, 1 << 32])
def test_a_file_that_claims_to_be_huge_is_not_read(size, tree, tmp_path):
    images.write(tree / "etc/os-release", "ID=x")
    ext = Ext(tmp_path, tree, "-t", "ext4", "-O", "^metadata_csum")
    ext.set_inode("/etc/os-release", size=size)

    assert f"/etc/os-release is larger ({size} bytes) than it ever may" in read(ext.path).complaints


@pytest.mark.parametrize("features", ["^metadata_csum", "^metadata_csum,large_dir"])
def test_a_folder_that_claims_names_by_the_terabyte(features, tree, tmp_path):
    (tree / "huge").mkdir()
    ext = Ext(tmp_path, tree, "-t", "ext4", "-O", features)
    size = TIB if "large_dir" in features else (1 << 32) - 1024
    ext.set_inode("/huge", size=size)

    complaints = read(ext.path).complaints

    assert any(f"claims {size} bytes of names" in line for line in complaints)


def test_a_folder_of_one_block_again_and_again(tree, tmp_path):
    (tree / "huge").mkdir()
    for number in range(40):
        images.write(tree / "huge" / f"{number}", "")
    ext = Ext(tmp_path, tree, "-t", "ext4", "-O", "^metadata_csum")
    block, leaf = ext.block("/huge"), ext.free_block()
    ext.set_inode("/huge", size=64 * MIB - 1024, body=node(1, *((0, leaf, 0),)))
    again = [(number, block, 1) for number in range(84)]
    forged.poke(ext.path, leaf * 1024, node(0, *again, room=84))

    found = read(ext.path)

    assert found.names < 100


def test_block_numbers_that_lead_to_themselves(tree, tmp_path):
    images.write(tree / "loop", "x" * 3000)
    ext = Ext(tmp_path, tree, "-t", "ext2")
    block = ext.free_block()
    forged.poke(ext.path, block * 1024, struct.pack("<I", block) * 256)
    for size in (7 * MIB, TIB + 2048 * MIB):
        ext.set_inode("/loop", size=size, flags=0, body=struct.pack("<I", block) * 15)

        found = read(ext.path)

        assert found.names >= 3
    ext.debugfs("sif /loop mode 040755")
    assert any("claims" in line for line in read(ext.path).complaints)


def test_folders_read_again_and_again_use_up_an_allowance():
    def folder(number: int):
        folders.charge(MIB)
        yield b"name", number

    folders = FolderCache(folder)
    with pytest.raises(ImageError, match="more names than any system's"):
        for number in range(1000):
            assert folders[number] == {b"name": number}
            assert folders[number] is folders[number]


# --- ext4: folders and links ---------------------------------------------------------------------


def test_folders_in_a_circle(tree, tmp_path):
    (tree / "a/b").mkdir(parents=True)
    ext = Ext(tmp_path, tree, "-t", "ext4")
    ext.debugfs("link <2> /a/b/top", "link /a /a/b/again", "link /a/b /loop")

    found = read(ext.path)

    assert found.names >= 1000
    assert found.complaints == []


def test_links_in_a_circle_and_paths_too_deep(tree, tmp_path):
    (tree / "loop").symlink_to("loop2")
    (tree / "loop2").symlink_to("/loop")
    (tree / "boot").symlink_to("boot/boot")
    (tree / "deep").symlink_to("etc/../" * 140 + "etc/fstab")
    (tree / "huge").symlink_to("/" * 900)
    (tree / "up").symlink_to("../../../../../../etc/passwd")
    below = tree
    for number in range(300):
        below = below / f"{number}"
        below.mkdir()
    ext = Ext(tmp_path, tree, "-t", "ext4")

    found = read(ext.path)

    assert found.complaints == []
    assert found.names >= 300


def test_a_link_whose_target_is_a_script_is_only_bytes(tree, tmp_path):
    for number, target in enumerate(
        ["x\ndump /etc/fstab marker\n", 'a" marker "', "\x1b[2J", "$(x)"]
    ):
        (tree / f"link{number}").symlink_to(target)
    (tree / "etc/os-release").symlink_to("$(touch marker)\n`touch marker`")
    ext = Ext(tmp_path, tree, "-t", "ext4")

    assert read(ext.path).complaints == []


@pytest.mark.parametrize("size", [0, 5000, (1 << 32) - 1])
def test_a_link_of_a_length_that_cannot_be(size, tree, tmp_path):
    (tree / "loop").symlink_to("etc")
    ext = Ext(tmp_path, tree, "-t", "ext4", "-O", "^metadata_csum")
    ext.set_inode("/loop", size=size, flags=0)

    assert all("damaged" in line for line in read(ext.path).complaints)


@pytest.mark.parametrize("name", [b"../../x", b"a/b/c/d", b"\0\0\0\0\0\0\0", b"..", b"/etc/pa"])
def test_names_that_lead_elsewhere(name, tree, tmp_path):
    images.write(tree / "boot/victims", "")
    ext = Ext(tmp_path, tree, "-t", "ext4", "-O", "^metadata_csum")
    block = ext.block("/boot") * 1024
    at = ext.path.read_bytes().index(b"victims", block)
    forged.poke(ext.path, at, name.ljust(7, b"\0"))
    forged.poke(ext.path, at - 2, bytes([len(name)]))

    complaints = read(ext.path).complaints

    assert name == b".." or any("a name that cannot be" in line for line in complaints)


@pytest.mark.parametrize("length", [0, 4, 7, 13, 0xFFFF])
def test_entries_of_a_length_that_cannot_be(length, tree, tmp_path):
    images.write(tree / "boot/victims", "")
    ext = Ext(tmp_path, tree, "-t", "ext4", "-O", "^metadata_csum")
    at = ext.path.read_bytes().index(b"victims", ext.block("/boot") * 1024)
    forged.poke(ext.path, at - 4, struct.pack("<H", length))

    assert "a folder's names are damaged" in read(ext.path).complaints


@pytest.mark.parametrize("number", [0xFFFFFFFF, 100_000])
def test_a_name_for_an_inode_that_is_not_there(number, tree, tmp_path):
    images.write(tree / "boot/victims", "")
    ext = Ext(tmp_path, tree, "-t", "ext4", "-O", "^metadata_csum")
    at = ext.path.read_bytes().index(b"victims", ext.block("/boot") * 1024)
    forged.poke(ext.path, at - 8, struct.pack("<I", number))

    assert f"it points to an inode {number} that it does not have" in read(ext.path).complaints


def test_names_by_the_hundred_thousand_are_bounded(tmp_path):
    """A folder of 20 MiB that holds nothing but names."""
    tree = tmp_path / "tree"
    (tree / "boot").mkdir(parents=True)
    ext = Ext(tmp_path, tree, "-t", "ext4", "-O", "^metadata_csum,^has_journal", mib=100)
    first = ext.free_block() + 2000
    blocks = 20_000
    per_block = 1024 // 16
    names = (struct.pack("<IHBB8s", 12, 16, 8, 1, b"%08x" % n) for n in range(blocks * per_block))
    forged.poke(ext.path, first * 1024, b"".join(names))
    ext.set_inode("/boot", size=blocks * 1024, body=node(0, (0, first, blocks)))

    found = read(ext.path)

    assert any("has more than 500000 names" in line for line in found.complaints)


def test_content_in_an_inode_that_is_not_all_there(tree, tmp_path):
    images.write(tree / "loop", "small")
    (tree / "boot").mkdir()
    ext = Ext(tmp_path, tree, "-t", "ext4", "-O", "inline_data,^metadata_csum", "-I", "256")
    ext.set_inode("/loop", size=5000, flags=INLINE)
    forged.poke(ext.path, ext.inode("/boot") + 0x28 + 4, b"\xff" * 56)

    complaints = read(ext.path).complaints

    assert any("not all of it is there" in line for line in complaints)
    assert any("names are damaged" in line for line in complaints)
