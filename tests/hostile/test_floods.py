"""Guests that flood whatever can be flooded: they cost the engine little, and others nothing."""

import asyncio
import bz2
import gzip
import json
import os
import re
import shutil
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from hostile.sectors import disk
from support.engine_lab import Lab, Story, engine, processes_naming, tell, until
from support.facts import plan_of
from support.packers import xz
from vmtiming_tui.engine.guest.report_protocol import MAX_DETAILS_BYTES
from vmtiming_tui.engine.qmp.message_filter import MAX_ALIKE
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.attempt import Attempt, VmState
from vmtiming_tui.model.config import BootMode, Inject, RunConfig
from vmtiming_tui.sources.live_engine import engine_command

FLOODED = "its guest floods QEMU's control socket"
ENDLESS = 1_000_000
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Return how long a process has run so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def peak_mib(pid: int) -> float:
    """Return the most memory a process has had resident so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def lateness_ms(attempt: Attempt) -> float:
    """Return how late a stand-in's report was stamped."""
    sent = re.search(r"sent_ns=(\d+)", attempt.text)
    assert sent
    return (attempt.report_ns - int(sent[1])) / 1e6


def booted(story: Story) -> list[Attempt]:
    return [attempt for attempt in story.fleet.newest if attempt.report_ns is not None]


async def costs(lab: Lab, config: RunConfig) -> tuple[Story, float, float]:
    """Run a config to its end; return what was told, the engine's CPU time, and its peak MiB."""
    async with engine(lab) as story:
        before = cpu_s(story.client.pid)
        story.client.send(commands.Start(plan=plan_of(config), interactive=True))
        await story.till(lambda story: story.of(ev.RunEnded))
        spent, peak = cpu_s(story.client.pid) - before, peak_mib(story.client.pid)
        story.client.send(commands.Quit())
        await story.to_end()
    return story, spent, peak


# QMP events.

