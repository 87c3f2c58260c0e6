"""Whole runs of stand-ins through the real engine: what happens, in which order."""

import asyncio
import itertools
import os
import signal

import pytest

from support.engine_lab import Lab, Story, engine, tell
from support.facts import plan_of
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.commands import VmAction
from vmtiming_tui.model.config import StartMode
from vmtiming_tui.model.plan import RunPlan, StormKind, Variant

LIFE = [
    ev.VmQueued,
    ev.VmLaunched,
    ev.ReportConnected,
    ev.VmConnected,
    ev.VmStarted,
    ev.VmBooted,
    ev.VmDetails,
    ev.VmExited,
]


async def test_every_vm_lives_its_life_in_order(lab: Lab):
    story = await tell(lab, lab.config(3, "console=hello+world"))

    assert story.states == ["booted"] * 3
    for vm in range(3):
        kinds = [type(event) for event in story.events if getattr(event, "vm", None) == vm]
        assert [kind for kind in kinds if kind in LIFE] == LIFE
        (console,) = story.of(ev.VmConsole, vm)
        assert console.text == "hello world\n"
        assert console.total_bytes == 13
    of_all = [type(event) for event in story.events if not hasattr(event, "vm")]
    begun = [kind for kind in of_all if kind in (ev.RunStarted, ev.StormStarted)]
    assert of_all[0] is ev.RunStarted
    assert begun == [ev.RunStarted, ev.StormStarted]
    assert story.of(ev.RunEnded)[0].outcome is ev.Outcome.FINISHED


async def test_the_figures_are_the_stand_ins_own(lab: Lab):
    story = await tell(lab, lab.config(1, "boot=0.4"))
    (attempt,) = story.fleet.newest
    sent_ns = int(attempt.text.rpartition("sent_ns=")[2])

    assert attempt.report_ns >= sent_ns
    assert attempt.boot_ns >= 400_000_000
    assert attempt.go_ns < sent_ns
    assert attempt.details.complete
    assert list(attempt.units.names) == ["basic.target", "slow.service"]
    assert attempt.exit_reason == "guest-shutdown"


async def test_together_nobody_goes_before_all_are_ready(lab: Lab):
    story = await tell(lab, lab.config(6, "3.greet=0.3", start=StartMode.TOGETHER))
    ready = max(event.at_ns for event in story.of(ev.VmConnected))

    assert story.states == ["booted"] * 6
    assert all(event.go_ns >= ready - 1_000_000 for event in story.of(ev.VmStarted))


async def test_together_a_vm_that_is_lost_holds_nobody_up(lab: Lab):
    story = await tell(lab, lab.config(3, "1.die=start:1", start=StartMode.TOGETHER))

    assert story.states == ["booted", "failed", "booted"]


async def test_no_more_than_the_asked_for_boot_at_once(lab: Lab):
    story = await tell(lab, lab.config(7, "boot=0.1", parallel=2))
    booting = most = 0
    for event in story.events:
        if isinstance(event, ev.VmLaunched):
            booting += 1
        elif isinstance(event, ev.VmBooted):
            booting -= 1
        most = max(most, booting)

    assert story.states == ["booted"] * 7
    assert most == 2


async def test_stagger_keeps_starts_apart(lab: Lab):
    story = await tell(lab, lab.config(4, stagger_s=0.15))
    starts = sorted(event.go_ns for event in story.of(ev.VmStarted))

    assert all(b - a >= 100_000_000 for a, b in itertools.pairwise(starts))


async def test_a_silent_guest_times_out_and_says_what_was_seen_last(lab: Lab):
    story = await tell(lab, lab.config(2, "1.silent=1 1.console=login:", timeout_s=0.6))

    assert story.states == ["booted", "timed out"]
    (event,) = story.of(ev.VmTimedOut)
    assert event.limit_ns == 600_000_000
    assert event.why == "no report within 0.6 s; last on its console: login:"


async def pause(story: Story) -> None:
    """Pause VM 0 as soon as it runs, and see that it stands still."""
    await story.till(lambda story: story.of(ev.VmStarted))
    story.client.send(commands.Act(action=VmAction.PAUSE, vms=(0,)))
    await story.till(lambda story: story.fleet.vms[0].newest.paused)


