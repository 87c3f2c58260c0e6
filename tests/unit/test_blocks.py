"""blocks: aligned ranks of rounds booted in turn, against all ways to deal them out."""

import itertools
import math
import random
import statistics

import pytest
from hypothesis import given, settings, strategies as st

from vmtiming_tui.analysis.comparison import blocks, paired

seconds = st.floats(0.1, 100)
often_tied = st.sampled_from([1.0, 1.1, 1.2, 2.0, 3.0]) | seconds
rounds_of_both = st.lists(st.tuples(often_tied, often_tied), min_size=1, max_size=12)


def sides(rounds):
    return [first for first, _ in rounds], [second for _, second in rounds]


def aligned_blocks(rounds):
    """The blocks of two rounds, each its first and its second side's logs less its mean."""
    found = []
    for at in range(0, len(rounds), 2):
        logs = [[math.log(value) for value in side] for side in sides(rounds[at : at + 2])]
        middle = statistics.fmean(logs[0] + logs[1])
        found.append([[value - middle for value in side] for side in logs])
    return found


def share_of_all_ways(rounds):
    """Which share of all ways to deal out the ranks is as far off to either side, times two."""
    found = aligned_blocks(rounds)
    ordered = sorted(value for block in found for side in block for value in side)
    ranks = [[[ordered.index(value) for value in side] for side in block] for block in found]
    dealt = itertools.product(
        *(itertools.combinations(one + other, len(one)) for one, other in ranks)
    )
    sums = [sum(map(sum, each)) for each in dealt]
    total = sum(sum(other) for _, other in ranks)
    tails = sum(each >= total for each in sums), sum(each <= total for each in sums)
    return min(1, 2 * min(tails) / len(sums))


@settings(max_examples=30, deadline=None)
@given(st.lists(seconds, min_size=2, max_size=12, unique=True))
def test_a_p_value_is_the_share_of_all_ways_within_the_blocks(values):
    rounds = list(zip(values[::2], values[1::2], strict=False))
    flat = [value for block in aligned_blocks(rounds) for side in block for value in side]
    if min(b - a for a, b in itertools.pairwise(sorted(flat))) < 1e-9:
        return

    found = blocks.aligned_rank(*sides(rounds))

    assert found.is_exact
    assert found.p_value == pytest.approx(share_of_all_ways(rounds), rel=1e-9)


@pytest.mark.parametrize(("rounds", "ways"), [(4, 36), (5, 72), (6, 216), (7, 432)])
def test_where_one_side_is_slower_throughout_a_single_way_is_as_far_off(rounds, ways):
    first = [5.0 + number / 10 for number in range(rounds)]
    second = [value * 1.2 for value in first]

    ratio = blocks.aligned_ratio(first, second)

    assert blocks.aligned_rank(first, second).p_value == pytest.approx(2 / ways)
    assert ratio.estimate == pytest.approx(1.2)
    assert (ratio.interval is None) == (2 / ways > 0.05)


@settings(max_examples=60, deadline=None)
@given(rounds_of_both, st.sampled_from([0.05, 0.1, 0.01, 0.3]))
def test_the_interval_excludes_1_exactly_where_the_test_decides(rounds, alpha):
    first, second = sides(rounds)

    found = blocks.aligned_ratio(first, second, alpha)

    excluded = found.interval is not None and not found.interval.low <= 1 <= found.interval.high
    assert excluded == (blocks.aligned_rank(first, second).p_value <= alpha)
    if found.interval is not None:
        assert found.interval.low <= found.estimate <= found.interval.high


@pytest.mark.parametrize("rounds", [5, 6, 9, 20])
def test_within_the_interval_nothing_is_rejected_and_just_beyond_it_is(rounds):
    chance = random.Random(rounds)
    first, second = ([chance.lognormvariate(1.6, 0.1) for _ in range(rounds)] for _ in "12")
    interval = blocks.aligned_ratio(first, second).interval
    low, high = interval.low, interval.high

    def p_value(factor):
        return blocks.aligned_rank(first, [value / factor for value in second]).p_value

    within = [low + (high - low) * part / 20 for part in range(1, 20)]
    assert all(p_value(each) > 0.05 for each in (low * 1.0000001, *within, high / 1.0000001))
    assert p_value(low / 1.0000001) <= 0.05 >= p_value(high * 1.0000001)


@settings(max_examples=30, deadline=None)
@given(rounds_of_both)
def test_the_other_way_round_everything_is_turned_over(rounds):
    first, second = sides(rounds)
    there, back = blocks.aligned_ratio(first, second), blocks.aligned_ratio(second, first)

    assert blocks.aligned_rank(first, second) == blocks.aligned_rank(second, first)
    assert back.estimate == pytest.approx(1 / there.estimate)
    if there.interval is not None:
        assert back.interval.low == pytest.approx(1 / there.interval.high)


def test_what_is_the_same_is_never_told_apart():
    assert blocks.aligned_rank([2.0] * 8, [2.0] * 8).p_value == 1
    interval = blocks.aligned_ratio([2.0] * 8, [2.0] * 8).interval
    assert (interval.low, interval.high) == (1, 1)


def test_a_drift_that_goes_on_steadily_is_in_no_block():
    order = [math.exp(0.3 * number) for number in range(16)]
    first = [order[at] for at in (0, 3, 4, 7, 8, 11, 12, 15)]
    second = [order[at] for at in (1, 2, 5, 6, 9, 10, 13, 14)]

    assert blocks.aligned_ratio(first, second).estimate == pytest.approx(1)
    assert blocks.aligned_rank(first, second).p_value > 0.5


def test_vms_that_never_booted_leave_it_to_signed_ranks():
    first, second = [5.0, 5.1, 5.2, 5.3, 5.4, 5.5], [*[6.0] * 5, math.inf]

    assert blocks.aligned_rank(first, second) == paired.signed_rank(first, second)
    assert blocks.aligned_ratio(first, second) == paired.paired_ratio(first, second)


def test_many_rounds_take_the_normal_approximation():
    first = [1 + (number * 37 % 101) / 500 for number in range(52)]
    second = [value * (1.02 + (number * 53 % 89 - 40) / 900) for number, value in enumerate(first)]
    some, fewer = (blocks.aligned_rank(first[:n], second[:n]) for n in (52, 50))
    interval = blocks.aligned_ratio(first, second).interval

    assert (some.is_exact, fewer.is_exact) == (False, True)
    assert math.log(some.p_value) == pytest.approx(math.log(fewer.p_value), rel=0.2)
    assert (some.p_value <= 0.05) == (not interval.low <= 1 <= interval.high)


def test_a_value_without_a_partner_is_the_callers_fault():
    with pytest.raises(ValueError, match="one size"):
        blocks.aligned_rank([1.0], [1.0, 2.0])
