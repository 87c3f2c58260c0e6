"""The keys of the history, of the comparison of the storms and of warnings."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from support.keys import Check, Checks, any_warnings, comparison, history, storms, trend, warnings
from support.past_runs import keep_named
from support.stage import Stage
from vmtiming_tui.model import events as ev
from vmtiming_tui.tui.screens.compare import CompareScreen
from vmtiming_tui.tui.screens.confirm import ConfirmScreen
from vmtiming_tui.tui.screens.export import ExportScreen
from vmtiming_tui.tui.screens.export_comparison import ExportComparisonScreen
from vmtiming_tui.tui.screens.history import HistoryScreen
from vmtiming_tui.tui.screens.played import PlayedScreen
from vmtiming_tui.tui.screens.run_words import RunWordsScreen
from vmtiming_tui.tui.screens.storm import StormScreen
from vmtiming_tui.tui.screens.storms import StormsScreen
from vmtiming_tui.tui.screens.trend import TrendScreen
from vmtiming_tui.tui.screens.warnings import WarningsScreen

Paned = CompareScreen | StormsScreen | TrendScreen | WarningsScreen

key = Checks()


@key("history.back")
async def _(stage):
    await history(stage)
    await stage.press("escape")
    stage.on(StormScreen)


@key("history.open")
async def _(stage):
    await history(stage)
    await stage.press("enter")
    screen = await stage.comes(PlayedScreen)
    await stage.sees(" REPLAY: FINISHED ")
    assert screen.model.called == "second"


@key("history.replay")
async def _(stage):
    await history(stage)
    await stage.press("r")
    await stage.comes(PlayedScreen)
    await stage.sees(" REPLAY ")


@key("history.compare")
async def _(stage):
    await history(stage)
    await stage.press("c")
    await stage.comes(CompareScreen)


@key("history.mark")
async def _(stage):
    screen = await history(stage)
    await stage.press("space")
    assert screen.marked is screen.runs[0]
    await stage.press("space")
    assert screen.marked is None


@key("history.trend")
async def _(stage):
    await history(stage)
    await stage.press("t")
    await stage.comes(TrendScreen)


@key("history.export")
async def _(stage):
    await history(stage)
    await stage.press("e")
    await stage.comes(ExportScreen)
    await stage.sees("all (8)")


@key("history.name")
async def _(stage):
    screen = await history(stage)
    await stage.press("n")
    await stage.comes(RunWordsScreen)
    await stage.press("X", "enter")
    await stage.until(lambda: screen.current and screen.current.name == "X", "its new name")


@key("history.note")
async def _(stage):
    screen = await history(stage)
    await stage.press("N")
    await stage.comes(RunWordsScreen)
    await stage.press(*"warm", "enter")
    await stage.until(lambda: screen.current and screen.current.notes == "warm", "its notes")
    await stage.sees("notes       warm")


@key("history.delete")
async def _(stage):
    screen = await history(stage)
    for name in ("d", "delete"):
        await stage.press(name)
        await stage.comes(ConfirmScreen)
        await stage.press("enter")
        assert len(screen.runs) == 2
    await stage.press("d", "y")
    await stage.until(lambda: [run.name for run in screen.runs] == ["first"], "one run less")


@key("history.filter")
async def _(stage):
    screen = await history(stage)
    await stage.press("slash", *"fir*", "enter")
    await stage.until(lambda: [run.name for run in screen.runs] == ["first"], "one run")
    await stage.sees("1 of 2 runs match fir*")
    await stage.press("escape")
    await stage.until(lambda: len(screen.runs) == 2, "all runs")
    stage.on(HistoryScreen)


@key("history.first", "history.last")
async def _(stage):
    screen = await history(stage)
    await stage.press("G")
    assert screen.current is screen.runs[-1]
    await stage.press("g")
    assert screen.current is screen.runs[0]


@key("history.down")
async def _(stage):
    screen = await history(stage)
    await stage.press("j")
    assert screen.current is screen.runs[1]


@key("history.up")
async def _(stage):
    screen = await history(stage)
    await stage.press("j", "k")
    assert screen.current is screen.runs[0]


@key("compare.back")
async def _(stage):
    await comparison(stage)
    await stage.press("escape")
    stage.on(HistoryScreen)


@key("compare.swap")
async def _(stage):
    first = await comparison(stage)
    await stage.press("s")
    await stage.until(lambda: stage.screen is not first, "the other way round")
    stage.on(CompareScreen)


@key("compare.export")
async def _(stage):
    await comparison(stage)
    await stage.press("e")
    await stage.comes(ExportComparisonScreen)


@key("trend.back")
async def _(stage):
    await trend(stage)
    await stage.press("escape")
    stage.on(HistoryScreen)


async def _long_trend(stage: Stage) -> TrendScreen:
    keep_named(Path(os.environ["XDG_STATE_HOME"]), *["nightly"] * 40)
    await stage.press("H")
    await stage.comes(HistoryScreen)
    await stage.sees("40 runs")
    await stage.press("t")
    return await stage.comes(TrendScreen)


def _scrolls(opened: Callable[[Stage], Awaitable[Paned]], down: str, up: str) -> Check:
    async def check(stage: Stage) -> None:
        pane = (await opened(stage)).pane
        await stage.press(down)
        await stage.until(lambda: pane.scroll_y > 0, "further down")
        await stage.press(up)
        await stage.until(lambda: pane.scroll_y == 0, "the top")

    return check


@key("main.storms")
async def _(stage):
    await storms(stage)


@key("storms.back")
async def _(stage):
    await storms(stage)
    await stage.press("escape")
    stage.on(StormScreen)


async def _many_storms(stage: Stage) -> StormsScreen:
    return await storms(stage, 12)


def _scrolls_all(scope: str, opened: Callable[[Stage], Awaitable[Paned]]) -> None:
    key(f"{scope}.down", f"{scope}.up")(_scrolls(opened, "j", "k"))
    key(f"{scope}.page_down", f"{scope}.page_up")(_scrolls(opened, "space", "pageup"))
    key(f"{scope}.top", f"{scope}.bottom")(_scrolls(opened, "G", "home"))


async def _many_warnings(stage: Stage) -> WarningsScreen:
    await stage.feed(ev.Notice(at_ns=at, level=ev.Level.WARNING, text="ab"[at % 2] * at)
                     for at in range(1, 60))  # fmt: skip
    screen = await any_warnings(stage)
    await stage.sees("bbb")
    return screen


_scrolls_all("storms", _many_storms)
_scrolls_all("compare", comparison)
_scrolls_all("trend", _long_trend)
_scrolls_all("warnings", _many_warnings)


@key("main.warnings")
async def _(stage):
    await warnings(stage)


@key("warnings.back")
async def _(stage):
    await warnings(stage)
    await stage.press("escape")
    stage.on(StormScreen)
