"""Every key does what the help says; and every key is said where the user looks for it."""

import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from support.past_runs import keep
from support.recording import smooth_run, troubled_run, until
from support.stage import Stage, dashboard
from vmtiming_tui.commands import Act, Quit, ReadConsole, Rerun, VmAction
from vmtiming_tui.fleet import VmState
from vmtiming_tui.tui import keymap
from vmtiming_tui.tui.screens.compare import CompareScreen
from vmtiming_tui.tui.screens.confirm import ConfirmScreen
from vmtiming_tui.tui.screens.detail import DetailScreen
from vmtiming_tui.tui.screens.export import ExportScreen
from vmtiming_tui.tui.screens.help import HelpScreen
from vmtiming_tui.tui.screens.history import HistoryScreen
from vmtiming_tui.tui.screens.main import MainScreen
from vmtiming_tui.tui.screens.new_run import NewRunScreen
from vmtiming_tui.tui.view import Sort

Check = Callable[[Stage], Awaitable[None]]

DONE = 90.0
CHECKS: dict[str, tuple[float, Check]] = {}


def key(name: str, *, at: float = DONE) -> Callable[[Check], Check]:
    """Say which key a check is of, and how far the run has gone."""

    def register(check: Check) -> Check:
        CHECKS[name] = (at, check)
        return check

    return register


def sent(stage: Stage, kind: type) -> list[object]:
    return [command for command in stage.source.sent if isinstance(command, kind)]


@pytest.mark.parametrize("name", sorted(keymap.IDS))
async def test_key_does_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    at, check = CHECKS[name]
    async with dashboard(troubled_run(40), at, number=40) as stage:
        await check(stage)


def test_every_key_has_a_check():
    assert set(CHECKS) == keymap.IDS


# Anywhere.


@key("help")
async def _(stage):
    for name in ("question_mark", "f1"):
        await stage.press(name)
        stage.on(HelpScreen)
        assert "Boot every VM again that failed" in stage.text
        await stage.press("escape")
        stage.on(MainScreen)


@key("palette")
async def _(stage):
    await stage.press("ctrl+p", *"rerun failed")
    await stage.pilot.pause(0.5)
    await stage.press("enter")
    await stage.pilot.pause(0.2)
    assert [set(rerun.vms) for rerun in sent(stage, Rerun)] == [set(stage.app.model.lost)]


@key("screenshot")
async def _(stage):
    await stage.press("ctrl+s")
    (picture,) = Path.cwd().glob("vm-timing-*.svg")
    assert "debian-12" in picture.read_text().replace("&#160;", " ")
    assert str(picture) in stage.notes


@key("theme")
async def _(stage):
    dark = stage.app.palette.text
    await stage.press("ctrl+t")
    assert not stage.app.current_theme.dark
    assert stage.app.palette.text != dark
    await stage.press("ctrl+t")
    assert stage.app.current_theme.dark


@key("suspend")
async def _(stage):
    suspended = []
    stage.app.action_suspend_process = lambda: suspended.append(True)
    await stage.press("ctrl+z")
    assert suspended


@key("quit", at=7.0)
async def _(stage):
    for name in ("q", "ctrl+q", "ctrl+c"):
        await stage.press(name)
        assert "End everything and leave?" in stage.text
        assert stage.app.focused.id == "cancel"
        await stage.press("enter")
        stage.on(MainScreen)
    assert not sent(stage, Quit)
    await stage.press("q", "y")
    await stage.pilot.pause(0.1)
    assert sent(stage, Quit)
    assert not stage.app.is_running


# All VMs: moving, marking.


@key("main.left")
async def _(stage):
    for name in ("left", "h"):
        await stage.press("g", "right", name)
        assert stage.main.area.current == 0


@key("main.right")
async def _(stage):
    for name in ("right", "l"):
        await stage.press("g", name)
        assert stage.main.area.current == 1


@key("main.down")
async def _(stage):
    for name in ("down", "j"):
        await stage.press("g", name)
        assert stage.main.area.cursor == stage.main.area.columns


@key("main.up")
async def _(stage):
    for name in ("up", "k"):
        await stage.press("g", "down", "down", name)
        assert stage.main.area.cursor == stage.main.area.columns


@key("main.page_down")
async def _(stage):
    await stage.press("v", "pagedown")
    assert stage.main.area.cursor == stage.main.area.size.height - 1


@key("main.page_up")
async def _(stage):
    await stage.press("v", "G", "pageup")
    assert stage.main.area.cursor == 39 - (stage.main.area.size.height - 1)


@key("main.first")
async def _(stage):
    for name in ("g", "home"):
        await stage.press("G", name)
        assert stage.main.area.current == 0


