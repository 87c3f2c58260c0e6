"""Partition tables, LVM and labels made by somebody who wants the host: refused, or left out."""

import struct

import images
import pytest
from images import MIB, Partition

from hostile import forged
from hostile.forged import SECTOR, GptEntry, MbrEntry
from hostile.reading import read, read_each
from hostile.whole import MARKER, spin

TIB = 1 << 40
INJECTIONS = {
    "an array's index": "PATH[$(touch marker)]",
    "a range": f"{forged.DISK_ID}:PATH[$(touch${{IFS}}marker)]:1",
    "backquotes": "`touch marker`",
    "a line break": "x\nready: all of it\n",
    "an escape": "\x1b]0;title\x07\x1b[2J",
    "the folder above": "..",
    "a path": "../../etc/passwd",
    "an option": "--help",
    "a quote": 'x" y',
    "nothing": "",
    "a long one": "x" * 5000,
    "a mark of direction": "\u202egnp.exe",
}
injected = pytest.mark.parametrize("word", INJECTIONS.values(), ids=INJECTIONS)


def lvm(folder, text, size=64 * MIB, **forged_as):
    return forged.physical_volume(forged.hollow(folder / "disk.img", size), text, **forged_as)


# --- LVM -----------------------------------------------------------------------------------------


@injected
@pytest.mark.parametrize("place", ["group", "volume"])
def test_a_name_that_lvm_would_not_take(place, word, tmp_path):
    found = read(lvm(tmp_path, forged.lvm_text(**{place: word})))

    assert found.refused.startswith("the LVM metadata of the whole image cannot be read")
    assert found.volumes == []


@injected
@pytest.mark.parametrize("place", ["group_id", "disk_id"])
def test_an_id_that_is_none(place, word, tmp_path):
    found = read(lvm(tmp_path, forged.lvm_text(**{place: word})))

    assert found.refused.startswith("the LVM metadata of the whole image cannot be read")


@pytest.mark.parametrize("word", ["$(touch marker)aaaaaaaaaaaaaaaaaa", "\x1b[2J" * 8, "a\n" * 16])
def test_an_id_in_the_label_that_is_none_makes_it_no_disk_of_lvms(word, tmp_path):
    found = read(lvm(tmp_path, forged.lvm_text(), disk_id=word[:32]))

    assert found.types == ["unknown"]


@injected
def test_a_kind_of_volume_that_is_none(word, tmp_path):
    body = f'extent_count = 2\ntype = "{word}"'

    found = read(lvm(tmp_path, forged.lvm_text(segments=[body])))

    assert found.refused.startswith("the LVM metadata of the whole image cannot be read")


NUMBERS = [
    "-1",
    "0",
    "99999999999999999999",
    "PATH[$(touch marker)]",
    '"$(touch marker)"',
    "1e9",
    "[]",
]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("place", ["extent_size", "pe_start"])
def test_a_size_that_cannot_be(place, number, tmp_path):
    found = read(lvm(tmp_path, forged.lvm_text(**{place: number})))

    assert found.refused.startswith("the LVM metadata") or (place, number) == ("pe_start", "0")


@pytest.mark.parametrize("number", NUMBERS)
def test_a_count_of_extents_that_cannot_be(number, tmp_path):
    body = f'extent_count = {number}\ntype = "striped"\nstripes = ["pv0", 0]'

    found = read(lvm(tmp_path, forged.lvm_text(segments=[body])))

    assert found.refused.startswith("the LVM metadata of the whole image cannot be read")


def segment(first: object, count: object = 2, disk: str = "pv0") -> str:
    return f'extent_count = {count}\ntype = "striped"\nstripes = ["{disk}", {first}]'


