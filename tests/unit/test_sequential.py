"""sequential: when a run is looked at, and what the looks say of it."""

import json
import math
import random

import pytest
from hypothesis import given, settings, strategies as st

from support.facts import plan as plan_of, run_started
from support.making import TIMED_OUT, fleet_of, run_events
from support.schema import faults_of
from vmtiming_tui.analysis.comparison import paired, ranks
from vmtiming_tui.analysis.comparison.compare import compare_sides
from vmtiming_tui.analysis.comparison.difference import Verdict
from vmtiming_tui.analysis.comparison.looks import level_at, levels, looks_for
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.analysis.comparison.sequential import (
    Pair,
    at_look,
    decisions,
    is_over,
    so_far,
    told,
    with_looks,
)
from vmtiming_tui.analysis.exit_code import exit_code, reasons
from vmtiming_tui.analysis.sweep import sweep_of
from vmtiming_tui.errors import ConfigError
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.decision import Standing, UntilDecided
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan, Variant
from vmtiming_tui.report.export import render
from vmtiming_tui.report.export.from_json import fleet_of as read_back
from vmtiming_tui.report.findings import decision_lines
from vmtiming_tui.request.sweeps import MOST_STORMS, build_plan

FASTER, SLOWER, SAME, OPEN = Standing


def plan_for(*settings, runs=MOST_STORMS, percent=5.0, baseline=None):
    """A plan that goes on until these values of smp are decided between."""
    config = plan_of(1).config
    parameters = [{"smp": value} for value in settings] or [{}]
    variants = tuple(Variant(config=config, parameters=each) for each in parameters)
    asked = RunPlan(variants=variants, runs=runs, until_decided=UntilDecided(percent=percent))
    return with_looks(asked, baseline)


def rounds_of(plan, *columns, outcome=ev.Outcome.FINISHED):
    """A run whose settings took these seconds, storm by storm, in the plan's order."""
    left = {name: list(column) for name, column in zip(_names(plan), columns, strict=True)}
    rows, parameters = [], []
    for storm in plan.storms():
        name = storm.variant.parameters.get("smp", "")
        if not left[name]:
            break
        rows.append([left[name].pop(0)])
        parameters.append(storm.variant.parameters)
    started = {"number": 1, "plan": plan}
    return Fleet(run_events(rows, parameters=parameters, outcome=outcome, started=started))


def _names(plan):
    return [variant.parameters.get("smp", "") for variant in plan.variants]


def around(middle, count, seed=1):
    chance = random.Random(seed)
    return [middle * math.exp(chance.gauss(0, 0.02)) for _ in range(count)]


# The schedule.


def test_looks_are_at_10_20_and_40_and_at_6_where_that_can_tell():
    assert plan_for("1", "2").until_decided.looks == (10, 20, 40)
    assert plan_for("1", "2", runs=10).until_decided.looks == (6, 10)
    assert plan_for("1", "2", runs=30).until_decided.looks == (10, 20, 30)


def test_against_a_baseline_the_first_look_is_at_5():
    baseline = side_of(fleet_of([[5.0]] * 10))

    assert plan_for(baseline=baseline).until_decided.looks == (5, 10, 20, 40)


@given(st.integers(6, 300))
@settings(max_examples=30, deadline=None)
def test_all_looks_together_spend_5_percent_and_each_could_tell_something(most):
    def can_tell(storms, level):
        return storms >= paired.fewest_that_can_tell(level)

    looks = looks_for(most, 6, can_tell)

    assert list(looks) == sorted(set(looks))
    assert looks[-1] == most
    assert sum(levels(looks)) == pytest.approx(ranks.ALPHA)
    assert all(map(can_tell, looks, levels(looks)))


@pytest.mark.parametrize(
    ("settings", "runs", "words"),
    [
        (["1"], 40, "there is nothing to decide between; give -L VAR A,B, or --baseline RUN"),
        (["1", "2"], 5, "5 storms can tell nothing; give --max-runs 6 or more"),
        (["1", "2", "3"], 6, "6 storms can tell nothing; give --max-runs 7 or more"),
    ],
)
def test_what_can_never_be_decided_is_refused_with_what_to_do(settings, runs, words):
    with pytest.raises(ConfigError, match=words):
        plan_for(*settings, runs=runs)


