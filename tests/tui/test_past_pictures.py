"""What a person sees of runs of the past, held still: the history and a replay, at three sizes."""

import time

import pytest

from support.making import as_told
from support.past_runs import named_run
from support.phased import phased
from support.recording import smooth_run, troubled_run
from support.stage import make, make_replay, settle
from vmtiming_tui.history.runs import History
from vmtiming_tui.tui.screens import history as history_screen

SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x60": (200, 60)}
RUN = phased(smooth_run(8))


@pytest.fixture(params=SIZES.values(), ids=SIZES.keys())
def size(request):
    return request.param


@pytest.fixture
def utc(monkeypatch):
    """Runs began at the same time of day everywhere."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_history(snap_compare, size, tmp_path, monkeypatch, utc):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(history_screen, "_LOOK_EVERY_S", 1000.0)
    with History.open() as history:
        for run in (
            named_run("a long name that somebody gave", 5),
            phased(troubled_run(40)),
            phased(named_run("nightly", -1, labels={"branch": "main"}, notes="quiet host")),
        ):
            with history.recorder() as recorder:
                recorder.write(as_told(run))
    live = named_run("this one", 0)
    app, source, _ = make(live, 4.0)

    async def prepare(pilot):
        await pilot.press("H")
        await pilot.pause(0.5)
        await app.workers.wait_for_complete()
        await settle(app)
        await pilot.pause()
        source.end()

    assert snap_compare(app, terminal_size=size, run_before=prepare)


@pytest.fixture
def pictured(snap_compare):
    """Compare a replay of seven seconds, after some keys, with the picture that was accepted."""

    def compare(size, *keys):
        app, watch = make_replay(RUN)

        async def prepare(pilot):
            for _ in range(70):
                watch.now_s += 0.1
                app.model.turn()
            await settle(app)
            for key in keys:
                await pilot.press(key)
            await app.workers.wait_for_complete()
            await settle(app)

        return snap_compare(app, terminal_size=size, run_before=prepare)

    return compare


def test_paused(pictured, size):
    assert pictured(size, "p")


def test_at_its_end(pictured):
    assert pictured((120, 40), "dollar_sign")


def test_one_vm(pictured):
    assert pictured((120, 40), "enter", "p")
