"""drift: Bartels' rank version of von Neumann's ratio, against all orders there are."""

import itertools
import math
import random

import pytest

from support.making import fleet_of
from vmtiming_tui.analysis.cautions import cautions
from vmtiming_tui.analysis.drift import LEVEL, chance_of_order, drift

RISING = [20.0 * 1.1**at for at in range(10)]


def placed(values):
    return [(at, value) for at, value in enumerate(values)]


def texts(fleet):
    return [str(each) for each in cautions(fleet) if "the host drifted" in str(each)]


def test_of_few_storms_the_chance_is_the_share_of_orders_that_are_as_smooth():
    values = [3.0, 1.0, 2.0, 5.0, 4.0]

    def roughness(order):
        return sum((a - b) ** 2 for a, b in itertools.pairwise(order))

    orders = [roughness(order) for order in itertools.permutations(values)]
    share = sum(each <= roughness(values) for each in orders) / len(orders)
    assert chance_of_order(values) == pytest.approx(share)
    assert chance_of_order([value**3 for value in values]) == chance_of_order(values)


def test_where_every_order_is_as_likely_one_in_fifty_is_called_drift():
    chance = random.Random(1)
    found = sum(
        drift([placed([chance.gauss(5, 0.2) for _ in range(9)])]) is not None for _ in range(300)
    )

    assert found / 300 == pytest.approx(LEVEL, abs=0.015)


def test_storms_that_take_longer_and_longer_are_a_drift_by_so_much():
    found = drift([placed(RISING)])

    assert found.percent == pytest.approx(100 * (1.1**7 - 1))
    assert found.p_value < LEVEL
    assert str(found).startswith(
        "storms that follow each other are alike (the last third took 94.9 % longer than the first"
    )
    assert drift([placed(RISING[::-1])]).percent < 0


def test_five_storms_that_rise_from_each_to_the_next_are_the_fewest_that_show_one():
    assert drift([placed([21.0, 27.0, 38.0, 44.0, 56.0])]) is not None
    assert drift([placed([21.0, 27.0, 44.0, 38.0, 56.0])]) is None


def test_the_same_storms_have_the_same_chance_each_time():
    chance = random.Random(2)
    values = [chance.random() for _ in range(20)]

    assert chance_of_order(values) == chance_of_order(list(values))


@pytest.mark.parametrize("values", [[], [5.0], [5.0] * 9, [1.0, 2.0, 3.0, 4.0]])
def test_too_few_storms_or_none_that_differ_are_no_drift(values):
    assert drift([placed(values)]) is None


def test_settings_booted_in_turn_are_asked_as_one_whatever_their_own_figures():
    storms = [(at, value * (1, 7)[at % 2]) for at, value in enumerate(RISING)]

    assert drift([storms[::2], storms[1::2]]) is not None
    still = [(at, (1.0, 7.0)[at % 2]) for at in range(10)]
    assert drift([still[::2], still[1::2]]) is None


def test_a_setting_whose_medians_are_hidden_says_nothing():
    assert drift([placed([math.inf] * 9)]) is None
    assert drift([placed([*RISING[:-1], math.inf])]) is not None


def test_a_run_whose_host_drifted_is_cautioned_and_told_what_to_do():
    (text,) = texts(fleet_of([[value] * 3 for value in RISING]))

    assert "by -L of one run" in text
    assert texts(fleet_of([[5.0 + (at * 7 % 10) / 20] * 3 for at in range(10)])) == []


def test_a_drift_under_a_sweep_is_in_all_settings_alike():
    parameters = [{"smp": str(1 + at % 2)} for at in range(10)]
    (text,) = texts(fleet_of([[value] * 3 for value in RISING], parameters=parameters))

    assert text.endswith("settings were booted in turn, so it is in all of them alike")
