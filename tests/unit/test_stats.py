"""stats: every figure agrees with numpy and scipy, on made data and on any data."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, strategies as st

from vmtiming_tui.analysis import stats

seconds = st.floats(0.001, 1000, allow_nan=False, allow_infinity=False)
samples = st.lists(seconds, min_size=1, max_size=80)
KNOWN = [13.64, 14.48, 8.385, 13.97, 10.3, 14.39, 13.23, 13.62]


@given(samples, st.floats(0, 100))
def test_percentiles_are_numpys(sample, percent):
    assert stats.percentile(sample, percent) == pytest.approx(np.percentile(sample, percent))


@given(samples)
def test_mean_median_and_deviation_are_numpys(sample):
    assert stats.mean(sample) == pytest.approx(np.mean(sample))
    assert stats.median(sample) == pytest.approx(np.median(sample))
    if len(sample) > 1:
        # a sample of near-equal values has a deviation below what its values can carry
        assert stats.stddev(sample) == pytest.approx(np.std(sample, ddof=1), abs=1e-10)
    else:
        assert stats.stddev(sample) is None


@given(samples)
def test_the_mean_stays_within_the_sample(sample):
    assert min(sample) <= stats.mean(sample) <= max(sample)


@given(samples)
def test_mad_is_scipys(sample):
    assert stats.mad(sample) == pytest.approx(scipy.stats.median_abs_deviation(sample))


def test_the_originals_own_example():
    figures = stats.describe(KNOWN)

    assert f"{figures.mean:.4g}" == "12.75"
    assert (figures.min, figures.max, figures.size) == (8.385, 14.48, 8)


@pytest.mark.parametrize("size", [6, 7, 9, 20, 51, 400, 5000])
def test_median_interval_has_the_confidence_it_claims(size):
    rank, confidence = stats.interval_ranks(size)
    coin = scipy.stats.binom(size, 0.5)

    assert confidence == pytest.approx(1 - 2 * coin.cdf(rank - 1), abs=1e-9)
    assert confidence >= 0.95
    assert 1 - 2 * coin.cdf(rank) < 0.95


@pytest.mark.parametrize("size", range(6))
def test_fewer_than_six_values_give_no_interval(size):
    assert stats.median_interval([1.0] * size) is None


def test_median_interval_of_ten_values_is_the_second_and_ninth():
    interval = stats.median_interval(list(range(1, 11)))

    assert (interval.low, interval.high) == (2, 9)
    assert interval.confidence == pytest.approx(0.9785, abs=1e-4)


def test_median_interval_covers_the_median_as_often_as_it_says():
    chance = np.random.default_rng(7)
    covered = 0
    for _ in range(2000):
        interval = stats.median_interval(list(chance.exponential(size=11)))
        covered += interval.low <= math.log(2) <= interval.high

    assert covered / 2000 == pytest.approx(interval.confidence, abs=0.015)


def test_lost_values_open_the_end_of_the_interval_they_reach():
    interval = stats.median_interval([1, 2, 3, 4, 5], lost=5)

    assert (interval.low, interval.high, interval.is_bounded) == (2, math.inf, False)


def test_outliers_are_beyond_ten_scaled_deviations():
    sample = [10.0, 10.1, 9.9, 10.05, 9.95, 10.02, 13.0]

    assert stats.modified_z_outliers(sample) == [6]
    assert stats.tukey_outliers(sample) == [6]


def test_without_any_spread_whatever_differs_is_an_outlier():
    assert stats.modified_z_outliers([5, 5, 5, 5, 5.001]) == [4]
    assert stats.modified_z_outliers([1000, 0]) == []


@given(samples)
def test_modified_z_follows_its_definition(sample):
    spread = scipy.stats.median_abs_deviation(sample)
    if len(sample) < 3 or spread < 1e-9:
        return
    z = np.abs(np.array(sample) - np.median(sample)) / spread

    near = np.abs(z - 14.826) < 1e-9
    found = stats.modified_z_outliers(sample)
    assert {index for index in np.nonzero(z > 14.826)[0] if not near[index]} <= set(found)
    assert not [index for index in found if z[index] < 14.826 - 1e-9]


@given(st.lists(seconds, min_size=4, max_size=80))
def test_tukeys_fences_follow_their_definition(sample):
    first, third = np.percentile(sample, [25, 75])
    reach = 1.5 * (third - first)

    for index in stats.tukey_outliers(sample):
        assert sample[index] < first - reach + 1e-9 or sample[index] > third + reach - 1e-9


@given(samples, st.integers(0, 20), st.floats(0, 100))
def test_lost_values_rank_behind_all_others(sample, lost, percent):
    found = stats.worst_rank_percentile(sample, lost, percent)
    place = (len(sample) + lost - 1) * percent / 100

    if lost and math.ceil(place) >= len(sample):
        assert found is None
    else:
        finite = [*sample, *[1e9] * lost]
        assert found == pytest.approx(np.percentile(finite, percent), rel=1e-6)


def test_the_median_of_three_boots_and_one_that_timed_out_is_between_the_second_and_the_third():
    assert stats.worst_rank_percentile([5.0, 6.0, 7.0], 1, 50) == 6.5
    assert stats.worst_rank_percentile([5.0, 6.0, 7.0], 2, 50) == 7.0
    assert stats.worst_rank_percentile([5.0, 6.0, 7.0], 3, 50) is None


def test_nothing_known_has_no_percentile():
    assert stats.worst_rank_percentile([], 0, 50) is None
    assert stats.worst_rank_percentile([], 3, 50) is None


def test_a_hidden_value_is_counted_and_in_no_mean():
    found = stats.describe([5.0, 6.0, 7.0, math.inf])

    assert (found.size, found.lost, found.median, found.mean, found.max) == (4, 1, 6.5, 6.0, 7.0)
    assert found.p95 is None
    assert stats.describe([math.inf]) is None


def test_spread_tells_storms_that_differ_from_vms_that_differ():
    same_storms = stats.spread([[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]])
    same_vms = stats.spread([[1, 1, 1], [2, 2, 2], [3, 3, 3]])

    assert (same_storms.between, same_storms.shared) == (0, 0)
    assert (same_vms.within, same_vms.shared) == (0, 1)
    assert same_vms.between == pytest.approx(1)


@given(st.lists(st.lists(seconds, min_size=2, max_size=8), min_size=2, max_size=6))
def test_the_analysis_of_variance_is_scipys(groups):
    found = stats.spread(groups)
    total = sum(map(len, groups))
    even = (total - sum(len(group) ** 2 for group in groups) / total) / (len(groups) - 1)
    if found.within < 1e-3 or found.between == 0:
        return
    ratio = scipy.stats.f_oneway(*groups).statistic

    assert 1 + even * (found.between / found.within) ** 2 == pytest.approx(ratio, rel=1e-6)


@pytest.mark.parametrize("groups", [[], [[1.0, 2.0]], [[1.0], [2.0]], [[], [1.0, 2.0]]])
def test_spread_needs_two_groups_and_a_repeat_in_one(groups):
    assert stats.spread(groups) is None


def test_an_empty_sample_has_no_figures():
    assert stats.describe([]) is None
    with pytest.raises(ValueError, match="at least one"):
        stats.percentile([], 50)
