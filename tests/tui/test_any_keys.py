"""Any keys, clicks and sizes in any order: the dashboard may be left, but never fails."""

import random

import pytest

from support.recording import troubled_run
from support.stage import Stage, dashboard
from vmtiming_tui.tui.state import keymap

STEPS = 60
SIZES = [(80, 24), (120, 40), (200, 60), (30, 8)]
IN_DIALOGS = ["escape", "enter", "y", "n", "tab", "shift+tab", "0", "x", "backspace"]
KEYS = sorted({one.strip() for key in keymap.ALL for one in key.keys.split(",")} | set(IN_DIALOGS))


async def do_something(stage: Stage, dice: random.Random) -> object:
    """Do one thing a person can do; return what it was."""
    match dice.randrange(12):
        case 0:
            size = dice.choice(SIZES)
            await stage.pilot.resize_terminal(*size)
            return size
        case 1:
            size = stage.app.size
            place = dice.randrange(size.width), dice.randrange(size.height)
            await stage.pilot.click(offset=place)
            return place
        case _:
            key = dice.choice(KEYS)
            await stage.pilot.press(key)
            return key


@pytest.mark.parametrize("seed", range(6))
async def test_nothing_a_person_can_do_makes_the_dashboard_fail(seed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    dice = random.Random(seed)
    size, number = dice.choice(SIZES), dice.choice([8, 40, 300])
    async with dashboard(
        troubled_run(number), dice.choice([0.1, 5.0, 90.0]), size, number,
        ascii_only=dice.random() < 0.3, colour=dice.random() < 0.7,
    ) as stage:  # fmt: skip
        done = []
        while stage.app.is_running and len(done) < STEPS:  # it may have been left
            done.append(await do_something(stage, dice))

        assert stage.app.crash is None, done
