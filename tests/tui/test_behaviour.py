"""What happens on screen when something happens: errors, sizes, forms, files, foreign words."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest
from textual import events
from textual.widgets import Button, Input, RadioSet

from tests.tui.recording import (
    SECOND,
    ZERO_NS,
    RecordedSource,
    Recorder,
    config_of,
    plan_for,
    smooth_run,
    troubled_run,
    until,
)
from tests.tui.stage import dashboard, show, text_of
from vmtiming_tui import events as ev
from vmtiming_tui.commands import Quit, Rerun, Start, Stop
from vmtiming_tui.errors import EngineError
from vmtiming_tui.export import write_export
from vmtiming_tui.fleet import RunState
from vmtiming_tui.tui import app as app_module
from vmtiming_tui.tui.app import VmTimingApp
from vmtiming_tui.tui.model import Change
from vmtiming_tui.tui.screens.confirm import ConfirmScreen
from vmtiming_tui.tui.screens.detail import DetailScreen
from vmtiming_tui.tui.screens.engine_error import EngineErrorScreen
from vmtiming_tui.tui.screens.export import ExportScreen
from vmtiming_tui.tui.screens.main import MainScreen
from vmtiming_tui.tui.screens.new_run import NewRunScreen
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


# Another run.


@pytest.fixture
def bootable(tmp_path, monkeypatch):
    """A config whose files exist."""
    monkeypatch.chdir(tmp_path)
    for name in ("vmlinuz", "initrd", *(f"debian-12-{vm}.img" for vm in range(4))):
        (tmp_path / name).write_bytes(b"x")
    return config_of(
        2, kernel=str(tmp_path / "vmlinuz"), initrd=str(tmp_path / "initrd"), vmdir=str(tmp_path),
        qemu="/bin/true",
    )  # fmt: skip


def run_of(config, at=DONE):
    from vmtiming_tui.plan import plan_of, plan_to_json

    plan = plan_to_json(plan_of(config))
    return [
        replace(event, plan=plan) if isinstance(event, ev.RunStarted) else event
        for event in until(smooth_run(config.number), at)
    ]


async def type_into(stage, field, text):
    stage.screen.query_one(f"#{field}", Input).value = text
    await stage.pilot.pause()


async def test_new_run_is_validated_while_typing_with_the_command_lines_words(bootable):
    async with dashboard(run_of(bootable), DONE, number=2) as stage:
        await stage.press("n")
        screen = stage.on(NewRunScreen)
        for field, text, says in (
            ("number", "0", "out of range"),
            ("memory_mib", "much", "no whole number"),
            ("smp", "", "no whole number"),
            ("timeout_s", "nan", "out of range"),
            ("stagger_s", "-1", "out of range"),
            ("append", "x" * 2001, "2048 bytes"),
        ):
            good = screen.query_one(f"#{field}", Input).value
            await type_into(stage, field, text)
            await stage.sees(says)
            assert screen.query_one("#start", Button).disabled
            await type_into(stage, field, good)
        assert not screen.query_one("#start", Button).disabled


async def test_new_run_starts_with_the_settings_given(bootable):
    async with dashboard(run_of(bootable), DONE, number=2) as stage:
        await stage.press("n")
        await type_into(stage, "number", "4")
        await type_into(stage, "append", "quiet splash")
        await stage.press("enter")
        await stage.app.workers.wait_for_complete()
        await stage.pilot.pause()
        starts = [command for command in stage.source.sent if isinstance(command, Start)]
        wanted = replace(bootable, number=4, append="quiet splash")
        assert starts[-1].plan.config == wanted
        assert starts[-1].interactive


async def test_new_run_says_which_files_are_missing(bootable):
    async with dashboard(run_of(bootable), DONE, number=2) as stage:
        await stage.press("n")
        await type_into(stage, "number", "9")
        await stage.press("enter")
        await stage.app.workers.wait_for_complete()
        await stage.pilot.pause()
        stage.on(NewRunScreen)
        await stage.sees("and 4 more not found")


async def test_new_run_that_this_host_cannot_hold_leaves_the_one_under_way_alone(bootable):
    async with dashboard(run_of(bootable, 3.0), 3.0, number=2) as stage:
        sent = list(stage.source.sent)
        await stage.press("n")
        await type_into(stage, "memory_mib", str(1 << 24))
        await stage.press("enter")
        await stage.app.workers.wait_for_complete()
        await stage.sees("0 VMs fit")
        stage.on(NewRunScreen)
        assert stage.source.sent == sent


async def test_new_run_that_was_refused_is_what_is_asked_for_again(bootable):
    async with dashboard(run_of(bootable), DONE, number=2) as stage:
        await stage.press("n")
        await type_into(stage, "number", "3")
        await stage.press("enter")
        await stage.app.workers.wait_for_complete()
        refused = ev.EngineFailed(at_ns=ZERO_NS + 99 * SECOND, why="no room", hint="make some")
        await stage.feed([refused])
        await stage.comes(EngineErrorScreen)
        await stage.press("r")
        assert stage.source.sent[-1].plan.config.number == 3
        await stage.press("n")
        assert stage.screen.query_one("#number", Input).value == "3"


async def test_new_run_ends_the_one_under_way_first(bootable):
    async with dashboard(run_of(bootable, 3.0), 3.0, number=2) as stage:
        await stage.press("n")
        assert "Starting ends 2 running VMs first." in stage.text
        await stage.press("enter")
        await stage.app.workers.wait_for_complete()
        await stage.pilot.pause()
        assert isinstance(stage.source.sent[-1], Stop)
        await stage.feed([ev.RunEnded(at_ns=ZERO_NS + 4 * SECOND, outcome=ev.Outcome.STOPPED)])
        stage.app.turn()
        assert isinstance(stage.source.sent[-1], Start)


# Exports.


async def export(stage, path, *keys):
    await stage.press("e")
    await type_into(stage, "path", str(path))
    await stage.press(*keys, "enter")
    await stage.app.workers.wait_for_complete()
    await stage.pilot.pause()


@pytest.mark.parametrize("suffix", [".json", ".csv", ".md", ".txt"])
async def test_export_is_what_the_command_line_writes(tmp_path, suffix):
    async with dashboard(troubled_run(40), DONE, number=40) as stage:
        path, other = tmp_path / f"out{suffix}", tmp_path / f"other{suffix}"
        await export(stage, path)
        write_export(other, stage.app.model.fleet)
        assert path.read_bytes() == other.read_bytes()
        await stage.sees(f"Wrote {path}")
        await stage.press("y")
        assert stage.app.clipboard == str(path)


async def test_export_of_the_marked_and_of_the_filtered(tmp_path):
    async with dashboard(troubled_run(40), DONE, number=40) as stage:
        await stage.press("space", "space", "4", "e")
        assert "marked (2)" in stage.text
        assert "filtered (3)" in stage.text
        scope = stage.screen.query_one("#scope", RadioSet)
        assert scope.pressed_button.id == "marked"
        marked, filtered = tmp_path / "m.csv", tmp_path / "f.csv"
        await type_into(stage, "path", str(marked))
        await stage.press("enter")
        await stage.app.workers.wait_for_complete()
        stage.screen.query_one("#filtered").value = True
        await stage.pilot.pause()
        stage.screen.query_one("#path").focus()
        await type_into(stage, "path", str(filtered))
        await stage.press("enter")
        await stage.app.workers.wait_for_complete()
        assert len(marked.read_text().splitlines()) == 3
        assert len(filtered.read_text().splitlines()) == 4


async def test_export_during_a_run_says_that_it_is_partial(tmp_path):
    async with dashboard(troubled_run(40), 4.0, number=40) as stage:
        await stage.press("e")
        assert "partial" in stage.text


@pytest.mark.parametrize(("ascii_only", "sign"), [(False, "●"), (True, "*")])
async def test_export_shows_the_chosen_vms_by_a_sign(ascii_only, sign):
    async with dashboard(smooth_run(4), DONE, number=4, ascii_only=ascii_only) as stage:
        await stage.press("space", "e")
        assert f"( ) all (4)    ({sign}) marked (1)    ( ) filtered (0)" in stage.text


async def test_export_asks_before_it_replaces(tmp_path):
    path = tmp_path / "out.md"
    path.write_text("mine")
    async with dashboard(smooth_run(2), DONE, number=2) as stage:
        await export(stage, path)
        stage.on(ConfirmScreen)
        await stage.press("n")
        assert path.read_text() == "mine"
        stage.screen.query_one("#path").focus()
        await stage.press("enter", "y")
        await stage.app.workers.wait_for_complete()
        assert "mine" not in path.read_text()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("out.pdf", "Unknown ending"),
        ("no/out.md", "no folder"),
        ("x" * 300 + ".md", "cannot be written: File name too long"),
    ],
)
async def test_export_says_what_is_wrong_with_a_path(tmp_path, name, says):
    async with dashboard(smooth_run(2), DONE, number=2) as stage:
        await export(stage, tmp_path / name)
        stage.on(ExportScreen)
        assert says in stage.text


async def test_export_that_fails_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    import vmtiming_tui.tui.screens.export as module
    from vmtiming_tui.errors import ExportError

    def full(*_args, **_how):
        raise ExportError("No space left on device", hint="free some space")

    monkeypatch.setattr(module, "write_export", full)
    async with dashboard(smooth_run(2), DONE, number=2) as stage:
        await export(stage, tmp_path / "out.md")
        assert "Not written: No space left on device" in stage.text
        assert not list(tmp_path.iterdir())


async def test_screenshot_never_replaces_one(tmp_path):
    async with dashboard(smooth_run(2), DONE, number=2) as stage:
        for _ in range(2):
            stage.app.action_screenshot("picture.svg", str(tmp_path))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["picture-2.svg", "picture.svg"]


async def test_screenshot_into_a_folder_that_is_not_there_is_said(tmp_path):
    async with dashboard(smooth_run(2), DONE, number=2) as stage:
        stage.app.action_screenshot("picture.svg", str(tmp_path / "none"))
        await stage.until(lambda: "No such file" in stage.notes, "what is wrong")


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
