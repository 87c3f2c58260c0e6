"""A FAT made by somebody who wants the host's memory, time, files: refused or bounded."""

import struct

import images
import pytest
from images import MIB

from hostile import forged
from hostile.reading import read, read_each


class Fat:
    """A FAT whose table and folders can be written over; clusters are of 512 bytes."""

    def __init__(self, folder, bits: int = 16) -> None:
        self.bits = bits
        source = folder / "source"
        images.write(source / "BOOT/VICTIM.TXT", b"x" * 5000)
        (source / "LOOP").mkdir()
        images.write(source / "LOOP/A.TXT", b"x" * 5000)
        (folder / "image").mkdir()
        mib = {12: 1, 16: 8, 32: 64}[bits]
        self.path = forged.hollow(folder / "image" / "disk.img", mib * MIB)
        images.sh("mkfs.vfat", "-F", f"{bits}", "-s", "1", "-S", "512", self.path)
        for path in sorted(source.iterdir()):
            images.sh("mcopy", "-s", "-i", self.path, path, "::/")
        head = self.path.read_bytes()[:512]
        self.table = struct.unpack_from("<H", head, 14)[0] * 512

    def entry(self, short: bytes) -> int:
        """Where the entry with this short name lies."""
        return self.path.read_bytes().index(short)

    def cluster(self, short: bytes) -> int:
        raw = self.path.read_bytes()[self.entry(short) :][:32]
        low, high = struct.unpack_from("<H", raw, 26)[0], struct.unpack_from("<H", raw, 20)[0]
        return low | high << 16

    def chain(self, cluster: int, following: int) -> None:
        """Make a cluster be followed by that one."""
        width = self.bits // 8
        raw = following.to_bytes(width, "little")
        forged.poke(self.path, self.table + cluster * width, raw)


VICTIM, BOOT, LOOP = b"VICTIM  TXT", b"BOOT       \x10", b"LOOP       \x10"


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_chain_of_clusters_in_a_circle(bits, steps, tmp_path):
    fat = Fat(tmp_path, bits)
    first = fat.cluster(VICTIM)
    fat.chain(first + steps, first)
    forged.poke(fat.path, fat.entry(VICTIM) + 28, struct.pack("<I", 4 * MIB))

    assert "a chain of clusters goes in a circle" in read(fat.path).complaints


def test_a_folder_whose_chain_goes_in_a_circle(tmp_path):
    fat = Fat(tmp_path)
    names = b"".join(b"%08dTXT".ljust(28, b"\0") % number for number in range(16))
    forged.poke(fat.path, fat.entry(b"A       TXT") - 64, names)
    fat.chain(fat.cluster(LOOP), fat.cluster(LOOP))

    assert "a chain of clusters goes in a circle" in read(fat.path).complaints


def test_folders_of_a_fat_in_a_circle(tmp_path):
    fat = Fat(tmp_path)
    forged.poke(fat.path, fat.entry(VICTIM) + 11, b"\x10")
    forged.poke(fat.path, fat.entry(VICTIM) + 26, struct.pack("<H", fat.cluster(BOOT)))

    found = read(fat.path)

    assert found.names >= 1000


@pytest.mark.parametrize("cluster", [1, 0xFFF6, 60_000])
def test_clusters_that_are_not_there(cluster, tmp_path):
    fat = Fat(tmp_path)
    for short in (VICTIM, LOOP):
        forged.poke(fat.path, fat.entry(short) + 26, struct.pack("<H", cluster))

    assert "a chain of clusters leads out of the FAT" in read(fat.path).complaints


def test_a_folder_without_a_place(tmp_path):
    fat = Fat(tmp_path)
    forged.poke(fat.path, fat.entry(LOOP) + 26, b"\0\0")

    assert "a folder has no place: the FAT is damaged" in read(fat.path).complaints


def test_a_file_that_claims_more_than_there_is(tmp_path):
    fat = Fat(tmp_path)
    forged.poke(fat.path, fat.entry(VICTIM) + 28, struct.pack("<I", 6000))

    assert "a file ends before its size: the FAT is damaged" in read(fat.path).complaints
    forged.poke(fat.path, fat.entry(VICTIM) + 28, struct.pack("<I", 0xFFFFFFFF))
    assert read(fat.path).names >= 3


@pytest.mark.parametrize(
    "short",
    [
        b"A/B     TXT",
        b"..      TXT",
        b"A\\B     TXT",
        b"A\0B     TXT",
        b"           ",
        b"\x1b[2J       ",
    ],
)
def test_short_names_that_lead_elsewhere(short, tmp_path):
    fat = Fat(tmp_path)
    forged.poke(fat.path, fat.entry(VICTIM), short)

    found = read(fat.path)

    assert found.complaints or short.startswith(b"..")


def long_name(text: str, short: bytes) -> bytes:
    """The entries of a long name before its short one."""
    check = 0
    for byte in short:
        check = ((check & 1) << 7 | check >> 1) + byte & 0xFF
    raw = text.encode("utf-16-le") + b"\0\0"
    parts = [raw[at : at + 26].ljust(26, b"\xff") for at in range(0, len(raw), 26)]
    entries = [
        bytes([number | (0x40 if number == len(parts) else 0)])
        + part[:10] + b"\x0f\0" + bytes([check]) + part[10:22] + b"\0\0" + part[22:]
        for number, part in enumerate(parts, 1)
    ]  # fmt: skip
    return b"".join(reversed(entries))


@pytest.mark.parametrize(
    "text",
    ["../../../etc/cron.d/x", "..", ".", "a/b", "a\\b", "\x1b]0;x\x07", "x\nready: y", "con:"],
)
def test_long_names_that_lead_elsewhere(text, tmp_path):
    fat = Fat(tmp_path)
    at = fat.entry(VICTIM)
    entry = fat.path.read_bytes()[at : at + 32]
    forged.poke(fat.path, at, long_name(text, VICTIM) + entry)

    found = read(fat.path)

    assert any("a name that" in line for line in found.complaints)


def test_no_number_in_a_fats_header_does_harm(tmp_path):
    whole = Fat(tmp_path, 12).path.read_bytes()
    damaged = []
    for at in range(11, 48):
        for value in (0, 1, 0x80, 0xFF):
            damaged.append(tmp_path / "image" / f"damaged-{at}-{value}.img")
            damaged[-1].write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])

    assert len(read_each(damaged)) == len(damaged)
