"""What happens on screen when something happens: errors, sizes, clicks, foreign words."""

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from textual import events
from textual.command import CommandPalette

from support.facts import SECOND
from support.recording import ZERO_NS, Recorder, plan_for, smooth_run, troubled_run, until
from support.stage import RecordedSource, dashboard, show, text_of
from vmtiming_tui import events as ev
from vmtiming_tui.commands import Quit, Rerun, Start
from vmtiming_tui.errors import EngineError
from vmtiming_tui.fleet import RunState
from vmtiming_tui.tui import app as app_module
from vmtiming_tui.tui.app import VmTimingApp
from vmtiming_tui.tui.model import Change
from vmtiming_tui.tui.screens.confirm import ConfirmScreen
from vmtiming_tui.tui.screens.detail import DetailScreen
from vmtiming_tui.tui.screens.engine_error import EngineErrorScreen
from vmtiming_tui.tui.screens.main import MainScreen
from vmtiming_tui.tui.screens.too_small import TooSmallScreen
from vmtiming_tui.tui.settings import DashboardSettings

DONE = 90.0
FAILED = ev.EngineFailed(
    at_ns=ZERO_NS + SECOND,
    why="the engine ended unexpectedly (killed by SIGKILL)",
    hint="every VM was ended with it; run again",
)


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
        assert re.search(r"0 ◔ connected +1\.\d‖", stage.text)
        assert re.search(r"1 ◔ connected +1\.\d↻", stage.text)
        await stage.sees("VM 2: the guest's kernel panicked")
        await stage.press("enter")
        await stage.sees("‖ paused")


# An engine that cannot go on.


async def test_engine_error_is_a_screen_to_act_on():
    async with dashboard(until(smooth_run(8), 4.0), 4.0) as stage:
        await stage.feed([FAILED])
        stage.on(EngineErrorScreen)
        assert "killed by SIGKILL" in stage.text
        assert "run again" in stage.text
        assert all(f"({key})" in stage.text for key in ("r", "n", "y", "esc", "q"))
        await stage.press("y")
        assert "killed by SIGKILL" in stage.app.clipboard
        await stage.press("escape")
        stage.on(MainScreen)
        await stage.feed([])
        stage.on(MainScreen)


async def test_trying_again_starts_a_new_engine_when_the_old_one_is_gone():
    async with dashboard(until(smooth_run(8), 4.0), 4.0) as stage:
        stage.source.feed([FAILED])
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
        stage.source.feed([replace(FAILED, at_ns=ZERO_NS + 7 * SECOND)])
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
        await stage.feed([FAILED])
        stage.source.end()
        await stage.link_ended()
        stage.on(EngineErrorScreen)
        await stage.press("r")
        await stage.until(lambda: stage.source.opened == 2, "another engine")
        assert stage.source.sent[-1] == Start(plan=other, interactive=True)


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
        await stage.feed([FAILED])
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


# Sizes.


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


# Foreign words.

EVIL = "\x1b[2J\x1b]0;pwned\x07[bold red]x[/][@click=app.leave]y[/] [/nothing] \u202eabc\x9b31m"


async def test_guest_text_is_shown_escaped_everywhere():
    recorder = Recorder(2)
    recorder.storm(0.1, range(2))
    who = {"vm": 0, "attempt": 1}
    late = ZERO_NS + 80 * SECOND
    events = [
        replace(event, text=EVIL) if isinstance(event, ev.VmBooted) else event
        for event in recorder.ordered()
    ]
    events += [
        ev.VmConsole(at_ns=late, text=f"{EVIL}\r\n{EVIL}", total_bytes=99, **who),
        ev.VmDetails(
            at_ns=late, slowest=(EVIL,), failed_units=(EVIL,), critical_chain=(EVIL,), **who
        ),
        ev.ReportRejected(at_ns=late, why=EVIL, excerpt=EVIL, **who),
        ev.QmpSeen(at_ns=late, name=EVIL, data={EVIL: EVIL}, **who),
        ev.Notice(at_ns=late, level=ev.Level.WARNING, text=EVIL),
        ev.VmExited(at_ns=late, stderr=EVIL, reason=EVIL, exit_code=1, **who),
    ]
    async with dashboard(events, DONE, number=2) as stage:
        texts = [stage.text]
        for keys in (("v",), ("enter",), ("2",), ("3",), ("4",), ("slash", "["), ("enter",)):
            await stage.press(*keys)
            texts.append(stage.text)
        await stage.feed([ev.EngineFailed(at_ns=late, why=EVIL, hint=EVIL)])
        texts.append(stage.text)
    whole = "\n".join(texts)
    for char in "\x1b\x07\x9b\u202e":
        assert char not in whole
    assert whole.count("[bold red]x") >= 6
    assert "\\x1b[2J" in whole


