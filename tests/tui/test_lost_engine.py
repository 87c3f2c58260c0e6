"""An engine that fails, or is lost: said on a screen to act on, and nothing pretended."""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from support.facts import SECOND
from support.recording import ENGINE_LOST, ZERO_NS, plan_for, smooth_run, until
from support.stage import RecordedSource, dashboard, show, text_of
from vmtiming_tui.errors import EngineError
from vmtiming_tui.model.commands import Quit, Start
from vmtiming_tui.tui.app import VmTimingApp
from vmtiming_tui.tui.screens.confirm import ConfirmScreen
from vmtiming_tui.tui.screens.engine_error import EngineErrorScreen
from vmtiming_tui.tui.screens.storm import StormScreen
from vmtiming_tui.tui.state.dashboard_settings import DashboardSettings


async def test_engine_error_is_a_screen_to_act_on():
    async with dashboard(until(smooth_run(8), 4.0), 4.0) as stage:
        await stage.feed([ENGINE_LOST])
        stage.on(EngineErrorScreen)
        assert "killed by SIGKILL" in stage.text
        assert "run again" in stage.text
        assert all(f"({key})" in stage.text for key in ("r", "n", "y", "esc", "q"))
        await stage.press("y")
        assert "killed by SIGKILL" in stage.app.clipboard
        await stage.press("escape")
        stage.on(StormScreen)
        await stage.feed([])
        stage.on(StormScreen)


async def test_trying_again_starts_a_new_engine_when_the_old_one_is_gone():
    async with dashboard(until(smooth_run(8), 4.0), 4.0) as stage:
        stage.source.feed([ENGINE_LOST])
        stage.source.end()
        await stage.link_ended()
        show(stage.app)
        await stage.pilot.pause()
        await stage.press("r")
        await stage.pilot.pause()
        assert stage.source.opened == 2
        assert [type(command) for command in stage.source.sent] == [Start, Start]


@asynccontextmanager
async def engine_lost_on(*keys: str):
    """A dashboard whose engine was lost in the middle of a run, its error looked away from."""
    async with dashboard(until(smooth_run(8), 6.4), 6.4) as stage:
        stage.source.feed([replace(ENGINE_LOST, at_ns=ZERO_NS + 7 * SECOND)])
        stage.source.end()
        await stage.link_ended()
        show(stage.app)
        await stage.pilot.pause()
        await stage.press("escape", *keys)
        yield stage


async def test_when_the_engine_is_lost_clocks_stand_and_no_vm_runs():
    async with engine_lost_on() as stage:
        before = stage.text
        stage.clock.at = 99.0
        await stage.feed([])
        await stage.pilot.pause(0.3)

        assert "ENGINE LOST" in before.splitlines()[0]
        assert "0:07.0" in before.splitlines()[0]
        assert "RUNNING" not in before
        assert "5 killed" in before.splitlines()[0]
        assert "ended with the engine" in before
        assert stage.text == before


@pytest.mark.parametrize("keys", [("r",), ("R",), ("ctrl+r",), ("enter", "r")])
async def test_when_the_engine_is_lost_a_rerun_is_offered_as_a_new_run(keys):
    async with engine_lost_on(*keys) as stage:
        stage.on(ConfirmScreen)
        await stage.sees("Start the whole run anew?")
        assert stage.notes == ""
        await stage.press("y")
        await stage.until(lambda: stage.source.opened == 2, "another engine")
        assert [type(command) for command in stage.source.sent] == [Start, Start]
        await stage.sees("STARTING")
        await stage.press("q")
        await stage.sees("The run is not over")


@pytest.mark.parametrize("keys", [("K",), ("enter", "P"), ("enter", "K")])
async def test_when_the_engine_is_lost_nothing_is_said_to_be_done(keys):
    async with engine_lost_on(*keys) as stage:
        assert "ot running" in stage.notes
        assert [type(command) for command in stage.source.sent] == [Start]


async def test_when_the_engine_is_lost_leaving_does_not_ask():
    async with engine_lost_on("q") as stage:
        await stage.pilot.pause(0.1)
        assert not stage.app.is_running


async def test_a_run_asked_for_as_the_engine_is_lost_is_offered_and_not_forgotten():
    async with dashboard(until(smooth_run(8), 4.0), 4.0) as stage:
        other = plan_for(3)
        stage.app.begin(other)
        await stage.feed([ENGINE_LOST])
        stage.source.end()
        await stage.link_ended()
        stage.on(EngineErrorScreen)
        await stage.press("r")
        await stage.until(lambda: stage.source.opened == 2, "another engine")
        assert stage.source.sent[-1] == Start(plan=other, interactive=True)


async def test_a_run_that_never_began_is_not_said_to_be_starting():
    async with dashboard([], 0) as stage:
        assert "Starting: looking at the host" in stage.text
        await stage.feed([replace(ENGINE_LOST, at_ns=ZERO_NS)])
        await stage.press("escape")
        stage.on(StormScreen)
        assert "Starting" not in stage.text
        assert "No VM yet" in stage.text


async def test_a_fault_of_ours_in_reading_the_engine_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    class Faulty(RecordedSource):
        async def batches(self):
            raise LookupError("a fault in reading")
            yield []

    app = VmTimingApp(Faulty().connect, plan_for(2), DashboardSettings())
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.pause()
        show(app)
        await pilot.pause()
        assert isinstance(app.screen, EngineErrorScreen)
        assert "the tool failed: LookupError: a fault in reading" in text_of(app)
        assert (tmp_path / "vmtiming-tui" / "engine-reader-crash.txt").exists()


async def test_quitting_from_the_error_does_not_ask():
    async with dashboard(until(smooth_run(8), 4.0), 4.0) as stage:
        await stage.feed([ENGINE_LOST])
        await stage.press("q")
        await stage.pilot.pause(0.1)
        assert any(isinstance(command, Quit) for command in stage.source.sent)
        assert not stage.app.is_running


async def test_an_engine_that_cannot_be_started_is_said():
    class Broken(RecordedSource):
        def connect(self):
            raise EngineError("the engine cannot be started: no memory", hint="free some")

    app = VmTimingApp(Broken().connect, plan_for(2), DashboardSettings())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        show(app)
        await pilot.pause()
        assert isinstance(app.screen, EngineErrorScreen)
        assert "no memory" in text_of(app)


@pytest.mark.parametrize("button", ["again", "new_run", "copy", "leave", "cancel"])
async def test_each_button_of_an_engine_error_does_what_its_key_does(button):
    async with dashboard(until(smooth_run(8), 4.0), 4.0) as stage:
        await stage.feed([ENGINE_LOST])
        screen = stage.on(EngineErrorScreen)
        done = []
        setattr(screen, f"action_{button}", lambda: done.append(button))
        await stage.pilot.click(f"#{button}")
        await stage.pilot.pause()

        assert done == [button]
