"""An engine that is led boots its share of each storm, and waits where hosts do for each other."""

import time
from dataclasses import replace

import pytest

from support.engine_lab import Lab, Story, engine, tell, until
from support.facts import MS, plan_of
from support.leading import Leading, admit, boot, proceed, share
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.commands import VmAction
from vmtiming_tui.model.config import StartMode
from vmtiming_tui.model.events import Step, Turn
from vmtiming_tui.model.plan import RunPlan, StormKind, Variant

TOLD = (
    ev.VmQueued, ev.Awaiting, ev.StormStarted, ev.RoundStarted, ev.StormDecided,
    ev.StormCollected, ev.StormEnded, ev.RunEnded,
)  # fmt: skip


def told(story: Story) -> list[object]:
    """What it said of storms as wholes, by kind, and each step by its name."""
    wholes = (event for event in story.events if isinstance(event, TOLD))
    return [event.step if isinstance(event, ev.Awaiting) else type(event) for event in wholes]


def numbers(story: Story) -> list[tuple[int, int, int]]:
    return [(each.storm, each.vm, each.attempt) for each in story.of(ev.VmQueued)]


async def test_it_boots_what_it_is_told_to_by_the_numbers_it_is_given(lab: Lab):
    config = lab.config(8, "boot=0.01", start=StartMode.TOGETHER)
    other = replace(config, smp=2)
    plan = RunPlan(variants=(Variant(config=config), Variant(config=other)))
    async with engine(lab) as story:
        lead = Leading(story)
        lead.start(plan)
        await lead.till(lambda story: story.of(ev.HostSample))
        assert story.of(ev.RunStarted)[0].number == 8
        assert told(story) == []
        lead.send(boot(share(config, (5, 6)), storm=3))
        await lead.till_ended(3)
        mixed = (share(config, (6,), attempt=2), share(other, (3,)), share(config, (4,)))
        lead.send(boot(*mixed, storm=7, kind=StormKind.RERUN))
        await lead.till_ended(7)
        assert story.of(ev.RunEnded) == []
        lead.start(plan)
        await lead.till(lambda story: len(story.of(ev.RunStarted)) == 2)
        lead.send(commands.Quit())
        await story.to_end()

    storm = [
        Step.ROUND, ev.StormStarted, ev.RoundStarted, Step.GO, Step.DECIDED, ev.StormDecided,
        Step.COLLECTED, ev.StormCollected, ev.StormEnded,
    ]  # fmt: skip
    queued = ev.VmQueued
    ends = [ev.RunEnded, ev.RunEnded]
    assert told(story) == [queued, queued, *storm, queued, queued, queued, *storm, *ends]
    assert numbers(story) == [(3, 5, 1), (3, 6, 1), (7, 6, 2), (7, 3, 1), (7, 4, 1)]
    assert [each.vms for each in story.of(ev.StormStarted)] == [(5, 6), (6, 3, 4)]
    booted = sorted((each.vm, each.attempt) for each in story.of(ev.VmBooted))
    assert booted == [(3, 1), (4, 1), (5, 1), (6, 1), (6, 2)]
    assert "-smp 2" in " ".join(story.of(ev.VmLaunched, 3)[0].argv)
    outcomes = [each.outcome for each in story.of(ev.RunEnded)]
    assert outcomes == [ev.Outcome.FINISHED, ev.Outcome.STOPPED]


async def test_at_each_step_it_waits_till_it_may_go_on(lab: Lab):
    config = lab.config(1, "boot=0.01", start=StartMode.TOGETHER)
    next_of = {
        Step.ROUND: ev.RoundStarted,
        Step.GO: ev.VmStarted,
        Step.DECIDED: ev.StormDecided,
        Step.COLLECTED: ev.StormCollected,
    }
    async with engine(lab) as story:
        lead = Leading(story, held=Step)
        lead.start(plan_of(config))
        lead.send(boot(share(config, (0,))))
        for step, kind in next_of.items():
            asked = await lead.till_at(step)
            assert (asked.round, asked.rounds, asked.vms) == (1, 1, (0,))
            await lead.till_heard(0)
            assert story.of(kind) == []
            lead.send(proceed(asked))
            lead.send(proceed(asked))
        await lead.till_ended()

    assert story.fleet.newest[0].state.is_booted