# The mouse.


async def test_click_moves_the_cursor_and_a_second_one_opens():
    async with dashboard(troubled_run(40), DONE, number=40) as stage:
        grid = stage.main.grid_area
        await stage.pilot.click(grid, offset=(grid.cell_width + 3, 1))
        await stage.pilot.pause()
        assert stage.main.area.current == grid.columns + 1
        await stage.pilot.click(grid, offset=(3, 0), control=True)
        await stage.pilot.pause()
        assert stage.app.model.view.marked == {0}
        await stage.pilot.click(grid, offset=(3, 0))
        await stage.pilot.pause()
        assert stage.on(DetailScreen).vm_id == 0


async def test_click_beyond_the_last_vm_does_nothing():
    async with dashboard(smooth_run(3), DONE, size=(200, 60), number=3) as stage:
        await stage.pilot.click(
            stage.main.grid_area, offset=(3, stage.main.grid_area.size.height - 1)
        )
        await stage.pilot.pause()
        assert stage.main.area.current == 0


async def test_click_on_a_heading_sorts_and_again_reverses():
    async with dashboard(troubled_run(40), DONE, number=40) as stage:
        await stage.press("v")
        head = stage.main.table_head
        x = head.render_line(0).text.index("host s") + 2
        await stage.pilot.click(head, offset=(x, 0))
        await stage.pilot.pause()
        first = stage.app.model.view.shown
        await stage.pilot.click(head, offset=(x, 0))
        await stage.pilot.pause()
        assert stage.app.model.view.descending
        times = [stage.app.model.fleet.vms[vm].newest.elapsed_ns(0) for vm in first]
        assert times == sorted(times)


async def test_wheel_scrolls():
    async with dashboard(troubled_run(400), DONE, size=(80, 24), number=400) as stage:
        grid = stage.main.grid_area
        await stage.pilot._post_mouse_events([events.MouseScrollDown], grid, (5, 5))
        await stage.until(lambda: grid.scroll_y > 0, "a scrolled grid")


async def test_cursor_is_scrolled_into_view():
    async with dashboard(troubled_run(400), DONE, size=(80, 24), number=400) as stage:
        await stage.press("G")
        assert "399 " in stage.text
        await stage.press("g")
        assert stage.main.grid_area.scroll_y == 0


# The user's keys and colours.


async def test_changed_key_works_and_is_shown():
    async with dashboard(smooth_run(8), DONE, keys={"main.rerun": "f5"}) as stage:
        await stage.press("r")
        assert not any(isinstance(command, Rerun) for command in stage.source.sent)
        await stage.press("f5")
        assert stage.source.sent[-1] == Rerun(vms=(0,))
        assert "F5 rerun" in stage.text.splitlines()[-1]
        await stage.press("question_mark")
        assert re.search(r"F5 +Boot the marked", stage.text)


async def test_faults_of_the_settings_are_told():
    async with dashboard(problems=("config.toml: [/] is not TOML",)) as stage:
        assert "[/] is not TOML" in stage.notes


@pytest.mark.parametrize(
    "keys", [(), ("v",), ("enter",), ("question_mark",), ("e",), ("n",), ("q",)]
)
async def test_no_color_has_no_colour(keys):
    async with dashboard(troubled_run(40), 7.5, number=40, colour=False) as stage:
        await stage.press(*keys)
        picture = stage.app.export_screenshot()
    colours = set(re.findall(r"(?:fill|stroke): ?(#[0-9a-fA-F]{6})", picture))
    for colour in colours - {"#ff5f57", "#febc2e", "#28c840"}:
        red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
        assert max(red, green, blue) - min(red, green, blue) < 12, colour


@pytest.mark.parametrize(
    "keys", [(), ("v",), ("enter",), ("question_mark",), ("q",), ("e",), ("n",)]
)
async def test_ascii_is_ascii(keys):
    async with dashboard(troubled_run(40), 7.5, number=40, ascii_only=True) as stage:
        await stage.press(*keys)
        foreign = {char for char in stage.text if not char.isascii()}
    assert not foreign


# The way out.


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
    app = VmTimingApp(source.connect, plan_for(2), DashboardSettings(), live=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        show(app)
        await pilot.press("r")
        await pilot.pause()
        assert not any(isinstance(command, Rerun) for command in source.sent)
    source.end()
    await app.link.close()


def test_pictures_of_the_readme_are_there():
    folder = Path(__file__).parents[2] / "assets" / "screenshots"
    assert len(list(folder.glob("*.svg"))) >= 3
