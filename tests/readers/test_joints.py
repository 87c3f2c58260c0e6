"""An archive joined to an initrd lies where every kernel reads it."""

import io
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import given, strategies as st

from support.packers import PACKERS, lz4, lzo, xz, zstd
from vmtiming_tui.images.system.initrd.contents import Initrd, InitrdKind, LookedAt
from vmtiming_tui.images.system.initrd.cpio import Entry, cpio
from vmtiming_tui.images.system.initrd.joint import Joint, append, gap

OURS = cpio([Entry("ours", b"x" * 1000)])


def read(data: bytes) -> tuple[list[str], Joint]:
    initrd = Initrd(io.BytesIO(data))
    return list(initrd.names()), initrd.joint


def lz4_best(data: bytes) -> bytes:
    return subprocess.check_output(["lz4", "-qlc", "-9"], input=data)


def by_the_oldest_unlz4(data: bytes) -> bytes:
    """What kernels before 5.14 unpack: blocks up to the last byte, and nothing else is an end."""
    plain = b""
    assert data[:4] == b"\x02\x21\x4c\x18"
    while data:
        if data[:4] == b"\x02\x21\x4c\x18":
            data = data[4:]
            continue
        size = int.from_bytes(data[:4], "little")
        assert 0 < size <= len(data) - 4
        block = b"\x02\x21\x4c\x18" + data[: 4 + size]
        plain += subprocess.check_output(["lz4", "-qdc"], input=block)
        data = data[4 + size :]
    return plain


@given(st.integers(0, 1 << 40))
def test_a_gap_ends_lz4_and_leads_to_a_multiple_of_four(size: int):
    assert gap(size).startswith(bytes(4))
    assert (size + len(gap(size))) % 4 == 0


@pytest.mark.parametrize("pack", PACKERS)
@pytest.mark.parametrize("before", PACKERS)
def test_archives_follow_each_other_in_any_packing_and_order(before, pack):
    first, second = before(cpio([Entry("first", b"1" * 77)])), pack(cpio([Entry("second")]))
    data = first + gap(len(first)) + second

    assert read(data + gap(len(data)) + OURS)[0] == ["first", "second", "ours"]


@pytest.mark.parametrize("pack", PACKERS)
def test_what_is_joined_is_read_after_any_packing(pack, tmp_path):
    initrd = tmp_path / "initrd"
    initrd.write_bytes(pack(cpio([Entry("init", b"123")])))

    for _ in range(2):
        append(initrd, read(initrd.read_bytes())[1], [OURS])

    assert read(initrd.read_bytes())[0] == ["init", "ours", "ours"]


@pytest.mark.parametrize("pack", [lz4, lz4_best])
@pytest.mark.parametrize("odd", range(4))
def test_lz4_is_gone_on_with_and_needs_no_kernel_that_knows_its_end(pack, odd, tmp_path):
    initrd = tmp_path / "initrd"
    theirs = cpio([Entry("init", bytes(range(40 + odd)))])
    initrd.write_bytes(pack(theirs + bytes(odd)))

    append(initrd, read(initrd.read_bytes())[1], [OURS[:9], OURS[9:], b""])

    plain = by_the_oldest_unlz4(initrd.read_bytes())
    assert plain.startswith(theirs + bytes(odd))
    assert plain.endswith(OURS)
    assert plain.index(OURS) % 4 == 0
    assert read(initrd.read_bytes())[0] == ["init", "ours"]


def test_so_is_what_is_larger_than_one_of_its_blocks():
    large = bytes(range(256)) * (9 << 12)

    joined = b"".join(Joint(0, 0).joined([large]))

    assert by_the_oldest_unlz4(joined) == gap(0) + large


def test_lz4_that_ended_before_the_last_byte_is_not_gone_on_with():
    first = lz4(cpio([Entry("init")]))
    for data in (first + bytes(8), first + gap(len(first)) + zstd(cpio([Entry("more")]))):
        assert read(data)[1] == Joint(len(data))


def frames(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What zstd has ways for: long windows, no checksum, a stored size or none, empty blocks."""
    for words in ("--long=27", "--no-check", "-19", "--fast=9", "-1 --no-content-size"):
        yield words, subprocess.check_output(["zstd", "-qc", *words.split()], input=data)
    child = subprocess.Popen(["zstd", "-qc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    yield "a stream", child.communicate(data)[0]


def test_the_end_of_any_zstd_frame_is_found():
    for words, packed in frames(cpio([Entry("init", bytes(1 << 18) + bytes(range(256)) * 9)])):
        assert read(packed + gap(len(packed)) + OURS)[0] == ["init", "ours"], words


@pytest.mark.parametrize("words", ["-1", "-9", "--no-name"])
def test_the_end_of_any_lzop_file_is_found(words):
    plain = cpio([Entry("init", bytes(range(256)) * 3000)])
    packed = subprocess.check_output(["lzop", "-qc", words], input=plain)

    assert read(packed + gap(len(packed)) + OURS)[0] == ["init", "ours"]


def test_what_no_kernel_reads_after_an_archive_is_written_over(tmp_path):
    first = xz(cpio([Entry("init")]))
    initrd = tmp_path / "initrd"
    initrd.write_bytes(first + b"\0\0signed by somebody" * 99)

    append(initrd, read(initrd.read_bytes())[1], [OURS])

    assert read(initrd.read_bytes()) == (["init", "ours"], Joint(initrd.stat().st_size))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (subprocess.check_output(["lz4", "-qc"], input=OURS), "packed by lz4 without -l"),
        (subprocess.check_output(["xz", "-c"], input=OURS), "a check that no kernel knows"),
        (b"070707" + bytes(100), "cpio's old kind"),
        (b"\x27\x05\x19\x56" + bytes(60) + zstd(OURS), "wrapped for U-Boot"),
        (cpio([Entry("early")]) + b"junk", "neither an archive nor"),
        (zstd(b"no archive"), "neither an archive nor"),
        (zstd(OURS) + subprocess.check_output(["lz4", "-qc"], input=OURS), "without -l"),
        (bytes(2) + OURS, "joined at no multiple of four"),
        (lz4(OURS) + OURS, "whose end no kernel finds"),
        (lzo(OURS)[:-2], "cut short"),
        (zstd(OURS)[:-2], "cut short"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_kernel_reads_is_told_apart(data, words):
    with pytest.raises(ValueError, match=words):
        read(data)
    assert LookedAt.file(io.BytesIO(data)).kind is InitrdKind.UNREADABLE


def test_a_tool_that_is_missing_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(
        ValueError, match=r"packed for zstd, which is not here \(apt-get install zstd\)"
    ):
        read(b"\x28\xb5\x2f\xfd" + bytes(100))
