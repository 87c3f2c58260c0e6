"""A replay: the events of a run by a clock of its own."""

import pytest
from hypothesis import given, settings, strategies as st

from support.facts import SECOND
from support.making import TIMED_OUT, run_events
from support.recording import smooth_run
from vmtiming_tui.model import events as ev
from vmtiming_tui.sources.replay import FASTEST, MOST_AT_ONCE, SLOWEST, Player

EVENTS = run_events([[5, 6, TIMED_OUT], [5, 5, 5]])


class Watch:
    """The clock of who watches; it goes on when it is told to."""

    def __init__(self):
        self.now_ns = 0

    def __call__(self):
        return self.now_ns


@pytest.fixture
def watch():
    return Watch()


def played(player, watch, step_s=0.1, most=100_000):
    """Everything a player gives out till its end, each with when it was given."""
    given_out = []
    for _ in range(most):
        if player.is_at_end:
            return given_out
        watch.now_ns += int(step_s * SECOND)
        given_out += [(watch.now_ns, event) for event in player.due()]
    raise AssertionError("it never ended")


@pytest.mark.parametrize("speed", [0.1, 1.0, 4.0, 1000.0])
def test_events_come_in_their_order_and_never_before_their_time(watch, speed):
    player = Player(EVENTS, speed, watch)
    given_out = played(player, watch)
    assert [event for _, event in given_out] == EVENTS
    for now_ns, event in given_out:
        late_ns = now_ns - (event.at_ns - EVENTS[0].at_ns) / speed
        assert -1000 <= late_ns <= 0.1 * SECOND + 1000


def test_its_clock_stands_at_the_end_and_never_goes_beyond_it(watch):
    player = Player(EVENTS, 1000, watch)
    played(player, watch)
    watch.now_ns += 60 * SECOND
    assert player.due() == ()
    assert player.now_ns == player.end_ns == max(event.at_ns for event in EVENTS)


def test_its_clock_is_never_ahead_of_what_it_gave_out(watch):
    events = smooth_run(300)
    player = Player(events, 1e9, watch)
    watch.now_ns += SECOND
    given_out = player.due()
    assert len(given_out) == MOST_AT_ONCE
    assert player.now_ns == given_out[-1].at_ns < player.end_ns


def test_paused_it_gives_nothing_and_then_goes_on_where_it_was(watch):
    player = Player(EVENTS, 1, watch)
    watch.now_ns += SECOND // 4
    player.due()
    player.is_paused = True
    watch.now_ns += 100 * SECOND
    assert player.due() == ()
    player.is_paused = False
    watch.now_ns += SECOND // 4
    player.due()
    assert player.now_ns == EVENTS[0].at_ns + SECOND // 2


def test_a_time_in_which_the_process_was_stopped_does_not_pass(watch):
    player = Player(EVENTS, 1, watch)
    watch.now_ns += 3600 * SECOND
    player.due()
    assert player.now_ns <= EVENTS[0].at_ns + SECOND
    watch.now_ns += SECOND
    player.put(EVENTS[0].at_ns)
    player.due()
    assert player.now_ns == EVENTS[0].at_ns


@settings(max_examples=30)
@given(st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=5))
def test_put_anywhere_it_goes_on_with_what_was_not_known_there(shares):
    watch = Watch()
    player = Player(EVENTS, 1000, watch)
    length_ns = player.end_ns - player.begin_ns
    for share in shares:
        at_ns = player.begin_ns + int(share * length_ns)
        known = list(player.before(at_ns))
        player.put(at_ns)
        assert player.begin_ns <= player.now_ns <= player.end_ns
    if at_ns >= player.begin_ns:
        assert known + [event for _, event in played(player, watch)] == EVENTS


def test_it_stops_beside_what_is_seen_and_at_both_ends(watch):
    player = Player(EVENTS, 1, watch)
    (first, *_) = [event.at_ns for event in EVENTS if isinstance(event, ev.VmBooted)]
    before = player.stop_beside(first, -1)
    assert before < first
    assert player.stop_beside(before, 1) == first
    assert player.stop_beside(player.begin_ns, -1) == player.begin_ns
    assert player.stop_beside(player.end_ns, 1) == player.end_ns


def test_speeds_stay_within_reason_and_come_back_from_beyond(watch):
    player = Player(EVENTS, 1, watch)
    for _ in range(40):
        player.change_speed(2)
    assert player.speed == FASTEST
    for _ in range(40):
        player.change_speed(0.5)
    assert player.speed == SLOWEST
    player = Player(EVENTS, 1e6, watch)
    player.change_speed(0.5)
    assert player.speed == 5e5


@pytest.mark.parametrize("events", [[], EVENTS[:1]])
def test_a_stream_without_any_time_is_at_its_end(watch, events):
    player = Player(events, 1, watch)
    watch.now_ns += SECOND
    assert list(player.due()) == events
    assert player.is_at_end
    assert player.begin_ns == player.now_ns == player.end_ns


def test_a_stream_that_steps_back_is_played_in_its_order(watch):
    events = [*EVENTS, *EVENTS]
    player = Player(events, 100, watch)
    assert [event for _, event in played(player, watch)] == events


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_a_replay_needs_a_speed_above_zero(speed):
    with pytest.raises(ValueError, match="give one above 0"):
        Player(EVENTS, speed)
