"""The same partitions come out as with partx, with the same PARTUUIDs."""

import pytest

from hostile import forged
from hostile.forged import GptEntry
from readers.lab import opened
from support import disk_images as images
from support.disk_images import MIB
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.disk.partitions import read_table

SCRIPTS = {
    "gpt": "label: gpt\nsize=5MiB, name=one\nsize=1MiB\nstart=20MiB, size=7MiB, name=last\n",
    "gpt with gaps in its numbers": "label: gpt\n2: size=5MiB\n9: size=1MiB\n",
    "mbr": "label: dos\nsize=5MiB,type=83\nsize=6MiB,type=82\n",
    "mbr with logical partitions": "label: dos\nstart=1MiB,size=2MiB,type=83\n"
    "start=4MiB,size=40MiB,type=5\nstart=5MiB,size=3MiB\nstart=9MiB,size=4MiB\n"
    "start=14MiB,size=5MiB\nstart=45MiB,size=3MiB,type=83\n",
    "mbr with a frame of the other kind": "label: dos\nstart=1MiB,size=40MiB,type=f\n"
    "start=2MiB,size=3MiB\nstart=9MiB,size=4MiB,type=8e\n",
}

FRAMES = ("0x5", "0xf")


def found(image):
    with opened(image) as stretch:
        table = read_table(stretch)
    assert table is not None
    return [(p.number, p.offset, p.size, p.partuuid) for p in table.partitions]


def by_partx(image, sector=512):
    """What partx finds, in bytes; it counts in sectors of 512, whatever the disk's are."""
    words = ("--raw", "--noheadings", "--bytes", "--output", "NR,START,SECTORS,UUID,TYPE")
    lines = images.sh("partx", *words, "--sector-size", f"{sector}", image).splitlines()
    return [
        (int(number), int(start) * 512, int(sectors) * 512, partuuid)
        for number, start, sectors, partuuid, kind in map(str.split, lines)
        if kind not in FRAMES
    ]


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_what_sfdisk_made_is_what_partx_finds(script, tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 64 * MIB)
    images.sh("sfdisk", "-q", image, text=script)

    assert found(image) == by_partx(image)
    assert len(found(image)) >= 2


def test_a_gpt_tells_the_type_and_the_name_of_each_partition(tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 64 * MIB)
    root, plain = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "0fc63daf-8483-4772-8e79-3d69d8477de4"
    script = f"label: gpt\nsize=5MiB, type={root}, name=Wurzel-ß\nsize=1MiB\n"
    images.sh("sfdisk", "-q", image, text=script)

    with opened(image) as stretch:
        table = read_table(stretch)

    assert table
    assert [(p.kind, p.label) for p in table.partitions] == [(root, "Wurzel-ß"), (plain, "")]


def test_what_sgdisk_made_is_what_partx_finds(tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 64 * MIB)
    images.sh("sgdisk", "-n", "1:0:+5M", "-n", "40:0:+5M", "-c", "40:a name", image)

    assert found(image) == by_partx(image)


def test_sectors_of_4096_bytes(tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 64 * MIB)
    forged.gpt(image, [GptEntry(256, 511), GptEntry(1024, 1100)], sector=4096)

    assert found(image) == by_partx(image, 4096)
    assert found(image)[0][1:3] == (MIB, MIB)


def test_a_gpt_without_the_mbr_that_protects_it(tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 64 * MIB)
    images.sh("sfdisk", "-q", image, text=SCRIPTS["gpt"])
    whole = found(image)
    for mbr in (b"\0" * 512, b"\0" * 510 + b"\x55\xaa"):
        forged.poke(image, 0, mbr)

        with opened(image) as stretch:
            table = read_table(stretch)

        assert table is not None and (table.kind, table.bare) == ("gpt", True)
        assert found(image) == whole


def test_what_is_left_of_an_earlier_gpt_at_the_end_is_no_table(tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 64 * MIB)
    images.sh("sfdisk", "-q", image, text=SCRIPTS["gpt"])
    forged.poke(image, 0, bytes(20 * 1024))

    with opened(image) as stretch:
        assert read_table(stretch) is None


def test_a_gpt_counts_where_its_mbr_tells_of_partitions_too(tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 64 * MIB)
    images.sh("sfdisk", "-q", image, text=SCRIPTS["gpt"])
    whole = found(image)
    images.sh("sgdisk", "-h", "1:2", image)

    assert found(image) == whole


@pytest.mark.parametrize("spot", [512, 512 + 16, 512 + 40, 1024 + 32])
def test_the_copy_serves_where_the_first_header_or_its_entries_are_broken(spot, tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 64 * MIB)
    images.sh("sfdisk", "-q", image, text=SCRIPTS["gpt"])
    whole = found(image)
    forged.poke(image, spot, b"\xff\xff")

    assert found(image) == whole == by_partx(image)


def test_both_copies_broken_leave_a_table_without_partitions(tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 64 * MIB)
    images.sh("sfdisk", "-q", image, text=SCRIPTS["gpt"])
    for at in (512 + 16, 64 * MIB - 512 + 16):
        forged.poke(image, at, b"\xff\xff")

    assert found(image) == []


def test_a_disk_that_lost_its_end_says_how_long_it_was(tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 64 * MIB)
    images.sh("sfdisk", "-q", image, text=SCRIPTS["gpt"])
    with image.open("r+b") as file:
        file.truncate(30 * MIB)

    with pytest.raises(ImageError, match=f"cut short: its partition table is for {64 * MIB} bytes"):
        found(image)


def test_an_mbr_partition_beyond_the_end_is_named(tmp_path):
    image = forged.hollow(tmp_path / "disk.img", 64 * MIB)
    images.sh("sfdisk", "-q", image, text=SCRIPTS["mbr"])
    with image.open("r+b") as file:
        file.truncate(8 * MIB)

    with pytest.raises(ImageError, match=f"partition 2 ends at byte {12 * MIB}, the image at"):
        found(image)


def test_a_boot_sector_without_entries_is_a_table_without_partitions(tmp_path):
    image = forged.hollow(tmp_path / "disk.img", MIB)
    forged.poke(image, 510, b"\x55\xaa")

    assert found(image) == []


def test_code_where_the_entries_would_be_is_no_table(tmp_path):
    image = forged.hollow(tmp_path / "disk.img", MIB)
    forged.poke(image, 400, b"\x90" * 110 + b"\x55\xaa")

    with opened(image) as stretch:
        assert read_table(stretch) is None
