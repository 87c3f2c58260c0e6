"""Whoever owns the folder for the results may swap names in it, and leads root nowhere by that."""

import os
import shutil
import subprocess
import sys
import textwrap

import pytest

from hostile.chains import overlay
from hostile.whole import SPIN, holds, prepare, spin
from support import disk_images as images
from vmtiming_tui.errors import ImageError
from vmtiming_tui.setup.prepare import arguments_in

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be led astray")

# What the folder's owner does, as fast as he can, until he is killed: each name that turns up is
# moved away and a link to the decoy put in its place, and back again.
SWAPPING = """
    import contextlib, os, sys
    out, decoy, what = sys.argv[1:]
    print("at it", flush=True)
    turn = 0
    while True:
        turn += 1
        if what == "out":
            with contextlib.suppress(OSError):
                os.rename(out, f"{out}.away{turn}")
                os.symlink(decoy, out)
            with contextlib.suppress(OSError):
                os.unlink(out)
                os.rename(f"{out}.away{turn}", out)
            continue
        with contextlib.suppress(OSError):
            names = [name for name in os.listdir(out) if not name.startswith("away")]
            for name in names:
                if what == "results" and name.startswith(".spin"):
                    continue
                with contextlib.suppress(OSError):
                    os.rename(f"{out}/{name}", f"{out}/away{turn}")
                    os.symlink(decoy if name != "rootfs.img" else f"{decoy}/rootfs.img",
                               f"{out}/{name}")
            for name in ("BFILES", "rootfs.img"):
                with contextlib.suppress(OSError):
                    os.symlink(f"{decoy}/{name}", f"{out}/{name}")
            if turn % 3 == 0:
                for name in ("BFILES", "rootfs.img"):
                    with contextlib.suppress(OSError):
                        os.unlink(f"{out}/{name}")
"""


@pytest.mark.parametrize("what", ["work", "results", "out"])
@pytest.mark.parametrize("options", [("--force",), ("--force", "--boot-files")], ids=str)
def test_an_owner_who_swaps_names_all_the_time(what, options, system, place, decoy):
    image = images.ext4(place / "disk.img", system, 64)
    theirs = place / "theirs"
    theirs.mkdir()
    out = theirs / "out"
    out.mkdir()
    for path in (theirs, out):
        shutil.chown(path, "nobody")
    before = decoy.facts()
    command = ["/usr/bin/python3", "-c", textwrap.dedent(SWAPPING), out, decoy.path, what]
    with subprocess.Popen(
        command, user="nobody", group="nogroup", extra_groups=[], stdout=subprocess.PIPE
    ) as swapping:
        assert swapping.stdout is not None
        swapping.stdout.readline()
        codes = [
            subprocess.run(
                [SPIN, image, "--out", out, *options], capture_output=True, check=False
            ).returncode
            for _ in range(5)
        ]  # fmt: skip
        swapping.kill()

    assert set(codes) <= {0, 1}
    assert decoy.facts() == before
    assert not holds(theirs, decoy.secret)


@pytest.mark.parametrize("name", ["BFILES", "rootfs.img"])
def test_a_link_in_the_place_of_a_result_is_never_written_through(name, system, place, decoy):
    image = images.ext4(place / "disk.img", system, 64)
    (place / "out").mkdir()
    (place / "out" / name).symlink_to(decoy.path / name)
    before = decoy.facts()

    assert spin(image, place).code == 1
    spin(image, place, "--force")

    assert decoy.facts() == before
    if name == "rootfs.img":
        assert not (place / "out/rootfs.img").is_symlink()


@pytest.mark.parametrize("what", ["file", "fifo", "hard link"])
def test_what_is_there_under_the_name_of_a_result_is_replaced_only(what, system, place, decoy):
    image = images.ext4(place / "disk.img", system, 64)
    (place / "out/BFILES").mkdir(parents=True)
    for name in ("rootfs.img", "BFILES/vmlinuz", "BFILES/initrd"):
        there = place / "out" / name
        match what:
            case "file":
                there.write_text("old")
            case "fifo":
                os.mkfifo(there)
            case "hard link":
                os.link(decoy.path / "passwd", there)
    before = decoy.facts()

    assert spin(image, place, "--force").code == 0

    assert decoy.facts() == before
    assert (place / "out/rootfs.img").stat().st_nlink == 1


