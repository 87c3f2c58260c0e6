"""deciding: what an engine asks is answered on the way of its events, whoever reads them."""

import pytest

from support.facts import plan as plan_of
from support.making import run_events
from support.stage import RecordedSource
from vmtiming_tui.analysis.comparison.sequential import with_looks
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Conclude, GoOn, Stop
from vmtiming_tui.model.decision import Standing, UntilDecided
from vmtiming_tui.model.plan import RunPlan, Variant
from vmtiming_tui.session.deciding import DecidingSource

FIRST = [5.0, 5.1, 4.9, 5.2, 5.0, 4.8, 5.1, 5.0, 4.9, 5.1]


def asked(second, *, looks=True):
    """What an engine has told when its first look is due, of two settings that took so long."""
    variants = tuple(
        Variant(config=plan_of(1).config, parameters={"smp": value}) for value in ("1", "2")
    )
    plan = RunPlan(variants=variants, runs=20, until_decided=UntilDecided(percent=5))
    plan = with_looks(plan, None)
    rows, parameters, left = [], [], {"1": list(FIRST), "2": list(second)}
    for storm in list(plan.storms())[: 2 * len(FIRST)]:
        rows.append([left[storm.variant.parameters["smp"]].pop(0)])
        parameters.append(storm.variant.parameters)
    events = run_events(rows, parameters=parameters, outcome=None, started={"plan": plan})
    return [*events, ev.LookDue(at_ns=events[-1].at_ns, storms=10)] if looks else events


async def answers(events):
    """What an engine is answered, once these events were read."""
    source = RecordedSource(events)
    source.end()
    read = [event async for batch in DecidingSource(source).batches() for event in batch]
    assert read == list(events)
    return source.sent


async def test_what_is_decided_is_concluded():
    (answer,) = await answers(asked([value * 1.2 for value in FIRST]))

    assert isinstance(answer, Conclude)
    assert [each.standing for each in answer.decisions] == [Standing.SLOWER]


async def test_what_is_open_goes_on():
    vague = [value * (1.3 if at % 2 else 0.75) for at, value in enumerate(FIRST)]

    assert await answers(asked(vague)) == [GoOn()]


async def test_nothing_is_said_unasked():
    assert await answers(asked(FIRST, looks=False)) == []


@pytest.mark.parametrize("plan", [None, plan_of(1)])
async def test_a_look_of_a_run_that_wished_for_none_is_left_alone(plan):
    events = run_events([[5.0]], outcome=None, started={"plan": plan})

    assert await answers([*events, ev.LookDue(at_ns=events[-1].at_ns, storms=1)]) == []


async def test_commands_are_handed_on():
    source = RecordedSource()
    DecidingSource(source).send(Stop())

    assert source.sent == [Stop()]
