"""The dashboard on two real guests in a real terminal, by its keys alone."""

import re
import shutil
import sys
from pathlib import Path

import psutil
import pytest

from support.schema import exported_file
from support.tmux import Tmux


@pytest.fixture
def terminal(in_folder):
    (in_folder.folder / "code").unlink(missing_ok=True)
    terminal = Tmux(in_folder.folder)
    yield terminal
    terminal.close()


def qemus_of(folder):
    return [
        process.pid
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"].startswith("qemu-system")
        and str(folder) in " ".join(process.info["cmdline"] or [])
    ]


@pytest.fixture
def slow_to_launch(in_folder):
    """The real QEMU, which takes its time to start: so long that launching can be seen."""
    qemu = in_folder.folder / "slow" / "qemu-system-x86_64"
    qemu.parent.mkdir(exist_ok=True)
    qemu.write_text(f'#!/bin/sh\nsleep 0.5\nexec {shutil.which(qemu.name)} "$@"\n')
    qemu.chmod(0o755)
    return qemu


@pytest.fixture
def dashboard(terminal, quick_guest, in_folder, slow_to_launch):
    """Open the dashboard on two guests; returns the folder of their images."""

    def start(name):
        images = in_folder.folder / name
        words = ["-n", "2", "-m", "340", "-p", "vm", "-v", str(images), "--accel", "tcg"]
        words += ["-k", str(quick_guest.kernel), "-i", str(quick_guest.initrd)]
        words += ["--base", str(quick_guest.rootfs), "-q", str(slow_to_launch)]
        settings = ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")
        terminal.start(
            [sys.executable, "-m", "vmtiming_tui", *words],
            {name: in_folder.environment[name] for name in settings},
        )
        return images

    return start


def test_a_storm_is_watched_rerun_exported_and_left(terminal, dashboard, in_folder):
    folder = in_folder.folder
    images = dashboard("vms")

    terminal.wait_for("RUNNING", "connected")
    assert len(qemus_of(images)) == 2
    terminal.resize(80, 24)
    terminal.wait_for("RUNNING", "connected")
    terminal.resize(120, 36)
    terminal.wait_for("2 booted", "FINISHED")

    seen = terminal.log.read_text(errors="replace")
    firsts = [seen.index(glyph) for glyph in ("◌", "◔", "✓")]  # launching, connected, booted
    assert firsts == sorted(firsts)

    terminal.keys("r")
    terminal.wait_for("RUNNING", "connected")
    terminal.wait_for("2 booted", "FINISHED")

    terminal.keys("Enter")
    detail = terminal.wait_for("Startup finished in", "kernel", "initrd", "userspace", "RESUME")
    assert len(re.findall(r"✓ booted", detail)) >= 3
    terminal.keys("Escape")
    terminal.wait_for("FINISHED", "list/grid")

    terminal.keys("e")
    terminal.wait_for("Export", "its ending is the format")
    terminal.keys("summary.json")  # in place of the name suggested, which is selected
    terminal.wait_for("summary.json")
    terminal.keys("Enter")
    terminal.wait_for("summary.json", "Wrote")
    terminal.keys("Escape")
    terminal.wait_till_gone("Wrote")  # a key right after escape would be one with alt held

    terminal.keys("q")
    assert terminal.exit_code() == 0
    body = exported_file(folder / "summary.json")
    assert [len(vm["attempts"]) for vm in body["vms"]] == [2, 1]
    assert qemus_of(images) == []
    assert not list(in_folder.runtime.iterdir())


def test_quitting_while_guests_boot_asks_and_leaves_nothing(terminal, dashboard, in_folder):
    images = dashboard("left")
    terminal.wait_for("RUNNING", "2 connected")

    terminal.keys("q")
    terminal.wait_for("End everything and leave?")
    assert len(qemus_of(images)) == 2
    terminal.keys("y")

    assert terminal.exit_code() == 130
    assert qemus_of(images) == []
    assert not list(in_folder.runtime.iterdir())
    assert "Traceback" not in Path(terminal.log).read_text(errors="replace")
