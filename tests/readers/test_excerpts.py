"""What of a mounted tree tells which system it is, gathered without following a link of its own."""

import os
import shutil
from pathlib import Path

import pytest

from support import disk_images as images
from vmtiming_tui.images.reader.excerpt_tree import gather


def copied(source: Path, target: Path) -> None:
    """In the place of a bind mount."""
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)


@pytest.fixture
def top(tmp_path) -> Path:
    """A file system with one deployment of ostree."""
    system = tmp_path / "top/ostree/deploy/os/deploy/1234.0"
    images.write(system / "usr/lib/os-release", "ID=tiny\n")
    images.write(system / "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-257.so", "code")
    images.write(system / "usr/lib/modules/6.1/vmlinuz", "kernel")
    (system / "etc").mkdir()
    links = tmp_path / "top/ostree/boot.1.1/os/sum"
    links.mkdir(parents=True)
    (links / "0").symlink_to("../../../deploy/os/deploy/1234.0")
    (tmp_path / "top/ostree/boot.1").symlink_to("boot.1.1")
    (tmp_path / "top/ostree/repo").mkdir()
    images.write(tmp_path / "elsewhere/etc/os-release", "ID=secret\n")
    return tmp_path / "top"


def gathered(top: Path) -> Path:
    target = top.with_name("excerpt")
    target.mkdir()
    gather(top, target, copied)
    return target


def test_each_deployment_has_an_excerpt_of_its_own_where_its_links_lead(top):
    found = gathered(top) / "ostree/boot.1/os/sum/0"

    assert (found / "usr/lib/os-release").read_text() == "ID=tiny\n"
    assert (found / "usr/lib/modules/6.1/vmlinuz").read_text() == "kernel"
    library = found / "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-257.so"
    assert library.read_bytes() == b""


@pytest.mark.parametrize("name", ["ostree", "ostree/deploy", "ostree/deploy/os/deploy/1234.0"])
def test_no_deployment_is_looked_for_behind_a_link(name, top):
    moved = top.with_name("elsewhere") / "moved"
    shutil.move(top / name, moved)
    (top / name).symlink_to(moved)

    found = gathered(top)

    names = [name for _, _, files in os.walk(found) for name in files]
    assert "os-release" not in names
    assert "vmlinuz" not in names
