"""The dashboard answers while it reads a long history, and while it compares large runs."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.making import as_told
from support.past_runs import named_run
from support.recording import smooth_run
from support.stage import dashboard
from vmtiming_tui.history.runs import History
from vmtiming_tui.tui.screens.compare import CompareScreen
from vmtiming_tui.tui.screens.history import HistoryScreen

RUNS = 1000
LARGE = 1000
DONE = 90.0
# Work in one piece would take seconds; on a busy host the same work takes more CPU time.
MOST_BUSY_S = 1.5


def keep(folder: Path, large: int = 0) -> None:
    """Keep many small runs, and a large one as the newest."""
    path = folder / "vmtiming-tui" / "history.db"
    with History.open(path) as history, history.recorder() as recorder:
        for number in range(RUNS):
            recorder.write(as_told(named_run(f"run {number}", RUNS - number, number=1)))
        if large:
            recorder.write(as_told(named_run("large", 0, number=large)))


@asynccontextmanager
async def busy_stretches() -> AsyncIterator[list[float]]:
    """How much CPU time, in seconds, the loop spent between two looks at what else there is to do.

    Not how late it was: that is as much the work of whoever else uses this machine.
    """
    spent: list[float] = []

    async def watch() -> None:
        before = time.thread_time()
        while True:
            await asyncio.sleep(0.001)
            now = time.thread_time()
            spent.append(now - before)
            before = now

    watching = asyncio.create_task(watch())
    yield spent
    watching.cancel()


@pytest.fixture
def long_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    keep(tmp_path, LARGE)
    return tmp_path


@pytest.mark.usefixtures("long_history")
async def test_keys_are_answered_while_a_long_history_is_read_and_a_large_run_compared():
    async with dashboard(smooth_run(LARGE), DONE, number=LARGE) as stage:
        async with busy_stretches() as reading:
            await stage.press("H")
            screen = await stage.comes(HistoryScreen)
            await stage.until(lambda: screen.table.row_count > 20, "the first rows")
            for _ in range(10):
                await stage.press("j")
            assert screen.table.cursor_row == 10
            await stage.until(lambda: screen.table.row_count == RUNS + 1, "all rows")
        async with busy_stretches() as comparing:
            await stage.press(*["k"] * 10, "c")
            for _ in range(200):
                if isinstance(stage.app.screen, CompareScreen):
                    break
                await stage.pilot.pause(0.05)
            stage.on(CompareScreen)
            await stage.press("s")
            await stage.sees("━━ this run ━━ large")

    assert max(reading) < MOST_BUSY_S
    assert max(comparing) < MOST_BUSY_S
