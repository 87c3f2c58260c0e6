"""Overlays made where they are missing, looked at by the real qemu-img."""

import hashlib
import json
import os
import subprocess
from dataclasses import replace

import pytest

from hostile.chains import overlay
from support.engine_lab import Lab, tell
from support.facts import plan_of
from vmtiming_tui.model import events as ev


def run(*words: str) -> bytes:
    return subprocess.check_output(words)


@pytest.mark.parametrize("base_format", ["raw", "qcow2", "vdi"])
async def test_missing_overlays_are_made_whole_and_others_left_alone(lab: Lab, base_format: str):
    folder = lab.folder / "vms, with a comma"
    folder.mkdir()
    base = lab.folder / "base, too.img"
    run("qemu-img", "create", "-q", "-f", base_format, str(base), "8M")
    before = hashlib.sha256(base.read_bytes()).digest()
    (folder / "vm-1.img").write_bytes(b"mine")
    config = lab.config(3, vmdir=str(folder), base=str(base))
    story = await tell(lab, config)

    assert story.states == ["booted"] * 3
    assert sorted(path.name for path in folder.iterdir()) == ["vm-0.img", "vm-1.img", "vm-2.img"]
    assert (folder / "vm-1.img").read_bytes() == b"mine"
    assert hashlib.sha256(base.read_bytes()).digest() == before
    for vm in (0, 2):
        told = json.loads(run("qemu-img", "info", "--output=json", str(folder / f"vm-{vm}.img")))
        assert told["format"] == "qcow2"
        assert told["full-backing-filename"] == str(base)
        assert told["backing-filename-format"] == base_format


async def test_what_the_vms_boot_from_is_told_once_a_run_and_of_overlays_what_they_stand_on(
    lab: Lab,
):
    base = lab.folder / "base.img"
    base.write_bytes(b"x" * 512)
    os.utime(base, ns=(0, 1_700_000_000_000_000_000))
    config = lab.config(2, vmdir=str(lab.folder / "vms"), base=str(base))
    (lab.folder / "vms").mkdir()
    story = await tell(lab, replace(plan_of(config), runs=2))

    (seen,) = story.of(ev.FilesSeen)
    kernel, image = seen.files
    assert (kernel.role, image.role) == ("kernel", "image")
    assert kernel.path.endswith(config.kernel)
    assert image.path.endswith("/base.img")
    assert image.state == "512 bytes of 2023-11-14 22:13:20 UTC"
    assert story.fleet.files == seen.files


async def test_a_folder_that_takes_no_overlays_ends_the_run_in_words(lab: Lab):
    base = lab.folder / "base.img"
    base.write_bytes(b"x" * 512)
    config = lab.config(2, vmdir="/proc/nowhere", base=str(base))
    story = await tell(lab, config)

    assert "cannot make overlays in '/proc/nowhere'" in story.of(ev.EngineFailed)[0].why


@pytest.mark.parametrize("what", ["base", "folder"])
async def test_a_base_or_a_folder_that_is_not_taken_ends_the_run_in_words(lab: Lab, what: str):
    base = overlay(lab.folder / "base.img", "/nowhere/rootfs.img") if what == "base" else None
    config = lab.config(2, vmdir=str(lab.folder / "vms"), base=str(base or lab.folder / "raw"))
    (lab.folder / "raw").write_bytes(b"x" * 512)
    (lab.folder / "else").mkdir()
    if what == "folder":
        if os.geteuid() != 0:
            pytest.skip("only root has links of others")
        (lab.folder / "vms").symlink_to("else")
        os.chown(lab.folder / "vms", 65534, 65534, follow_symlinks=False)
    story = await tell(lab, config)

    words = {"base": "--base: ", "folder": "leads through a link of somebody else's"}
    assert words[what] in story.of(ev.EngineFailed)[0].why
    assert "unexpectedly" not in story.of(ev.EngineFailed)[0].why
    assert list((lab.folder / "else").iterdir()) == []
