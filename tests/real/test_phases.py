"""Four real guests, two at once: who has reported costs nobody anything till all have."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.engine_lab import Story, engine, laboratory
from support.facts import plan_of
from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.guests.demo_guest import Guest
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.config import Accel, KernelDetail, RunConfig

HZ = os.sysconf("SC_CLK_TCK")
SHARE_OF_A_CORE = 0.02
LIMIT_S = 600


def cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / HZ


@dataclass
class Watched(Story):
    """A run, and how much CPU time each QEMU used while it stood still, of how long."""

    frozen: dict[int, tuple[float, float]] = field(default_factory=dict)
    still: dict[int, tuple[float, float]] = field(default_factory=dict)

    def take(self, batch: list[ev.Event]) -> None:
        super().take(batch)
        for event in batch:
            match event:
                case ev.VmFrozen():
                    pid = self.fleet.vms[event.vm].newest.pid
                    self.frozen[event.vm] = cpu_s(pid), time.monotonic()
                case ev.VmBooted():
                    self._measure()

    def _measure(self) -> None:
        """Look again at those that stand still: somebody else has just been booting."""
        for vm, (used_s, since_s) in self.frozen.items():
            now_s = cpu_s(self.fleet.vms[vm].newest.pid)
            self.still[vm] = now_s - used_s, time.monotonic() - since_s


@pytest.fixture(scope="module")
async def storm(quick_guest: Guest) -> Iterator[Watched]:
    with laboratory(own_cache=False) as lab:
        config = RunConfig(
            number=4,
            parallel=2,
            memory_mib=340,
            prefix="vm",
            suffix=".qcow2",
            vmdir=str(lab.folder),
            kernel=str(quick_guest.kernel),
            initrd=str(quick_guest.initrd),
            base=str(quick_guest.rootfs),
            accel=Accel.TCG,
            kernel_detail=KernelDetail.ON,
        )
        async with engine(lab) as story:
            watched = Watched(story.client)
            watched.client.send(commands.Start(plan=plan_of(config)))
            await watched.to_end(LIMIT_S)
    return watched


def test_a_vm_that_has_reported_uses_no_cpu_while_others_boot(storm: Watched):
    assert len(storm.still) >= 2
    for used_s, lasted_s in storm.still.values():
        assert used_s <= SHARE_OF_A_CORE * lasted_s + 1 / HZ


def test_nobody_disturbs_a_boot(storm: Watched):
    assert storm.states == ["booted"] * 4
    assert [attempt.disturbed_ns for attempt in storm.fleet.newest] == [0] * 4


def test_everybody_tells_details(storm: Watched):
    for attempt in storm.fleet.newest:
        assert attempt.details.complete
        assert "vm-report.service" in attempt.units.names
        assert attempt.details.gathering_us > 0
        assert attempt.details.properties["kernel_release"]
        assert attempt.text.startswith("Startup finished in ")
    assert "basic.target" in storm.fleet.unit_order.after["multi-user.target"]


def test_everybody_tells_what_its_kernel_took_and_none_of_it_is_on_the_console(storm: Watched):
    for attempt in storm.fleet.newest:
        initcalls = attempt.kernel.initcalls
        assert not attempt.kernel.is_cut
        assert initcalls.count > 500
        assert "virtio_pci_driver_init [virtio_pci]" in initcalls.names
        assert 0 < initcalls.total_us * 1000 < attempt.boot_ns
        assert attempt.console is None or "initcall" not in attempt.console.text


def test_stages_add_up(storm: Watched):
    divided = [stages_of(attempt) for attempt in storm.fleet.newest]
    believed = [stages for stages in divided if not stages.is_doubtful]

    # On a busy host a guest's clock may jump, while its kernel has not found one to go by.
    assert believed
    for stages in believed:
        assert abs(stages.residual_ns) <= stages.error_ns


def test_the_shutdown_has_its_figure(storm: Watched):
    for attempt in storm.fleet.newest:
        assert 0 < attempt.shutdown_took_ns < 60_000_000_000
        assert attempt.exit_took_ns > 0