async def test_vms_that_come_from_elsewhere_get_their_overlays_whatever_their_settings(lab: Lab):
    bases = [lab.folder / f"{name}.img" for name in ("old", "new")]
    for base in bases:
        base.write_bytes(b"\1" * 4096)
    old, new = (
        replace(lab.config(2, "boot=0.01", suffix=".qcow2"), base=str(base), prefix=base.stem)
        for base in bases
    )
    async with engine(lab) as story:
        lead = Leading(story)
        lead.start(RunPlan(variants=(Variant(config=old), Variant(config=new))))
        lead.send(boot(share(old, (0,)), share(new, (1,)), kind=StormKind.RERUN))
        await lead.till_ended()

    assert story.states == ["booted", "booted"]
    assert [path.name for path in sorted(lab.folder.glob("*.qcow2"))] == [
        "new-1.qcow2", "old-0.qcow2",
    ]  # fmt: skip


@pytest.mark.parametrize("now", [False, True])
async def test_a_stop_ends_a_storm_wherever_it_waits_and_another_can_follow(lab: Lab, now: bool):
    config = lab.config(
        1, "boot=0.01", start=StartMode.TOGETHER, parallel=1, stagger_s=0.001, end="quit"
    )
    async with engine(lab) as story:
        lead = Leading(story)
        lead.start(plan_of(config))
        for storm, at in enumerate((*Step, *Turn), start=1):
            lead.held = (at,)
            lead.send(boot(share(config, (0,), attempt=storm), storm=storm))
            if isinstance(at, Step):
                await lead.till_at(at, storm)
            else:
                await lead.till(
                    lambda story, at=at, storm=storm: [
                        wish for wish in story.of(ev.TurnWanted)
                        if (wish.turn, wish.attempt) == (at, storm)
                    ]
                )  # fmt: skip
            lead.send(commands.Stop(now=now))
            await lead.till_ended(storm)
        lead.held = ()
        lead.send(boot(share(config, (0,), attempt=7), storm=7))
        await lead.till_ended(7)

    assert [each.attempt for each in story.of(ev.VmBooted, 0)][-1] == 7
    assert {each.state.value for each in story.fleet.vms[0].attempts} == {"booted", "killed"}
    assert story.of(ev.RunEnded) == []
    started = [each.attempt for each in story.of(ev.VmStarted, 0)]
    assert started == [3, 4, 7]


async def test_a_storm_that_is_stopped_before_it_begins_is_ended_all_the_same(lab: Lab):
    config = lab.config(1, "boot=0.01")
    plan = replace(plan_of(config), prepare=f"touch {lab.folder}/begun; sleep 60")
    async with engine(lab) as story:
        lead = Leading(story)
        lead.start(plan)
        lead.send(boot(share(config, (0,))))
        lead.send(boot(share(config, (0,)), storm=2))
        await lead.till(lambda story: story.of(ev.RunStarted))
        await until((lab.folder / "begun").exists)
        lead.send(commands.Stop())
        await lead.till_ended(1)
        await lead.till_ended(2)

    assert numbers(story) == []


async def test_vms_that_start_together_are_let_go_at_the_moment_that_is_told(lab: Lab):
    config = lab.config(4, "boot=0.01", start=StartMode.TOGETHER)
    async with engine(lab) as story:
        lead = Leading(story, held=(Step.GO,))
        lead.start(plan_of(config))
        lead.send(boot(share(config, range(4))))
        asked = await lead.till_at(Step.GO)
        connected = [each.vm for each in story.of(ev.VmConnected)]
        at_ns = time.monotonic_ns() + 200 * MS
        lead.send(proceed(asked, at_ns))
        await lead.till_ended()
        lead.send(boot(share(config, range(4), attempt=2), storm=2))
        past_ns = time.monotonic_ns() - 1000 * MS
        lead.send(proceed(await lead.till_at(Step.GO, storm=2), past_ns))
        await lead.till_ended(2)

    assert sorted(connected) == [0, 1, 2, 3]
    moments = [each.go_ns for each in story.of(ev.VmStarted) if each.attempt == 1]
    assert len(moments) == 4
    assert min(moments) >= at_ns
    assert max(moments) - at_ns < 200 * MS
    assert len(story.of(ev.VmBooted)) == 8


