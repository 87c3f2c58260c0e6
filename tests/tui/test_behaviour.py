"""A run as it comes: asked for once, shown as it goes on."""

import re

import pytest

from support.facts import SECOND
from support.recording import ZERO_NS, plan_for, smooth_run, until
from support.stage import dashboard
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Start
from vmtiming_tui.tui import app as app_module
from vmtiming_tui.tui.state.dashboard import Change


def ends_first(stream):
    """Return VM 0's end of a boot, and all events in which no VM's boot ends."""
    (first, *_) = [event for event in stream if isinstance(event, ev.VmBooted) and event.vm == 0]
    return first, [event for event in stream if not isinstance(event, (ev.VmBooted, ev.VmExited))]


def cells(stage):
    """Return the lines on which the first two VMs are."""
    lines = stage.text.splitlines()
    return [next(line for line in lines if re.match(rf" *{vm} [◔✓]", line)) for vm in (0, 1)]


async def test_the_run_is_asked_for_once_and_interactively():
    async with dashboard() as stage:
        assert stage.source.sent == [Start(plan=plan_for(8), interactive=True)]


async def test_states_are_seen_as_they_come():
    events = smooth_run(2)
    async with dashboard(events, 0.05, number=2) as stage:
        seen = []
        for at in (0.15, 1.0, 60.0):
            await stage.feed(
                [e for e in until(events, at) if e not in until(events, stage.clock.at)], at
            )
            seen.append(re.findall("launching|connected|booted", stage.text.splitlines()[0]))
        assert seen == [["launching"], ["connected"], ["booted"]]


@pytest.fixture
def no_turns(monkeypatch):
    """A dashboard whose timer never comes."""
    monkeypatch.setattr(app_module, "TURN_S", 3600.0)


@pytest.mark.usefixtures("no_turns")
async def test_the_end_of_a_boot_is_shown_before_the_next_turn():
    booted, others = ends_first(smooth_run(2))
    async with dashboard(until(others, 60.0), 60.0, number=2) as stage:
        before = stage.text
        stage.source.feed([booted])
        await stage.until(lambda: "1 booted" in stage.text, "1 booted")
        assert "2 connected" in before


@pytest.mark.usefixtures("no_turns")
async def test_news_leaves_alone_what_only_the_clock_moves():
    async with dashboard(until(smooth_run(2), 2.0), 2.0, number=2) as stage:
        first, second = cells(stage)
        stage.clock.at = 2.2
        stage.main.tick(Change(vms=frozenset({0}), between=True))
        await stage.pilot.pause()
        assert cells(stage)[0] != first
        assert cells(stage)[1] == second


async def test_pause_panic_and_reset_show():
    events = until(smooth_run(3), 2.0)
    at = ZERO_NS + 2 * SECOND
    async with dashboard(events, 2.0, number=3) as stage:
        await stage.feed(
            [
                ev.QmpSeen(at_ns=at, vm=0, attempt=1, name="STOP"),
                ev.QmpSeen(at_ns=at, vm=1, attempt=1, name="RESET"),
                ev.QmpSeen(at_ns=at, vm=2, attempt=1, name="GUEST_PANICKED"),
            ]
        )
        assert re.search(r"0 ◔ \w+ +1\.\d‖", stage.text)
        assert re.search(r"1 ◔ \w+ +1\.\d↻", stage.text)
        await stage.sees("VM 2: the guest's kernel panicked")
        await stage.press("enter")
        await stage.sees("‖ paused")
