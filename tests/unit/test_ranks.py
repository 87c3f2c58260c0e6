"""ranks: the test, the ratio and its interval, against scipy and against their definitions."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from vmtiming_tui import ranks

seconds = st.floats(0.1, 100)
samples = st.lists(seconds, min_size=1, max_size=12)


@given(samples, samples)
def test_mann_whitney_is_scipys(first, second):
    ours = ranks.mann_whitney(first, second)
    method = "exact" if ours.is_exact else "asymptotic"
    if len({*first, *second}) == 1:
        assert ours.p_value == 1
        return
    expected = scipy.stats.mannwhitneyu(first, second, method=method)

    assert ours.u == expected.statistic
    assert ours.p_value == pytest.approx(expected.pvalue, rel=1e-9)


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


def test_vms_that_never_booted_rank_behind_all():
    test = ranks.mann_whitney([math.inf] * 5, [5.0, 6.0, 7.0, 8.0, 9.0])

    assert test.u == 25
    assert test.p_value < 0.05


@given(samples, samples)
def test_the_ratio_is_the_median_of_all_ratios(base, other):
    every = sorted(b / a for a in base for b in other)

    assert ranks.ratio(base, other).estimate == pytest.approx(np.median(every))


@given(st.lists(seconds, min_size=4, max_size=10), st.lists(seconds, min_size=4, max_size=10))
def test_the_interval_and_the_test_say_the_same(base, other):
    test, found = ranks.mann_whitney(base, other), ranks.ratio(base, other)
    if not test.is_exact:
        return
    is_outside = found.interval.low > 1 or found.interval.high < 1

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
    found = ranks.ratio([5.0, 5.1, 5.2, 5.3], [5.0, math.inf, math.inf, math.inf])

    assert found.estimate == math.inf
    assert found.interval.low > 0
    assert ranks.ratio([math.inf] * 4, [math.inf] * 4).estimate == 1


@pytest.mark.parametrize(("base", "other"), [([], [1.0]), ([1.0], []), ([0.0, 1.0], [1.0])])
def test_no_ratio_without_a_positive_base(base, other):
    assert ranks.ratio(base, other) is None


def test_the_sizes_noether_gives_have_the_power_they_promise():
    size = ranks.needed_size(0.5, 1.0)
    chance = np.random.default_rng(2)
    found = sum(
        ranks.mann_whitney(
            list(chance.normal(5, 1, size)), list(chance.normal(5.5, 1, size))
        ).p_value
        < 0.05
        for _ in range(400)
    )

    assert size == pytest.approx(66, abs=3)
    assert found / 400 == pytest.approx(0.8, abs=0.07)


def test_no_spread_takes_four_and_no_change_takes_for_ever():
    assert ranks.needed_size(0.1, 0.0) == 4
    assert ranks.needed_size(0.0, 1.0) is None
