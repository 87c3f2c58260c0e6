"""The user's keys, colours and characters."""

import re

import pytest

from support.recording import smooth_run, troubled_run
from support.stage import dashboard
from vmtiming_tui.model.commands import Rerun

DONE = 90.0


async def test_changed_key_works_and_is_shown():
    async with dashboard(smooth_run(8), DONE, keys={"main.rerun": "f5"}) as stage:
        await stage.press("r")
        assert not any(isinstance(command, Rerun) for command in stage.source.sent)
        await stage.press("f5")
        assert stage.source.sent[-1] == Rerun(vms=(0,))
        assert "F5 rerun" in stage.text.splitlines()[-1]
        await stage.press("question_mark")
        assert re.search(r"F5 +Boot the marked", stage.text)


async def test_faults_of_the_settings_are_told():
    async with dashboard(problems=("config.toml: [/] is not TOML",)) as stage:
        assert "[/] is not TOML" in stage.notes


@pytest.mark.parametrize(
    "keys", [(), ("v",), ("enter",), ("question_mark",), ("e",), ("n",), ("q",)]
)
async def test_no_color_has_no_colour(keys):
    async with dashboard(troubled_run(40), 7.5, number=40, colour=False) as stage:
        await stage.press(*keys)
        picture = stage.app.export_screenshot()
    colours = set(re.findall(r"(?:fill|stroke): ?(#[0-9a-fA-F]{6})", picture))
    for colour in colours - {"#ff5f57", "#febc2e", "#28c840"}:
        red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
        assert max(red, green, blue) - min(red, green, blue) < 12, colour


@pytest.mark.parametrize(
    "keys", [(), ("v",), ("enter",), ("question_mark",), ("q",), ("e",), ("n",)]
)
async def test_ascii_is_ascii(keys):
    async with dashboard(troubled_run(40), 7.5, number=40, ascii_only=True) as stage:
        await stage.press(*keys)
        foreign = {char for char in stage.text if not char.isascii()}
    assert not foreign
