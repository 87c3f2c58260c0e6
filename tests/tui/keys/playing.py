"""The keys that play a stored run, opened as it ended over another one."""

from support.facts import SECOND
from support.keys import Checks, played
from support.stage import Stage, show
from vmtiming_tui.tui.screens.detail import DetailScreen
from vmtiming_tui.tui.screens.history import HistoryScreen
from vmtiming_tui.tui.state.played_run import PlayedRun

key = Checks()


async def _run(stage: Stage) -> PlayedRun:
    run = (await played(stage)).model
    assert isinstance(run, PlayedRun)
    assert run.place_ns == run.length_ns
    return run


async def _goes(stage: Stage, run: PlayedRun, name: str) -> int:
    """Press a key; return by how much the run then is elsewhere."""
    before_ns = run.place_ns
    await stage.press(name)
    await stage.until(lambda: not run.is_seeking, "the other moment")
    show(stage.app)
    return run.place_ns - before_ns


@key("player.leave")
async def _(stage):
    await _run(stage)
    await stage.press("4", "escape")
    await stage.press("escape")
    stage.on(HistoryScreen)


@key("player.pause")
async def _(stage):
    run = await _run(stage)
    assert await _goes(stage, run, "p") < 0
    assert not run.player.is_paused
    await stage.press("p")
    assert run.player.is_paused
    await stage.press("p")
    assert not run.player.is_paused


@key("player.slower", "player.faster", "player.usual")
async def _(stage):
    run = await _run(stage)
    for name, speed in (("}", 2), ("}", 4), ("{", 2), ("backspace", 1), ("{", 0.5)):
        await stage.press({"{": "left_curly_bracket", "}": "right_curly_bracket"}.get(name, name))
        assert run.player.speed == speed


@key("player.back", "player.forth")
async def _(stage):
    run = await _run(stage)
    assert await _goes(stage, run, "shift+left") == -5 * SECOND
    assert await _goes(stage, run, "right_parenthesis") == 5 * SECOND
    assert await _goes(stage, run, "left_parenthesis") == -5 * SECOND
    assert await _goes(stage, run, "shift+right") == 5 * SECOND


@key("player.far_back", "player.far_forth")
async def _(stage):
    run = await _run(stage)
    share_ns = round(run.length_ns * 0.05)
    assert await _goes(stage, run, "ctrl+left") == -share_ns
    assert await _goes(stage, run, "ctrl+right") == share_ns


@key("player.start", "player.end")
async def _(stage):
    run = await _run(stage)
    for begin, end in (("0", "dollar_sign"), ("ctrl+home", "ctrl+end")):
        assert await _goes(stage, run, begin) == -run.length_ns
        assert await _goes(stage, run, end) == run.length_ns
    await stage.press("enter")
    stage.on(DetailScreen)
    assert await _goes(stage, run, "0") == -run.length_ns


@key("player.step", "player.step_back")
async def _(stage):
    run = await _run(stage)
    back_ns = await _goes(stage, run, "comma")
    assert back_ns < 0
    assert await _goes(stage, run, "full_stop") == -back_ns
