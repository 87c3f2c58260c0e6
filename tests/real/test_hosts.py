"""Two hosts boot real guests, and a third, far away, stand-ins: one run, which tells them apart."""

import shutil

import pytest

from support.rack import rack
from support.schema import exported_file

FAR_MS = 20
QEMU = "qemu-system-x86_64"


@pytest.fixture
def hosts(tmp_path, quick_guest):
    """Hosts a and b with QEMU where c has a stand-in."""
    with rack(tmp_path, {"c": FAR_MS}) as made:
        qemu = made.lab.launcher(QEMU, f'#!/bin/sh\nexec {shutil.which(QEMU)} "$@"\n')
        made.dask.network.host("c").do("mount", "--bind", made.lab.qemu, qemu)
        yield made


def test_real_guests_on_two_hosts_and_stand_ins_on_a_third_are_one_run(hosts, quick_guest):
    words = ["-n", 3, "-m", 340, "-p", "vm", "-s", ".qcow2", "-v", "vms", "--accel", "tcg"]
    words += ["-k", quick_guest.kernel, "-i", quick_guest.initrd, "--base", quick_guest.rootfs]
    words += ["-q", f"./{QEMU}", "--append", "standin.boot=0.5", "--start", "together", "--force"]
    outcome = hosts.run("--hosts", hosts.dask.address, "--insecure", "-o", hosts.export, *words)

    assert outcome.ends == "exit code 0", outcome.said
    told = exported_file(hosts.export)
    boots = {vm["vm"]: vm["attempts"][0] for vm in told["vms"]}
    assert {vm: boot["host"] for vm, boot in boots.items()} == {0: "a", 1: "b", 2: "c"}
    assert [each["qemu_version"] for each in told["hosts"]][2] == "7.2.0"
    assert all(boots[vm]["guest"]["properties"]["kernel_release"] != "6.1.0" for vm in (0, 1))
    assert boots[2]["boot_s"] < 1 < min(boots[0]["boot_s"], boots[1]["boot_s"])
    (skew,) = told["between_hosts"]["go_skews"]
    assert 0 <= skew["skew_s"] < boots[2]["boot_s"]
    assert "Hosts let their VMs go " in outcome.said
    assert hosts.leftovers() == []
