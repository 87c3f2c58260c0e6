"""tolerance: how far storms of one setting lie apart by chance, and what tells."""

import itertools
import math
import random

import pytest
import scipy.stats
from hypothesis import example, given, strategies as st

from vmtiming_tui.analysis.comparison.tolerance import (
    CONFIDENCE,
    CONTENT,
    FEWEST_RUNS,
    KnownRun,
    Setting,
    chi_square_cdf,
    known_tolerance,
    tolerance,
    tolerance_factor,
)

HERE = Setting("bench1, 4 VMs", "kernel A")
freedoms = st.integers(1, 2000)
shares = st.floats(0.5, 0.999)


def range_risk(runs):
    """The most often that two more runs differ by more than the range of so many like them."""
    return 2 / (runs + 2)


@given(st.floats(0, 5000), freedoms)
@example(5e-324, 1)
@example(1e-300, 1)
def test_the_chi_square_distribution_is_scipys(value, freedom):
    assert chi_square_cdf(value, freedom) == pytest.approx(
        scipy.stats.chi2.cdf(value, freedom), rel=1e-9, abs=1e-300
    )


@given(freedoms, shares, shares)
def test_the_factor_is_what_scipys_quantiles_make_of_howes_formula(freedom, content, confidence):
    quantile = scipy.stats.chi2.ppf(1 - confidence, freedom)
    expected = scipy.stats.norm.ppf((1 + content) / 2) * math.sqrt(freedom / quantile)

    assert tolerance_factor(freedom, content, confidence) == pytest.approx(expected, rel=1e-7)


def test_of_runs_that_differ_by_a_normal_law_the_limit_holds_its_content_as_often_as_it_says():
    chance, tries, runs = random.Random(1), 2000, 8
    widened = scipy.stats.norm(scale=0.05 * math.sqrt(2))
    held = 0
    for _ in range(tries):
        logs = [chance.gauss(0, 0.05) for _ in range(runs)]
        found = tolerance([[[math.exp(value)] for value in logs]])
        held += widened.cdf(math.log(found.ratio)) * 2 - 1 >= CONTENT

    assert held / tries == pytest.approx(CONFIDENCE, abs=0.015)


@given(st.lists(st.floats(-5, 5) | st.sampled_from([0.0, 1.0]), min_size=4, max_size=9))
def test_whatever_the_distribution_few_pairs_lie_further_apart_than_all_others(values):
    beyond = 0
    for one, other in itertools.combinations(range(len(values)), 2):
        rest = [value for at, value in enumerate(values) if at not in (one, other)]
        beyond += abs(values[one] - values[other]) > max(rest) - min(rest)

    assert beyond / math.comb(len(values), 2) <= range_risk(len(values) - 2) + 1e-12


def test_the_range_alone_holds_five_percent_from_38_runs_on():
    assert range_risk(38) <= 0.05 < range_risk(37)


def test_too_few_runs_tell_nothing_however_many_storms_they_had():
    many = [[5.0 + at / 100 for at in range(50)] for _ in range(FEWEST_RUNS - 1)]

    assert tolerance([]) is None
    assert tolerance([many]) is None
    assert tolerance([[*many, [5.0]]]).runs == FEWEST_RUNS


def test_storms_of_one_run_are_no_substitute_for_runs_but_widen_the_range():
    firsts = [[5.0], [5.1], [4.9], [5.0], [5.05], [4.95]]
    once = tolerance([firsts])
    repeated = tolerance([[[*storms, *storms, *storms] for storms in firsts]])
    odd = tolerance([[*firsts[:-1], [4.95, 50.0]]])

    assert repeated == once
    assert odd.ratio == pytest.approx(50 / 4.9)


def test_what_was_asked_for_differently_is_no_repeat_but_each_has_its_spread():
    slow = [[50.0], [51.0], [49.0], [50.0]]
    fast = [[5.0], [5.1], [4.9], [5.0]]

    both = tolerance([slow, fast])

    assert both.runs == 8
    assert both.ratio < 1.3
    assert tolerance([[each] for each in (*slow, *fast)]) is None


@given(st.lists(st.floats(0.01, 1e4), min_size=FEWEST_RUNS, max_size=12))
def test_no_two_storms_that_were_seen_differ_by_more_than_the_limit(medians):
    found = tolerance([[[median] for median in medians]])

    assert max(medians) / min(medians) <= found.ratio * (1 + 1e-12)


def known(count, where=HERE, spread=0.01):
    return [
        KnownRun(f"run-{at}", where, (5.0 * math.exp(spread * (at % 3)),)) for at in range(count)
    ]


def test_the_runs_that_are_compared_are_no_evidence_in_their_own_case():
    outlier = KnownRun("new", HERE, (500.0,))
    runs = [*known(8), outlier]

    assert known_tolerance(runs, (HERE, HERE), ("new",)).ratio < 1.2
    assert known_tolerance(runs, (HERE, HERE), ()).ratio >= 100


def test_runs_in_other_circumstances_tell_nothing():
    elsewhere = Setting("bench2, 4 VMs", "kernel A")

    assert known_tolerance(known(8, elsewhere), (HERE, HERE), ()) is None
    assert known_tolerance(known(8), (HERE, elsewhere), ()) is None
    assert known_tolerance(known(8), (HERE, None), ()) is None
    assert known_tolerance(known(8), (None, None), ()) is None


def test_another_request_in_the_same_circumstances_is_judged_by_what_is_known_of_the_host():
    other = Setting(HERE.circumstances, "kernel B")

    assert known_tolerance(known(8), (HERE, other), ()) == known_tolerance(known(8), (HERE,), ())