def test_a_baseline_of_one_storm_decides_nothing():
    with pytest.raises(ConfigError, match="the baseline has too few storms"):
        plan_for(baseline=side_of(fleet_of([[5.0]])), runs=5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"until_decided": "much"}, "'much' is no percentage"),
        ({"until_decided": "0"}, "0 is out of range"),
        ({"until_decided": "5", "runs": "10"}, "give --max-runs"),
        ({"until_decided": "5", "max_runs": "none"}, "--max-runs: 'none' is no whole number"),
        ({"max_runs": "10"}, "--max-runs: goes with --until-decided"),
    ],
)
def test_the_wish_is_checked_with_everything_else(given, words):
    with pytest.raises(ConfigError, match=words):
        build_plan({"prefix": "p", "kernel": "k"}, files=False, **given)


# What the looks say.


@pytest.mark.parametrize(
    ("factor", "standing"), [(1.2, SLOWER), (0.8, FASTER), (1.0, SAME), (1.03, SLOWER)]
)
def test_a_setting_is_told_from_the_first_as_soon_as_a_look_can(factor, standing):
    plan = plan_for("1", "2")
    first = around(5.0, 20)
    fleet = rounds_of(plan, first, [value * factor for value in around(5.0, 20, seed=2)])

    (found,) = decisions(fleet, None)

    assert (found.standing, found.parameters, found.against) == (standing, {"smp": "2"}, "smp=1")
    assert found.storms in (10, 20)
    assert found.low_percent < (factor - 1) * 100 < found.high_percent


def test_between_two_looks_nothing_new_is_said():
    plan, first = plan_for("1", "2"), around(5.0, 19)
    at_the_look = rounds_of(plan, first[:10], first[9::-1])
    later = rounds_of(plan, first, [*first[9::-1], *[9.0] * 9])

    assert decisions(later, None) == decisions(at_the_look, None)


def test_all_settings_are_judged_at_one_look():
    plan, first = plan_for("1", "2", "3"), around(5.0, 20)
    second = [value * 1.2 for value in first[:10]] + [value * 0.7 for value in first[10:]]

    found, other = decisions(rounds_of(plan, first, second, around(5.0, 20, seed=3)), None)

    assert (found.standing, found.storms, other.storms) == (OPEN, 20, 20)


def test_it_is_over_when_every_setting_is_decided_or_the_last_look_is_done():
    plan, first = plan_for("1", "2", "3", runs=20), around(5.0, 20)
    slow = [value * 1.2 for value in first]
    vague = [value * (1.3 if at % 2 else 0.75) for at, value in enumerate(first)]
    until = plan.until_decided

    assert is_over(decisions(rounds_of(plan, first, slow, slow), None), until, 10)
    assert not is_over(decisions(rounds_of(plan, first, slow, vague), None), until, 10)
    assert is_over(decisions(rounds_of(plan, first, slow, vague), None), until, 20)


def test_vms_that_never_boot_are_slower_than_any():
    plan, first = plan_for("1", "2"), around(5.0, 10)

    (found,) = decisions(rounds_of(plan, first, [TIMED_OUT] * 10), None)

    assert (found.standing, found.percent, found.low_percent) == (SLOWER, None, None)


def test_a_run_is_held_against_its_baseline():
    baseline = side_of(fleet_of([[value] for value in around(5.0, 10)]), name="nightly")
    plan = plan_for(baseline=baseline)

    (found,) = decisions(rounds_of(plan, [value * 1.3 for value in around(5.0, 5)]), baseline)

    assert (found.standing, found.against, found.storms) == (SLOWER, "nightly", 5)


def test_the_same_is_seldom_told_apart_however_often_it_is_looked_at():
    chance, wrong, tries = random.Random(1), 0, 100
    until = plan_for("1", "2", runs=20).until_decided
    for _ in range(tries):
        first, second = (tuple(chance.lognormvariate(1.6, 0.1) for _ in range(20)) for _ in "12")
        pair = Pair(parameters={}, against="", first=first, second=second, is_paired=True)
        found = (at_look([pair], until, look)[0].standing for look in until.looks)
        wrong += any(standing in (FASTER, SLOWER) for standing in found)

    assert wrong <= ranks.ALPHA * tries


