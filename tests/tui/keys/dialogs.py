"""The keys of the dialogs."""

from pathlib import Path

from support.keys import Checks, engine_error, export_form, help_of_all_vms, new_run_form, sent
from support.stage import Stage
from vmtiming_tui.model.commands import Act, Start
from vmtiming_tui.tui.screens.confirm import ConfirmScreen
from vmtiming_tui.tui.screens.new_run import NewRunScreen
from vmtiming_tui.tui.screens.storm import StormScreen

key = Checks()


@key("dialog.cancel", at=4.0)
async def _(stage):
    for name in ("escape", "ctrl+c"):
        for opens in ("K", "e", "n", "question_mark"):
            await stage.press(opens)
            assert not isinstance(stage.screen, StormScreen)
            await stage.press(name)
            stage.on(StormScreen)
    assert not sent(stage, Act)


@key("confirm.yes", at=4.0)
async def _(stage):
    await stage.press("K", "y")
    stage.on(StormScreen)
    assert sent(stage, Act)


@key("confirm.no", at=4.0)
async def _(stage):
    for name in ("n", "q"):
        await stage.press("K", name)
        stage.on(StormScreen)
    assert not sent(stage, Act)


@key("confirm.switch", at=4.0)
async def _(stage):
    await stage.press("K")
    stage.on(ConfirmScreen)
    for name in ("left", "right", "h", "l", "up", "down"):
        before = stage.app.focused
        await stage.press(name)
        assert stage.app.focused is not before


async def _goes_to_and_fro(stage: Stage, forth: str, back: str) -> None:
    first = stage.app.focused
    await stage.press(forth)
    assert stage.app.focused is not first
    await stage.press(back)
    assert stage.app.focused is first


@key("form.next", "form.previous")
async def _(stage):
    await export_form(stage)
    await _goes_to_and_fro(stage, "up", "down")
    await stage.press("escape")
    await new_run_form(stage)
    await _goes_to_and_fro(stage, "down", "up")


@key("export.copy")
async def _(stage):
    await export_form(stage)
    await stage.press("enter")
    await stage.app.workers.wait_for_complete()
    await stage.press("y")
    (written,) = Path.cwd().glob("vm-timing-*.json")
    assert stage.app.clipboard == str(written)


@key("new_run.start")
async def _(stage):
    await new_run_form(stage)
    await stage.press("ctrl+r")
    await stage.app.workers.wait_for_complete()
    await stage.sees("there is no file 'BFILES/vmlinuz'")


@key("engine_error.again", at=4.0)
async def _(stage):
    await engine_error(stage)
    await stage.press("r")
    assert len(sent(stage, Start)) == 2


@key("engine_error.new_run", at=4.0)
async def _(stage):
    await engine_error(stage)
    await stage.press("n")
    stage.on(NewRunScreen)


@key("engine_error.copy", at=4.0)
async def _(stage):
    await engine_error(stage)
    await stage.press("y")
    assert "killed by SIGKILL" in stage.app.clipboard


@key("engine_error.quit", at=4.0)
async def _(stage):
    await engine_error(stage)
    await stage.press("q")
    await stage.until(lambda: not stage.app.is_running, "the end")


@key("engine_error.next", "engine_error.previous", at=4.0)
async def _(stage):
    await engine_error(stage)
    for forth, back in (("right", "left"), ("l", "h"), ("down", "up"), ("j", "k")):
        await _goes_to_and_fro(stage, forth, back)


@key("help.close")
async def _(stage):
    for name in ("question_mark", "f1", "q", "enter"):
        await help_of_all_vms(stage)
        await stage.press(name)
        stage.on(StormScreen)


@key("help.down", "help.up")
async def _(stage):
    await _scrolls(stage, (("down", "up"), ("j", "k")))


@key("help.page_down", "help.page_up")
async def _(stage):
    await _scrolls(stage, (("pagedown", "pageup"), ("space", "pageup")))


@key("help.top", "help.bottom")
async def _(stage):
    await _scrolls(stage, (("end", "home"), ("G", "g")))


async def _scrolls(stage: Stage, ways: tuple[tuple[str, str], ...]) -> None:
    box = (await help_of_all_vms(stage)).query_one("#help")
    for down, up in ways:
        await stage.press(down)
        await stage.until(lambda: box.scroll_y > 0, "further down")
        await stage.press(up)
        await stage.until(lambda: box.scroll_y == 0, "the top")
