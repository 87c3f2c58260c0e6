"""Initrds made to use up the host: little memory, little time, and a clear end.

Each is read as the engine reads one, by the program, whose memory the kernel counts.
"""

import bz2
import gzip
import io
import itertools
import lzma
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from readers.memory import tree
from support.packers import PACKERS
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.guard.isolated import isolated
from vmtiming_tui.images.system.initrd.completed import complete_initrd
from vmtiming_tui.images.system.initrd.contents import InitrdKind, names
from vmtiming_tui.images.system.initrd.cpio import Entry, cpio
from vmtiming_tui.images.system.initrd.packings import MAX_SECONDS

MIB = 1 << 20
MOST_BYTES = 300 << 20
# The program with a smaller limit, for what would else take minutes to make and to read.
SMALLER = (
    "from vmtiming_tui.images.system.initrd import contents, packings; "
    "packings.MAX_UNPACKED_BYTES = 16 << 20; contents.main()"
)
MOST_SECONDS = MAX_SECONDS + 10
VERSION = "6.1.0-1"
FOLDER = f"usr/lib/modules/{VERSION}"


def packed_by(tool: str, chunks: Iterator[bytes], target: Path) -> Path:
    """What a tool makes of more than we would hold."""
    with target.open("wb") as file, subprocess.Popen(
        tool.split(), stdin=subprocess.PIPE, stdout=file
    ) as child:  # fmt: skip
        assert child.stdin is not None
        for chunk in chunks:
            child.stdin.write(chunk)
    return target


def zeros(count: int) -> Iterator[bytes]:
    return itertools.repeat(bytes(1 << 20), count >> 20)


def one_large_file(count: int) -> Iterator[bytes]:
    """An archive whose one file is zeros."""
    head = cpio([Entry("init", b"")])[: 110 + 6]
    yield head[:54] + b"%08X" % count + head[62:]
    yield from zeros(count)


