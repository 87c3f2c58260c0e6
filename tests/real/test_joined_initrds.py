"""What is joined to an initrd is found by the kernel itself, however that one is packed."""

import subprocess

import pytest

from support.packers import PACKERS
from support.tiny_systems import join, mark, tiny_system, told_by
from vmtiming_tui.guests.demo_guest import DemoVariant, build_guest
from vmtiming_tui.images.system.initrd.cpio import Entry, cpio
from vmtiming_tui.images.system.initrd.joint import gap

pytestmark = pytest.mark.real


def test_archives_of_all_packings_behind_microcode(tmp_path):
    names = [f"packing{number}" for number in range(len(PACKERS))]
    data = cpio([Entry("kernel"), Entry("kernel/x86")]) + bytes(512) + tiny_system()
    for name, pack in zip(names, PACKERS, strict=True):
        data += gap(len(data)) + pack(mark(name))
    (tmp_path / "initrd").write_bytes(data)

    join(tmp_path / "initrd", mark("ours"))

    kernel = build_guest(DemoVariant.QUICK).kernel
    assert sorted(told_by(kernel, tmp_path / "initrd")) == sorted([*names, "ours"])


@pytest.mark.parametrize("remainder", [0, 3])
def test_lz4_at_the_end_is_gone_on_with(remainder, tmp_path):
    for extra in range(64):
        system = tiny_system(Entry("noise", bytes(range(extra, extra + 8)) * extra))
        data = subprocess.check_output(["lz4", "-l", "-9", "-q", "-c"], input=system)
        if len(data) % 4 == remainder:
            break
    (tmp_path / "initrd").write_bytes(data)

    join(tmp_path / "initrd", mark("ours"))

    assert told_by(build_guest(DemoVariant.QUICK).kernel, tmp_path / "initrd") == ["ours"]
