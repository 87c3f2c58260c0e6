"""A FAT of any width is read to the last byte, long names and all."""

import random

import pytest

from readers.lab import blkid, files_of, on_host, volumes_of, walked
from support import disk_images as images
from vmtiming_tui.images.files.tree import Tree

WIDTHS = {"12": (4, "-F 12"), "16": (20, "-F 16"), "32": (64, "-F 32 -s 1"), "chosen": (34, "")}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """What an EFI system partition holds, and names of every kind."""
    root = tmp_path_factory.mktemp("readers") / "esp"
    noise = random.Random(10)
    images.write(root / "EFI/Debian/grubx64.efi", noise.randbytes(1_300_001))
    images.write(root / "EFI/BOOT/BOOTX64.EFI", noise.randbytes(30_000))
    images.write(root / "loader/entries/a rather long name, with ümlauts and 日本.conf", "title x")
    for number in range(200):
        images.write(root / "many" / f"file number {number}", noise.randbytes(number))
    for name in ("lower.txt", "UPPER.TXT", "Mixed.Case.name", "n" * 255, ".hidden", "no extension"):
        images.write(root / "names" / name, name)
    (root / "EMPTY").touch()
    return root


def made(folder, tree, mib: int, options: str):
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(mib * images.MIB)
    images.sh("mkfs.vfat", "-n", "ESP one", *options.split(), image)
    for path in sorted(tree.iterdir()):
        images.sh("env", "LC_ALL=C.UTF-8", "mcopy", "-s", "-i", image, path, "::/")
    return image


@pytest.mark.parametrize("width", WIDTHS)
def test_a_whole_tree_comes_out_as_it_went_in(width, tree, tmp_path):
    with files_of(made(tmp_path, tree, *WIDTHS[width])) as files:
        assert walked(files) == on_host(tree)


@pytest.mark.parametrize("width", WIDTHS)
def test_its_serial_number_and_label_are_those_of_blkid(width, tree, tmp_path):
    image = made(tmp_path, tree, *WIDTHS[width])

    [volume], _ = volumes_of(image)

    assert volume.label == "ESP one"
    assert (volume.type, volume.uuid, volume.label) == tuple(
        blkid(image, key) for key in ("TYPE", "UUID", "LABEL")
    )


def test_a_name_is_found_whatever_its_case(tree, tmp_path):
    with files_of(made(tmp_path, tree, 34, "")) as files:
        paths = Tree(files)

        assert (
            paths.text("loader/ENTRIES/A rather long name, with Ümlauts and 日本.CONF") == "title x"
        )
        assert paths.has("efi/boot/bootx64.efi")
        assert not paths.has("efi/boot/bootaa64.efi")


def test_deleted_files_are_gone(tree, tmp_path):
    image = made(tmp_path, tree, 34, "")
    images.sh("mdel", "-i", image, "::/many/file number 7", "::/names/UPPER.TXT")

    with files_of(image) as files:
        assert "UPPER.TXT" not in Tree(files).names("names")
        assert len(Tree(files).names("many")) == 199
