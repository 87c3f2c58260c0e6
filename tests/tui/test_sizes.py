"""A terminal of any size."""

import pytest
from textual.command import CommandPalette

from support.recording import smooth_run, troubled_run, until
from support.stage import dashboard
from vmtiming_tui.tui.screens.detail import DetailScreen
from vmtiming_tui.tui.screens.too_small import TooSmallScreen

DONE = 90.0


async def test_too_small_a_terminal_shows_a_summary_and_comes_back():
    async with dashboard(until(smooth_run(8), 6.4), 6.4) as stage:
        await stage.press("enter")
        await stage.pilot.resize_terminal(79, 24)
        await stage.comes(TooSmallScreen)
        await stage.sees("✓3")
        await stage.pilot.resize_terminal(20, 3)
        await stage.until(lambda: stage.app.size.width == 20, "20 columns")
        await stage.sees("✓3")
        await stage.pilot.resize_terminal(80, 24)
        await stage.comes(DetailScreen)


async def test_too_small_a_terminal_quits_when_asked_twice():
    async with dashboard(until(smooth_run(8), 6.4), 6.4, size=(30, 5)) as stage:
        await stage.press("q")
        assert "q ends them" in stage.text
        assert stage.app.is_running
        await stage.press("q")
        await stage.pilot.pause(0.1)
        assert not stage.app.is_running


@pytest.mark.parametrize("key", ["ctrl+p", "f1"])
async def test_nothing_lies_over_the_summary_of_too_small_a_terminal(key):
    async with dashboard(smooth_run(8), DONE) as stage:
        await stage.press("ctrl+p")
        await stage.pilot.resize_terminal(40, 10)
        await stage.press(key)
        stage.on(TooSmallScreen)
        await stage.pilot.resize_terminal(120, 40)
        stage.on(CommandPalette)


@pytest.mark.parametrize("number", [1, 100, 1000])
async def test_resizing_during_a_storm(number):
    events = troubled_run(number)
    async with dashboard(events, 5.0, number=number) as stage:
        for size in ((80, 24), (200, 60), (133, 41), (80, 60), (300, 24), (81, 25)):
            await stage.pilot.resize_terminal(*size)
            await stage.pilot.pause()
            lines = stage.text.splitlines()
            assert len(lines) == size[1]
            assert "RUNNING" in lines[0]
            assert "? help" in lines[-1]
            assert "  0 " in stage.text