async def test_time_a_vm_stands_still_does_not_count_against_its_limit(lab: Lab):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan_of(lab.config(1, "silent=1", timeout_s=0.8))))
        await pause(story)
        await asyncio.sleep(1.2)
        story.client.send(commands.Act(action=VmAction.RESUME, vms=(0,)))
        await story.to_end()

    attempt = story.fleet.vms[0].newest
    assert story.states == ["timed out"]
    assert attempt.decided_ns - attempt.go_ns >= 1_900_000_000


async def test_warmups_and_repetitions_are_storms_of_one_run(lab: Lab):
    plan = RunPlan(variants=(Variant(config=lab.config(2)),), warmup=1, runs=2)
    story = await tell(lab, plan)

    assert [storm.kind.value for storm in story.fleet.storms.values()] == ["warmup", "run", "run"]
    assert [event.planned for event in story.of(ev.StormStarted)] == [3, 3, 3]
    assert [len(vm.attempts) for vm in story.fleet.vms.values()] == [3, 3]


async def test_a_rerun_is_a_storm_of_its_own_and_counts_attempts(lab: Lab):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan_of(lab.config(3)), interactive=True))
        await story.till(lambda story: story.of(ev.RunEnded))
        story.client.send(commands.Rerun(vms=(2, 0, 77)))
        await story.till(lambda story: len(story.of(ev.RunEnded)) == 2)
        story.client.send(commands.Quit())
        await story.to_end()

    assert story.fleet.storms[2].vms == (2, 0)
    assert story.fleet.storms[2].kind is StormKind.RERUN
    assert [len(vm.attempts) for vm in story.fleet.vms.values()] == [2, 1, 2]
    assert len({event.run for event in story.of(ev.RunStarted)}) == 1


async def test_a_rerun_asked_for_while_a_storm_runs_comes_after_it(lab: Lab):
    async with engine(lab) as story:
        story.client.send(
            commands.Start(plan=plan_of(lab.config(2, "1.boot=0.5")), interactive=True)
        )
        await story.till(lambda story: story.of(ev.VmBooted, 0))
        story.client.send(commands.Rerun(vms=(0,)))
        await story.till(lambda story: story.of(ev.RunEnded))

    kinds = [type(event) for event in story.events]
    assert kinds.count(ev.RunEnded) == 1
    first_end = kinds.index(ev.StormEnded)
    assert kinds.index(ev.StormStarted, kinds.index(ev.StormStarted) + 1) > first_end
    assert story.states == ["booted", "booted"]


async def test_a_new_run_has_an_id_of_its_own_that_sorts_after(lab: Lab):
    async with engine(lab) as story:
        for count in (1, 2):
            story.client.send(commands.Start(plan=plan_of(lab.config(1)), interactive=True))
            await story.till(lambda story, count=count: len(story.of(ev.RunEnded)) == count)
            await asyncio.sleep(0.6)

    first, second = story.of(ev.RunStarted)
    assert first.run < second.run


async def test_one_vm_is_killed_and_the_others_go_on(lab: Lab):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan_of(lab.config(3, "1.silent=1 2.boot=0.4"))))
        await story.till(lambda story: len(story.of(ev.VmStarted)) == 3)
        story.client.send(commands.Act(action=VmAction.KILL, vms=(1, 50)))
        await story.to_end()

    assert story.states == ["booted", "killed", "booted"]
    assert story.fleet.vms[1].newest.exit_code == -9


async def test_a_vm_that_waits_for_its_turn_can_be_killed(lab: Lab):
    async with engine(lab) as story:
        plan = plan_of(lab.config(2, "0.boot=0.6", parallel=1))
        story.client.send(commands.Start(plan=plan))
        await story.till(lambda story: story.of(ev.VmStarted, 0))
        story.client.send(commands.Act(action=VmAction.KILL, vms=(1,)))
        await story.to_end()

    assert story.states == ["booted", "killed"]
    assert story.of(ev.VmLaunched, 1) == []


