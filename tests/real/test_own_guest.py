"""The manual's guest of one's own on a real kernel: a script that reports without systemd."""

import pytest

from support.own_guest import own_guest
from vmtiming_tui.images.system.initrd.cpio import Entry, cpio
from vmtiming_tui.images.system.initrd.joint import gap
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet

INIT = b"""#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
while read -r module; do
    /bin/busybox insmod "/modules/$module"
done </modules/order
/bin/busybox sh /guest  # its poweroff asks us, who are init
/bin/busybox poweroff -f
"""


@pytest.fixture(scope="module")
def fleet(quick_guest, in_folder) -> Fleet:
    """Two of them, one after the other."""
    initrd = quick_guest.initrd.read_bytes()
    program = own_guest().encode()
    files = [Entry("sys"), Entry("init", INIT, 0o755), Entry("guest", program)]
    (in_folder.folder / "initrd").write_bytes(initrd + gap(len(initrd)) + cpio(files))
    result = in_folder(
        "--json", "-n", 2, "--parallel", 1, "--accel", "tcg", "--timeout", 120, "-m", 256,
        "-p", "own", "-s", ".img", "-v", "vms/", "--base", quick_guest.rootfs,
        "-k", quick_guest.kernel, "-i", "initrd",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return Fleet(map(ev.decode, result.stdout.splitlines()))


def test_it_stands_still_till_all_have_booted_and_then_tells_details(fleet: Fleet):
    for attempt in fleet.newest:
        assert attempt.disturbed_ns == 0
        assert attempt.text.startswith("up for ")
        assert attempt.details.complete
        assert attempt.details.clock_us > 0


def test_it_shuts_down_when_it_is_told_to(fleet: Fleet):
    for attempt in fleet.newest:
        assert attempt.exit_reason == "guest-shutdown"
        assert attempt.shutdown_took_ns > 0
