"""A replay: the events of a run with its own gaps between them."""

import asyncio

import pytest

from support.making import TIMED_OUT, run_events
from vmtiming_tui.sources.replay import replay


class FakeTime:
    """Stands in for the loop's clock: sleeping takes no time and is counted."""

    def __init__(self, monkeypatch):
        self.now_s = 0.0
        monkeypatch.setattr("vmtiming_tui.sources.replay.asyncio.sleep", self.sleep)
        monkeypatch.setattr("vmtiming_tui.sources.replay.asyncio.get_running_loop", lambda: self)

    def time(self):
        return self.now_s

    async def sleep(self, seconds):
        self.now_s += seconds


def replayed(events, speed, monkeypatch):
    clock = FakeTime(monkeypatch)

    async def collect():
        return [(clock.now_s, batch) async for batch in replay(events, speed)]

    return asyncio.run(collect())


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_a_replay_keeps_the_gaps_divided_by_its_speed(monkeypatch, speed):
    events = run_events([[5, 6, TIMED_OUT], [5, 5, 5]])
    batches = replayed(events, speed, monkeypatch)
    assert [event for _, batch in batches for event in batch] == events
    for now_s, batch in batches:
        for event in batch:
            late_s = now_s - event.at_ns / 1e9 / speed
            assert -1e-6 <= late_s <= 0.05 + 1e-6


def test_a_replay_of_infinite_speed_comes_at_once(monkeypatch):
    events = run_events([[5, 6]])
    assert replayed(events, float("inf"), monkeypatch) == [(0.0, events)]


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_a_replay_needs_a_speed_above_zero(monkeypatch, speed):
    with pytest.raises(ValueError, match="give one above 0"):
        replayed(run_events([[5]]), speed, monkeypatch)
