"""The engine asks at the storms it was told to, and waits for the answer."""

from dataclasses import replace

import pytest

from support.engine_lab import Lab, engine, until
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.decision import Decision, Standing, UntilDecided
from vmtiming_tui.model.plan import RunPlan, StormKind, Variant

DECISION = Decision(
    parameters={"smp": "2"}, against="smp=1", standing=Standing.SLOWER, storms=2, percent=5.0
)


@pytest.fixture
def plan(lab: Lab) -> RunPlan:
    """Two settings, a warm-up, and looks after the second and the third storm of each."""
    config = lab.config(1, "boot=0.01")
    settings = [{"smp": "1"}, {"smp": "2"}]
    return RunPlan(
        variants=tuple(Variant(config=config, parameters=each) for each in settings),
        warmup=1,
        runs=3,
        until_decided=UntilDecided(percent=5, looks=(2, 3)),
    )


def looks(story):
    return [look.storms for look in story.of(ev.LookDue)]


async def test_it_asks_when_each_setting_has_had_its_storms_and_goes_on_where_told_to(lab, plan):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan))
        await story.till(lambda story: looks(story) == [2])
        assert sum(each.kind is StormKind.RUN for each in story.of(ev.StormStarted)) == 4
        story.client.send(commands.GoOn())
        await story.till(lambda story: looks(story) == [2, 3])
        story.client.send(commands.Conclude(decisions=(DECISION,)))
        await story.to_end()

    assert story.fleet.concluded.decisions == (DECISION,)
    assert len(story.of(ev.StormStarted)) == len(plan)


async def test_storms_beyond_the_conclusion_are_not_booted(lab, plan):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan))
        await story.till(looks)
        story.client.send(commands.Conclude(decisions=(DECISION,)))
        await story.to_end()

    assert len(story.of(ev.StormStarted)) == 6
    assert story.fleet.concluded.storms == 2
    assert story.of(ev.RunEnded)[0].outcome is ev.Outcome.FINISHED


@pytest.mark.parametrize("command", [commands.Stop(), commands.Quit()])
async def test_a_run_that_waits_for_an_answer_can_be_ended(lab, plan, command):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan))
        await story.till(looks)
        story.client.send(command)
        await story.to_end()

    assert story.of(ev.RunEnded)[0].outcome is ev.Outcome.STOPPED
    assert story.fleet.concluded is None


async def test_what_is_asked_for_again_meanwhile_boots_after_the_conclusion(lab, plan):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan, interactive=True))
        await story.till(looks)
        story.client.send(commands.Rerun(vms=(0,)))
        story.client.send(commands.Conclude(decisions=(DECISION,)))
        await story.till(lambda story: story.of(ev.RunEnded))
        story.client.send(commands.Quit())
        await story.to_end()

    assert story.of(ev.StormStarted)[-1].kind is StormKind.RERUN


async def test_an_answer_that_nobody_asked_for_is_let_go(lab, plan):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=replace(plan, until_decided=None)))
        story.client.send(commands.Conclude(decisions=()))
        await story.to_end()

    assert len(story.of(ev.StormStarted)) == len(plan)
    assert story.fleet.concluded is None


async def test_a_reader_that_goes_away_ends_an_engine_that_waits(lab, plan):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan))
        await story.till(looks)

    await until(lambda: not lab.leftovers())
    assert story.fleet.concluded is None
