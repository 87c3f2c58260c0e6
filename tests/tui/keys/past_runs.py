"""The keys of the history, of the comparison and of the sweep."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from support.keys import Check, Checks, comparison, history, sweep, trend
from support.past_runs import keep_named
from support.stage import Stage
from vmtiming_tui.tui.screens.compare import CompareScreen
from vmtiming_tui.tui.screens.export_comparison import ExportComparisonScreen
from vmtiming_tui.tui.screens.history import HistoryScreen
from vmtiming_tui.tui.screens.storm import StormScreen
from vmtiming_tui.tui.screens.sweep import SweepScreen
from vmtiming_tui.tui.screens.trend import TrendScreen

Paned = CompareScreen | SweepScreen | TrendScreen

key = Checks()


@key("history.back")
async def _(stage):
    await history(stage)
    await stage.press("escape")
    stage.on(StormScreen)


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


@key("main.sweep")
async def _(stage):
    await stage.press("w")
    await stage.until(lambda: stage.app.told, "that nothing was varied")
    assert stage.app.told[-1].startswith("Nothing was varied.")
    await sweep(stage)
    await stage.sees("smp=2: slower by ")


@key("sweep.back")
async def _(stage):
    await sweep(stage)
    await stage.press("escape")
    stage.on(StormScreen)


async def _long_sweep(stage: Stage) -> SweepScreen:
    return await sweep(stage, 60)


key("sweep.down", "sweep.up")(_scrolls(_long_sweep, "j", "k"))
key("sweep.page_down", "sweep.page_up")(_scrolls(_long_sweep, "pagedown", "pageup"))
key("compare.down", "compare.up")(_scrolls(comparison, "j", "k"))
key("compare.page_down", "compare.page_up")(_scrolls(comparison, "pagedown", "pageup"))
key("trend.down", "trend.up")(_scrolls(_long_trend, "j", "k"))
key("trend.page_down", "trend.page_up")(_scrolls(_long_trend, "pagedown", "pageup"))
