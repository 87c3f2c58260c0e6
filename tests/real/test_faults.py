"""What only a real QEMU does: its own words on bad images, panics, resets, and deaths by signal."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator

import pytest

from support.engine_lab import Lab, Story, engine, laboratory, until
from support.facts import plan_of
from support.traces import nothing_left
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.commands import VmAction
from vmtiming_tui.model.stage import Stage

pytestmark = pytest.mark.usefixtures("somebody_else")

QEMU = "qemu-system-x86_64"
SILENT, CORRUPT, NO_BACKING, WRONG_BACKING, EARLY, MIDWAY, HANDLED, NEIGHBOUR = range(8)
RESET, PAUSED, PANICKING = range(3)


async def run(lab: Lab, config: object, *plays: Callable[[Story], Awaitable[None]]) -> Story:
    """Run a plan while hands do what the plays say; nothing is left."""
    images = [config.image(vm) for vm in range(config.number)]
    with nothing_left(lab.runtime, *images):
        async with engine(lab) as story:
            story.client.send(commands.Start(plan=plan_of(config)))
            hands = [asyncio.create_task(play(story)) for play in plays]
            await story.to_end()
            for hand in hands:
                await hand
    return story


async def seen(story: Story, kind: type, vm: int, name: str = "") -> None:
    """Wait for an event of a VM; with a name, for QMP's of that name."""
    await until(
        lambda: (
            any(not name or event.name == name for event in story.of(kind, vm))
            or story.of(ev.RunEnded)
        )
    )


def killing(vm: int, after: type) -> Callable[[Story], Awaitable[None]]:
    """Kill a VM's QEMU by SIGKILL as soon as something is known of it."""

    async def play(story: Story) -> None:
        await seen(story, after, vm)
        os.kill(story.of(ev.VmLaunched, vm)[0].pid, signal.SIGKILL)

    return play


def qemu_img(*words: object) -> None:
    subprocess.run(["qemu-img", *map(str, words)], check=True, capture_output=True)


# Disks without a system: the firmware looks for one and stays.


def bad_images(lab: Lab) -> None:
    """Make the images that QEMU will not take."""
    base = lab.folder / "base.img"
    for image in (base, *(lab.folder / f"vm-{vm}.img" for vm in range(8))):
        with image.open("wb") as file:
            file.truncate(1 << 20)
    for vm, form in ((CORRUPT, "raw"), (NO_BACKING, "raw"), (WRONG_BACKING, "qcow2")):
        overlay = lab.folder / f"vm-{vm}.img"
        qemu_img("create", "-f", "qcow2", "-u", "-b", "base.img", "-F", form, overlay, "1M")
    qemu_img("rebase", "-u", "-b", "gone.img", "-F", "raw", lab.folder / f"vm-{NO_BACKING}.img")
    with (lab.folder / f"vm-{CORRUPT}.img").open("r+b") as file:
        file.seek(48)  # where the header says where clusters are counted (QEMU's qcow2.txt)
        file.write(b"\xff" * 8)


async def handle(story: Story) -> None:
    """Pause, let go on, press the power button, kill: each seen in QMP before the next."""
    await seen(story, ev.VmStarted, HANDLED)
    for action, name in (
        (VmAction.PAUSE, "STOP"), (VmAction.RESUME, "RESUME"), (VmAction.RESET, "RESET"),
        (VmAction.POWERDOWN, "POWERDOWN"),
    ):  # fmt: skip
        before = len(story.of(ev.QmpSeen, HANDLED))
        story.client.send(commands.Act(action=action, vms=(HANDLED,)))
        await until(
            lambda name=name, before=before: (
                name in [event.name for event in story.of(ev.QmpSeen, HANDLED)[before:]]
                or story.of(ev.RunEnded)
            )
        )
    story.client.send(commands.Act(action=VmAction.KILL, vms=(HANDLED,)))


@pytest.fixture(scope="module")
def diskless() -> Iterator[Story]:
    """One storm of real QEMUs without a system, each with a fault of its own but two."""
    with laboratory(own_cache=False) as lab:
        bad_images(lab)
        pipe = lab.folder / "pipe"
        os.mkfifo(pipe)
        # A file nobody writes to keeps QEMU from its main loop, and so from its first word.
        wrapper = lab.launcher(
            "late-qemu",
            f'#!/bin/sh\ncase "$*" in *guest=vm-{EARLY},*)\n'
            f'    set -- "$@" -fw_cfg name=opt/late,file={pipe} ;; esac\nexec {QEMU} "$@"\n',
        )
        config = lab.config(
            8, kernel="", boot="firmware", memory_mib=16, qemu=str(wrapper), timeout_s=6.0
        )
        plays = (killing(EARLY, ev.VmLaunched), killing(MIDWAY, ev.VmStarted), handle)
        yield asyncio.run(run(lab, config, *plays))


