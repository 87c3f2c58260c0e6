"""Every key does what the help says; and every key is said where the user looks for it."""

import re

import pytest

from support.keys import comparison, history, opened
from support.recording import smooth_run, troubled_run
from support.stage import dashboard
from tui.keys import all_vms, anywhere, one_vm, past_runs
from vmtiming_tui.model.commands import ReadConsole
from vmtiming_tui.tui.screens.help import HelpScreen
from vmtiming_tui.tui.state import keymap

CHECKS = {**anywhere.key, **all_vms.key, **one_vm.key, **past_runs.key}


@pytest.mark.parametrize("name", sorted(keymap.IDS))
async def test_key_does_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    at, check = CHECKS[name]
    async with dashboard(troubled_run(40), at, number=40) as stage:
        await check(stage)


def test_every_key_has_a_check():
    assert set(CHECKS) == keymap.IDS


async def test_detail_asks_for_the_console_while_the_vm_runs():
    async with dashboard(smooth_run(8), 4.0) as stage:
        await opened(stage)
        assert ReadConsole(vm=2, seen_bytes=0) in stage.source.sent


@pytest.mark.parametrize("scope", keymap.SCOPES)
async def test_help_and_palette_have_every_key(scope, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    ways = {
        keymap.Scope.DETAIL: opened,
        keymap.Scope.HISTORY: history,
        keymap.Scope.COMPARE: comparison,
    }
    async with dashboard(smooth_run(8), 60, size=(120, 120)) as stage:
        if scope in ways:
            await ways[scope](stage)
        offered = {command.help for command in stage.app.get_system_commands(stage.screen)}
        await stage.press("question_mark")
        shown = re.sub(r"[\s│]+", " ", stage.text)
        for one in keymap.SCOPES[scope]:
            assert re.sub(r"\s+", " ", one.help) in shown
            assert one.id == "palette" or any(words.startswith(one.help) for words in offered)


def test_ids_and_keys_are_unique_where_they_meet():
    assert len(keymap.IDS) == len(keymap.ALL)
    for scope in (keymap.MAIN, keymap.DETAIL):
        keys = [one for key in (*scope, *keymap.ANYWHERE) for one in key.keys.split(",")]
        assert len(keys) == len(set(keys))


async def test_footer_shows_the_most_wanted_keys_and_can_be_clicked():
    async with dashboard(smooth_run(8), 60, size=(80, 24)) as stage:
        last = stage.text.splitlines()[-1]
        for word in ("? help", "q quit", "enter detail", "r rerun", "e export"):
            assert word in last
        await stage.pilot.click("#footer", offset=(last.index("? help") + 2, 0))
        await stage.pilot.pause()
        stage.on(HelpScreen)
