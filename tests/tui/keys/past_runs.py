"""The keys of the history, of the comparison and of the sweep."""

from support.keys import Check, Checks, comparison, history, sweep
from support.stage import Stage
from vmtiming_tui.tui.screens.compare import CompareScreen
from vmtiming_tui.tui.screens.history import HistoryScreen
from vmtiming_tui.tui.screens.storm import StormScreen

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


def _scrolls(down: str, up: str) -> Check:
    async def check(stage: Stage) -> None:
        pane = (await comparison(stage)).pane
        await stage.press(down)
        await stage.until(lambda: pane.scroll_y > 0, "further down")
        await stage.press(up)
        await stage.until(lambda: pane.scroll_y == 0, "the top")

    return check


key("compare.down", "compare.up")(_scrolls("j", "k"))
key("compare.page_down", "compare.page_up")(_scrolls("pagedown", "pageup"))


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


def _scrolls_the_sweep(down: str, up: str) -> Check:
    async def check(stage: Stage) -> None:
        pane = (await sweep(stage, 60)).pane
        await stage.press(down)
        await stage.until(lambda: pane.scroll_y > 0, "further down")
        await stage.press(up)
        await stage.until(lambda: pane.scroll_y == 0, "the top")

    return check


key("sweep.down", "sweep.up")(_scrolls_the_sweep("j", "k"))
key("sweep.page_down", "sweep.page_up")(_scrolls_the_sweep("pagedown", "pageup"))