@pytest.mark.parametrize(
    ("vm", "state", "words"),
    [
        (SILENT, "timed out", "no report within 6 s"),
        (CORRUPT, "failed", "its disk image is damaged"),
        (NO_BACKING, "failed", "asks for the backing file 'gone.img', which cannot be opened"),
        (WRONG_BACKING, "failed", "is no qcow2, as"),
        (EARLY, "failed", "QEMU was killed by SIGKILL before it could be spoken to"),
        (MIDWAY, "failed", "QEMU was killed by SIGKILL before its guest reported"),
        (HANDLED, "killed", "killed on request"),
        (NEIGHBOUR, "timed out", "no report within 6 s"),
    ],
)
def test_each_ends_in_its_own_way_and_words(diskless, vm, state, words):
    attempt = diskless.fleet.vms[vm].newest

    assert attempt.state.value == state, attempt.why
    assert words in attempt.why
    was_started = vm not in (NO_BACKING, WRONG_BACKING)
    assert (attempt.exited_ns is not None) is was_started


def test_the_detail_screens_actions_do_on_a_real_qemu_what_they_say(diskless):
    events = diskless.of(ev.QmpSeen, HANDLED)
    # SeaBIOS answers a reset with its own, which may come before the next key is pressed.
    names = [event.name for event in events if event.data.get("reason") != "guest-reset"]

    assert [name for name in names if name in ("STOP", "RESUME", "RESET", "POWERDOWN")] == [
        "RESUME", "STOP", "RESUME", "RESET", "POWERDOWN",
    ]  # fmt: skip


# Guests with a kernel.


async def reset(story: Story) -> None:
    """Reset a VM once its kernel has begun to speak."""
    await seen(story, ev.VmStarted, RESET)
    while not (story.of(ev.VmConsole, RESET) or story.of(ev.RunEnded)):
        story.client.send(commands.ReadConsole(vm=RESET))
        await asyncio.sleep(0.1)
    story.client.send(commands.Act(action=VmAction.RESET, vms=(RESET,)))


async def hold(story: Story) -> None:
    """Pause a VM, let it go on when it is seen to stand, and kill its QEMU as its guest tells."""
    await seen(story, ev.VmStarted, PAUSED)
    story.client.send(commands.Act(action=VmAction.PAUSE, vms=(PAUSED,)))
    await seen(story, ev.QmpSeen, PAUSED, "STOP")
    story.client.send(commands.Act(action=VmAction.RESUME, vms=(PAUSED,)))
    await killing(PAUSED, ev.ReportText)(story)


@pytest.fixture(scope="module")
def guests(quick_guest) -> Iterator[Story]:
    """One storm of three real guests, one of which finds nothing to start and no root."""
    with laboratory(own_cache=False) as lab:
        for vm in range(3):
            overlay = lab.folder / f"vm-{vm}.img"
            qemu_img("create", "-f", "qcow2", "-b", quick_guest.rootfs, "-F", "raw", overlay)
        without_init = f"console=ttyS0 panic=1 VMREPORTID:{PANICKING} rdinit=/none"
        wrapper = lab.launcher(
            "rootless-qemu",
            f'#!/bin/sh\ncase "$*" in *guest=vm-{PANICKING},*)\n'
            f'    set -- "$@" -append "{without_init}" ;; esac\nexec {QEMU} "$@"\n',
        )
        config = lab.config(
            3, kernel=str(quick_guest.kernel), initrd=str(quick_guest.initrd), memory_mib=340,
            append="loglevel=6", qemu=str(wrapper), timeout_s=300.0,
            allow_backing=(str(quick_guest.rootfs.parent),),
        )  # fmt: skip
        yield asyncio.run(run(lab, config, reset, hold))


@pytest.mark.parametrize("vm", [RESET, PAUSED])
def test_a_guest_reset_or_paused_on_its_way_reports_all_the_same(guests, vm):
    attempt = guests.fleet.vms[vm].newest

    assert attempt.boot_ns is not None, attempt.why
    assert "Startup finished in" in attempt.text


@pytest.mark.parametrize("vm", [RESET, PAUSED])
def test_the_host_sees_a_guest_that_is_not_silent_go_through_its_stages(guests, vm):
    attempt = guests.fleet.vms[vm].newest
    stages, times = zip(*attempt.stages_seen, strict=True)

    assert stages == (Stage.KERNEL, Stage.INITRD, Stage.USERSPACE, Stage.LAG)
    assert [attempt.go_ns, *times, attempt.report_ns] == sorted(
        [attempt.go_ns, *times, attempt.report_ns]
    )
    assert attempt.console_line


def test_a_reset_is_one_whatever_the_firmware_makes_of_it(guests):
    events = guests.of(ev.QmpSeen, RESET)
    reasons = [event.data["reason"] for event in events if event.name == "RESET"]

    assert reasons[0] == "host-qmp-system-reset"
    assert set(reasons[1:]) == {"guest-reset"}  # SeaBIOS answers a reset with its own
    assert guests.fleet.vms[RESET].newest.resets == 1
    assert guests.of(ev.VmExited, RESET)[0].reason == "guest-shutdown"


def test_a_qemu_killed_after_the_report_leaves_the_boot_as_it_was(guests):
    (exited,) = guests.of(ev.VmExited, PAUSED)

    assert exited.exit_code == -signal.SIGKILL
    assert guests.fleet.vms[PAUSED].newest.state.value == "booted"


def test_a_kernel_that_panics_is_named_with_its_own_words(guests):
    attempt = guests.fleet.vms[PANICKING].newest

    assert attempt.state.value == "failed"
    assert "the guest's kernel panicked: VFS: Unable to mount root fs" in attempt.why
