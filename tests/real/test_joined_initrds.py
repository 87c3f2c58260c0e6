"""What is joined to an initrd is found by the kernel itself, however that one is packed."""

import re
import subprocess
from pathlib import Path

import pytest

from support.packers import PACKERS
from vmtiming_tui.guests.demo_guest import DemoVariant, build_guest
from vmtiming_tui.images.system.cpio import Entry, cpio
from vmtiming_tui.images.system.initrd_contents import Initrd
from vmtiming_tui.images.system.joint import append, gap

pytestmark = pytest.mark.real

INIT = b"#!/bin/busybox sh\n/bin/busybox cat /found-* >/dev/console\n/bin/busybox poweroff -f\n"
SYSTEM = cpio(
    [
        Entry("bin"),
        Entry("bin/busybox", Path("/bin/busybox").read_bytes(), 0o755),
        Entry("dev"),
        Entry("init", INIT, 0o755),
    ]
)


def mark(name: str) -> bytes:
    """An archive that the kernel has read where this name is found."""
    return cpio([Entry(f"found-{name}", f"found {name}\n".encode())])


def joined(initrd: Path) -> None:
    with initrd.open("rb") as file:
        reading = Initrd(file)
        assert list(reading.names())
    append(initrd, reading.joint, [mark("ours")])


def found_by_the_kernel(initrd: Path) -> list[str]:
    console = subprocess.run(
        [
            "qemu-system-x86_64", "-nodefaults", "-display", "none", "-m", "256", "-no-reboot",
            "-accel", "tcg", "-serial", "stdio", "-kernel", build_guest(DemoVariant.QUICK).kernel,
            "-initrd", initrd, "-append", "console=ttyS0 quiet panic=-1 no_timer_check",
        ],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
    ).stdout  # fmt: skip
    return re.findall(r"^found (\w+)\r?$", console, re.MULTILINE)


def test_archives_of_all_packings_behind_microcode(tmp_path):
    names = [f"packing{number}" for number in range(len(PACKERS))]
    data = cpio([Entry("kernel"), Entry("kernel/x86")]) + bytes(512) + SYSTEM
    for name, pack in zip(names, PACKERS, strict=True):
        data += gap(len(data)) + pack(mark(name))
    (tmp_path / "initrd").write_bytes(data)

    joined(tmp_path / "initrd")

    assert sorted(found_by_the_kernel(tmp_path / "initrd")) == sorted([*names, "ours"])


@pytest.mark.parametrize("remainder", [0, 3])
def test_lz4_at_the_end_is_gone_on_with(remainder, tmp_path):
    for extra in range(64):
        archive = SYSTEM + cpio([Entry("noise", bytes(range(extra, extra + 8)) * extra)])
        data = subprocess.check_output(["lz4", "-l", "-9", "-q", "-c"], input=archive)
        if len(data) % 4 == remainder:
            break
    (tmp_path / "initrd").write_bytes(data)

    joined(tmp_path / "initrd")

    assert found_by_the_kernel(tmp_path / "initrd") == ["ours"]