@key("main.last")
async def _(stage):
    for name in ("G", "end"):
        await stage.press("g", name)
        assert stage.main.area.current == 39


@key("main.mark")
async def _(stage):
    await stage.press("space", "space")
    assert stage.app.model.view.marked == {0, 1}
    assert "2 marked" in stage.text


@key("main.mark_all")
async def _(stage):
    await stage.press("a")
    assert stage.app.model.view.marked == set(range(40))
    await stage.press("a")
    assert not stage.app.model.view.marked


@key("main.detail")
async def _(stage):
    await stage.press("right", "enter")
    assert stage.on(DetailScreen).vm_id == 1


# All VMs: what is shown.


@key("main.view")
async def _(stage):
    assert "residual" not in stage.text
    await stage.press("right", "v")
    assert "residual" in stage.text
    assert stage.main.area.current == 1
    await stage.press("v")
    assert "residual" not in stage.text


@key("main.freeze", at=7.0)
async def _(stage):
    await stage.press("p")
    before = stage.main.grid_area.render_line(0).text
    rest = [event for event in troubled_run(40) if event not in until(troubled_run(40), 7.0)]
    await stage.feed(rest, at=DONE)
    assert "FROZEN" in stage.text
    assert stage.main.grid_area.render_line(0).text == before
    await stage.press("p")
    await stage.feed([])
    assert "FINISHED" in stage.text


@key("main.filter")
async def _(stage):
    await stage.press("slash", *"panicked", "enter")
    lost = [vm.id for vm in stage.app.model.fleet.vms.values() if vm.state is VmState.FAILED]
    assert stage.app.model.view.shown == lost
    await stage.press("slash", "home", "!", "enter")
    assert stage.app.model.view.shown == [vm for vm in range(40) if vm not in lost]


for _number, _states in enumerate(
    ((), (), (VmState.BOOTED, VmState.OFF), (VmState.FAILED,), (VmState.TIMED_OUT,),
     (VmState.KILLED,)), 1,
):  # fmt: skip

    @key(f"main.state_{_number}")
    async def _(stage, number=_number, states=_states):
        await stage.press(str(number))
        fleet = stage.app.model.fleet
        assert stage.app.model.view.shown == [
            vm.id for vm in fleet.vms.values() if vm.state in states
        ]
        if not states:
            assert "No VM matches" in stage.text
        await stage.press(str(number))
        assert len(stage.app.model.view.shown) == 40


@key("main.sort_right")
async def _(stage):
    await stage.press("greater_than_sign", "greater_than_sign")
    assert stage.app.model.view.sort is Sort.TIME
    times = [
        stage.app.model.fleet.vms[vm].newest.elapsed_ns(0) for vm in stage.app.model.view.shown
    ]
    assert times == sorted(times)
    assert "by host s" in stage.text


@key("main.sort_left")
async def _(stage):
    await stage.press("less_than_sign")
    assert stage.app.model.view.sort is Sort.CPU


@key("main.reverse")
async def _(stage):
    await stage.press("o")
    assert stage.app.model.view.shown == list(range(39, -1, -1))


@key("main.back")
async def _(stage):
    await stage.press("space", "4", "slash", "escape")
    assert stage.app.model.view.filter_text == "failed"
    await stage.press("escape")
    assert not stage.app.model.view.filter_text
    assert stage.app.model.view.marked
    await stage.press("escape")
    assert not stage.app.model.view.marked


# All VMs: what is done.


@key("main.rerun")
async def _(stage):
    await stage.press("right", "r")
    await stage.press("space", "space", "r")
    assert [rerun.vms for rerun in sent(stage, Rerun)] == [(1,), (1, 2)]


@key("main.rerun_failed")
async def _(stage):
    await stage.press("R")
    assert [set(rerun.vms) for rerun in sent(stage, Rerun)] == [set(stage.app.model.lost)]


@key("main.rerun_all")
async def _(stage):
    await stage.press("ctrl+r")
    assert [rerun.vms for rerun in sent(stage, Rerun)] == [tuple(range(40))]


@key("main.new_run")
async def _(stage):
    await stage.press("n")
    stage.on(NewRunScreen)


@key("main.kill", at=4.0)
async def _(stage):
    await stage.press("K")
    stage.on(ConfirmScreen)
    await stage.press("enter")
    assert not sent(stage, Act)
    await stage.press("space", "space", "K", "y")
    assert sent(stage, Act) == [Act(action=VmAction.KILL, vms=(0, 1))]


@key("main.export")
async def _(stage):
    await stage.press("e")
    stage.on(ExportScreen)


@key("main.copy")
async def _(stage):
    await stage.press("y")
    assert stage.app.clipboard.startswith("qemu-system-x86_64 -S ")
    assert "'root=/dev/vda console=ttyS0 quiet'" in stage.app.clipboard


