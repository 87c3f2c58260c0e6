"""Which storm of its plan a run is at, as the dashboard's header says it."""

from dataclasses import replace

import pytest

from support.facts import config, plan
from support.making import run_events
from vmtiming_tui.model.events import RunStarted
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan, StormKind, Variant
from vmtiming_tui.tui.state.storm_words import storm_words

WARMUP, RUN = StormKind.WARMUP, StormKind.RUN


def at(number: int, of: RunPlan, kinds: list[StormKind], parameters=None) -> Fleet:
    """Return a run of that plan whose storm of that number is under way."""
    rows = [[5.0, 6.0]] * number
    told = parameters[:number] if parameters else None
    events = run_events(rows, kinds=kinds[:number], parameters=told, started={"plan": of})
    return Fleet(replace(e, planned=len(of)) if hasattr(e, "planned") else e for e in events)


REPEATED = replace(plan(2, 3), warmup=2)
KINDS = [WARMUP, WARMUP, RUN, RUN, RUN]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "warm-up 1 of 2"),
        (2, "warm-up 2 of 2"),
        (3, "storm 1 of 3"),
        (5, "storm 3 of 3"),
    ],
)
def test_warm_ups_and_storms_that_count_are_counted_apart(number, words):
    assert storm_words(at(number, REPEATED, KINDS), REPEATED) == words


def test_one_warm_up_and_one_storm_are_told_apart():
    once = replace(plan(2, 1), warmup=1)
    assert storm_words(at(1, once, [WARMUP, RUN]), once) == "warm-up 1 of 1"
    assert storm_words(at(2, once, [WARMUP, RUN]), once) == "storm 1 of 1"


def test_a_single_storm_is_not_counted():
    assert storm_words(at(1, plan(2), [RUN]), plan(2)) == ""


def test_where_there_may_be_fewer_storms_it_says_at_most():
    assert storm_words(at(3, REPEATED, KINDS), REPEATED, "≤") == "storm 1 of ≤3"
    assert storm_words(at(1, REPEATED, KINDS), REPEATED, "≤") == "warm-up 1 of 2"


def test_a_stream_without_its_plan_tells_what_it_can():
    fleet = at(3, REPEATED, KINDS)
    assert isinstance(fleet.run, RunStarted)
    fleet.run = replace(fleet.run, plan=None)
    assert storm_words(fleet, plan(2)) == "storm 1 of 3"


def test_a_sweep_tells_the_settings_that_run_now():
    variants = tuple(
        Variant(config=config(2, memory_mib=size), parameters={"memory": str(size)})
        for size in (256, 512)
    )
    swept = RunPlan(variants=variants, runs=2)
    settings = [{"memory": "256"}, {"memory": "512"}, {"memory": "512"}, {"memory": "256"}]
    fleet = at(3, swept, [RUN] * 4, settings)
    assert storm_words(fleet, swept) == "storm 3 of 4  memory=512"
    assert swept.config_of(fleet.storm.parameters).memory_mib == 512
    assert swept.config_of({"memory": "999"}).memory_mib == 256
