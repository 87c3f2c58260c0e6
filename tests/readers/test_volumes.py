"""An image's volumes, or in plain words why it is none that can be taken."""

import pytest

from hostile import forged
from hostile.forged import GptEntry, MbrEntry
from readers.lab import volumes_of
from support import disk_images as images
from support.disk_images import MIB, Partition
from vmtiming_tui.errors import ImageError


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readers")
    (folder / "tree").mkdir()
    return images.ext4(folder / "root.fs", folder / "tree", 16)


def refusal(image) -> ImageError:
    with pytest.raises(ImageError) as caught:
        volumes_of(image)
    return caught.value


def test_a_file_system_on_the_whole_image(root):
    [volume], said = volumes_of(root)

    assert (volume.name, volume.type, volume.number) == ("the whole image", "ext4", 0)
    assert (volume.size, volume.uuid, volume.label) == (16 * MIB, images.ROOT_UUID, "tiny")
    assert said == []


@pytest.mark.parametrize("label", ["gpt", "dos"])
def test_partitions_keep_their_numbers(label, root, tmp_path):
    swap = forged.hollow(tmp_path / "swap", MIB)
    images.sh("mkswap", swap)
    linux = "linux" if label == "gpt" else "83"
    parts = [Partition(linux, swap), Partition(linux, root)]

    volumes, _ = volumes_of(images.disk(tmp_path / "disk.img", label, parts))

    assert [(each.name, each.type, each.number) for each in volumes] == [
        ("partition 1", "swap", 1),
        ("partition 2", "ext4", 2),
    ]
    assert len({each.partuuid for each in volumes}) == 2


@pytest.mark.parametrize("label", ["gpt", "dos"])
def test_a_disk_with_sectors_of_4096_bytes(label, root, tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 20 * MIB)
    if label == "gpt":
        forged.gpt(image, [GptEntry(256, 256 + 4095)], sector=4096)
    else:
        forged.mbr(image, [MbrEntry(0x83, 256, 4096)])
    forged.poke(image, MIB, root.read_bytes())

    [volume], _ = volumes_of(image)

    assert (volume.name, volume.type, volume.size) == ("partition 1", "ext4", 16 * MIB)
    assert volume.sector_bytes == 4096


def test_a_file_system_made_over_an_earlier_table_is_what_counts(root, tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 20 * MIB)
    forged.gpt(image, [GptEntry(2048, 4095)])
    forged.poke(image, 0, bytes(512))
    forged.poke(image, 1024, root.read_bytes()[1024 : 8 * MIB])

    [volume], _ = volumes_of(image)

    assert (volume.name, volume.type) == ("the whole image", "ext4")


def test_a_boot_sector_before_a_file_system_is_no_table(root, tmp_path):
    image = tmp_path / "disk.img"
    images.sh("cp", root, image)
    forged.mbr(image, [])

    [volume], _ = volumes_of(image)

    assert (volume.name, volume.type) == ("the whole image", "ext4")


def test_partitions_come_before_the_file_system_they_lie_in(root, tmp_path):
    image = tmp_path / "disk.img"
    images.sh("cp", root, image)
    forged.mbr(image, [MbrEntry(0x83, 2048, 2048)])

    volumes, _ = volumes_of(image)

    assert [each.name for each in volumes] == ["partition 1"]


def test_an_empty_image(tmp_path):
    assert refusal(forged.hollow(tmp_path / "disk.img", 0)).message == "the image is empty"


def test_a_tiny_file_is_an_unknown_volume(tmp_path):
    image = tmp_path / "letter.txt"
    image.write_text("Dear all,\n")

    assert [each.type for each in volumes_of(image)[0]] == ["unknown"]


def test_an_installer_is_told_from_a_system(tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 4 * MIB)
    forged.poke(image, 0x8000, b"\1CD001\1")
    forged.mbr(image, [MbrEntry(0x83, 64, 2048)])

    assert refusal(image).message == (
        "the image is an installer or live medium (iso9660), not an installed system"
    )


def test_a_table_without_partitions(tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 4 * MIB)
    forged.gpt(image, [])

    assert refusal(image).message == "the image has a partition table (gpt) but no partitions"


def test_a_file_system_that_lost_its_end(root, tmp_path):
    image = tmp_path / "disk.img"
    images.sh("cp", root, image)
    with image.open("r+b") as file:
        file.truncate(9 * MIB)

    error = refusal(image)

    assert error.message == (
        f"the image is cut short: the file system of the whole image needs {16 * MIB} bytes,"
        f" there are {9 * MIB}"
    )
    assert error.hint == "get it again"


def test_a_file_system_larger_than_its_partition(root, tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 20 * MIB)
    forged.gpt(image, [GptEntry(2048, 2048 + 16383)])
    forged.poke(image, MIB, root.read_bytes()[: 8 * MIB])

    assert "the file system of partition 1 needs" in refusal(image).message