# A child is charged with what its parent held when it was forked: so a small parent makes it.
SMALL_PARENT = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, *sys.argv[1:]], stdout=subprocess.PIPE, check=False)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
print(done.stdout.decode().strip())
"""


def told(path: Path, *program: str) -> tuple[InitrdKind, float]:
    """What kind the program says it is, and after how many seconds; it takes little memory."""
    words = program or isolated("system.initrd.contents")[1:]
    began = time.monotonic()
    with path.open("rb") as file:
        command = [sys.executable, "-c", SMALL_PARENT, *words]
        done = subprocess.run(command, stdin=file, capture_output=True, text=True, check=True)
    took_s = time.monotonic() - began
    numbers, said = done.stdout.splitlines()
    kind = said.split()[0]
    code, most_kib = map(int, numbers.split())
    assert code == 0
    assert most_kib * 1024 < MOST_BYTES
    return InitrdKind(kind), took_s


TOOLS = ["gzip -9", "bzip2 -9", "xz -1", "xz -1 --format=lzma", "zstd -q", "lz4 -l -q", "lzop -q"]


@pytest.mark.parametrize("make", [zeros, one_large_file])
@pytest.mark.parametrize("tool", TOOLS)
def test_little_that_unpacks_to_much(tool, make, tmp_path):
    bomb = packed_by(tool, make(64 * MIB), tmp_path / "bomb")

    kind, seconds = told(bomb, "-c", SMALLER)

    assert bomb.stat().st_size < 2 * MIB
    assert (kind, seconds < MOST_SECONDS) == (InitrdKind.UNREADABLE, True)


def test_kilobytes_of_bz2_that_unpack_to_gigabytes(tmp_path):
    bomb = bz2.compress(bytes(45 * MIB)) * 50
    (tmp_path / "bomb").write_bytes(bomb)

    kind, seconds = told(tmp_path / "bomb")

    assert len(bomb) < 6000
    assert (kind, seconds < MOST_SECONDS) == (InitrdKind.UNREADABLE, True)


@pytest.mark.parametrize("pack", PACKERS[1:])
def test_compression_within_compression_is_read_no_more_than_a_kernel_does(pack, tmp_path):
    (tmp_path / "initrd").write_bytes(pack(pack(cpio([Entry("usr/lib/dracut/hooks")]))))

    assert told(tmp_path / "initrd")[0] is InitrdKind.UNREADABLE


def test_a_bomb_in_a_bomb(tmp_path):
    once = packed_by("gzip -9", zeros(10 * MIB), tmp_path / "once").read_bytes()
    (tmp_path / "twice").write_bytes(gzip.compress(once))
    many = cpio([Entry("a")]) + gzip.compress(cpio([Entry("b")]) + once + once)
    (tmp_path / "many").write_bytes(many)

    assert told(tmp_path / "twice", "-c", SMALLER)[0] is InitrdKind.UNREADABLE
    assert told(tmp_path / "many", "-c", SMALLER)[0] is InitrdKind.UNREADABLE


def test_a_dictionary_that_takes_gigabytes(tmp_path):
    # Bytes 1 to 4 are the dictionary's size (lzma's own header): here 4 GiB less one byte.
    alone = lzma.compress(b"x" * 1000, lzma.FORMAT_ALONE)
    (tmp_path / "initrd").write_bytes(alone[:1] + b"\0\0\0\xc0" + alone[5:])

    assert told(tmp_path / "initrd")[0] is InitrdKind.UNREADABLE


def test_a_window_that_takes_gigabytes(tmp_path):
    bomb = packed_by("zstd -q --ultra -22 --long=31", zeros(1 << 20), tmp_path / "initrd")

    assert told(bomb)[0] in (InitrdKind.OTHER, InitrdKind.UNREADABLE)


@pytest.mark.parametrize(
    "head",
    [
        b"070701" + b"FFFFFFFF" * 13,
        b"070701" + b"-0000070" * 13,
        b"070701" + b"00000000" * 13,
        b"070701" + b" 0x00001" * 13,
        cpio([Entry("x", b"")])[:54] + b"FFFFFFFF" + cpio([Entry("x", b"")])[62:],
        cpio([Entry("x")])[:94] + b"7FFFFFFF" + cpio([Entry("x")])[102:],
        cpio([Entry("x")])[:94] + b"00000000" + cpio([Entry("x")])[102:],
    ],
    ids=["all ones", "signs", "all zero", "prefixes", "huge file", "huge name", "no name"],
)  # fmt: skip
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_headers_that_lead_nowhere_or_round(pack, head, tmp_path):
    (tmp_path / "initrd").write_bytes(pack(head * 1000))

    assert told(tmp_path / "initrd") < (InitrdKind.UNREADABLE, 5)


def test_more_names_than_anybody_has(tmp_path):
    one = cpio([Entry("a" * 100)])
    packed_by("gzip -1", itertools.repeat(one * 100, 2_500), tmp_path / "many")
    packed_by("zstd -q", itertools.repeat(cpio([Entry("a" * 4000)]) * 10, 1000), tmp_path / "long")

    assert told(tmp_path / "many") < (InitrdKind.UNREADABLE, MOST_SECONDS)
    assert told(tmp_path / "long") < (InitrdKind.UNREADABLE, MOST_SECONDS)


def test_a_hole_without_end(tmp_path):
    with (tmp_path / "initrd").open("wb") as file:
        file.truncate(4 << 40)

    assert told(tmp_path / "initrd") < (InitrdKind.UNREADABLE, MOST_SECONDS)


def test_streams_by_the_hundred_thousand(tmp_path):
    (tmp_path / "initrd").write_bytes(gzip.compress(b"") * 200_000)

    assert told(tmp_path / "initrd")[1] < MOST_SECONDS


def test_a_tool_that_is_fed_noise_ends(tmp_path):
    for magic in (b"\x28\xb5\x2f\xfd", b"\x02\x21\x4c\x18", b"\x89LZO\0\r\n\x1a\n"):
        (tmp_path / "initrd").write_bytes(magic + os.urandom(3 << 20))
        assert told(tmp_path / "initrd") < (InitrdKind.UNREADABLE, 5)


# Names that lead out, and tables that do


def spun(tmp_path: Path, data: bytes, files: dict[str, bytes]) -> tuple[bytes, list[str]]:
    path = tmp_path / "initrd"
    path.write_bytes(data)
    said: list[str] = []
    complete_initrd(path, tree(files), VERSION, new_type="", say=said.append)
    return path.read_bytes(), said


def modules(dep: bytes) -> dict[str, bytes]:
    return {f"{FOLDER}/modules.dep": dep, f"{FOLDER}/kernel/a.ko": b"module"}


OUT = ["../../../../../../etc/marker", "/etc/marker", "a/../../marker", "..", "a\nb", "a\x1b[2Jb"]


@pytest.mark.parametrize("name", OUT)
def test_names_of_an_initrd_are_never_paths_of_the_host(name, tmp_path):
    lean = cpio([Entry(name, b"x"), Entry(f"{FOLDER}/kernel/b.ko", b"x")])

    made, said = spun(tmp_path, lean, modules(b"kernel/a.ko:\n"))

    assert made == lean
    assert said == []
    assert list(tmp_path.iterdir()) == [tmp_path / "initrd"]


@pytest.mark.parametrize(
    "path",
    [
        "../../../../../../tmp/marker/virtio_blk.ko", "/tmp/marker/virtio_blk.ko",
        "kernel/../../virtio_blk.ko", "./virtio_blk.ko", "kernel//virtio_blk.ko",
        ".hidden/virtio_blk.ko", "a\x1b[2J/virtio_blk.ko", "a\\n/virtio_blk.ko",
        "$(touch marker)/virtio_blk.ko", "a/" * 500 + "virtio_blk.ko", "kernel/virtio_blk.ko\x7f",
    ],
)  # fmt: skip
def test_a_modules_path_that_leads_out_is_refused_in_words_safe_to_show(path, tmp_path):
    dep = f"{path}:\n".encode()
    lean = cpio([Entry(f"{FOLDER}/kernel/b.ko")])

    with pytest.raises(ImageError, match="is damaged") as refused:
        spun(tmp_path, lean, modules(dep))

    assert refused.value.message.isprintable()
    assert (tmp_path / "initrd").read_bytes() == lean


@pytest.mark.parametrize(
    "needs", ["../../etc/passwd", "/etc/passwd", "kernel/../../x.ko", "x" * 100_000, "a.ko " * 9999]
)
def test_so_is_what_a_module_needs(needs, tmp_path):
    dep = f"kernel/virtio_blk.ko: {needs}\n".encode()

    with pytest.raises(ImageError, match="is damaged"):
        spun(tmp_path, cpio([Entry(f"{FOLDER}/kernel/b.ko")]), modules(dep))


@pytest.mark.parametrize("version", ["..", "../../etc", "6.1\n", "6.1/../..", "$(id)", "", "-x"])
def test_a_version_that_is_a_path_has_no_modules(version, tmp_path):
    path = tmp_path / "initrd"
    path.write_bytes(cpio([Entry(f"usr/lib/modules/{version}/x")]))
    before = path.read_bytes()

    complete_initrd(
        path, tree({"etc/modules.dep": b"virtio_blk.ko:\n", "modules.dep": b"virtio_blk.ko:\n"}),
        version, new_type="ext4", say=pytest.fail,
    )  # fmt: skip

    assert path.read_bytes() == before


def test_tables_of_megabytes_cost_little(tmp_path):
    words = b"kernel/virtio_blk.ko: " + b"kernel/a.ko " * 600_000
    began = time.monotonic()

    for dep in (words, b"/" * 7_000_000, b":\n" * 3_000_000, b"virtio_blk.ko" * 500_000):
        path = tmp_path / "initrd"
        path.write_bytes(cpio([Entry(f"{FOLDER}/kernel/a.ko"), Entry(f"{FOLDER}/x")]))
        try:
            complete_initrd(path, tree(modules(dep)), VERSION, new_type="", say=print)
        except ImageError as error:
            assert "damaged" in error.message or "not there" in error.message
    assert time.monotonic() - began < 20


def test_names_are_given_one_at_a_time():
    archive = cpio([Entry("first"), *(Entry(str(number)) for number in range(1000))])

    found = names(io.BytesIO(archive + b"damaged"))

    assert next(found) == "first"