async def test_a_paused_vm_whose_qemu_does_not_obey_any_more_is_not_waited_for(lab: Lab):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan_of(lab.config(1, "boot=60", timeout_s=1.0))))
        await pause(story)
        os.kill(story.fleet.vms[0].newest.pid, signal.SIGSTOP)
        story.client.send(commands.Act(action=VmAction.RESUME, vms=(0,)))
        await story.to_end()

    assert story.states == ["timed out"]


async def test_pause_resume_reset_and_powerdown_reach_the_guest(lab: Lab):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan_of(lab.config(1, "silent=1"))))
        await story.till(lambda story: story.of(ev.VmStarted))
        for action, name in (
            (VmAction.PAUSE, "STOP"),
            (VmAction.RESUME, "RESUME"),
            (VmAction.RESET, "RESET"),
            (VmAction.POWERDOWN, "POWERDOWN"),
        ):
            story.client.send(commands.Act(action=action, vms=(0,)))
            await story.till(
                lambda story, name=name: name in [event.name for event in story.of(ev.QmpSeen)]
            )
        await story.to_end()

    assert story.states == ["failed"]
    assert story.fleet.vms[0].newest.why == "the guest shut down before it reported"
    assert story.fleet.vms[0].newest.resets == 1


async def test_the_console_is_shown_when_asked_for(lab: Lab):
    async with engine(lab) as story:
        plan = plan_of(lab.config(1, "silent=1 console=login: noise=400000"))
        story.client.send(commands.Start(plan=plan))
        await story.till(lambda story: story.of(ev.VmStarted))
        seen = 0
        while seen < 400_008:
            story.client.send(commands.ReadConsole(vm=0, seen_bytes=-1))
            count = len(story.of(ev.VmConsole))
            await story.till(lambda story, count=count: len(story.of(ev.VmConsole)) > count)
            seen = story.of(ev.VmConsole)[-1].total_bytes
        story.client.send(commands.Stop())
        await story.to_end()

    shown = story.of(ev.VmConsole)[-2]
    assert shown.total_bytes == 400_008
    assert len(shown.text) + shown.dropped_bytes <= 400_008
    assert len(shown.text) > 200_000


@pytest.mark.parametrize("now", [False, True])
async def test_stop_ends_every_vm_in_every_state(lab: Lab, now: bool):
    async with engine(lab) as story:
        script = (
            "silent=1 1.hang=go 2.deaf=system_powerdown,quit 3.boot=0.01 3.report=full 3.off=never"
        )
        story.client.send(
            commands.Start(
                plan=plan_of(lab.config(6, script.replace("silent=1", "boot=60"), parallel=5))
            )
        )
        await story.till(
            lambda story: len(story.of(ev.VmStarted)) >= 4 and story.of(ev.VmBooted, 3)
        )
        story.client.send(commands.Stop(now=now))
        await story.to_end()

    assert story.states == ["killed", "killed", "killed", "booted", "killed", "killed"]
    assert story.of(ev.RunEnded)[-1].outcome is ev.Outcome.STOPPED


async def test_stop_asks_the_guest_first(lab: Lab):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan_of(lab.config(1, "boot=60"))))
        await story.till(lambda story: story.of(ev.VmStarted))
        story.client.send(commands.Stop())
        await story.to_end()

    assert story.fleet.vms[0].newest.exit_reason == "guest-shutdown"


async def test_a_failing_prepare_command_stops_the_run_and_shows_its_output(lab: Lab):
    plan = RunPlan(
        variants=(Variant(config=lab.config(1)),), prepare="echo no such disk >&2; exit 4"
    )
    story = await tell(lab, plan)

    (failure,) = story.of(ev.EngineFailed)
    assert failure.why == "the command given with --prepare failed with exit code 4:\nno such disk"
    assert story.of(ev.VmQueued) == []


async def test_prepare_runs_before_every_storm(lab: Lab):
    count = lab.folder / "count"
    plan = RunPlan(
        variants=(Variant(config=lab.config(1)),), warmup=1, runs=2, prepare=f"echo x >>{count}"
    )
    await tell(lab, plan)

    assert count.read_text() == "x\n" * 3


async def test_images_are_as_they_were(lab: Lab):
    config = lab.config(2)
    before = [config.image(vm).read_bytes() for vm in range(2)]
    await tell(lab, config)

    assert [config.image(vm).read_bytes() for vm in range(2)] == before
