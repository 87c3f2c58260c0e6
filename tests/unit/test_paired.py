"""paired: Wilcoxon's test and Walsh's interval, against scipy and against all signs there are."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings, strategies as st

from vmtiming_tui.analysis.comparison import paired

seconds = st.floats(0.1, 100)
often_tied = st.sampled_from([1.0, 1.1, 1.2, 2.0, 3.0, math.inf]) | seconds
rounds_of_both = st.lists(st.tuples(often_tied, often_tied), min_size=1, max_size=12)


def sides(rounds):
    return [first for first, _ in rounds], [second for _, second in rounds]


@settings(max_examples=30)
@given(st.lists(seconds, min_size=2, max_size=20, unique=True), st.data())
def test_the_test_is_scipys_where_nothing_is_tied(first, data):
    second = [value * data.draw(st.floats(0.5, 2)) for value in first]
    logs = [math.log(b / a) for a, b in zip(first, second, strict=True)]
    if len({round(abs(log), 9) for log in logs} | {0}) <= len(logs):
        return

    ours = paired.signed_rank(first, second)

    expected = scipy.stats.wilcoxon(logs, mode="exact", alternative="two-sided")
    assert ours.is_exact
    assert ours.p_value == pytest.approx(expected.pvalue, rel=1e-9)


@pytest.mark.parametrize("rounds", [1, 2, 5, 6, 9])
def test_a_p_value_is_the_share_of_all_signs_that_are_as_far_off(rounds):
    ranks = range(1, rounds + 1)
    sums = [
        sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign)
        for signs in itertools.product((False, True), repeat=rounds)
    ]
    for negative in range(rounds + 1):
        second = [math.exp(-rank if rank <= negative else rank) for rank in ranks]
        lost = sum(range(1, negative + 1))
        few = min(lost, sum(ranks) - lost)

        share = sum(each <= few for each in sums) / len(sums)
        found = paired.signed_rank([1.0] * rounds, second)
        assert found.p_value == pytest.approx(min(1, 2 * share))


def test_six_rounds_are_the_fewest_that_can_tell():
    first = [5.0 + number / 10 for number in range(6)]
    second = [value * 1.1 for value in first]

    assert [paired.fewest_that_can_tell(alpha) for alpha in (0.05, 0.0625, 0.01)] == [6, 5, 8]
    assert paired.signed_rank(first, second).p_value == pytest.approx(2 / 64)
    assert paired.paired_ratio(first, second).interval.low == pytest.approx(1.1)
    assert paired.paired_ratio(first[:5], second[:5]).interval is None


@settings(max_examples=80)
@given(rounds_of_both, st.sampled_from([0.05, 0.1, 0.01, 0.3]))
def test_the_interval_excludes_1_exactly_where_the_test_decides(rounds, alpha):
    first, second = sides(rounds)
    found = paired.paired_ratio(first, second, alpha)
    decided = paired.signed_rank(first, second).p_value <= alpha

    excluded = found.interval is not None and not found.interval.low <= 1 <= found.interval.high
    assert excluded == decided


@settings(max_examples=40)
@given(st.lists(st.tuples(seconds, seconds), min_size=6, max_size=10))
def test_the_interval_is_of_the_walsh_averages_that_tables_name(rounds):
    first, second = sides(rounds)
    logs = [math.log(b / a) for a, b in rounds]
    walsh = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(logs, 2))
    rank = {6: 1, 7: 3, 8: 4, 9: 6, 10: 9}[len(rounds)]

    found = paired.paired_ratio(first, second)

    assert math.log(found.interval.low) == pytest.approx(walsh[rank - 1], abs=1e-9)
    assert math.log(found.interval.high) == pytest.approx(walsh[-rank], abs=1e-9)
    assert math.log(found.estimate) == pytest.approx(np.median(walsh), abs=1e-9)
    assert 0.95 <= found.interval.confidence < 1


@settings(max_examples=40)
@given(rounds_of_both)
def test_the_other_way_round_everything_is_turned_over(rounds):
    first, second = sides(rounds)
    there, back = paired.paired_ratio(first, second), paired.paired_ratio(second, first)

    assert paired.signed_rank(first, second).p_value == paired.signed_rank(second, first).p_value
    if there.interval is not None and there.interval.low > 0 and there.interval.high < math.inf:
        assert back.interval.low == pytest.approx(1 / there.interval.high)
        assert back.estimate == pytest.approx(1 / there.estimate)


def test_rounds_in_which_neither_differs_count_against_a_difference():
    slower = [1.1] * 6
    test = paired.signed_rank([1.0] * 9, [*slower, 1.0, 1.0, 1.0])

    assert test.p_value > 0.03125
    assert paired.signed_rank([2.0] * 8, [2.0] * 8).p_value == 1


def test_vms_that_never_booted_make_the_largest_difference():
    first = [5.0, 5.1, 5.2, 5.3, 5.4, 5.5]
    lost = paired.paired_ratio(first, [math.inf] * 6)

    assert (lost.estimate, lost.interval.low, lost.interval.high) == (math.inf,) * 3
    assert paired.paired_ratio([math.inf] * 6, first).interval.high == 0


def test_two_that_never_booted_say_nothing_of_each_other():
    found = paired.paired_ratio([math.inf] * 7, [math.inf] * 7)

    assert (found.interval.low, found.estimate, found.interval.high) == (0, 1, math.inf)
    assert paired.signed_rank([math.inf] * 7, [math.inf] * 7).p_value == 1


def test_many_rounds_take_the_normal_approximation():
    first = [1 + (number * 37 % 101) / 500 for number in range(300)]
    second = [value * (1 + (number * 53 % 89 - 40) / 900) for number, value in enumerate(first)]
    logs = [math.log(b / a) for a, b in zip(first, second, strict=True)]

    found = paired.signed_rank(first, second)

    expected = scipy.stats.wilcoxon(logs, mode="approx", correction=True)
    assert not found.is_exact
    assert found.p_value == pytest.approx(expected.pvalue, rel=0.1)
    walsh = [(a + b) / 2 for a, b in itertools.combinations_with_replacement(logs, 2)]
    ratio = paired.paired_ratio(first, second)
    interval = ratio.interval
    assert math.log(ratio.estimate) == pytest.approx(np.median(walsh), abs=1e-9)
    assert (found.p_value <= 0.05) == (not interval.low <= 1 <= interval.high)


@pytest.mark.parametrize(("first", "second"), [([], []), ([0.0], [1.0]), ([1.0], [-1.0])])
def test_what_no_ratio_can_be_made_of_is_not_compared(first, second):
    assert paired.signed_rank(first, second) is None
    assert paired.paired_ratio(first, second) is None


def test_a_value_without_a_partner_is_the_callers_fault():
    with pytest.raises(ValueError, match="one size"):
        paired.signed_rank([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="one size"):
        paired.paired_ratio([1.0], [1.0, 2.0])