# One VM.


async def opened(stage: Stage, vm: int = 2) -> DetailScreen:
    await stage.press(*["right"] * vm, "enter")
    screen = stage.on(DetailScreen)
    assert screen.vm_id == vm
    return screen


@key("detail.back")
async def _(stage):
    await opened(stage)
    await stage.press("right_square_bracket", "escape")
    stage.on(MainScreen)
    assert stage.main.area.current == 3


@key("detail.next")
async def _(stage):
    screen = await opened(stage)
    await stage.press("right_square_bracket")
    assert screen.vm_id == 3
    assert "VM 3 " in stage.text


@key("detail.previous")
async def _(stage):
    screen = await opened(stage)
    await stage.press(*["left_square_bracket"] * 3)
    assert screen.vm_id == 39


@key("detail.older")
async def _(stage):
    screen = await opened(stage)
    assert screen.attempt.number == 2
    await stage.press("comma")
    assert screen.attempt.number == 1
    assert "attempt 1 of 2" in stage.text


@key("detail.newer")
async def _(stage):
    screen = await opened(stage)
    await stage.press("comma", "full_stop")
    assert screen.attempt.number == 2


@key("detail.rerun")
async def _(stage):
    await opened(stage)
    await stage.press("r")
    assert sent(stage, Rerun) == [Rerun(vms=(2,))]


@key("detail.pause", at=4.0)
async def _(stage):
    screen = await opened(stage)
    await stage.press("P")
    screen.attempt.paused = True
    await stage.press("P")
    assert [act.action for act in sent(stage, Act)] == [VmAction.PAUSE, VmAction.RESUME]


async def asks_first(stage: Stage, name: str, action: VmAction) -> None:
    await opened(stage)
    await stage.press(name)
    stage.on(ConfirmScreen)
    await stage.press("n")
    assert not sent(stage, Act)
    await stage.press(name, "y")
    assert sent(stage, Act) == [Act(action=action, vms=(2,))]


@key("detail.powerdown", at=4.0)
async def _(stage):
    await asks_first(stage, "D", VmAction.POWERDOWN)


@key("detail.reset", at=4.0)
async def _(stage):
    await asks_first(stage, "X", VmAction.RESET)


@key("detail.kill", at=4.0)
async def _(stage):
    await asks_first(stage, "K", VmAction.KILL)


@key("detail.copy")
async def _(stage):
    await opened(stage)
    await stage.press("y")
    assert "debian-12-2.img" in stage.app.clipboard


@key("detail.export")
async def _(stage):
    await opened(stage)
    await stage.press("e")
    stage.on(ExportScreen)


@key("detail.pane")
async def _(stage):
    screen = await opened(stage)
    await stage.press("tab")
    assert screen.pane is screen.console_pane


@key("detail.pane_back")
async def _(stage):
    screen = await opened(stage)
    await stage.press("shift+tab")
    assert screen.pane is screen.qemu_pane


for _number, _name in enumerate(("guest", "console", "events", "qemu"), 1):

    @key(f"detail.pane_{_number}")
    async def _(stage, number=_number, name=_name):
        screen = await opened(stage)
        await stage.press(str(number))
        assert screen.pane.id == name


async def console(stage: Stage) -> DetailScreen:
    screen = await opened(stage)
    await stage.press("2")
    return screen


@key("detail.search")
async def _(stage):
    screen = await console(stage)
    await stage.press("slash", *"systemd", "enter")
    assert str(screen.pane.border_subtitle).endswith("4 found")


@key("detail.match_next")
async def _(stage):
    screen = await console(stage)
    await stage.press("slash", *"systemd", "enter", "n")
    assert str(screen.pane.border_subtitle) == "2 of 4 found"


@key("detail.match_back")
async def _(stage):
    screen = await console(stage)
    await stage.press("slash", *"systemd", "enter", "N")
    assert str(screen.pane.border_subtitle) == "4 of 4 found"


@key("detail.follow")
async def _(stage):
    screen = await console(stage)
    assert screen.console_pane.follows
    await stage.press("f")
    assert not screen.console_pane.follows


@key("detail.down")
async def _(stage):
    screen = await console(stage)
    await stage.press("g", "down", "j")
    assert screen.pane.scroll_y == 2


@key("detail.up")
async def _(stage):
    screen = await console(stage)
    await stage.press("g", "down", "j", "up", "k")
    assert screen.pane.scroll_y == 0


@key("detail.page_down")
async def _(stage):
    screen = await console(stage)
    await stage.press("g", "pagedown")
    assert screen.pane.scroll_y > 2


