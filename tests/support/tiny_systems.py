"""A system that is no more than an initrd: a kernel boots it, and it tells what that unpacked."""

import re
import subprocess
from pathlib import Path

from vmtiming_tui.images.system.initrd.contents import Initrd
from vmtiming_tui.images.system.initrd.cpio import Entry, cpio
from vmtiming_tui.images.system.initrd.joint import append

_INIT = b"#!/bin/busybox sh\n/bin/busybox cat /found-* >/dev/console\n/bin/busybox poweroff -f\n"


def tiny_system(*more: Entry) -> bytes:
    """The system's archive, with more files in it; needs Debian's busybox-static."""
    busybox = Path("/bin/busybox").read_bytes()
    files = [Entry("bin"), Entry("bin/busybox", busybox, 0o755), Entry("dev")]
    return cpio([*files, Entry("init", _INIT, 0o755), *more])


def mark(name: str) -> bytes:
    """An archive that a kernel has unpacked where the system tells of its name."""
    return cpio([Entry(f"found-{name}", f"found {name}\n".encode())])


def join(initrd: Path, archive: bytes) -> None:
    """Join an archive to an initrd in the tool's way."""
    with initrd.open("rb") as file:
        reading = Initrd(file)
        assert list(reading.names())
    append(initrd, reading.joint, [archive])


def told_by(kernel: Path, initrd: Path) -> list[str]:
    """The names of the marks that a kernel unpacked, as the system in its initrd tells them."""
    console = subprocess.run(
        [
            "qemu-system-x86_64", "-nodefaults", "-display", "none", "-m", "384", "-no-reboot",
            "-accel", "tcg", "-serial", "stdio", "-kernel", kernel, "-initrd", initrd,
            "-append", "console=ttyS0 quiet panic=-1 no_timer_check",
        ],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
    ).stdout  # fmt: skip
    return re.findall(r"^found ([\w-]+)\r?$", console, re.MULTILINE)