async def test_a_vm_that_is_lost_holds_up_no_go(lab: Lab):
    config = lab.config(2, "boot=0.01", start=StartMode.TOGETHER)
    (lab.folder / "vm-1.img").unlink()
    async with engine(lab) as story:
        lead = Leading(story)
        lead.start(plan_of(config))
        lead.send(boot(share(config, (0, 1))))
        await lead.till_ended()

    assert story.states == ["booted", "failed"]


async def test_turns_over_all_hosts_are_asked_for_one_by_one(lab: Lab):
    config = lab.config(3, "boot=0.01", parallel=1, stagger_s=0.01)
    async with engine(lab) as story:
        lead = Leading(story, held=Turn)
        lead.start(plan_of(config))
        lead.send(boot(share(config, (0, 1, 2))))
        await lead.till(lambda story: len(story.of(ev.TurnWanted)) == 3)
        wishes = story.of(ev.TurnWanted)
        assert [(each.vm, each.turn) for each in wishes] == [(vm, Turn.BOOT) for vm in range(3)]
        lead.send(commands.Act(action=VmAction.KILL, vms=(0,)))
        await lead.till(lambda story: story.of(ev.VmKilled))
        for vm in (0, 2, 2):  # the first is gone, and the last has had its turn
            lead.send(admit(wishes[vm]))
        await lead.till(lambda story: len(story.of(ev.TurnWanted)) == 4)
        assert [each.vm for each in story.of(ev.VmLaunched)] == [2]
        assert story.of(ev.VmStarted) == []
        at_ns = time.monotonic_ns() + 100 * MS
        lead.send(admit(story.of(ev.TurnWanted)[-1], at_ns))
        lead.held = ()
        lead.send(admit(wishes[1]))
        await lead.till_ended()

    assert story.of(ev.VmStarted, 2)[0].go_ns >= at_ns
    assert story.states == ["killed", "booted", "booted"]


async def test_turns_of_each_host_are_its_own_affair(lab: Lab):
    config = lab.config(
        3, "boot=0.01", parallel=1, stagger_s=0.01, parallel_per_host=True, stagger_per_host=True
    )
    async with engine(lab) as story:
        lead = Leading(story)
        lead.start(plan_of(config))
        lead.send(boot(share(config, (0, 1, 2))))
        await lead.till_ended()

    assert story.of(ev.TurnWanted) == []
    first, second, third = (each.report_ns for each in story.of(ev.VmBooted))
    assert first <= story.of(ev.VmLaunched, 1)[0].spawn_ns <= second
    assert second <= story.of(ev.VmLaunched, 2)[0].spawn_ns <= third


async def test_answers_that_nobody_asked_for_are_let_go(lab: Lab):
    config = lab.config(1, "boot=0.01")
    async with engine(lab) as story:
        lead = Leading(story, held=(Step.ROUND,))
        lead.start(plan_of(config))
        lead.send(boot(share(config, (0,))))
        asked = await lead.till_at(Step.ROUND)
        for wrong in (
            replace(proceed(asked), step=Step.DECIDED),
            replace(proceed(asked), storm=2),
            replace(proceed(asked), round=2),
            commands.Admit(vm=0, attempt=1, turn=Turn.BOOT),
            commands.Rerun(vms=(0,)),
            commands.GoOn(),
        ):
            lead.send(wrong)
        await lead.till_heard(0)
        assert story.of(ev.RoundStarted) == []
        lead.send(proceed(asked))
        await lead.till_ended()

    assert told(story)[1:5] == [Step.ROUND, ev.StormStarted, ev.RoundStarted, Step.DECIDED]


