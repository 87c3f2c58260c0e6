"""Stir: for how much of a span anybody stirred, in whatever order that was told."""

import pytest
from hypothesis import given, strategies as st

from vmtiming_tui.model.stir import Stir


def stirred(*spans):
    """Return what was told of these spans, each of somebody else, in the order given."""
    stir = Stir()
    for who, (start, end) in enumerate(spans):
        stir.begin(who, start)
        stir.end(who, end)
    return stir


def test_nobody_stirs_at_first():
    assert Stir().during_ns(0, 100) == 0


@pytest.mark.parametrize(
    ("span", "ns"),
    [((0, 10), 0), ((0, 15), 5), ((12, 18), 6), ((15, 40), 5), ((20, 40), 0), ((0, 100), 10)],
)
def test_only_what_falls_into_a_span_counts(span, ns):
    assert stirred((10, 20)).during_ns(*span) == ns


def test_two_who_stir_at_once_are_no_more_than_one():
    assert stirred((10, 30), (20, 40), (22, 25)).during_ns(0, 100) == 30


def test_the_time_between_two_who_stir_does_not_count():
    assert stirred((10, 20), (60, 70)).during_ns(15, 65) == 10


def test_what_was_over_earlier_may_be_told_later():
    assert stirred((60, 70), (10, 20)).during_ns(0, 100) == 20
    assert stirred((60, 70), (10, 20), (15, 65)).during_ns(0, 100) == 60


def test_who_still_stirs_counts_up_to_the_spans_end():
    stir = stirred((10, 20))
    stir.begin("a", 50)
    stir.begin("b", 60)

    assert stir.during_ns(0, 80) == 40
    assert stir.during_ns(0, 40) == 10


def test_who_begins_again_has_stirred_since_the_first_time():
    stir = Stir()
    stir.begin("a", 10)
    stir.begin("a", 30)
    stir.end("a", 40)

    assert stir.during_ns(0, 100) == 30


def test_an_end_without_a_begin_and_one_before_it_count_for_nothing():
    stir = Stir()
    stir.end("a", 10)
    stir.begin("b", 50)
    stir.end("b", 40)

    assert stir.during_ns(0, 100) == 0


TICKS = st.integers(0, 30)


@given(st.lists(st.tuples(TICKS, TICKS), max_size=12), TICKS, TICKS)
def test_it_is_the_number_of_moments_at_which_anybody_stirred(spans, start, end):
    moments = {at for low, high in spans for at in range(low, high)}

    assert stirred(*spans).during_ns(start, end) == len(moments & set(range(start, end)))
