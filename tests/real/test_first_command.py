"""The first command on the releases of Debian that people have, and their guests on this one.

A root of Debian 13 is made by mmdebstrap once and kept; each time, the command starts on a copy of
it that has nothing installed. About a minute; the guests of both releases take 20 s more.
"""

import platform
import re
import subprocess
from pathlib import Path

import pytest

from support.elsewhere import elsewhere
from support.kept import kept
from vmtiming_tui.guests.demo_guest import Guest, recipe
from vmtiming_tui.resources import resource

LIMIT_S = 1500  # on a machine that is busy with other things; a quiet one takes a minute


@pytest.fixture(scope="module")
def first_command(tmp_path_factory) -> "subprocess.CompletedProcess[str]":
    folder = tmp_path_factory.mktemp("trixie")
    with elsewhere("trixie", "3.13", folder) as enter:
        return subprocess.run(
            [*enter, "/checkout/spin/demo.sh", "--plain", "-n", "2", "--timeout", "600"],
            capture_output=True, text=True, check=False, timeout=LIMIT_S,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip


def test_on_debian_13_it_installs_builds_and_boots(first_command):
    said = first_command.stdout + first_command.stderr

    assert first_command.returncode == 0, said
    for step in ("demo: installing ", "making a virtual environment", "gen-demo-guest: done in"):
        assert step in said
    assert "All machines booted" in first_command.stdout


def test_both_guests_of_it_report_kernel_initrd_and_userspace(first_command):
    for vm in (0, 1):
        assert re.search(
            rf"^VM {vm} booted in: [\d.]+s: Startup finished in .*\(kernel\) \+ .*\(initrd\)"
            r" \+ .*\(userspace\)",
            first_command.stdout, re.MULTILINE,
        ), first_command.stdout  # fmt: skip


def _build(suite: str, folder: Path) -> None:
    script = resource("spin", "gen-demo-guest.sh")
    subprocess.run(
        ["bash", script, "--variant", "quick", "--suite", suite, folder / "guest"], check=True
    )


@pytest.fixture
def guest(suite, request) -> Guest:
    """The quick guest of a release; that of this host's own is there for other tests already."""
    if suite == platform.freedesktop_os_release().get("VERSION_CODENAME"):
        return request.getfixturevalue("quick_guest")
    made = kept(f"guest-{suite}-{recipe()}", lambda folder: _build(suite, folder))
    return Guest(made / "guest")


@pytest.mark.parametrize(("suite", "version"), [("bookworm", 12), ("trixie", 13)])
def test_the_guest_of_each_release_boots_under_this_hosts_qemu(suite, version, guest, in_folder):
    release = subprocess.run(
        ["debugfs", "-R", "cat /usr/lib/os-release", guest.rootfs],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    done = in_folder(
        "-n", 1, "-m", 340, "-p", suite, "-s", ".img", "-v", "vms/", "--timeout", 200,
        "--no-history", "-k", guest.kernel, "-i", guest.initrd, "--base", guest.rootfs,
    )  # fmt: skip

    assert f'VERSION_ID="{version}"' in release
    assert done.returncode == 0, done.stdout + done.stderr
    assert "VM 0 reported as booted" in done.stdout
