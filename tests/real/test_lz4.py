"""What is appended to an initrd packed by ``lz4 -l`` is found by the kernel itself."""

import re
import subprocess
from pathlib import Path

import pytest

from vmtiming_tui.guests.demo_guest import DemoVariant, build_guest
from vmtiming_tui.images.system.cpio import Entry, cpio, gap

pytestmark = pytest.mark.real

BUSYBOX = Path("/bin/busybox")
INIT = b"#!/bin/busybox sh\n/bin/busybox cat /marker >/dev/console\n/bin/busybox poweroff -f\n"
PADDING = 8


def packed(remainder: int) -> bytes:
    """A small system, packed so that its size leaves this remainder modulo four."""
    for extra in range(64):
        noise = bytes(range(extra, extra + PADDING)) * extra
        archive = cpio(
            [
                Entry("bin"),
                Entry("bin/busybox", BUSYBOX.read_bytes(), 0o755),
                Entry("dev"),
                Entry("init", INIT, 0o755),
                Entry("noise", noise),
            ]
        )
        data = subprocess.check_output(["lz4", "-l", "-9", "-q", "-c"], input=archive)
        if len(data) % 4 == remainder:
            return data
    raise AssertionError("no size of that remainder")


@pytest.mark.parametrize("remainder", range(4))
def test_the_kernel_unpacks_what_follows_an_lz4_stream(remainder, tmp_path):
    guest = build_guest(DemoVariant.QUICK)
    initrd = tmp_path / "initrd"
    first = packed(remainder)
    initrd.write_bytes(first + gap(len(first)) + cpio([Entry("marker", b"found it\n")]))

    console = subprocess.run(
        [
            "qemu-system-x86_64", "-nodefaults", "-display", "none", "-m", "256", "-no-reboot",
            "-accel", "tcg", "-serial", "stdio", "-kernel", guest.kernel, "-initrd", initrd,
            "-append", "console=ttyS0 quiet panic=-1",
        ],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
    ).stdout  # fmt: skip

    assert re.search(r"^found it\r?$", console, re.MULTILINE), console
