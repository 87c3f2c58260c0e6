"""The phases of a storm: who stands still while others boot, who tells, who ends, and when."""

import asyncio
from collections.abc import Sequence

import pytest

from support.engine_lab import Lab, Story, engine, tell, tell_limited
from support.facts import plan_of
from vmtiming_tui.analysis.exit_code import ExitCode, exit_code
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.attempt import Phase
from vmtiming_tui.model.commands import VmAction
from vmtiming_tui.model.config import AfterReport, End, KernelDetail
from vmtiming_tui.model.events import ReleaseCause
from vmtiming_tui.model.plan import RunPlan, Variant

PHASES = [ev.RoundStarted, ev.StormDecided, ev.StormCollected, ev.StormEnded]
AFTER_REPORT = [
    ev.VmStarted, ev.VmBooted, ev.VmFrozen, ev.VmReleased, ev.ReportText, ev.VmDetails,
    ev.VmEnding, ev.VmExited,
]  # fmt: skip


def kinds(story: Story, of: Sequence[type], vm: int | None = None) -> list[type]:
    events = story.events if vm is None else [e for e in story.events if getattr(e, "vm", -1) == vm]
    return [type(event) for event in events if type(event) in of]


def moments(story: Story, kind: type) -> list[int]:
    return [event.at_ns for event in story.of(kind)]


def released(story: Story) -> dict[int, list[ReleaseCause]]:
    found: dict[int, list[ReleaseCause]] = {}
    for event in story.of(ev.VmReleased):
        found.setdefault(event.vm, []).append(event.cause)
    return found


async def test_a_storm_boots_then_collects_then_ends(lab: Lab):
    story = await tell(lab, lab.config(5, parallel=2))
    (decided,), (collected,) = moments(story, ev.StormDecided), moments(story, ev.StormCollected)

    assert kinds(story, PHASES) == PHASES
    assert max(moments(story, ev.VmFrozen)) <= decided <= min(moments(story, ev.VmReleased))
    assert max(moments(story, ev.VmDetails)) <= collected <= min(moments(story, ev.VmEnding))
    for vm in range(5):
        assert kinds(story, AFTER_REPORT, vm) == AFTER_REPORT
    assert [attempt.disturbed_ns for attempt in story.fleet.newest] == [0] * 5
    assert [attempt.phase for attempt in story.fleet.newest] == [Phase.OFF] * 5


async def test_a_guest_stands_still_from_its_report_till_all_are_decided(lab: Lab):
    """Its chatter would be read, were it able to speak."""
    story = await tell(lab, lab.config(3, "0.chatter=0.02 2.boot=1"))

    assert story.states == ["booted"] * 3
    assert story.of(ev.ReportRejected, 0) == []
    assert story.fleet.vms[2].newest.disturbed_ns == 0


async def test_details_are_collected_in_the_order_of_vms(lab: Lab):
    story = await tell(lab, lab.config(8, "boot=0.05~0.4"))

    assert [event.vm for event in story.of(ev.VmReleased)] == list(range(8))


async def test_the_order_of_units_is_told_by_one_vm_of_a_run(lab: Lab):
    plan = RunPlan(variants=(Variant(config=lab.config(3)),), runs=2)
    story = await tell(lab, plan)
    (order,) = story.of(ev.UnitOrder)

    assert order.vm == 0
    assert order.after["slow.service"] == ("basic.target",)
    assert story.fleet.unit_order == order


KERNEL_LOG = (
    "kernel=<5>[+0.0]|<7>[+0.000000]+x|"
    "<7>[+1.500000]+initcall+slow_init+0x0/0x10+returned+0+after+700000+usecs"
)


async def test_a_storm_after_all_others_tells_of_its_guests_kernels_and_counts_in_nothing(lab: Lab):
    config = lab.config(2, f"{KERNEL_LOG}", kernel_detail=KernelDetail.EXTRA)
    story = await tell(lab, RunPlan(variants=(Variant(config=config),), runs=2))

    assert [storm.kind for storm in story.of(ev.StormStarted)] == ["run", "run", "detail"]
    assert sorted((told.vm, told.attempt) for told in story.of(ev.VmKernel)) == [(0, 3), (1, 3)]
    asked = ["initcall_debug" in " ".join(told.argv) for told in story.of(ev.VmLaunched, 0)]
    assert asked == [False, False, True]


async def test_where_that_storm_cannot_begin_the_run_has_finished_all_the_same(lab: Lab):
    first = lab.folder / "first"
    plan = RunPlan(
        variants=(Variant(config=lab.config(1, kernel_detail=KernelDetail.EXTRA)),),
        prepare=f"test ! -e {first} && touch {first}",
    )
    story = await tell(lab, plan)

    (warning,) = story.warnings
    assert warning.startswith("no storm for the kernel's details: the command given with --prepare")
    assert story.fleet.failure is None
    assert exit_code(story.fleet) is ExitCode.ALL_BOOTED