NAMES = [
    "GUEST_CRASHLOADED", "GUEST_PANICKED", "RTC_CHANGE", "NIC_RX_FILTER_CHANGED", "BALLOON_CHANGE",
    "ACPI_DEVICE_OST", "SUSPEND", "NEVER_HEARD_OF",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_ten_thousand_events_are_counted_and_the_boot_counts(lab: Lab, name: str):
    story = await tell(lab, lab.config(3, f"1.shower=half:{name}:10000:0 boot=0.5"))

    seen = [event for event in story.of(ev.QmpSeen, 1) if event.name == name]
    (left_out,) = story.of(ev.QmpLeftOut)
    assert story.states == ["booted"] * 3
    assert len(seen) == MAX_ALIKE
    assert (left_out.vm, left_out.counts) == (1, {name: 10_000 - MAX_ALIKE})
    assert story.fleet.vms[1].newest.qmp_left_out == left_out.counts
    assert {lateness_ms(attempt) < 50 for attempt in story.fleet.newest if attempt.report_ns} == {
        True
    }


@pytest.mark.parametrize("size", [0, 1000, 60_000])
async def test_a_guest_that_never_stops_is_ended_and_its_neighbours_boot(lab: Lab, size: int):
    script = f"1.shower=half:GUEST_CRASHLOADED:{ENDLESS}:{size} boot=1"
    story, spent_s, peak = await costs(lab, lab.config(3, script))

    (failed,) = story.of(ev.VmFailed)
    assert (failed.vm, failed.why) == (1, FLOODED)
    assert story.states == ["booted", "failed", "booted"]
    assert sum(sum(event.counts.values()) for event in story.of(ev.QmpLeftOut)) < 60_000
    assert {lateness_ms(attempt) < 50 for attempt in story.fleet.newest if attempt.report_ns} == {
        True
    }
    assert spent_s < 1.5
    assert peak < 64


async def test_events_with_a_name_that_is_none_are_a_flood_too(lab: Lab):
    """From a program of the user's (``-q``), say."""
    script = f"1.shower=half:no+event:{ENDLESS}:50 boot=1"
    story, spent_s, peak = await costs(lab, lab.config(2, script))

    assert [failed.why for failed in story.of(ev.VmFailed)] == [FLOODED]
    assert spent_s < 4
    assert peak < 64


async def test_after_the_boot_a_flood_just_ends_the_vm(lab: Lab):
    script = f"1.shower=reported:GUEST_PANICKED:{ENDLESS}:0 1.off=never"
    began = time.monotonic()
    story = await tell(lab, lab.config(2, script))

    assert story.states == ["booted", "booted"]
    assert story.of(ev.VmFailed) == []
    assert story.of(ev.QmpLeftOut, 1)[0].counts["GUEST_PANICKED"] > 1000
    assert time.monotonic() - began < 10


async def test_what_an_event_brings_along_is_cut_to_a_bound(lab: Lab):
    script = "1.shower=half:LARGE:3:500000 1.event=go:DEEP:" + '{"a":' * 12 + "1" + "}" * 12
    story = await tell(lab, lab.config(2, script))
    large = [event for event in story.of(ev.QmpSeen, 1) if event.name == "LARGE"]
    (deep,) = (event for event in story.of(ev.QmpSeen, 1) if event.name == "DEEP")

    assert story.states == ["booted", "booted"]
    assert [len(json.dumps(event.data)) < 4200 and event.cut for event in large] == [True] * 3
    assert (deep.data, deep.cut) == ({}, True)


# Details, and readers that do not read.


async def test_a_megabyte_of_details_costs_that_vm_its_rest_and_nobody_a_boot(lab: Lab):
    story, _, peak = await costs(lab, lab.config(20, "details=900000 boot=0.2", timeout_s=60.0))
    told = story.of(ev.VmDetails)

    assert story.states == ["booted"] * 20
    assert len(told) == 20
    assert max(map(len, map(ev.encode, told))) < MAX_DETAILS_BYTES
    assert max(map(len, map(ev.encode, story.of(ev.VmUnits)))) < MAX_DETAILS_BYTES + 2000
    assert min(event.dropped_bytes for event in told) > 700_000
    assert peak < 100


async def test_no_boot_is_lost_to_a_reader_that_does_not_read_for_a_while(lab: Lab):
    showers = " ".join(f"shower=half:LARGE{number}:90:400" for number in range(5))
    config = lab.config(60, f"details=900000 {showers} boot=0.2~1", parallel=20, timeout_s=60.0)
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan_of(config), interactive=True))
        await story.till(lambda story: story.of(ev.RunStarted))
        await until(lambda: len(_stand_ins(lab)) >= 10)
        await until(lambda: not _stand_ins(lab))
        peak = peak_mib(story.client.pid)
        story.client.send(commands.Quit())
        await story.to_end()

    assert Counter(story.states) == {"booted": 60}
    assert len(story.of(ev.VmStarted)) == len(story.of(ev.VmExited)) == 60
    assert story.of(ev.RunEnded)
    left_out = [event.left_out for event in story.of(ev.Notice) if event.left_out]
    assert sum(each.get("qmp_seen", 0) for each in left_out) > 1000
    assert peak < 200


async def test_a_reader_that_never_reads_holds_up_nothing(lab: Lab):
    config = lab.config(10, "details=900000 shower=half:LARGE:90:3000 boot=0.2", timeout_s=60.0)
    process = await asyncio.create_subprocess_exec(
        *engine_command(),
        stdin=asyncio.subprocess.PIPE,
        stdout=(pipe := os.pipe())[1],
        start_new_session=True,
    )
    try:
        os.close(pipe[1])
        start = commands.encode(commands.Start(plan=plan_of(config)))
        process.stdin.write(start.encode() + b"\n")
        await asyncio.wait_for(process.wait(), 60)
    finally:
        os.close(pipe[0])
        process.stdin.close()

    assert process.returncode == 0
    assert lab.leftovers() == []


def _stand_ins(lab: Lab) -> list[int]:
    return processes_naming(f"{lab.folder}/qemu")


# Real guests: a boot sector each.

