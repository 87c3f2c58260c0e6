"""noise: a guest held against itself, and what so many storms of it could show."""

import math

import pytest

from support.facts import plan as plan_of
from support.making import TIMED_OUT, run_events
from vmtiming_tui.analysis.noise import SIDE, SIDES, noise_of, noise_plan, smallest_percent
from vmtiming_tui.analysis.stats import Interval
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.setup.checks import Fitness
from vmtiming_tui.setup.noise import noise_checks


def boots(first, second, vms=2):
    """A run of A against A whose storms took these seconds, in the order of its plan."""
    plan = noise_plan(plan_of(vms).config, len(first))
    columns = {SIDES[0]: list(first), SIDES[1]: list(second)}
    rows, parameters = [], []
    for storm in list(plan.storms())[len(SIDES) :]:
        side = storm.variant.parameters[SIDE]
        took = columns[side].pop(0)
        rows.append([took if took is TIMED_OUT else took * (1 + 0.02 * vm) for vm in range(vms)])
        parameters.append({SIDE: side})
    return Fleet(run_events(rows, parameters=parameters, started={"plan": plan}))


def told(fleet):
    return {check.name: check for check in noise_checks(noise_of(fleet))}


EVEN = [5.0, 5.2, 4.9, 5.1, 5.0, 5.3, 4.8, 5.1, 5.0, 4.9]


def test_pairs_are_booted_in_turn_after_a_warm_up():
    plan = noise_plan(plan_of(1).config, 10)

    assert (plan.runs, plan.warmup, len(plan)) == (10, 1, 22)
    assert [each.config for each in plan.variants] == [plan.config, plan.config]


def test_it_says_how_much_storms_differ_and_that_the_same_is_not_called_different():
    checks = told(boots(EVEN, EVEN[::-1]))

    assert "20 storms of the same, 40 boots; storms differ by 2." in checks["noise"].found
    assert "VMs of one storm by 1.4 %" in checks["noise"].found
    assert checks["A against A"].fitness is Fitness.FINE
    assert "the same within 5 %" in checks["A against A"].found


def test_a_false_alarm_is_called_one():
    check = told(boots(EVEN, [value * 1.2 for value in EVEN]))["A against A"]

    assert check.fitness is Fitness.NOTE
    assert "slower by 20.0 %" in check.found
    assert "a false alarm" in check.found


def test_more_storms_show_smaller_changes():
    check = told(boots(EVEN, EVEN[::-1]))["shows changes of"]
    smallest = list(noise_of(boots(EVEN, EVEN[::-1])).smallest_percent.values())

    assert smallest == sorted(smallest, reverse=True)
    assert check.found.endswith("storms of each setting, booted in turn")
    assert " % with 6, " in check.found


def test_where_vms_hide_every_figure_nothing_can_be_told():
    checks = told(boots(EVEN, [*EVEN[:5], *[TIMED_OUT] * 5]))

    assert checks["shows changes of"].fitness is Fitness.NOTE


def test_the_smallest_change_is_the_one_that_advice_on_more_storms_rests_on():
    half = math.log(1.05)
    interval = Interval(math.exp(-half), math.exp(half), 0.95)

    assert smallest_percent(10, interval, 10) == pytest.approx(100 * (1.05**1.4294 - 1), abs=0.01)
    assert smallest_percent(10, interval, 20) < smallest_percent(10, interval, 10)
    assert smallest_percent(10, interval, 5) is None
    assert smallest_percent(10, Interval(0.0, 2.0, 0.95), 10) is None
