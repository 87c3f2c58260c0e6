"""Packed images that are damaged, hostile or none at all, and unpacking that is ended."""

import gzip
import io
import os
import signal
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from faults.fault import Fault, as_one
from faults.running import in_words
from faults.scene import How, Scene
from support.engine_lab import child_naming
from support.tool_lab import Ended
from support.traces import nothing_left
from vmtiming_tui.images.guard.isolated import isolated

TITLE = "Images that are packed, and what is no image"

KEPT = "the packed file, to the byte; nothing is left of the attempt"
MIB = 1 << 20
PARTITION = struct.pack("<4xB3xII", 0x83, 1, 300)
DISK = bytes(446) + PARTITION.ljust(64, b"\0") + b"\x55\xaa" + os.urandom(200_000)


def given(content: bytes, name: str = "image") -> How:
    """Have a file of this content prepared."""

    @contextmanager
    def how(scene: Scene) -> Iterator[None]:
        (scene.folder / name).write_bytes(content)
        scene.words += [name]
        yield

    return how


def tar(*names: str) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(DISK)
            archive.addfile(info, io.BytesIO(DISK if name.endswith(".raw") else b"." * len(DISK)))
    return held.getvalue()


def in_many_archives() -> bytes:
    packed = DISK
    for number in range(8):
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as archive:
            archive.writestr(f"{number}.zip", packed)
        packed = held.getvalue()
    return packed


@contextmanager
def encrypted(scene: Scene) -> Iterator[None]:
    (scene.folder / "disk.raw").write_bytes(DISK)
    command = ["zip", "-q", "-P", "secret", "image.zip", "disk.raw"]
    subprocess.run(command, cwd=scene.folder, check=True)
    scene.words += ["image.zip"]
    yield


@contextmanager
def no_room(scene: Scene) -> Iterator[None]:
    cache = scene.folder / "cache"
    cache.mkdir(exist_ok=True)
    scene.go_aside().disk(cache, size="100k")
    with given(gzip.compress(DISK))(scene):
        yield


@contextmanager
def packed_base(scene: Scene) -> Iterator[None]:
    scene.words = ["-n", "1", "-p", "new", "-s", ".img", "-v", ".", "-k", "vmlinuz"]
    scene.words += ["-q", str(scene.lab.qemu), "--accel", "tcg", "--base", "base.qcow2.gz"]
    (scene.folder / "base.qcow2.gz").write_bytes(gzip.compress(DISK))
    yield
    assert list(scene.folder.glob("new-*")) == []


REFUSED: list[Fault[How]] = [
    Fault(
        "a packed image is cut short",
        given(gzip.compress(DISK)[:100_000]),
        ends="exit code 1",
        words="the gzip file is cut short; get it again",
        kept=KEPT,
    ),
    Fault(
        "a zip in a zip in a zip, without end",
        given(in_many_archives()),
        ends="exit code 1",
        words="it is packed again and again",
        kept=KEPT,
    ),
    Fault(
        "the disk gets full while an image is unpacked",
        no_room,
        ends="exit code 1",
        words="no room is left to unpack it in",
        kept=KEPT,
    ),
    Fault(
        "a zip is encrypted",
        encrypted,
        ends="exit code 1",
        words="the archive is encrypted; unpack it with its password: 7z x image.zip",
        kept=KEPT,
    ),
    Fault(
        "an archive has no disk in it",
        given(tar("a.txt", "b.txt")),
        ends="exit code 1",
        words="the archive has no disk image in it; it has a.txt",
        kept=KEPT,
    ),
    Fault(
        "an archive has two disks, and nothing says which is meant",
        given(tar("a.raw", "b.raw")),
        ends="exit code 1",
        words="say which one: vm-timing-report prepare image --member a.raw",
        kept=KEPT,
    ),
    Fault(
        "a packed image is given as `--base`",
        packed_base,
        ends="exit code 1",
        words="is packed (gzip)",
        kept="nothing is made; the command that unpacks it is said",
    ),
    *as_one(
        "an installer's ISO, a web page, a kernel, a checksum: anything but a disk image",
        [
            Fault(
                "an ISO",
                given((bytes(0x8001) + b"CD001").ljust(MIB, b"\0")),
                ends="exit code 1",
                words="the image is the medium of an installer or a live system",
                kept="the file; what to do instead is said, as a command where there is one",
            ),
            Fault(
                "a download that did not begin",
                given(b""),
                ends="exit code 1",
                words="image is empty; get it again",
            ),
        ],
        seen="exit code 1, and a sentence that says what it is",
    ),
]  # fmt: skip

ENDED: list[Fault[signal.Signals]] = [
    Fault(
        "Ctrl-C while an image is unpacked",
        signal.SIGINT,
        ends="exit code 130",
        kept=KEPT,
    ),
    Fault(
        "kill -9 while an image is unpacked",
        signal.SIGKILL,
        ends="exit code 1",
        words="the image could not be prepared",
        kept="the packed file; what is half unpacked goes with the next that is unpacked",
    ),
]


FAULTS: list[Fault[object]] = [*REFUSED, *ENDED]


def left_in_cache(scene: Scene) -> list[str]:
    """Everything in the cache of unpacked disks."""
    return sorted(path.name for path in (scene.folder / "cache").rglob("unpacked/*"))


def ended(scene: Scene) -> Ended:
    """Run the command, or spin-from-raw.sh, which is what ``prepare`` runs."""
    if "--base" in scene.words:
        return scene.tool.run(*scene.words)
    command = [*scene.tool.prefix, *isolated("spin.outside", "--out", "o", *scene.words)]
    done = subprocess.run(
        command, cwd=scene.folder, env=scene.tool.environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("fault", REFUSED, ids=str)
def test_it_is_refused_in_one_sentence_and_nothing_is_left(fault: Fault[How], scene: Scene):
    with nothing_left(scene.lab.runtime, *scene.images), fault.how(scene):
        scene.ended = ended(scene)

        assert in_words(scene.ended.code) == fault.ends, scene.said
        assert fault.words in " ".join(scene.said.split())
        scene.makes_no_noise()
    assert left_in_cache(scene) == []
    assert list(scene.folder.glob("o/*")) == []


@pytest.mark.parametrize("fault", ENDED, ids=str)
def test_it_is_ended_in_order(fault: Fault[signal.Signals], scene: Scene):
    packed = gzip.compress(bytes(16 * MIB), 1) * 300
    (scene.folder / "image").write_bytes(packed)
    process = scene.tool.start("prepare", "--out", "o", "image")
    assert process.stderr is not None
    while "unpacking image" not in (line := process.stderr.readline()):
        assert line

    unpacking = child_naming(process.pid, "spin.outside")
    os.kill(unpacking if fault.how is signal.SIGKILL else process.pid, fault.how)
    _, complaint = process.communicate(timeout=60)

    assert fault.words in complaint
    assert in_words(process.returncode) == fault.ends
    assert [name for name in left_in_cache(scene) if not name.startswith(".")] == []
    if fault.how is signal.SIGINT:
        assert left_in_cache(scene) == []
    assert (scene.folder / "image").read_bytes() == packed
    assert list(scene.folder.glob("o/*")) == []
