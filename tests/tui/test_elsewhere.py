"""The dashboard of a run that is made elsewhere: in a terminal, and in a browser."""

from io import BytesIO

import pytest

from support.recording import smooth_run, troubled_run
from support.stage import Stage, dashboard
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Quit, Start
from vmtiming_tui.tui.screens.download import DownloadScreen
from vmtiming_tui.tui.screens.storm import StormScreen
from vmtiming_tui.tui.state.keymap import Need, Scope, useful

DONE = 60.0
WATCHED = frozenset({Need.TERMINAL})
SERVED: frozenset[Need] = frozenset()


async def test_a_watched_run_is_said_to_be_one_and_is_asked_for_nothing():
    async with dashboard(troubled_run(8), 4.0, there=WATCHED) as stage:
        assert "WATCHING" in stage.text
        await stage.press("r", "R", "ctrl+r", "n", "K")
        stage.on(StormScreen)
        await stage.press("q")
        assert [type(command) for command in stage.source.sent] == [Start, Quit]
        assert stage.notes == ""


async def test_where_a_watched_runs_engine_fails_it_is_said_and_nothing_is_offered():
    async with dashboard(smooth_run(4), 2.0, number=4, there=WATCHED) as stage:
        failed = ev.EngineFailed(at_ns=stage.clock(), why="the engine ended unexpectedly")
        await stage.feed([failed])
        stage.on(StormScreen)
        assert "the engine ended unexpectedly" in stage.text
        assert "INTERRUPTED" in stage.text


def delivered_by(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return what is handed to a browser, by name."""
    files: dict[str, str] = {}

    def deliver(data: BytesIO, *, save_filename: str) -> None:
        files[save_filename] = data.read().decode()

    monkeypatch.setattr(stage.app, "deliver_binary", deliver)
    return files


async def test_in_a_browser_an_export_and_a_picture_are_downloads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with dashboard(smooth_run(4), DONE, number=4, there=SERVED) as stage:
        files = delivered_by(stage, monkeypatch)
        await stage.press("space", "e")
        stage.on(DownloadScreen)
        assert "marked (1)" in stage.text
        await stage.press("down", "enter")
        await stage.pilot.click("#download")
        await stage.until(lambda: files, "a file")
        await stage.press("ctrl+s")

    (export, text), (picture, drawn) = files.items()
    assert export.startswith("vm-timing-")
    assert (export.rpartition(".")[2], picture.rpartition(".")[2]) == ("csv", "svg")
    assert len(text.splitlines()) == 2
    assert "WATCHING" in drawn
    assert list(tmp_path.iterdir()) == []


def test_in_a_browser_no_key_does_anything_to_a_run_the_history_or_the_dashboard():
    does = {
        "quit", "suspend", "main.rerun", "main.rerun_failed", "main.rerun_all", "main.new_run",
        "main.kill", "detail.rerun", "detail.pause", "detail.powerdown", "detail.reset",
        "detail.kill", "history.name", "history.note", "history.delete",
    }  # fmt: skip
    offered = {key.id for scope in Scope for key in useful(scope, SERVED)}

    assert does & offered == set()
