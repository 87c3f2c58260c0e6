"""A VM that has reported: whatever becomes of it, its boot is kept, and nobody is held up."""

import pytest

from faults.fault import Fault
from faults.middle import BOOTED, MIDDLE, for_middle, told
from support.engine_lab import Lab, tell, tell_limited
from support.traces import nothing_left
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import AfterReport, RunConfig

TITLE = "A VM that has reported"

IMPATIENT = {"command_s": 0.5, "details_s": 1.5, "own_way_s": 0.5, "off_s": 1.0}
ALL_BUT_DETAILS = "the boot, without details"
ALL = "the boot and its details"

STANDING = [
    Fault(
        "the guest writes while it should wait",
        "chatter=0.01",
        BOOTED,
        "xxxx",
        f"{ALL_BUT_DETAILS}; it is taken for one that waits for nobody",
    ),
    Fault("QEMU is killed while it stands still", "die=stopped:KILL", BOOTED, "", ALL_BUT_DETAILS),
    Fault(
        "QEMU hangs while it stands still",
        "hang=stopped",
        BOOTED,
        "it could not be let go on: QEMU did not answer cont",
        ALL_BUT_DETAILS,
    ),
    Fault(
        "QMP is lost while it stands still",
        "qmp=stopped:close",
        BOOTED,
        "it could not be let go on:",
        ALL_BUT_DETAILS,
    ),
    Fault(
        "QEMU refuses to have it stand still", "refuse=stop", BOOTED, "", f"{ALL}, and a caution"
    ),
    Fault(
        "QEMU does not answer when it is to have it stand still",
        "deaf=stop",
        BOOTED,
        "",
        f"{ALL}, and a caution",
    ),
]
TELLING = [
    Fault(
        "the guest tells no details when it is asked",
        "collect=nothing",
        BOOTED,
        "its details did not come in time",
        f"{ALL_BUT_DETAILS}; it is not waited for twice",
    ),
    Fault(
        "the guest tells half of its details",
        "collect=half",
        BOOTED,
        "its details did not come in time",
        "the boot and what it told",
    ),
    Fault(
        "the guest tells its details twice",
        "collect=twice",
        BOOTED,
        "it wrote on after its report had ended",
        "the boot and the first details",
    ),
    Fault("the guest's port is closed instead", "collect=hangup", BOOTED, "", ALL_BUT_DETAILS),
    Fault("QEMU is killed while its guest tells", "die=details:KILL", BOOTED, "", ALL_BUT_DETAILS),
]
ENDING = [
    Fault(
        "the guest does not shut down (`--shutdown-timeout`)",
        "off=never",
        BOOTED,
        "",
        f"{ALL}; QEMU is made to quit",
    ),
    Fault("QEMU is killed while its guest shuts down", "die=off:KILL", BOOTED, "", ALL),
]
CROWDS = [
    Fault(
        "more VMs than the host's memory can hold, of which enough fit to boot at once",
        "rounds",
        BOOTED,
        "the host can hold 2 of 5 VMs at once: the storm goes in 3 rounds",
        "every boot and its details; the figures are those of one round",
    ),
    Fault("1,000 VMs at once", "crowd", BOOTED, "", "every boot and its details"),
]
FAULTS = [*STANDING, *TELLING, *ENDING, *CROWDS]


@pytest.mark.parametrize("fault", [*STANDING, *TELLING, *ENDING], ids=str)
async def test_a_vm_that_has_reported_keeps_its_boot(lab: Lab, fault: Fault[str]):
    script = for_middle(fault.how) + " 0.boot=0.2 2.boot=0.4"
    config = lab.config(3, script, shutdown_timeout_s=1.0)
    with nothing_left(lab.runtime, *(config.image(vm) for vm in range(3))):
        story = await tell_limited(lab, config, **IMPATIENT)
    first, middle, last = story.fleet.newest

    assert [attempt.state.value for attempt in story.fleet.newest] == [BOOTED] * 3
    assert middle.boot_ns < min(first.boot_ns, last.boot_ns)
    assert fault.words in told(middle)
    assert told(middle).replace("\n", "").isprintable()
    assert (middle.details is None) == fault.kept.startswith(ALL_BUT_DETAILS)
    assert first.details.complete
    assert last.details.complete
    assert middle.exited_ns is not None


@pytest.mark.parametrize("after", AfterReport)
async def test_a_guest_that_writes_on_and_on_is_read_in_bounds(lab: Lab, after: AfterReport):
    config = lab.config(2, "0.chatter=0.001 1.boot=1 off=0.2", after_report=after)
    story = await tell_limited(lab, config, **IMPATIENT)

    assert story.states == [BOOTED] * 2
    assert len(story.fleet.vms[0].newest.rejected) <= 20
    assert MIDDLE in story.fleet.vms


def crowd(lab: Lab, kind: str) -> RunConfig:
    if kind == "crowd":
        return lab.config(1000, "boot=0.02 off=0.02 gather=0", timeout_s=60.0)
    return lab.crowd(5, 2, parallel=1)


@pytest.mark.parametrize("fault", CROWDS, ids=str)
async def test_a_crowd_is_led_through_all_phases(lab: Lab, fault: Fault[str]):
    story = await tell(lab, crowd(lab, fault.how))

    assert {attempt.state.value for attempt in story.fleet.newest} == {fault.ends}
    assert all(attempt.details.complete for attempt in story.fleet.newest)
    assert all(attempt.shutdown_took_ns is not None for attempt in story.fleet.newest)
    assert {attempt.disturbed_ns for attempt in story.fleet.newest} == {0}
    assert any(fault.words in notice.text for notice in story.of(ev.Notice))
