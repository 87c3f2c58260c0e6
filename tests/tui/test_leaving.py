"""The way out, and runs that are over."""

import asyncio

from support.recording import plan_for, smooth_run, until
from support.stage import RecordedSource, dashboard, show
from vmtiming_tui.model.commands import Quit, Rerun
from vmtiming_tui.model.fleet import RunState
from vmtiming_tui.tui.app import VmTimingApp
from vmtiming_tui.tui.state.dashboard_settings import DashboardSettings
from vmtiming_tui.tui.state.keymap import Need

DONE = 90.0
STORED = frozenset({Need.TERMINAL})


async def test_leaving_waits_for_the_engine_and_a_second_time_does_not():
    class Slow(RecordedSource):
        def send(self, command):
            self.sent.append(command)

    source = Slow(until(smooth_run(2), 3.0))
    app = VmTimingApp(source.connect, plan_for(2), DashboardSettings())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        show(app)
        await pilot.press("q", "y")
        await pilot.pause(0.1)
        assert app.is_running
        assert any(isinstance(command, Quit) for command in source.sent)
        source.end()
        await asyncio.sleep(0.1)
        await pilot.pause()
        assert not app.is_running


async def test_leaving_a_finished_run_does_not_ask():
    async with dashboard(smooth_run(2), DONE, number=2) as stage:
        await stage.press("q")
        await stage.pilot.pause(0.1)
        assert not stage.app.is_running
    assert stage.app.model.fleet.state is RunState.FINISHED


async def test_nothing_of_a_stored_run_can_be_rerun():
    source = RecordedSource(smooth_run(2))
    app = VmTimingApp(source.connect, plan_for(2), DashboardSettings(), there=STORED)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        show(app)
        await pilot.press("r")
        await pilot.pause()
        assert not any(isinstance(command, Rerun) for command in source.sent)
    source.end()
    await app.link.close()