async def test_after_that_storm_vms_are_run_again_as_those_that_count_were(lab: Lab):
    plan = RunPlan(variants=(Variant(config=lab.config(1, kernel_detail=KernelDetail.EXTRA)),))
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan, interactive=True))
        await story.till(lambda story: story.of(ev.RunEnded))
        story.client.send(commands.Rerun(vms=(0,)))
        await story.till(lambda story: len(story.of(ev.RunEnded)) == 2)
        story.client.send(commands.Quit())
        await story.to_end()

    asked = ["initcall_debug" in " ".join(told.argv) for told in story.of(ev.VmLaunched)]
    assert asked == [False, True, False]


async def test_where_one_guest_tells_no_order_the_next_is_asked(lab: Lab):
    story = await tell(lab, lab.config(6, "0.collect=hangup 0.gather=0"))

    assert len(story.of(ev.UnitOrder)) == 1
    assert story.of(ev.UnitOrder)[0].vm != 0


async def test_a_shutdown_is_timed_from_the_word_to_qemu_s_shutdown(lab: Lab):
    story = await tell(lab, lab.config(2, "off=0.3"))

    for attempt in story.fleet.newest:
        assert 300_000_000 <= attempt.shutdown_took_ns < attempt.exited_ns - attempt.ending_ns
        assert attempt.exit_took_ns > 0


async def test_qemu_quits_as_soon_as_the_details_are_in_where_it_is_to(lab: Lab):
    story = await tell(lab, lab.config(3, "off=never", end=End.QUIT))

    assert [attempt.exit_reason for attempt in story.fleet.newest] == ["host-qmp-quit"] * 3
    assert [attempt.shutdown_took_ns for attempt in story.fleet.newest] == [None] * 3
    assert len(story.of(ev.VmDetails)) == 3


async def test_a_guest_that_does_not_shut_down_is_made_to_end(lab: Lab):
    story = await tell(lab, lab.config(2, "1.off=never", shutdown_timeout_s=0.5))
    last = story.fleet.vms[1].newest

    assert story.states == ["booted"] * 2
    assert (last.shutdown_took_ns, last.exit_reason) == (None, "host-qmp-quit")


# Other ways after the report.


async def test_booted_guests_run_on_till_all_are_decided_where_they_are_to(lab: Lab):
    story = await tell(lab, lab.config(3, "2.boot=0.5", after_report=AfterReport.RUN))
    (decided,) = moments(story, ev.StormDecided)

    assert story.of(ev.VmFrozen) == []
    assert min(moments(story, ev.VmReleased)) >= decided
    assert [attempt.disturbed_ns for attempt in story.fleet.newest] == [0] * 3
    assert all(attempt.details.complete for attempt in story.fleet.newest)


async def test_guests_are_off_at_once_where_they_are_to_and_that_disturbs_others(lab: Lab):
    story = await tell(
        lab, lab.config(3, "off=0.3 2.boot=1", after_report=AfterReport.OFF, parallel=3)
    )
    last = story.fleet.vms[2].newest

    assert released(story) == {vm: [ReleaseCause.OFF] for vm in range(3)}
    assert min(moments(story, ev.VmExited)) < last.report_ns
    assert 250_000_000 < last.disturbed_ns < last.boot_ns
    assert all(attempt.details.complete for attempt in story.fleet.newest)


async def test_an_older_guest_stands_still_too_and_then_goes_its_own_way(lab: Lab):
    story = await tell(lab, lab.config(3, "report=first 2.boot=0.5"))
    (decided,) = moments(story, ev.StormDecided)

    assert min(moments(story, ev.VmExited)) > decided
    assert [attempt.disturbed_ns for attempt in story.fleet.newest] == [0] * 3
    assert story.of(ev.VmEnding) == []
    assert [attempt.exit_reason for attempt in story.fleet.newest] == ["guest-shutdown"] * 3


async def test_an_older_guest_that_runs_on_goes_its_own_way_at_once(lab: Lab):
    story = await tell(lab, lab.config(2, "report=pieces 1.boot=0.5", after_report=AfterReport.RUN))

    assert released(story)[0] == [ReleaseCause.OWN_WAY]
    assert story.fleet.vms[1].newest.disturbed_ns > 0
    assert all(attempt.details.complete for attempt in story.fleet.newest)


# Rounds.