@key("detail.page_up")
async def _(stage):
    screen = await console(stage)
    await stage.press("g", "pagedown", "pageup")
    assert screen.pane.scroll_y == 0


@key("detail.top")
async def _(stage):
    screen = await console(stage)
    for name in ("g", "home"):
        await stage.press("G", name)
        assert screen.pane.scroll_y == 0


@key("detail.bottom")
async def _(stage):
    screen = await console(stage)
    for name in ("G", "end"):
        await stage.press("g", name)
        assert screen.pane.scroll_y == screen.pane.max_scroll_y > 0


# Where keys are said.


async def test_detail_asks_for_the_console_while_the_vm_runs():
    async with dashboard(smooth_run(8), 4.0) as stage:
        await opened(stage)
        assert ReadConsole(vm=2, seen_bytes=0) in stage.source.sent


@pytest.mark.parametrize("scope", keymap.SCOPES)
async def test_help_and_palette_have_every_key(scope, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    ways = {
        keymap.Scope.DETAIL: opened,
        keymap.Scope.HISTORY: _history,
        keymap.Scope.COMPARE: _comparison,
    }
    async with dashboard(smooth_run(8), 60, size=(120, 120)) as stage:
        if scope in ways:
            await ways[scope](stage)
        offered = {command.help for command in stage.app.get_system_commands(stage.screen)}
        await stage.press("question_mark")
        shown = re.sub(r"[\s│]+", " ", stage.text)
        for one in keymap.SCOPES[scope]:
            assert re.sub(r"\s+", " ", one.help) in shown
            assert one.id == "palette" or any(words.startswith(one.help) for words in offered)


def test_ids_and_keys_are_unique_where_they_meet():
    assert len(keymap.IDS) == len(keymap.ALL)
    for scope in (keymap.MAIN, keymap.DETAIL):
        keys = [one for key in (*scope, *keymap.ANYWHERE) for one in key.keys.split(",")]
        assert len(keys) == len(set(keys))


async def test_footer_shows_the_most_wanted_keys_and_can_be_clicked():
    async with dashboard(smooth_run(8), 60, size=(80, 24)) as stage:
        last = stage.text.splitlines()[-1]
        for word in ("? help", "q quit", "enter detail", "r rerun", "e export"):
            assert word in last
        await stage.pilot.click("#footer", offset=(last.index("? help") + 2, 0))
        await stage.pilot.pause()
        stage.on(HelpScreen)


# The history and the comparison.


async def _history(stage: Stage) -> HistoryScreen:
    keep(Path(os.environ["XDG_STATE_HOME"]), "first", "second")
    await stage.press("H")
    screen = await stage.comes(HistoryScreen)
    await stage.sees("2 runs")
    return screen


async def _comparison(stage: Stage) -> CompareScreen:
    keep(Path(os.environ["XDG_STATE_HOME"]), "first", "second")
    await stage.press("c")
    screen = await stage.comes(CompareScreen)
    await stage.sees("this run")
    return screen


@key("main.history")
async def _(stage):
    await _history(stage)


@key("main.compare")
async def _(stage):
    await _comparison(stage)


@key("history.back")
async def _(stage):
    await _history(stage)
    await stage.press("escape")
    stage.on(MainScreen)


@key("history.compare")
async def _(stage):
    await _history(stage)
    await stage.press("c")
    await stage.comes(CompareScreen)


@key("history.mark")
async def _(stage):
    screen = await _history(stage)
    await stage.press("space")
    assert screen.marked is screen.runs[0]
    await stage.press("space")
    assert screen.marked is None


@key("history.down")
async def _(stage):
    screen = await _history(stage)
    await stage.press("j")
    assert screen.current is screen.runs[1]


@key("history.up")
async def _(stage):
    screen = await _history(stage)
    await stage.press("j", "k")
    assert screen.current is screen.runs[0]


@key("compare.back")
async def _(stage):
    await _comparison(stage)
    await stage.press("escape")
    stage.on(HistoryScreen)


@key("compare.swap")
async def _(stage):
    first = await _comparison(stage)
    await stage.press("s")
    await stage.until(lambda: stage.screen is not first, "the other way round")
    stage.on(CompareScreen)


def _scrolls(down: str, up: str) -> Check:
    async def check(stage: Stage) -> None:
        pane = (await _comparison(stage)).pane
        await stage.press(down)
        await stage.until(lambda: pane.scroll_y > 0, "further down")
        await stage.press(up)
        await stage.until(lambda: pane.scroll_y == 0, "the top")

    return check


CHECKS["compare.down"] = CHECKS["compare.up"] = (DONE, _scrolls("j", "k"))
CHECKS["compare.page_down"] = CHECKS["compare.page_up"] = (DONE, _scrolls("pagedown", "pageup"))
