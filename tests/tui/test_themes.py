"""ctrl+t: every screen in the other theme's colours, as if the dashboard had begun with it."""

from collections.abc import Awaitable, Callable

import pytest

from support import keys
from support.recording import troubled_run
from support.stage import Stage, dashboard, drawn

NUMBER = 40
DONE = 90.0
HALF = 6.4

Way = Callable[[Stage], Awaitable[object]]


async def searched(stage: Stage) -> None:
    await keys.opened(stage)
    await stage.press("2", "slash", *"systemd", "enter")


async def marked(stage: Stage) -> None:
    await keys.history(stage)
    await stage.press("space", "j")


SCREENS = {
    "the grid": (keys.all_vms, HALF),
    "the grid at the end": (keys.all_vms, DONE),
    "the list": (keys.listed, DONE),
    "one VM": (keys.opened, DONE),
    "a found text": (searched, DONE),
    "the history": (marked, DONE),
    "the comparison": (keys.comparison, DONE),
    "the help": (keys.help_of_all_vms, DONE),
    "a question": (keys.question, HALF),
    "the export": (keys.export_form, HALF),
    "a new run": (keys.new_run_form, DONE),
    "a lost engine": (keys.engine_error, HALF),
    "too small a terminal": (keys.too_small, HALF),
}


@pytest.mark.parametrize("name", SCREENS)
async def test_every_screen_is_painted_anew(name, tmp_path, monkeypatch):
    way, at = SCREENS[name]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "light"))
    async with dashboard(troubled_run(NUMBER), at, number=NUMBER, theme="light") as stage:
        await way(stage)
        light = await settled(stage)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "dark"))
    async with dashboard(troubled_run(NUMBER), at, number=NUMBER) as stage:
        await way(stage)
        dark = await settled(stage)
        await stage.press("ctrl+t")
        assert await settled(stage) == light != dark
        await stage.press("ctrl+t")
        assert await settled(stage) == dark


async def test_screens_below_are_painted_anew_too():
    async with dashboard(troubled_run(NUMBER), DONE, number=NUMBER, theme="light") as stage:
        await keys.opened(stage)
        wanted = await settled(stage)
    async with dashboard(troubled_run(NUMBER), DONE, number=NUMBER) as stage:
        await keys.opened(stage)
        await keys.help_of_all_vms(stage)
        await stage.press("ctrl+t", "escape")
        assert await settled(stage) == wanted


async def settled(stage: Stage) -> list[list[tuple[str, object, object]]]:
    """Return what is drawn once no timer and no cursor changes it."""
    for field in stage.screen.query("Input"):
        field.cursor_blink = False
    await stage.pilot.wait_for_scheduled_animations()
    await stage.pilot.pause()
    return drawn(stage.app)