async def test_more_vms_than_the_host_can_hold_go_in_rounds(lab: Lab):
    story = await tell(lab, lab.crowd(7, 5, parallel=2))

    rounds = story.of(ev.RoundStarted)
    assert [event.vms for event in rounds] == [(0, 1, 2, 3), (4, 5, 6)]
    assert kinds(story, PHASES) == [*PHASES[:3], *PHASES]
    first_round_over = max(event.at_ns for event in story.of(ev.VmExited) if event.vm < 4)
    assert first_round_over <= rounds[1].at_ns
    assert [attempt.round for attempt in story.fleet.newest] == [1, 1, 1, 1, 2, 2, 2]
    (told,) = [each.text for each in story.of(ev.Notice) if "rounds" in each.text]
    assert "4 of 7 VMs at once" in told


async def last_killed_while_the_first_boots(lab: Lab, number: int) -> tuple[Story, int]:
    """Boot VMs in rounds of one, and kill the last; return how many had booted by then, too."""
    async with engine(lab) as story:
        plan = plan_of(lab.crowd(number, 1, "boot=0.5", parallel=1))
        story.client.send(commands.Start(plan=plan))
        await story.till(lambda story: story.of(ev.VmStarted))
        story.client.send(commands.Act(action=VmAction.KILL, vms=(number - 1,)))
        await story.till(lambda story: story.of(ev.VmKilled))
        booted_by_then = len(story.of(ev.VmBooted))
        await story.to_end()
    return story, booted_by_then


async def test_a_vm_of_a_later_round_can_be_killed_before_it(lab: Lab):
    story, booted_by_then = await last_killed_while_the_first_boots(lab, 3)

    assert story.states == ["booted", "booted", "killed"]
    assert booted_by_then == 0


# What goes wrong.


async def test_a_qemu_that_refuses_to_stop_is_told_and_its_vm_asked_all_the_same(lab: Lab):
    story = await tell(lab, lab.config(2, "0.refuse=stop 1.boot=0.6"))

    assert released(story) == {0: [ReleaseCause.NOT_STOPPED], 1: [ReleaseCause.COLLECT]}
    assert story.fleet.vms[1].newest.disturbed_ns > 0
    assert all(attempt.details.complete for attempt in story.fleet.newest)


async def test_a_vm_that_dies_while_it_stands_still_keeps_its_boot(lab: Lab):
    story = await tell(lab, lab.config(3, "1.die=stopped:KILL 2.boot=0.5"))

    assert story.states == ["booted"] * 3
    assert story.fleet.vms[1].newest.boot_ns > 0
    assert story.fleet.vms[1].newest.details is None


@pytest.mark.parametrize(
    ("script", "complete"), [("collect=nothing", None), ("collect=half", False)]
)
async def test_a_guest_that_does_not_tell_in_time_is_left_without_details(
    lab: Lab, script: str, complete: bool | None
):
    story = await tell_limited(lab, lab.config(2, f"1.{script.replace(' ', ' 1.')}"), details_s=0.5)
    found = [attempt.details and attempt.details.complete for attempt in story.fleet.newest]
    (told,) = story.of(ev.ReportRejected)

    assert found == [True, complete]
    assert told.why == "its details did not come in time"
    assert len(story.of(ev.VmReleased, 1)) == 1


async def test_a_guest_that_closes_its_port_is_left_without_details(lab: Lab):
    story = await tell(lab, lab.config(2, "1.collect=hangup"))

    assert story.states == ["booted"] * 2
    assert story.fleet.vms[1].newest.details is None


# What a person does meanwhile.


async def frozen(story: Story, vm: int = 0) -> None:
    await story.till(lambda story: story.of(ev.VmFrozen, vm))


async def test_a_vm_resumed_by_hand_is_marked_and_disturbs_the_others(lab: Lab):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan_of(lab.config(2, "1.boot=1"))))
        await frozen(story)
        story.client.send(commands.Act(action=VmAction.RESUME, vms=(0,)))
        await story.till(lambda story: story.of(ev.VmReleased, 0))
        story.client.send(commands.Act(action=VmAction.PAUSE, vms=(0,)))
        await story.till(lambda story: len(story.of(ev.VmFrozen, 0)) == 2)
        await story.to_end()

    assert released(story)[0] == [ReleaseCause.BY_HAND, ReleaseCause.COLLECT]
    assert story.fleet.vms[0].newest.was_resumed
    assert 0 < story.fleet.vms[1].newest.disturbed_ns < 900_000_000
    assert all(attempt.details.complete for attempt in story.fleet.newest)


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (VmAction.KILL, ""),
        (VmAction.RESET, "host-qmp-quit"),
        (VmAction.POWERDOWN, "guest-shutdown"),
    ],
)
async def test_whatever_is_done_to_a_vm_that_stands_still_its_boot_is_kept(
    lab: Lab, action: VmAction, reason: str
):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan_of(lab.config(2, "1.boot=1"))))
        await frozen(story)
        story.client.send(commands.Act(action=action, vms=(0,)))
        await story.to_end()

    assert story.states == ["booted"] * 2
    assert story.fleet.vms[0].newest.exit_reason == reason
    assert story.fleet.vms[1].newest.disturbed_ns == 0