# How it is told.


def concluded(plan, *columns, storms):
    fleet = rounds_of(plan, *columns)
    found = decisions(fleet, None)
    fleet.fold(ev.Concluded(at_ns=fleet.last_ns, storms=storms, decisions=found))
    return fleet


def test_a_decision_is_told_with_its_bounds_in_every_export_and_read_back():
    plan, first = plan_for("1", "2"), [5.0, 5.1, 4.9, 5.2, 5.0, 4.8, 5.1, 5.0, 4.9, 5.1]
    fleet = concluded(plan, first, [value * 1.2 for value in first], storms=10)

    assert decision_lines(fleet, told(fleet, None)) == [
        "Decided after 10 storms of each setting:",
        "  smp=2 against smp=1: slower by 20.0 % (+16.4 % to +23.7 %)",
    ]
    assert faults_of(json.loads(render(".json", fleet))) == []
    assert read_back(render(".json", fleet)).concluded.decisions == fleet.concluded.decisions
    for ending in (".md", ".html", ".txt"):
        assert "slower by 20.0 %" in render(ending, fleet)
    assert (exit_code(fleet), reasons(fleet)) == (0, [])


def test_the_table_of_the_sweep_is_of_the_same_level_as_the_decision():
    plan = plan_for("1", "2", runs=20)
    first, slow = around(5.0, 10), [value * 1.2 for value in around(5.0, 10, seed=2)]
    fleet = concluded(plan, first, slow, storms=10)
    (decision,) = fleet.concluded.decisions

    (group,) = sweep_of(fleet).against
    interval = group.boot.percent_interval

    assert (interval.low, interval.high) == (decision.low_percent, decision.high_percent)
    assert interval.confidence >= 1 - level_at(plan.until_decided, 10) > 0.95


def test_a_run_that_ended_undecided_is_compared_with_nothing():
    plan, first = plan_for("1", "2"), around(5.0, 7)
    fleet = rounds_of(plan, first, [value * 1.5 for value in first], outcome=ev.Outcome.STOPPED)

    (group,) = sweep_of(fleet).against

    assert group.boot.verdict is Verdict.NOT_COMPARED
    assert compare_sides(side_of(fleet), side_of(fleet)).verdict is Verdict.CANNOT_TELL


def test_what_could_not_be_decided_is_exit_code_4_unless_that_is_allowed():
    plan = plan_for("1", "2", runs=10)
    vague = [5.0 * (1.3 if at % 2 else 0.75) for at in range(10)]
    fleet = concluded(plan, [5.0] * 10, vague, storms=10)

    assert decision_lines(fleet, told(fleet, None))[0] == (
        "Not decided within 10 storms of each setting:"
    )
    assert (exit_code(fleet), exit_code(fleet, allow_undecided=True)) == (4, 0)
    assert reasons(fleet) == [
        "what was to be decided cannot be told within 10 storms of each setting"
    ]


def test_an_interrupted_run_says_what_there_is_and_claims_nothing():
    plan, first = plan_for("1", "2"), around(5.0, 7)
    slow = [value * 1.5 for value in first]
    fleet = rounds_of(plan, first, slow, outcome=ev.Outcome.STOPPED)

    assert decision_lines(fleet, so_far(fleet, None)) == [
        "The run ended before it was decided: so far, with nothing claimed",
        "  smp=2 against smp=1: cannot tell, +50.0 % so far, after 7 storms",
    ]
    assert '"decision": null' in render(".json", fleet)


@pytest.mark.parametrize("columns", [([], []), ([5.0], []), ([5.0], [6.0])])
def test_a_run_that_hardly_began_is_told_of_too(columns):
    fleet = rounds_of(plan_for("1", "2"), *columns, outcome=ev.Outcome.STOPPED)

    assert "smp=2 against smp=1: cannot tell" in decision_lines(fleet, told(fleet, None))[1]
    assert "smp=2 against smp=1: cannot tell" in render(".txt", fleet)


def test_a_run_without_the_wish_says_nothing():
    fleet = fleet_of([[5.0]])

    assert decision_lines(fleet, told(fleet, None)) == []
    assert decisions(Fleet([run_started(plan=None)]), None) == ()
