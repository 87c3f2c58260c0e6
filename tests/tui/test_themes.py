"""ctrl+t: every screen in the other theme's colours, as if the dashboard had begun with it."""

from collections.abc import Awaitable, Callable

import pytest

from support import keys
from support.recording import troubled_run
from support.stage import Stage, dashboard, drawn, settle

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


Drawn = list[list[tuple[str, object, object]]]

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
        turned = await settled(stage)
        assert light != dark
        assert differing(turned, light) == []
        await stage.press("ctrl+t")
        assert differing(await settled(stage), dark) == []


async def test_screens_below_are_painted_anew_too():
    async with dashboard(troubled_run(NUMBER), DONE, number=NUMBER, theme="light") as stage:
        await keys.opened(stage)
        wanted = await settled(stage)
    async with dashboard(troubled_run(NUMBER), DONE, number=NUMBER) as stage:
        await keys.opened(stage)
        await keys.help_of_all_vms(stage)
        await stage.press("ctrl+t", "escape")
        assert differing(await settled(stage), wanted) == []


async def settled(stage: Stage) -> Drawn:
    """Return what is drawn once no timer, no cursor and no reckoning changes it."""
    for field in stage.screen.query("Input"):
        field.cursor_blink = False
    await stage.pilot.wait_for_scheduled_animations()
    await settle(stage.app)
    await stage.pilot.pause()
    return drawn(stage.app)


def differing(seen: Drawn, wanted: Drawn) -> list[str]:
    """Return the lines that are not as wanted, short enough to be read in a report."""
    told = []
    for row, (one, other) in enumerate(zip(seen, wanted, strict=True)):
        if one != other:
            at = next(at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
            text = "".join(char for char, *_ in one).rstrip()
            told.append(f"line {row}, column {at}: {one[at]}, not {other[at]}: {text}")
    return told
