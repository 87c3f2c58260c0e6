"""Where a series steps: found where it does, and seldom where it does not."""

import itertools
import math
import random
import statistics

import pytest
from hypothesis import given, settings, strategies as st

from vmtiming_tui.analysis.levels import LEAST_NOISE, SHORTEST, cuts_of, noise_of

logs = st.lists(st.floats(0, 1).map(lambda value: round(value, 3)), max_size=11)


def cost(values, cuts):
    """What a partition costs, by the definition."""
    unit = 4 / math.sqrt(2 * math.pi) / max(noise_of(values), LEAST_NOISE)
    levels = [values[a:b] for a, b in itertools.pairwise([0, *cuts, len(values)])]
    apart = sum(abs(value - statistics.median(level)) for level in levels for value in level)
    return unit * apart + 3 * math.log(len(values)) * len(levels)


@given(values=logs)
@settings(max_examples=40, deadline=None)
def test_no_other_partition_costs_less(values):
    found = cuts_of(values)
    places = range(SHORTEST, len(values) - SHORTEST + 1)
    for count in range(len(values) // SHORTEST):
        for cuts in itertools.combinations(places, count):
            if all(b - a >= SHORTEST for a, b in itertools.pairwise([0, *cuts, len(values)])):
                assert cost(values, found) <= cost(values, cuts) + 1e-9


def series(chance, count, step=0.0, outliers=0.0, noise=0.03):
    return [
        chance.gauss(0, noise)
        + (chance.random() < outliers) * chance.uniform(0.1, 0.5)
        + (step if place >= count // 2 else 0)
        for place in range(count)
    ]


@pytest.mark.parametrize("outliers", [0.0, 0.05])
def test_few_series_without_a_step_are_said_to_have_one(outliers):
    chance = random.Random(2)
    said = [bool(cuts_of(series(chance, 20, outliers=outliers))) for _ in range(200)]

    assert sum(said) <= 12


def test_a_step_of_a_tenth_is_found_where_it_is():
    chance = random.Random(3)
    found = [cuts_of(series(chance, 20, step=math.log(1.1))) for _ in range(50)]

    assert sum(len(cuts) == 1 and abs(cuts[0] - 10) <= 1 for cuts in found) >= 45


def test_one_outlier_is_no_step():
    values = [0.0, 0.01, -0.01, 0.02, 3.0, 0.0, 0.01, -0.02, 0.0]

    assert cuts_of(values) == []


@pytest.mark.parametrize("values", [[], [0.0], [0.0, 0.0, 0.0, 9.0, 9.0], [1.0] * 30])
def test_too_few_values_and_values_that_are_alike_have_no_step(values):
    assert cuts_of(values) == []


def test_values_without_any_noise_step_where_they_change():
    assert cuts_of([1.0] * 3 + [1.1] * 3) == [3]
