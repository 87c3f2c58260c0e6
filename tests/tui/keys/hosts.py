"""The keys of the hosts of a run on several."""

from support.keys import Checks, hosts
from vmtiming_tui.tui.screens.hosts import HostsScreen
from vmtiming_tui.tui.screens.storm import StormScreen
from vmtiming_tui.tui.state.host_rows import HostSort

key = Checks()


def names(screen: HostsScreen) -> str:
    return "".join(row.name for row in screen.list.rows)


@key("main.hosts", "hosts.back")
async def _(stage):
    await hosts(stage)
    await stage.press("escape")
    stage.on(StormScreen)


@key("hosts.choose")
async def _(stage):
    await hosts(stage)
    await stage.press("down", "down", "enter")
    assert stage.on(StormScreen).model.view.filter_text == "host:c"
    assert stage.app.model.view.shown == list(range(16, 24))


@key("hosts.filter")
async def _(stage):
    screen = await hosts(stage)
    await stage.press("slash", *"!lost", "enter")
    assert names(screen) == "ac"
    await stage.press("escape")
    assert names(screen) == "bac"


@key("hosts.sort_right", "hosts.sort_left", "hosts.reverse")
async def _(stage):
    screen = await hosts(stage)
    await stage.press("less_than_sign")
    assert (screen.view.sort, names(screen)) == (HostSort.HOST, "abc")
    await stage.press("o")
    assert names(screen) == "cba"
    await stage.press("greater_than_sign", "greater_than_sign", "o")
    assert (screen.view.sort, names(screen)) == (HostSort.BOOTED, "bac")


@key("hosts.down", "hosts.up", "hosts.page_down", "hosts.page_up", "hosts.first", "hosts.last")
async def _(stage):
    screen = await hosts(stage)
    pointed = []
    for pressed in ("down", "up", "pagedown", "pageup", "G", "g"):
        await stage.press(pressed)
        pointed.append(screen.list.current.name)
    assert "".join(pointed) == "abcbcb"
