"""multiple: adjusted p-values, against scipy, the papers and what they promise."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings, strategies as st

from vmtiming_tui.analysis.comparison.multiple import benjamini_hochberg, holm

chances = st.lists(st.floats(0, 1), max_size=20)


def test_holm_multiplies_the_smallest_by_all_there_are():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@settings(max_examples=30)
@given(chances, st.sampled_from([0.05, 0.2]))
def test_holm_decides_as_stepping_down_does(p_values, level):
    decided = set()
    for step, at in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[at] > level / (len(p_values) - step):
            break
        decided.add(int(at))

    close = [abs(each - level) < 1e-12 for each in holm(p_values)]
    found = {at for at, each in enumerate(holm(p_values)) if each <= level}
    assert any(close) or found == decided


@settings(max_examples=30)
@given(chances)
def test_benjamini_hochberg_is_scipys(p_values):
    expected = scipy.stats.false_discovery_control(p_values) if p_values else []

    assert benjamini_hochberg(p_values) == pytest.approx(list(expected))


@settings(max_examples=30)
@given(chances)
def test_what_is_adjusted_is_a_p_value_no_smaller_than_before(p_values):
    for adjusted in (holm(p_values), benjamini_hochberg(p_values)):
        assert all(before <= after <= 1 for before, after in zip(p_values, adjusted, strict=True))
        order = np.argsort(p_values, kind="stable")
        assert all(a <= b for a, b in zip(np.array(adjusted)[order][:-1],
                                          np.array(adjusted)[order][1:], strict=True))  # fmt: skip


def test_one_question_alone_is_asked_as_it_is():
    assert holm([0.04]) == benjamini_hochberg([0.04]) == [0.04]
    assert holm([]) == benjamini_hochberg([]) == []