@pytest.mark.parametrize("name", ["rootfs.img", "BFILES/initrd"])
def test_a_folder_under_the_name_of_a_result_leaves_all_as_it_was(name, system, place):
    image = images.ext4(place / "disk.img", system, 64)
    (place / "out" / name).mkdir(parents=True)

    ran = spin(image, place, "--force")

    assert ran.code == 1
    assert f"out/{name} is a folder".encode() in ran.complaint
    assert [path for path in (place / "out").rglob("*") if path.is_file()] == []


def test_a_link_of_somebody_elses_leads_nowhere(system, place, decoy):
    image = images.ext4(place / "disk.img", system, 64)
    (place / "out").symlink_to(decoy.path)
    os.chown(place / "out", 65534, 65534, follow_symlinks=False)
    before = decoy.facts()

    ran = spin(image, place, "--force")

    assert ran.code == 1
    assert b"a link of somebody else's" in ran.complaint
    assert decoy.facts() == before


@pytest.mark.parametrize("name", ["vm-0.img", "vm-9.img"])
def test_overlays_are_neither_made_nor_removed_behind_a_link_of_somebody_elses(
    name, system, place, decoy
):
    image = images.ext4(place / "disk.img", system, 64)
    (place / "out/BFILES").mkdir(parents=True)
    (place / "out/BFILES/vmlinuz").write_text("old")
    (place / "out/vms").symlink_to(decoy.path)
    os.chown(place / "out/vms", 65534, 65534, follow_symlinks=False)
    overlay(decoy.path / name, "passwd")
    before = decoy.facts()

    ran = prepare(image, place, "--force")

    assert ran.code == 1
    assert b"a link of somebody else's" in ran.complaint
    assert decoy.facts() == before


def test_the_kernels_arguments_are_read_from_no_file_of_the_hosts(system, place, decoy):
    (place / "cmdline").symlink_to(decoy.path / "passwd")
    os.chown(place / "cmdline", 65534, 65534, follow_symlinks=False)

    with pytest.raises(ImageError, match="a symbolic link of user 65534's"):
        arguments_in(place / "cmdline")


def test_a_link_of_ones_own_does(system, place):
    image = images.ext4(place / "disk.img", system, 64)
    (place / "far").mkdir()
    (place / "out").symlink_to("far")

    assert spin(image, place).code == 0
    assert (place / "far/rootfs.img").is_file()


@pytest.mark.parametrize(
    ("source", "mask", "mode"),
    [(0o600, 0o077, 0o600), (0o600, 0o022, 0o600), (0o644, 0o077, 0o600), (0o644, 0o022, 0o644),
     (0o444, 0o027, 0o640), (0o640, 0o000, 0o640)],
    ids=lambda mode: f"{mode:03o}",
)  # fmt: skip
def test_results_are_no_more_readable_than_the_image(source, mask, mode, system, place):
    image = images.ext4(place / "disk.img", system, 64)
    image.chmod(source)

    assert spin(image, place, umask=mask).code == 0

    for name in ("rootfs.img", "BFILES/vmlinuz", "BFILES/initrd"):
        state = (place / "out" / name).stat()
        assert (oct(state.st_mode & 0o7777), state.st_uid) == (oct(mode), os.geteuid())
    assert (place / "out").stat().st_mode & 0o7777 == 0o777 & ~mask


def test_neither_are_overlays(system, place):
    image = images.ext4(place / "disk.img", system, 64)
    image.chmod(0o600)

    assert prepare(image, place).code == 0

    assert (place / "out/vms/vm-0.img").stat().st_mode & 0o7777 == 0o600


def test_a_user_reads_his_own_image_and_nobody_elses(system, place):
    image = images.ext4(place / "disk.img", system, 64)
    image.chmod(0o600)
    (place / "out").mkdir()
    shutil.chown(place / "out", "nobody")
    as_nobody = {"user": "nobody", "group": "nogroup", "extra_groups": []}

    refused = spin(image, place, **as_nobody)
    assert (refused.code, b"may not be read by nobody" in refused.complaint) == (1, True)

    shutil.chown(image, "nobody")
    assert spin(image, place, **as_nobody).code == 0
    assert (place / "out/rootfs.img").stat().st_uid == image.stat().st_uid


def test_the_command_of_an_installed_package_does_the_same(system, place):
    image = images.ext4(place / "disk.img", system, 64)
    program = "from vmtiming_tui.resources import run_spin_from_raw; run_spin_from_raw()"
    done = subprocess.run(
        [sys.executable, "-c", program, image, "--out", "out"],
        cwd=place, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
