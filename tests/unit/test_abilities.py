"""What ``doctor`` says of images and guests is what the rest of the tool then does."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from vmtiming_tui.engine.qemu.machine import MACHINES, Firmware
from vmtiming_tui.images.guard.box import Wall
from vmtiming_tui.images.spin import outside
from vmtiming_tui.resources import resource
from vmtiming_tui.setup import image_support
from vmtiming_tui.setup.checks import Check, Fitness
from vmtiming_tui.setup.image_support import ability_checks, qemu_package


def checks() -> dict[str, Check]:
    return {check.name: check for check in ability_checks()}


@pytest.fixture
def without(monkeypatch):
    """Take tools off this host."""

    def take_away(*names: str) -> None:
        monkeypatch.setattr(
            image_support, "tool", lambda name: None if name in names else f"/usr/bin/{name}"
        )

    return take_away


@pytest.fixture(autouse=True)
def _a_debian(monkeypatch):
    monkeypatch.setattr(
        image_support.platform, "freedesktop_os_release", lambda: {"VERSION_CODENAME": "trixie"}
    )


@pytest.fixture
def user(monkeypatch, tmp_path):
    """A user who is not root, and has no ids of their own yet; returns where those are noted."""
    monkeypatch.setattr(image_support.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(image_support.os, "getuid", lambda: 1000)
    monkeypatch.setattr(image_support, "user_name", lambda: "ada")
    ranges = (tmp_path / "subuid", tmp_path / "subgid")
    monkeypatch.setattr(image_support, "_ID_RANGES", ranges)
    return ranges


@pytest.mark.parametrize(
    ("tool", "name", "package"),
    [
        ("debugfs", "ext4 images", "e2fsprogs"),
        ("qemu-img", "qcow2 and others", "qemu-utils"),
        ("bwrap", "box", "bubblewrap"),
        ("busybox", "xfs images", "busybox-static"),
        ("lvm", "LVM thin images", "lvm2"),
        ("zstd", "initrds", "zstd"),
        ("mmdebstrap", "new Debians", "mmdebstrap"),
        ("qemu-system-aarch64", "qemu-system-aarch64", "qemu-system-arm"),
        ("qemu-system-riscv64", "qemu-system-riscv64", "qemu-system-misc"),
    ],
)
def test_a_tool_that_is_missing_is_named_with_what_installs_it(
    tool, name, package, without, monkeypatch
):
    without(tool)
    if tool == "bwrap":
        monkeypatch.setattr(image_support, "best_wall", lambda: Wall.NAMESPACES)

    check = checks()[name]

    assert check.fitness is Fitness.NOTE
    assert "missing" in check.found or tool in check.found
    assert check.mend == f"apt-get install {package}"


def test_the_tools_asked_for_are_those_that_spinning_asks_for():
    by_name = {ability.name: ability.tools for ability in image_support.ABILITIES}
    known = by_name["ext4 images"] | by_name["qcow2 and others"]

    assert known.items() <= outside.TOOLS.items()


def test_the_tools_that_build_a_guest_are_those_the_script_asks_for():
    script = resource("spin", "gen-demo-guest.sh").read_text()
    asked = re.search(r"need_tools (.*)", script)
    install = re.search(r"apt-get install (.*)\"", resource("spin", "lib-debian.sh").read_text())
    assert asked is not None
    assert install is not None

    assert set(asked[1].split()) == set(image_support.BUILDING)
    assert set(install[1].split()) == set(image_support.BUILDING.values())


def test_it_is_said_which_debian_would_be_built_and_where_none_can_be(without, monkeypatch):
    without()
    assert "tools for a trixie" in checks()["new Debians"].found

    monkeypatch.setattr(image_support.platform, "freedesktop_os_release", dict)
    assert checks()["new Debians"].fitness is Fitness.NOTE
    assert "no Debian or Ubuntu" in checks()["new Debians"].found


def test_what_only_a_kernel_reads_takes_one_of_the_hosts_that_knows_it(without, monkeypatch):
    without()
    monkeypatch.setattr(image_support, "versions", lambda: ["6.1", "5.0"])
    monkeypatch.setattr(
        image_support.GuestKernel, "has", lambda self, names: (self.version, *names) in KNOWN
    )

    found = checks()

    assert found["xfs images"].found == "read in a VM by kernel 6.1"
    assert found["btrfs images"].found == "read in a VM by kernel 5.0"
    assert found["f2fs images"].fitness is Fitness.NOTE
    assert found["f2fs images"].mend.startswith("apt-get install linux-image-")


KNOWN = {("6.1", "xfs"), ("5.0", "xfs"), ("5.0", "btrfs")}


def test_the_box_is_said_to_be_what_a_trial_shows(without, monkeypatch):
    without()
    for wall in Wall:
        monkeypatch.setattr(image_support, "best_wall", lambda wall=wall: wall)
        assert (checks()["box"].fitness is Fitness.FINE) == (wall is Wall.BUBBLEWRAP)


def test_without_root_building_takes_user_ids_of_ones_own(user, without, monkeypatch):
    without()
    monkeypatch.setattr(image_support, "_works", lambda *command: True)
    assert checks()["new Debians"].mend == (
        "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ada"
    )

    for path in user:
        path.write_text("ada:100000:65536\n")
    assert checks()["new Debians"].fitness is Fitness.FINE

    monkeypatch.setattr(image_support, "_works", lambda *command: False)
    assert checks()["new Debians"].mend == "sudo gen-debian-rawfs.sh OUT.raw"

    without("newuidmap")
    assert checks()["new Debians"].mend == "apt-get install uidmap"


def test_a_firmware_counts_where_a_run_would_find_it(tmp_path, without, monkeypatch):
    without()
    pair = tuple(str(tmp_path / name) for name in ("CODE.fd", "VARS.fd"))
    for arch in ("x86_64", "aarch64"):
        machine = replace(
            MACHINES[arch], uefi=Firmware(pairs=(("/nowhere", "/nowhere"), pair), package="some")
        )
        monkeypatch.setitem(MACHINES, arch, machine)
        assert checks()[f"UEFI {arch}"].mend == "apt-get install some"

    for path in pair:
        Path(path).touch()

    assert checks()["UEFI aarch64"].found.startswith(pair[0])
    assert checks()["UEFI x86_64"].fitness is Fitness.FINE


@pytest.mark.parametrize(
    ("arch", "package"),
    [
        ("x86_64", "qemu-system-x86"),
        ("ppc64le", "qemu-system-ppc"),
        ("mips64el", "qemu-system-mips"),
        ("s390x", "qemu-system-misc"),
    ],
)
def test_the_package_of_a_qemu(arch, package):
    assert qemu_package(arch) == package


def test_the_formats_that_this_qemu_reads_are_told_and_those_it_was_built_without(
    monkeypatch, tmp_path
):
    assert checks()["formats"].found.endswith("vdi, vhdx, vmdk, vpc (vpc is VHD)")
    lean = tmp_path / "qemu-img"
    lean.write_text("#!/bin/sh\necho 'Supported formats: file host_device luks nbd qcow2 raw'\n")
    lean.chmod(0o755)
    monkeypatch.setattr(
        image_support, "tool", lambda name: str(lean) if name == "qemu-img" else None
    )
    check = checks()["formats"]

    assert check.fitness is Fitness.NOTE
    assert check.found.startswith("this QEMU reads qcow2, raw; it has no bochs,")
