"""How far a host's clock is off, as well as can be known from here."""

import itertools

import pytest
from hypothesis import given, settings, strategies as st

from support.facts import MS, SECOND
from support.simulated_hosts import SimulatedLink
from vmtiming_tui.cluster.clock import Clock, Question, found, measured
from vmtiming_tui.errors import HostError


def test_the_answer_that_came_soonest_counts():
    slow, soon = Question(0, 900, 1000), Question(2000, 1060, 2100)

    assert found([slow, soon]) == Clock(offset_ns=1060 - 2050, uncertainty_ns=50)


@settings(max_examples=50)
@given(
    st.integers(-(10**15), 10**15),
    st.lists(st.tuples(st.integers(0, SECOND), st.integers(0, SECOND)), min_size=1),
)
def test_the_truth_is_within_what_is_not_known(ahead_ns, ways):
    questions = [
        Question(at_ns, at_ns + there_ns + ahead_ns, at_ns + there_ns + back_ns)
        for at_ns, (there_ns, back_ns) in zip(itertools.count(0, 3 * SECOND), ways)
    ]

    assert found(questions).agrees(ahead_ns)


def test_what_was_found_long_ago_is_known_less_well():
    assert Clock(7, 100).later(60 * SECOND) == Clock(7, 100 + 3 * MS)


async def test_a_hosts_clock_is_measured_across_a_way_that_takes_time():
    link = SimulatedLink("a", ahead_ns=7 * SECOND, delay_s=0.002)
    clock = await measured(link)

    assert clock.agrees(7 * SECOND)
    assert 2 * MS <= clock.uncertainty_ns < 50 * MS


async def test_a_host_far_away_is_not_asked_for_long():
    now_s = itertools.count(0, 1)

    class Slow(SimulatedLink):
        asked = 0

        async def clock_ns(self) -> int:
            self.asked += 1
            return 0

    link = Slow("a")
    await measured(link, lambda: next(now_s) * SECOND)

    assert link.asked == 3


async def test_a_host_that_is_lost_has_no_clock():
    link = SimulatedLink("a")
    link.die()

    with pytest.raises(HostError):
        await measured(link)
