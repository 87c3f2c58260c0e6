"""Every key does what the help says; and every key is said where the user looks for it."""

import re
from collections.abc import Iterator

import pytest
from textual.binding import Binding
from textual.screen import Screen

from support.keys import WAYS, opened
from support.recording import smooth_run, troubled_run
from support.stage import dashboard
from tui.keys import all_vms, anywhere, dialogs, hosts, one_vm, past_runs, playing, units
from vmtiming_tui.model.commands import ReadConsole
from vmtiming_tui.tui.screens.confirm import ConfirmScreen
from vmtiming_tui.tui.screens.help import HelpScreen
from vmtiming_tui.tui.screens.storm import StormScreen
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.keymap import Scope

KEYS = (anywhere, all_vms, one_vm, past_runs, playing, units, hosts, dialogs)
CHECKS = {name: check for keys in KEYS for name, check in keys.key.items()}


def subclasses(kind: type) -> Iterator[type]:
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)


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


@pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.HELP])
async def test_help_has_every_key(scope, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with dashboard(smooth_run(8), 6.4, size=(120, 120)) as stage:
        await WAYS[scope](stage)
        await stage.press("f1")
        shown = re.sub(r"[\s│]+", " ", stage.text)
        for one in keymap.useful(scope, stage.app.there):
            assert re.sub(r"\s+", " ", one.help) in shown


@pytest.mark.parametrize(
    "scope",
    [Scope.ANYWHERE, Scope.MAIN, Scope.DETAIL, Scope.PLAYER, Scope.HISTORY, Scope.COMPARE],
)
async def test_palette_has_every_key(scope, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with dashboard(smooth_run(8), 60) as stage:
        await WAYS[scope](stage)
        offered = [command.help for command in stage.app.get_system_commands(stage.screen)]
        for one in keymap.useful(scope, stage.app.there):
            assert one.id == "palette" or any(words.startswith(one.help) for words in offered)


def test_ids_and_keys_are_unique_where_they_meet():
    assert len(keymap.IDS) == len(keymap.ALL)
    for scope in Scope:
        keys = [one for key in keymap.reached(scope) for one in key.keys.split(",")]
        assert len(keys) == len(set(keys))


def test_every_key_of_a_screen_is_in_the_keymap():
    ours = [screen for screen in subclasses(Screen) if screen.__module__.startswith("vmtiming_tui")]
    found = [
        one for screen in ours for one in Binding.make_bindings(vars(screen).get("BINDINGS", []))
    ]
    assert len(ours) > 10
    assert {one.id for one in found} <= keymap.IDS


async def test_a_changed_key_is_obeyed_and_named_in_a_dialog():
    keys = {"confirm.no": "x", "dialog.cancel": "f9", "export.copy": "f5"}
    async with dashboard(smooth_run(8), 4.0, keys=keys) as stage:
        await stage.press("q")
        await stage.sees("Cancel (x)")
        await stage.press("n")
        stage.on(ConfirmScreen)
        await stage.press("x", "e")
        await stage.sees("Cancel (F9)")
        await stage.press("f9")
        stage.on(StormScreen)


async def test_footer_shows_the_most_wanted_keys_and_can_be_clicked():
    async with dashboard(smooth_run(8), 60, size=(80, 24)) as stage:
        last = stage.text.splitlines()[-1]
        for word in ("? help", "q quit", "enter detail", "r rerun", "e export"):
            assert word in last
        await stage.pilot.click("#footer", offset=(last.index("? help") + 2, 0))
        await stage.pilot.pause()
        stage.on(HelpScreen)
