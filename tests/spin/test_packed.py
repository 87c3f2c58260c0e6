"""Packed images prepared: unpacked once into the cache, where overlays stand on them."""

import gzip
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from support import disk_images as images
from support.spinning import SPIN, digest, left_behind, spin


@pytest.fixture
def prepare(folder, monkeypatch):
    """Call it in a folder of the test's own, with a cache of its own; the source stays as it is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))

    def call(image, *words):
        before = digest(image)
        done = subprocess.run(
            [sys.executable, "-m", "vmtiming_tui", "prepare", image, "-n", "1", *words],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert digest(image) == before
        assert left_behind(folder) == []
        return done

    return call


@pytest.fixture
def cached(folder):
    """What is in the cache."""
    return lambda: sorted((folder / "cache/vmtiming-tui/unpacked").glob("*/*"))


def test_it_is_unpacked_once_and_said_where(bare, folder, prepare, cached):
    packed = folder / "tiny.img.gz"
    packed.write_bytes(gzip.compress(bare.read_bytes(), 1))
    packed.chmod(0o640)

    first = prepare(packed, "--out", "out")

    assert first.returncode == 0, first.stderr
    [disk] = cached()
    assert f"unpacked to {disk}, where it stays" in first.stderr
    assert disk.name == "tiny.img"
    assert digest(disk) == digest(bare)
    assert disk.stat().st_mode & 0o777 == 0o640
    assert disk.stat().st_blocks * 512 < bare.stat().st_size // 2

    again = prepare(packed, "--out", "again", "--untouched", "-s", ".qcow2")

    assert again.returncode == 0, again.stderr
    assert f"unpacked before: {disk}" in again.stderr
    assert cached() == [disk]
    info = json.loads(
        images.sh("qemu-img", "info", "--output=json", folder / "again/vms/vm-0.qcow2")
    )
    assert info["backing-filename"] == str(disk)
    assert info["backing-filename-format"] == "raw"


def test_the_disk_of_an_archive_that_is_named(bare, folder, prepare, cached):
    other = images.write(folder / "other.qcow2", b"")
    images.sh("qemu-img", "convert", "-O", "qcow2", bare, other)
    with tarfile.open(folder / "two.tar", "w") as archive:
        archive.add(bare, "first/$(touch owned).img")
        archive.add(other, "second.qcow2")

    done = prepare(folder / "two.tar", "--member", "second.qcow2", "--untouched")

    assert done.returncode == 0, done.stderr
    [disk] = cached()
    assert disk.name == "second.qcow2"
    assert list(folder.rglob("owned")) == []


def test_what_is_there_is_not_replaced_and_nothing_unpacked_for_it(bare, folder, prepare, cached):
    (folder / "tiny.gz").write_bytes(gzip.compress(b"anything"))
    (folder / "out").mkdir()
    (folder / "out/rootfs.img").touch()

    done = prepare(folder / "tiny.gz", "--out", "out")

    assert done.returncode == 1
    assert "--force replaces it" in done.stderr
    assert cached() == []


def test_an_unpacked_disk_is_asked_where_it_stands_and_has_no_other_beside_it(
    folder, monkeypatch
):  # fmt: skip
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    (folder / "secret.gz").write_bytes(gzip.compress(b"secret" * 99))
    where = images.sh("bash", SPIN, folder / "secret.gz", "--unpack", "--out", folder / "out")
    secret = Path(where.removesuffix("\n"))
    assert secret.read_bytes() == b"secret" * 99
    assert not (folder / "out").exists()
    top = folder / "top.qcow2"
    backing = f"../{secret.parent.name}/{secret.name}"
    images.sh(
        "qemu-img", "create", "-u", "-q", "-f", "qcow2", "-b", backing, "-F", "raw", top, "1M"
    )
    (folder / "top.qcow2.gz").write_bytes(gzip.compress(top.read_bytes()))

    spun = spin(folder / "top.qcow2.gz", folder / "out")

    assert spun.code == 1
    assert "which is neither in its own folder nor in the one above it" in spun.complaint


def test_a_member_of_an_image_that_is_not_packed(bare, prepare):
    done = prepare(bare, "--member", "x")

    assert (done.returncode, "is no archive" in done.stderr) == (1, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another")
def test_nobody_unpacks_too(bare, public_folder, monkeypatch):
    packed = public_folder / "tiny.img.gz"
    packed.write_bytes(gzip.compress(bare.read_bytes(), 1))
    monkeypatch.setenv("XDG_CACHE_HOME", str(public_folder / "theirs/cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(public_folder / "theirs/state"))

    spun = spin(packed, public_folder / "theirs/out", user="nobody")

    assert spun.code == 0, spun.complaint
    assert "unpacked to" in spun.said


def test_a_cache_that_others_write_to_is_not_used(bare, folder, prepare):
    (folder / "cache/vmtiming-tui/unpacked").mkdir(parents=True)
    (folder / "cache/vmtiming-tui/unpacked").chmod(0o777)
    (folder / "tiny.gz").write_bytes(gzip.compress(b"anything"))

    done = prepare(folder / "tiny.gz")

    assert done.returncode == 1
    assert "belongs to others, or they may write to it" in done.stderr