LEFT_OUT = {
    "beyond the disk": ([segment(1000)], "beyond the end of its disk"),
    "far beyond the disk": ([segment(1 << 50, 1 << 50)], "beyond the end of its disk"),
    "over one another": ([segment(0), segment(1)], "lie over one another"),
    "the same twice": ([segment(5), segment(5)], "lie over one another"),
    "on another disk": ([segment(0, disk="pv7")], "on a disk that is not in this image"),
    "on itself": ([segment(0, disk="root")], "on a disk that is not in this image"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_volume_whose_parts_cannot_lie_so_is_left_out(name, tmp_path):
    segments, why = LEFT_OUT[name]

    found = read(lvm(tmp_path, forged.lvm_text(segments=segments)))

    assert found.types[1] in ("LVM-damaged", "LVM-incomplete")
    [line] = found.said
    assert line.startswith("vg/root is left out: ")
    assert why in line


def test_two_disks_with_one_id_are_not_mixed_up(tmp_path):
    disk = lvm(tmp_path, forged.lvm_text())
    image = images.disk(tmp_path / "both.img", "gpt", [Partition("lvm", disk)] * 2)

    found = read(image)

    assert found.types == ["LVM2_member", "LVM2_member", "LVM-damaged"]
    assert "two disks in this image have the same id" in found.said[0]


FLOODS = {
    "sections without end": b"a {\n" * 300_000,
    "a list without end": b"a = [" + b"1," * 1_000_000,
    "a string without end": b'a = "' + b"\\x" * 400_000,
    "brackets": b"a = " + b"[" * 1_000_000,
    "a number of many digits": b"a = " + b"9" * 1_000_000,
    "one thing twice": b"vg {\nid = 1\nid = 2\n}\n",
    "bytes of no text": bytes(range(1, 256)) * 100,
    "two groups": b"a {\n}\nb {\n}\n",
    "nothing": b"",
}


@pytest.mark.parametrize("name", FLOODS)
def test_metadata_that_is_none(name, tmp_path):
    found = read(lvm(tmp_path, FLOODS[name][: MIB - 10_000]))

    assert found.refused.startswith("the LVM metadata of the whole image cannot be read")


def test_many_volumes_and_segments_end_at_a_bound(tmp_path):
    one = forged.lvm_text()
    begin, end = one.index("root {"), one.index("}\n}\n}\n# Gen") + 2
    volume = one[begin:end]
    text = (
        one[:begin] + "".join(volume.replace("root", f"r{n}", 1) for n in range(1500)) + one[end:]
    )

    assert "more than 1000 volumes" in read(lvm(tmp_path, text)).refused
    counts = forged.lvm_text().replace("segment_count = 1", "segment_count = 9999999999")
    assert "segment_count that cannot be" in read(lvm(tmp_path, counts)).refused


@pytest.mark.parametrize("claimed", [1 << 60, 32 * MIB, MIB])
def test_metadata_that_claims_to_be_longer_than_its_place(claimed, tmp_path):
    found = read(lvm(tmp_path, forged.lvm_text(), claimed=claimed))

    assert "outside of its place" in found.refused


def test_metadata_on_a_disk_that_is_not_so_long(tmp_path):
    image = lvm(tmp_path, forged.lvm_text())
    with image.open("r+b") as file:
        file.truncate(5000)

    assert "the LVM metadata of the whole image cannot be read" in read(image).refused


# --- partition tables ----------------------------------------------------------------------------


def disk(folder, size=64 * MIB):
    return forged.hollow(folder / "disk.img", size)


@injected
def test_names_in_a_gpt_are_not_even_looked_at(word, tmp_path):
    image = disk(tmp_path)
    forged.gpt(image, [GptEntry(2048, 4095, word.encode("utf-16-le"))])

    assert [volume[:2] for volume in read(image).volumes] == [["partition 1", "unknown"]]


@pytest.mark.parametrize(
    ("count", "size"), [(1 << 31, 128), (1 << 31, 1 << 31), (128, 1), (0, 128)]
)
def test_a_gpt_whose_entries_take_up_the_world(count, size, tmp_path):
    image = disk(tmp_path, 4 * MIB)
    forged.gpt(image, [], count=count, entry_size=128)
    for at in (SECTOR, 4 * MIB - SECTOR):
        raw = bytearray(image.read_bytes()[at : at + 92])
        struct.pack_into("<II", raw, 80, count, size)
        struct.pack_into("<I", raw, 16, 0)
        struct.pack_into("<I", raw, 16, forged.zlib.crc32(raw))
        forged.poke(image, at, bytes(raw))

    assert "has a partition table (PMBR) but no partitions" in read(image).refused


def test_a_gpt_with_partitions_that_cannot_be(tmp_path):
    image = disk(tmp_path)
    odd = [(0, 5), (5000, 4000), (1 << 63, 1 << 63), (2048, (1 << 64) - 1), (4096, 5000)]
    forged.gpt(image, [GptEntry(*each) for each in odd])

    assert [volume[0] for volume in read(image).volumes] == ["partition 5"]


def test_a_gpt_of_64_tib(tmp_path):
    image = disk(tmp_path)
    forged.gpt(image, [GptEntry(2048, 64 * TIB // SECTOR - 100)], sectors=64 * TIB // SECTOR)

    assert f"its partition table is for {64 * TIB} bytes" in read(image).refused


CHAINS = {
    "to itself": {2048: [MbrEntry(0x83, 1, 10), MbrEntry(5, 0, 5000)]},
    "of itself alone": {2048: [MbrEntry(5, 0, 5000)]},
    "there and back": {
        2048: [MbrEntry(0x83, 1, 10), MbrEntry(5, 100, 5000)],
        2148: [MbrEntry(0x83, 1, 10), MbrEntry(5, 0, 5000)],
    },
    "four ways": {2048: [MbrEntry(5, 0, 5000)] * 4},
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_of_logical_partitions_that_goes_round(name, tmp_path):
    image = disk(tmp_path)
    forged.mbr(image, [MbrEntry(5, 2048, 20_000)])
    for sector, entries in CHAINS[name].items():
        forged.mbr(image, entries, sector=sector)

    assert read(image).refused == "the image's chain of logical partitions has no end"


def test_a_chain_longer_than_any(tmp_path):
    image = disk(tmp_path)
    forged.mbr(image, [MbrEntry(5, 2048, 100_000)])
    for link in range(2000):
        entries = [MbrEntry(0x83, 1, 5), MbrEntry(5, 10 * (link + 1), 10)]
        forged.mbr(image, entries, sector=2048 + 10 * link)

    assert read(image).refused == "the image has more than 256 partitions"


@pytest.mark.parametrize("start", [0xFFFFFFFF, 200_000])
def test_a_chain_that_leaves_the_disk(start, tmp_path):
    image = disk(tmp_path)
    forged.mbr(image, [MbrEntry(5, 2048, 20_000)])
    forged.mbr(image, [MbrEntry(5, start, 10)], sector=2048)

    assert "cut short" in read(image).refused


# --- labels and superblocks ----------------------------------------------------------------------


@injected
def test_labels_come_out_as_text_that_steers_nothing(word, tmp_path):
    raw = word.encode("utf-8")
    ext = tmp_path / "ext.img"
    images.sh("mke2fs", "-q", "-F", "-t", "ext4", ext, "4M")
    forged.poke(ext, 1024 + 0x78, raw[:16].ljust(16, b"\0"))
    swap = forged.hollow(tmp_path / "swap.img", 4 * MIB)
    images.sh("mkswap", swap)
    forged.poke(swap, 1052, raw[:16].ljust(16, b"\0"))
    fat = forged.hollow(tmp_path / "fat.img", 4 * MIB)
    images.sh("mkfs.vfat", "-n", "LABEL", fat)
    forged.poke(fat, fat.read_bytes().index(b"LABEL      \x08"), raw[:11].ljust(11, b" "))
    luks = forged.hollow(tmp_path / "luks.img", 4 * MIB)
    forged.poke(luks, 0, b"LUKS\xba\xbe\0\2" + bytes(16) + raw[:48].ljust(48, b"\0"))
    forged.poke(luks, 168, raw[:40].ljust(40, b"\0"))

    for found in read_each([ext, swap, fat, luks]):
        [[_, kind, ident, _]] = found.volumes
        assert kind in ("ext4", "swap", "vfat", "crypto_LUKS")
        assert set(ident) <= set("0123456789abcdefABCDEF-")


def test_a_forged_line_in_where_an_ext4_was_last_mounted(tmp_path):
    image = disk(tmp_path)
    images.sh("mke2fs", "-q", "-F", "-t", "ext4", image)
    for line in ("Block count: PATH[$(touch marker)]", "Block size: PATH[$(touch marker)]"):
        images.sh("tune2fs", "-M", f"x\n{line}", image)

        found = read(image)

        assert (found.types, found.refused) == (["ext4"], "")


def test_an_ext4_that_claims_64_tib(tmp_path):
    image = disk(tmp_path)
    images.sh("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-O", "64bit", image)
    forged.poke(image, 1024 + 4, struct.pack("<I", 0))
    forged.poke(image, 1024 + 0x150, struct.pack("<I", 4))

    found = read(image)

    assert f"{64 * TIB}" in found.refused or found.types == ["damaged ext4"]


@pytest.mark.parametrize("value", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\1\0\0\0", b"\0\0\0\x80"])
def test_no_number_in_a_superblock_does_harm(value, tmp_path):
    (tmp_path / "tree").mkdir()
    images.write(tmp_path / "tree/etc/fstab", "/dev/sda1 / ext4")
    image = images.ext4(tmp_path / "disk.img", tmp_path / "tree", 1)
    damaged = []
    for at in [*range(0, 0x68, 4), 0xFC, *range(0x100, 0x108, 4), *range(0x14C, 0x15C, 4), 0x24C]:
        damaged.append(tmp_path / f"damaged-{at:x}.img")
        images.sh("cp", image, damaged[-1])
        forged.poke(damaged[-1], 1024 + at, value)

    assert len(read_each(damaged)) == len(damaged)


# --- the whole way -------------------------------------------------------------------------------


def system_on_lvm(place, system, **told: str):
    """A disk of LVM's whose volume `root` is a system; what its metadata tells may be forged."""
    root = images.ext4(place / "root.fs", system, 64)
    image = forged.hollow(place / "disk.img", 80 * MIB)
    forged.poke(image, MIB, root.read_bytes())
    body = 'extent_count = 64\ntype = "striped"\nstripes = ["pv0", 0]'
    return forged.physical_volume(image, forged.lvm_text(segments=[body], **told))


def test_a_system_on_lvm_is_taken_every_way(way, place, system):
    assert way(system_on_lvm(place, system), place).code == 0


@pytest.mark.parametrize("place_of_it", ["group", "volume", "group_id", "disk_id", "extent_size"])
@pytest.mark.parametrize(
    "word", [f"PATH[$(touch {MARKER})]", f"x\n$(touch {MARKER})", "\x1b[2J", ".."]
)
def test_no_word_of_lvms_gets_further(place_of_it, word, place, system, decoy):
    before = decoy.facts()

    ran = spin(system_on_lvm(place, system, **{place_of_it: word}), place)

    assert ran.code == 1
    assert b"the LVM metadata of the whole image cannot be read" in ran.complaint
    assert decoy.facts() == before
    assert not any(path.name == MARKER for path in place.iterdir())
