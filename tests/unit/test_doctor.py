"""What ``doctor`` says of a host's room: VMs that have booted are counted while others boot."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from support.facts import host
from vmtiming_tui.engine.host import capacity
from vmtiming_tui.images.reader import host_kernel
from vmtiming_tui.model.config import Accel, AfterReport, RunConfig
from vmtiming_tui.setup import doctor
from vmtiming_tui.setup.checks import Check, Fitness

CONFIG = RunConfig(number=8, memory_mib=700, accel=Accel.TCG, parallel=2)
EACH_BYTES = 1000 << 20  # with what emulation takes besides


@pytest.fixture(autouse=True)
def _a_small_host(monkeypatch):
    """A host with room for five of these VMs, and four cores."""
    room = {"MemAvailable": 5 * EACH_BYTES, "SwapFree": 0}
    monkeypatch.setattr(capacity, "memory_bytes", room.__getitem__)
    monkeypatch.setattr(doctor, "memory_bytes", room.__getitem__)
    monkeypatch.setattr(doctor, "host_facts", lambda: host(cores=4))


def checks(config: RunConfig) -> dict[str, Check]:
    return {check.name: check for check in doctor.capacity_checks(config)}


@pytest.mark.parametrize("after_report", [AfterReport.FREEZE, AfterReport.RUN])
def test_vms_that_stay_till_all_are_decided_make_rounds_where_not_all_fit(after_report):
    room = checks(replace(CONFIG, after_report=after_report))["room"]

    assert room.fitness is Fitness.NOTE
    assert "8 VMs of 700 MiB do not fit at once: a storm goes in rounds of 4" in room.found


def test_vms_that_power_off_at_once_leave_their_room_to_others():
    room = checks(replace(CONFIG, after_report=AfterReport.OFF))["room"]

    assert (room.fitness, "room for 5 at once" in room.found) == (Fitness.FINE, True)


def test_vms_that_are_to_boot_at_once_and_do_not_fit_are_missing_their_room():
    room = checks(replace(CONFIG, parallel=None))["room"]

    assert room.fitness is Fitness.MISSING
    assert "5 VMs fit" in room.found
    assert "--parallel 5" in room.mend


@pytest.mark.parametrize(("parallel", "fitness"), [(2, Fitness.FINE), (5, Fitness.NOTE)])
def test_only_vms_that_boot_at_once_wait_for_each_others_cores(parallel, fitness):
    cores = checks(replace(CONFIG, parallel=parallel))["cores"]

    assert cores.fitness is fitness
    assert f"4 cores for {parallel} vCPUs" in cores.found


@pytest.mark.parametrize("is_there", [True, False])
def test_what_serve_needs_is_looked_for(monkeypatch, is_there):
    monkeypatch.setattr(doctor, "find_spec", lambda name: name if is_there else None)

    check = doctor.serving_check()

    assert check.fitness is (Fitness.FINE if is_there else Fitness.NOTE)
    assert ("vmtiming-tui[web]" in check.mend) is not is_there


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can be somebody else for a moment")
def test_modules_that_may_not_be_looked_at_are_none(monkeypatch):
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        boot, modules = top / "boot", top / "modules"
        for made in (boot / "vmlinuz-6.1.0", modules / "6.1.0" / "modules.dep"):
            made.parent.mkdir(parents=True)
            made.touch()
        monkeypatch.setattr(host_kernel, "_BOOT", boot)
        monkeypatch.setattr(host_kernel, "_MODULES", modules)
        assert host_kernel.versions() == ["6.1.0"]

        top.chmod(0o755)
        modules.chmod(0)
        os.setresuid(65534, 65534, 0)
        try:
            assert host_kernel.versions() == []
        finally:
            os.setresuid(0, 0, 0)