async def test_a_share_that_is_none_of_its_run_is_refused_in_words(lab: Lab):
    config = lab.config(1, "boot=0.01")
    good = share(config, (0,))
    wrong = {
        "none of the plan's": [replace(good, config=replace(config, smp=2))],
        "not as many attempts as VMs": [replace(good, attempts=())],
        "one of them twice": [good, good],
        "no VMs": [],
    }
    async with engine(lab) as story:
        lead = Leading(story)
        for runs, (says, shares) in enumerate(wrong.items(), start=1):
            lead.start(plan_of(config))
            lead.send(boot(*shares))
            await lead.till(lambda story, runs=runs: len(story.of(ev.RunEnded)) == runs)
            assert says in story.of(ev.EngineFailed)[-1].why
        lead.start(plan_of(config))
        lead.send(boot(good))
        await lead.till_ended()

    assert {each.outcome for each in story.of(ev.RunEnded)} == {ev.Outcome.INTERRUPTED}
    assert story.states == ["booted"]


async def test_a_storm_that_counts_in_nothing_and_cannot_begin_is_no_fault_of_the_host(lab: Lab):
    config = lab.config(1, "boot=0.01")
    async with engine(lab) as story:
        lead = Leading(story)
        lead.start(replace(plan_of(config), prepare="exit 3"))
        lead.send(boot(share(config, (0,)), kind=StormKind.DETAIL))
        await lead.till_ended()
        assert story.of(ev.EngineFailed) == []
        lead.send(boot(share(config, (0,)), storm=2))
        await lead.till(lambda story: story.of(ev.RunEnded))

    (warning,) = (each for each in story.warnings if "--prepare" in each)
    assert warning.startswith("no storm for the kernel's details: ")
    assert "--prepare" in story.of(ev.EngineFailed)[0].why
    assert numbers(story) == []


async def test_its_rounds_go_by_what_it_holds_of_its_share_not_of_the_plan(lab: Lab):
    config = lab.crowd(40, 2, "boot=0.01", parallel=1, parallel_per_host=True)
    together = lab.crowd(40, 2, "boot=0.01")
    async with engine(lab) as story:
        lead = Leading(story)
        lead.start(RunPlan(variants=(Variant(config=config), Variant(config=together))))
        lead.send(boot(share(config, (0, 1, 2))))
        await lead.till_ended()
        lead.send(boot(share(together, (0, 1), attempt=2), storm=2))
        await lead.till_ended(2)
        lead.send(boot(share(together, (0, 1, 2), attempt=3), storm=3))
        await lead.till(lambda story: story.of(ev.RunEnded))

    rounds = [(each.storm, each.round, each.rounds, each.vms) for each in story.of(ev.RoundStarted)]
    assert rounds == [(1, 1, 2, (0, 1)), (1, 2, 2, (2,)), (2, 1, 1, (0, 1))]
    assert "3 VMs may come to hold" in story.of(ev.EngineFailed)[0].why


async def test_a_reader_that_goes_away_ends_an_engine_that_waits(lab: Lab):
    config = lab.config(1, "boot=0.01", start=StartMode.TOGETHER)
    async with engine(lab) as story:
        lead = Leading(story, held=(Step.GO,))
        lead.start(plan_of(config))
        lead.send(boot(share(config, (0,))))
        await lead.till_at(Step.GO)

    await until(lambda: not lab.leftovers())
    assert story.of(ev.VmStarted) == []


async def test_a_run_that_nobody_leads_asks_for_nothing(lab: Lab):
    config = lab.config(2, "boot=0.01", start=StartMode.TOGETHER, parallel=2, stagger_s=0.01)
    story = await tell(lab, config)

    assert story.of(ev.Awaiting) == story.of(ev.TurnWanted) == []
    assert [kind for kind in told(story) if kind is not ev.VmQueued] == [
        ev.StormStarted, ev.RoundStarted, ev.StormDecided, ev.StormCollected, ev.StormEnded,
        ev.RunEnded,
    ]  # fmt: skip
