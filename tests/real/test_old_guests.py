"""Guests that wait for nobody, as they were: the original tool's, and those of protocol 2."""

import shutil
import subprocess
from pathlib import Path

import pytest

from support.checksums import sha256
from support.schema import exported_file

OLD = Path(__file__).parents[1] / "support" / "old_guests"
SCRIPTS = {0: "original.sh", 1: "protocol2.sh"}


def put(image: Path, script: Path) -> None:
    """Give an image another report script, without mounting it."""
    for command in (
        "rm /usr/bin/vm-report",
        f"write {script} /usr/bin/vm-report",
        "sif /usr/bin/vm-report mode 0100755",
    ):
        subprocess.run(["debugfs", "-w", "-R", command, image], check=True, capture_output=True)


@pytest.fixture(scope="module")
def boots(quick_guest, in_folder):
    """One storm of one guest of each kind, frozen by default; each VM's only attempt."""
    (in_folder.folder / "vms").mkdir()
    for vm, script in SCRIPTS.items():
        image = in_folder.folder / "vms" / f"old-{vm}.img"
        shutil.copyfile(quick_guest.rootfs, image)
        put(image, OLD / script)
    result = in_folder(
        "-n", 2, "--parallel", 1, "-m", 340, "-p", "old", "-s", ".img", "-v", "vms",
        "-k", quick_guest.kernel, "-i", quick_guest.initrd, "-o", "run.json", "--no-history",
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    body = exported_file(in_folder.folder / "run.json")
    return [vm["attempts"][-1] for vm in body["vms"]]


def test_protocol_2s_script_is_kept_to_the_byte():
    assert sha256(OLD / SCRIPTS[1]) == (
        "8f785f57717618812311871da9428debe4518f48cf38800ed2df1d3de092c89d"
    )


@pytest.mark.parametrize("vm", SCRIPTS)
def test_it_stands_still_with_its_line_told_and_then_goes_its_own_way_to_its_end(boots, vm):
    boot = boots[vm]

    assert boot["text"].startswith("Startup finished in ")
    assert boot["exit_reason"] == "guest-shutdown"
    assert boot["rejected"] == []


def test_the_boot_after_it_is_not_disturbed(boots):
    assert boots[1]["disturbed_s"] == 0


def test_the_older_protocols_details_are_whole_and_its_stages_add_up(boots):
    details = boots[1]["guest"]

    assert details["complete"]
    assert details["slowest"]
    assert details["critical_chain"]
    stages = boots[1]["stages"]
    # On a busy host a guest's clock may jump, while its kernel has not found one to go by.
    assert stages["doubts"] == [] or "the clocks disagree" in stages["doubts"][0]


def test_the_originals_guest_tells_no_details(boots):
    assert boots[0]["guest"] is None
