"""The keys of the screen of one VM."""

from support.keys import Checks, opened, sent
from support.stage import Stage
from vmtiming_tui.model.commands import Act, Rerun, VmAction
from vmtiming_tui.tui.screens.confirm import ConfirmScreen
from vmtiming_tui.tui.screens.detail import DetailScreen
from vmtiming_tui.tui.screens.export import ExportScreen
from vmtiming_tui.tui.screens.storm import StormScreen

key = Checks()


@key("detail.back")
async def _(stage):
    await opened(stage)
    await stage.press("right_square_bracket", "escape")
    stage.on(StormScreen)
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
