"""The answer: what the boots came to stands on the screen as soon as all are decided."""

import pytest

from support.keys import swept_run
from support.making import FAILED, PENDING, run_events
from support.recording import smooth_run, troubled_run, until
from support.stage import dashboard
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.tui.screens.detail import DetailScreen

DONE = 90.0


async def test_the_figures_and_why_the_slowest_was_slow_are_there_once_all_have_booted():
    async with dashboard(smooth_run(8), DONE) as stage:
        await stage.sees("all booted in 8.55 s · median 6.20 s (5.53 to 8.31) · p95 7.74 s")
        await stage.sees("VM 5 was the slowest: +2.1 s to the median: userspace +1.4")
        assert not stage.main.stats.display  # which would tell the same


async def test_nothing_is_told_while_a_boot_is_under_way():
    async with dashboard(until(smooth_run(8), 7.5), 7.5) as stage:
        assert stage.app.model.figures.booted
        assert "slowest" not in stage.text
        assert " median " in stage.text


async def test_while_another_storm_boots_the_figures_of_those_before_it_stand():
    events = run_events([[5.0, 6.0], [5.0, PENDING]], outcome=None)
    begins = next(event for event in events if getattr(event, "storm", 1) == 2)
    first = events[: events.index(begins)]
    async with dashboard(first, DONE, number=2) as stage:
        await stage.sees("VM 1 was the slowest")
        await stage.feed(events[len(first) :])
        await stage.sees("so far: all booted in 6.10 s")
        assert "was the slowest" not in stage.text


async def test_what_was_lost_is_told_once_a_reason():
    async with dashboard(troubled_run(100), DONE, (120, 48), number=100) as stage:
        await stage.sees("85 of 100 booted, the last after 13.99 s")
        await stage.sees("8 failed: the guest's kernel panicked")
        await stage.sees("(VMs 4, 17, 30, 43, 56 and 3 more)")
        await stage.sees("3 killed: killed on request (VMs 7, 44, 81)")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_the_answer_leaves_room_for_the_vms(size):
    async with dashboard(troubled_run(100), DONE, size, number=100) as stage:
        await stage.sees("85 of 100 booted")
        assert stage.main.answer.size.height <= size[1] // 5
        assert stage.main.area.size.height >= size[1] // 3


async def test_a_run_held_against_a_baseline_says_what_came_of_it():
    before = side_of(Fleet(run_events([[4.0, 4.1, 4.2]] * 8)), name="nightly")
    now = run_events([[6.0, 6.1, 6.2]] * 8)

    async with dashboard(now, DONE * 9, number=3, baseline=before) as stage:
        await stage.sees("against nightly: slower by ")


async def test_a_sweep_says_what_each_setting_is_against_the_first_and_mixes_no_figures():
    async with dashboard(swept_run(3), DONE * 9, number=3) as stage:
        await stage.sees("54 of 54 booted in 18 storms of 3 settings")
        await stage.sees("smp=2 against smp=1: slower by ")


async def test_a_storm_of_which_nothing_booted_has_an_answer_too():
    async with dashboard(run_events([[FAILED, FAILED]]), DONE, number=2) as stage:
        await stage.sees("none of 2 VMs booted")


async def test_a_run_begun_anew_has_no_answer_yet():
    async with dashboard(smooth_run(8), DONE) as stage:
        await stage.sees("all booted in")
        again = [event for event in smooth_run(8) if isinstance(event, ev.RunStarted)]
        await stage.feed(again)
        assert "all booted in" not in stage.text


async def test_the_slowest_vm_says_itself_why_it_was_slow():
    async with dashboard(smooth_run(8), DONE) as stage:
        await stage.press(*["down"] * 5, "enter")
        assert stage.on(DetailScreen).vm_id == 5
        await stage.sees("VM 5 was the slowest: +2.1 s to the median")
        await stage.press("right_square_bracket")
        assert "was the slowest" not in stage.text
