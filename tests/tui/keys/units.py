"""The keys of the boot chart."""

from support.keys import Checks, opened, run_of_units, units
from vmtiming_tui.tui.screens.detail import DetailScreen
from vmtiming_tui.tui.screens.storm import StormScreen
from vmtiming_tui.tui.screens.units import UnitsScreen

key = Checks()


@key("main.units")
async def _(stage):
    await stage.feed(run_of_units())
    await stage.press("u")
    await stage.comes(UnitsScreen)
    await stage.sees("median of 6 boots")


@key("detail.units")
async def _(stage):
    await stage.feed(run_of_units())
    await opened(stage)
    await stage.press("u")
    await stage.comes(UnitsScreen)
    await stage.sees("VM 2, beside the median of all boots")
    await stage.press("escape")
    stage.on(DetailScreen)


@key("units.back")
async def _(stage):
    await units(stage)
    await stage.press("escape")
    stage.on(StormScreen)


@key("units.sort_right")
async def _(stage):
    screen = await units(stage)
    await stage.press("greater_than_sign")
    assert "slowest first" in stage.text
    assert screen.list.current.took_s == max(row.took_s for row in screen.list.rows)


@key("units.sort_left")
async def _(stage):
    screen = await units(stage)
    await stage.press("less_than_sign")
    assert "by name" in stage.text
    assert screen.list.current.name == min(row.name for row in screen.list.rows)


@key("units.down", "units.up")
async def _(stage):
    screen = await units(stage)
    await stage.press("down", "j", "k")
    assert screen.list.current is screen.list.rows[1]
    await stage.press("up", "up")
    assert screen.list.current is screen.list.rows[0]


@key("units.page_down", "units.page_up")
async def _(stage):
    screen = await units(stage)
    await stage.press("pagedown")
    assert screen.list.current is screen.list.rows[screen.list.size.height - 1]
    await stage.press("pageup")
    assert screen.list.current is screen.list.rows[0]


@key("units.first", "units.last")
async def _(stage):
    screen = await units(stage)
    await stage.press("G")
    assert screen.list.current is screen.list.rows[-1]
    assert screen.list.current.name in stage.text
    await stage.press("g")
    assert screen.list.current is screen.list.rows[0]