@pytest.mark.parametrize("now", [False, True])
async def test_a_stop_while_details_are_collected_keeps_every_boot_and_skips_the_rest(
    lab: Lab, now: bool
):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan_of(lab.config(12, "gather=0.5"))))
        await story.till(lambda story: story.of(ev.VmDetails))
        story.client.send(commands.Stop(now=now))
        await story.to_end()

    assert story.states == ["booted"] * 12
    assert len(story.of(ev.VmDetails)) < 12
    assert len(story.of(ev.VmExited)) == 12
    assert story.of(ev.RunEnded)[0].outcome is ev.Outcome.STOPPED


async def test_a_stop_while_some_stand_still_keeps_their_boots(lab: Lab):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan_of(lab.config(3, "2.boot=60"))))
        await story.till(lambda story: len(story.of(ev.VmFrozen)) == 2)
        story.client.send(commands.Stop())
        await story.to_end()

    assert story.states == ["booted", "booted", "killed"]


async def test_a_stopped_guest_that_has_the_user_s_image_is_let_go_on_to_power_off(lab: Lab):
    async with engine(lab) as story:
        plan = plan_of(lab.config(2, "1.boot=60", persist=True, force=True))
        story.client.send(commands.Start(plan=plan))
        await frozen(story)
        story.client.send(commands.Stop())
        await story.to_end()

    assert story.states == ["booted", "killed"]
    assert story.fleet.vms[0].newest.exit_reason == "guest-shutdown"


async def test_a_pause_while_a_guest_tells_does_not_count_against_its_limit(lab: Lab):
    story = await tell_limited(
        lab,
        lab.config(1, "gather=0.4"),
        details_s=1.0,
        acts=((ev.VmReleased, VmAction.PAUSE, 0.0), (None, VmAction.RESUME, 1.5)),
    )

    assert story.fleet.vms[0].newest.details.complete


async def test_a_pause_that_qemu_refuses_does_not_have_a_later_stop_of_its_own_wait_for_ever(
    lab: Lab,
):
    story = await tell_limited(
        lab,
        lab.config(1, "silent=1 boot=2 refuse=stop event=half:STOP:{}", timeout_s=2.0),
        acts=((ev.VmStarted, VmAction.PAUSE, 0.0),),
    )

    assert story.states == ["timed out"]
    assert any("cannot pause" in text for text in story.warnings)


async def test_a_rerun_asked_for_while_details_are_collected_comes_after(lab: Lab):
    async with engine(lab) as story:
        story.client.send(
            commands.Start(plan=plan_of(lab.config(2, "gather=0.3")), interactive=True)
        )
        await story.till(lambda story: story.of(ev.VmReleased))
        story.client.send(commands.Rerun(vms=(1,)))
        await story.till(lambda story: story.of(ev.RunEnded))

    assert kinds(story, PHASES) == [*PHASES, *PHASES]
    assert [len(vm.attempts) for vm in story.fleet.vms.values()] == [1, 2]


@pytest.mark.parametrize("phase", [ev.VmReleased, ev.VmEnding], ids=["collect", "end"])
@pytest.mark.parametrize("action", VmAction)
async def test_whatever_is_done_to_a_vm_in_the_later_phases_no_boot_is_lost_nor_anybody_held_up(
    lab: Lab, action: VmAction, phase: type
):
    async with engine(lab) as story:
        plan = plan_of(lab.config(3, "1.gather=0.5 1.off=0.5", shutdown_timeout_s=5.0))
        story.client.send(commands.Start(plan=plan))
        await story.till(lambda story: story.of(phase, 1))
        story.client.send(commands.Act(action=action, vms=(1,)))
        if action is VmAction.PAUSE:
            await asyncio.sleep(0.3)
            story.client.send(commands.Act(action=VmAction.RESUME, vms=(1,)))
        await story.to_end()
    first, middle, last = story.fleet.newest

    assert story.states == ["booted"] * 3
    assert first.details.complete
    assert last.details.complete
    assert middle.exited_ns is not None
    assert kinds(story, PHASES) == PHASES
    assert [attempt.exit_reason for attempt in (first, last)] == ["guest-shutdown"] * 2


async def test_a_round_whose_vms_are_lost_before_it_begins_has_its_phases_in_order(lab: Lab):
    story, _ = await last_killed_while_the_first_boots(lab, 2)

    assert story.states == ["booted", "killed"]
    assert kinds(story, PHASES) == [*PHASES[:3], *PHASES]
