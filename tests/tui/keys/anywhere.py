"""The keys that go anywhere."""

from pathlib import Path

from support.keys import Checks, sent
from vmtiming_tui.model.commands import Quit, Rerun
from vmtiming_tui.tui.screens.help import HelpScreen
from vmtiming_tui.tui.screens.storm import StormScreen

key = Checks()


@key("help")
async def _(stage):
    for name in ("question_mark", "f1"):
        await stage.press(name)
        stage.on(HelpScreen)
        assert "Boot every VM again that failed" in stage.text
        await stage.press("escape")
        stage.on(StormScreen)


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
        stage.on(StormScreen)
    assert not sent(stage, Quit)
    await stage.press("q", "y")
    await stage.pilot.pause(0.1)
    assert sent(stage, Quit)
    assert not stage.app.is_running