needs_qemu = pytest.mark.skipif(
    shutil.which("qemu-system-x86_64") is None, reason="needs qemu-system-x86"
)


def machines(lab: Lab, *does: str, seconds: float) -> RunConfig:
    """Return a config of real guests that do this."""
    for vm, what in enumerate(does):
        disk(lab.folder / f"vm-{vm}.img", what)
    return RunConfig(
        number=len(does), memory_mib=16, prefix="vm", suffix=".img", vmdir=str(lab.folder),
        kernel="", boot=BootMode.FIRMWARE, accel="tcg", timeout_s=seconds, force=True,
    )  # fmt: skip


@pytest.mark.real
@needs_qemu
@pytest.mark.parametrize("what", ["crash", "panic"])
async def test_pvpanics_port_is_no_lever_on_the_engine(lab: Lab, what: str):
    config = machines(lab, f"tells QEMU of a {what}", "does nothing", seconds=8)
    config = replace(config, qemu_args=("-action", "panic=none"))
    story, spent_s, peak = await costs(lab, config)

    (failed,) = story.of(ev.VmFailed)
    (left_out,) = story.of(ev.QmpLeftOut)
    assert (failed.vm, failed.why) == (0, FLOODED)
    assert failed.at_ns - story.of(ev.VmStarted, 0)[0].go_ns < 6e9
    assert next(iter(left_out.counts.values())) > 10_000
    assert story.fleet.vms[1].state is VmState.TIMED_OUT
    assert spent_s < 1.5
    assert peak < 64


@pytest.mark.real
@needs_qemu
async def test_a_serial_port_that_never_falls_silent_costs_little(lab: Lab):
    story, spent_s, _ = await costs(lab, machines(lab, "writes to its serial port", seconds=15))

    assert story.of(ev.VmConsole, 0)[-1].total_bytes > 100_000
    assert story.fleet.vms[0].state is VmState.TIMED_OUT
    assert spent_s < 15 * 0.3


# Initrds that unpack to anything.

BOMBS = {
    "bz2 upon bz2": lambda: bz2.compress(bytes(45_000_000)) * 110,
    "gzip upon gzip": lambda: gzip.compress(bytes(100 << 20)) * 20,
    "xz": lambda: xz(bytes(256 << 20)) * 8,
    "gzip in gzip": lambda: gzip.compress(gzip.compress(bytes(1 << 30), 1), 1),
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_an_initrd_that_unpacks_to_gigabytes_costs_the_engine_nothing(lab: Lab, bomb: str):
    initrd = lab.folder / "initrd"
    initrd.write_bytes(BOMBS[bomb]())
    config = lab.config(1, inject=Inject.AUTO, initrd=str(initrd), timeout_s=60.0)
    story, spent_s, peak = await costs(lab, config)

    assert "is none of the initrds" in story.of(ev.EngineFailed)[0].why
    assert peak < 64
    assert spent_s < 2


async def test_a_stop_is_obeyed_while_an_initrd_is_looked_into(lab: Lab):
    initrd = lab.folder / "initrd"
    initrd.write_bytes(BOMBS["bz2 upon bz2"]())
    config = lab.config(1, inject=Inject.INITRD, initrd=str(initrd))
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan_of(config)))
        await story.till(lambda story: story.of(ev.RunStarted))
        began = time.monotonic()
        story.client.send(commands.Stop())
        await story.to_end()

    assert time.monotonic() - began < 5
    assert story.of(ev.RunEnded)[0].outcome is ev.Outcome.STOPPED
    assert story.of(ev.StormStarted) == []


@pytest.mark.parametrize("kind", ["a pipe", "a folder"])
async def test_an_initrd_that_is_no_file_is_refused_at_once(lab: Lab, kind: str):
    initrd = lab.folder / "initrd"
    os.mkfifo(initrd) if kind == "a pipe" else initrd.mkdir()
    story = await tell(lab, lab.config(1, inject=Inject.INITRD, initrd=str(initrd)))

    assert "initrd" in story.of(ev.EngineFailed)[0].why
    assert "is a" in story.of(ev.EngineFailed)[0].why
