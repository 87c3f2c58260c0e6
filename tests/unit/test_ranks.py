"""ranks: the test, the ratio and its interval, against scipy and against their definitions."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, strategies as st

from vmtiming_tui.analysis.comparison import ranks
from vmtiming_tui.analysis.stats import Interval

seconds = st.floats(0.1, 100)
samples = st.lists(seconds, min_size=1, max_size=12)


untied = st.lists(seconds, min_size=2, max_size=24, unique=True)


@given(untied, st.integers(1, 23))
def test_mann_whitney_is_scipys(values, cut):
    first, second = values[:cut], values[cut:]
    if not second:
        return
    ours = ranks.mann_whitney(first, second)
    expected = scipy.stats.mannwhitneyu(first, second, method="exact")

    assert (ours.u, ours.is_exact) == (expected.statistic, True)
    assert ours.p_value == pytest.approx(expected.pvalue, rel=1e-9)


@given(samples, samples)
def test_ties_never_make_a_difference_more_certain(first, second):
    expected = scipy.stats.mannwhitneyu(first, second, method="exact")

    assert ranks.mann_whitney(first, second).u == expected.statistic
    assert ranks.mann_whitney(first, second).p_value >= min(expected.pvalue, 1) - 1e-9


def test_large_samples_take_the_normal_approximation():
    chance = np.random.default_rng(3)
    first, second = chance.normal(5, 1, 400), chance.normal(5.1, 1, 300)

    ours = ranks.mann_whitney(list(first), list(second))

    assert not ours.is_exact
    expected = scipy.stats.mannwhitneyu(first, second, method="asymptotic")
    assert ours.p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_four_a_side_is_the_fewest_equal_samples_that_can_tell():
    assert [ranks.can_tell(size, size) for size in (1, 2, 3, 4)] == [False, False, False, True]
    assert ranks.mann_whitney([1, 2, 3, 4], [5, 6, 7, 8]).p_value < 0.05
    assert ranks.mann_whitney([1, 2, 3], [5, 6, 7]).p_value > 0.05


def test_the_fewest_storms_that_can_tell_follow_the_exact_distribution():
    assert ranks.fewest_that_can_tell() == 4
    assert [ranks.fewest_that_can_tell(other) for other in (2, 3, 4, 8)] == [8, 5, 4, 2]
    assert ranks.fewest_that_can_tell(1) == 39


def test_vms_that_never_booted_rank_behind_all():
    test = ranks.mann_whitney([math.inf] * 5, [5.0, 6.0, 7.0, 8.0, 9.0])

    assert test.u == 25
    assert test.p_value < 0.05


@given(samples, samples)
def test_the_ratio_is_the_median_of_all_ratios(base, other):
    every = sorted(b / a for a in base for b in other)

    assert ranks.ratio(base, other).estimate == pytest.approx(np.median(every))


sides = st.lists(st.sampled_from([1.0, 1.1, 1.2, 2.0, 3.0, math.inf]) | seconds, min_size=1,
                 max_size=40)  # fmt: skip


@given(sides, sides)
def test_the_interval_excludes_1_exactly_where_the_test_decides_ties_and_lost_vms_too(base, other):
    test, found = ranks.mann_whitney(base, other), ranks.ratio(base, other)
    interval = found.interval
    is_outside = interval is not None and (interval.low > 1 or interval.high < 1)

    assert is_outside == (test.p_value <= 0.05)


def test_the_interval_covers_the_true_ratio_as_often_as_it_says():
    chance = np.random.default_rng(11)
    covered = 0
    for _ in range(600):
        base = list(chance.lognormal(1, 0.2, 9))
        other = list(chance.lognormal(1, 0.2, 8) * 1.3)
        interval = ranks.ratio(base, other).interval
        covered += interval.low <= 1.3 <= interval.high

    assert covered / 600 == pytest.approx(interval.confidence, abs=0.03)


def test_many_pairs_give_the_same_as_holding_them_all():
    chance = np.random.default_rng(5)
    base, other = list(chance.lognormal(1, 0.3, 300)), list(chance.lognormal(1.1, 0.3, 301))
    every = np.sort(np.outer(1 / np.array(base), np.array(other)).ravel())

    found = ranks.ratio(base, other)

    assert found.estimate == pytest.approx(np.median(every), rel=1e-9)
    assert every[0] < found.interval.low < found.estimate < found.interval.high < every[-1]


def test_a_side_that_never_booted_leaves_the_ratio_open():
    found = ranks.ratio([5.0, 5.1, 5.2, 5.3], [math.inf] * 4)

    assert found.estimate == found.interval.low == found.interval.high == math.inf


def test_what_two_that_never_booted_make_of_each_other_is_not_known():
    found = ranks.ratio([5.0, 5.1, math.inf, math.inf], [5.0, 5.2, math.inf, math.inf])

    assert (found.interval.low, found.interval.high) == (0, math.inf)
    assert ranks.ratio([math.inf] * 4, [math.inf] * 4).estimate == 1


@pytest.mark.parametrize(("base", "other"), [([], [1.0]), ([1.0], []), ([0.0, 1.0], [1.0])])
def test_no_ratio_without_a_positive_base(base, other):
    assert ranks.ratio(base, other) is None


def test_the_sizes_advised_have_the_power_they_promise():
    chance = np.random.default_rng(2)
    first, second = (list(np.exp(chance.normal(1.6, 0.05, 12))) for _ in range(2))
    size = ranks.needed_size(12, ranks.ratio(first, second).interval, 1.05)
    found = sum(
        ranks.mann_whitney(
            list(np.exp(chance.normal(1.6, 0.05, size))),
            list(np.exp(chance.normal(1.6 + math.log(1.05), 0.05, size))),
        ).p_value
        < 0.05
        for _ in range(400)
    )

    assert 8 < size < 30
    assert found / 400 == pytest.approx(0.8, abs=0.15)


@pytest.mark.parametrize(("low", "high"), [(1.0, math.inf), (0.0, 2.0), (1.0, 1.0)])
def test_an_open_interval_or_one_without_width_says_nothing_of_sizes(low, high):
    assert ranks.needed_size(10, Interval(low, high, 0.95), 1.05) is None
