"""A run of another process, read from the history while that process writes it."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import pytest

from support.making import PENDING, as_told, run_events
from support.past_runs import keep, named, wait_for
from vmtiming_tui.errors import HistoryError
from vmtiming_tui.history.database import connect
from vmtiming_tui.history.following import (
    FollowedRun,
    Lookout,
    NoneUnderWayError,
    run_to_watch,
    wait_for_run,
)
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Quit
from vmtiming_tui.model.fleet import Fleet, RunState
from vmtiming_tui.model.plan import StormKind

LIMIT_S = 20


def owned_by_nobody(history) -> None:
    """Have every run's process be one that is gone."""
    with closing(connect(history.path)) as connection:
        connection.execute("UPDATE runs SET owner = 'another-boot 1 1'")


class Told:
    """What a followed run has told so far."""

    def __init__(self, source: FollowedRun) -> None:
        self.source = source
        self.fleet = Fleet()
        self.events: list[ev.Event] = []

    async def read(self) -> None:
        async for batch in self.source.batches():
            for event in batch:
                if isinstance(event, ev.RunStarted):
                    self.fleet = Fleet()
                self.fleet.fold(event)
            self.events += batch

    async def till(self, number: int) -> None:
        async with asyncio.timeout(LIMIT_S):
            while len(self.events) < number:  # noqa: ASYNC110  what is awaited is another thread's
                await asyncio.sleep(0.01)


@asynccontextmanager
async def following(source: FollowedRun) -> AsyncIterator[Told]:
    told = Told(source)
    reading = asyncio.create_task(told.read())
    yield told
    source.send(Quit())
    async with asyncio.timeout(LIMIT_S):
        await reading


async def test_what_has_happened_is_told_at_once_and_what_happens_as_it_is_written(history):
    events = run_events([[5, 6]])
    rerun = [
        ev.StormStarted(at_ns=events[-1].at_ns, storm=2, kind=StormKind.RERUN, vms=(1,)),
        ev.VmQueued(at_ns=events[-1].at_ns, vm=1, attempt=2, storm=2),
    ]
    with history.recorder() as recorder:
        recorder.write(as_told(events[:4]))
        run = wait_for(lambda: next(iter(history.runs()), None))
        async with following(FollowedRun(history.path, run)) as told:
            await told.till(4)
            assert told.fleet.state is RunState.RUNNING
            recorder.write(as_told(events[4:]))
            await told.till(len(events))
            assert told.fleet.state is RunState.FINISHED
            recorder.write(as_told(rerun))
            await told.till(len(events) + len(rerun))

    assert told.events == [*events, *rerun]


async def test_a_run_whose_process_is_gone_ends_in_words_and_its_clock_stands(history):
    events = run_events([[5, PENDING]], outcome=None)
    with history.recorder() as recorder:
        recorder.write(as_told(events))
        run = wait_for(lambda: next(iter(history.runs()), None))
        source = FollowedRun(history.path, run)
        before = source.now_ns()
        assert before <= time.monotonic_ns()
        async with following(source) as told:
            await told.till(len(events))
            assert source.now_ns() > before
    owned_by_nobody(history)
    (run,) = history.runs()
    source = FollowedRun(history.path, run)
    async with asyncio.timeout(LIMIT_S):
        told = Told(source)
        await told.read()

    *kept, notice, end = told.events
    assert kept == events
    assert "nobody makes this run any more" in notice.text
    assert end == ev.RunEnded(at_ns=events[-1].at_ns, outcome=ev.Outcome.INTERRUPTED)
    assert source.now_ns() == events[-1].at_ns


async def test_when_a_run_is_over_the_next_one_that_begins_follows_where_that_is_wanted(history):
    first, second = run_events([[5]], run="a"), run_events([[7]], run="b", started=named("next"))
    against = []
    with history.recorder() as recorder:
        recorder.write(as_told(first))
        run = wait_for(lambda: next(iter(history.runs()), None))
        source = FollowedRun(history.path, run, goes_on=True, on_next=against.append)
        async with following(source) as told:
            await told.till(len(first))
            recorder.write(as_told(second[:-1]))
            await told.till(len(first) + len(second) - 1)

    assert told.events == [*first, *second[:-1]]
    assert told.fleet.plan.name == "next"
    assert against == [None]


def test_who_watches_can_change_nothing_and_holds_up_no_recorder(history):
    keep(history, run_events([[5]]))
    (run,) = history.runs()
    with closing(Lookout(history.path)) as lookout:
        assert lookout.has_changed()
        assert not lookout.has_changed()
        half_read = lookout._connection.execute("SELECT * FROM runs")
        half_read.fetchone()
        keep(history, run_events([[6]], run="b"))
        half_read.close()
        assert lookout.has_changed()
        assert len(lookout.chunks(run, -1)) == 1
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            lookout._connection.execute("DELETE FROM runs")


def test_without_a_run_under_way_it_is_said_which_there_are(history):
    with pytest.raises(NoneUnderWayError, match="no run is under way; none was kept") as refused:
        run_to_watch(history.path, None)
    assert refused.value.exit_code == 2
    assert "--wait" in refused.value.hint

    keep(history, run_events([[5]], started=named("nightly")))
    with pytest.raises(NoneUnderWayError, match=r"nightly \(finished\)"):
        run_to_watch(history.path, None)
    assert run_to_watch(history.path, "nightly").name == "nightly"
    with pytest.raises(HistoryError, match="no run in the history is called 'other'"):
        run_to_watch(history.path, "other")


def test_a_run_is_waited_for_and_that_is_said_once(history):
    said: list[str] = []
    with history.recorder() as recorder:

        def begin(words: str) -> None:
            said.append(words)
            recorder.write(as_told(run_events([[PENDING]], outcome=None, started=named("new"))))

        keep(history, run_events([[5]], run="old", started=named("new")))
        assert wait_for_run(history.path, "new", begin).state is RunState.RUNNING
        assert run_to_watch(history.path, None).name == "new"
        with pytest.raises(NoneUnderWayError, match="run old is over"):
            wait_for_run(history.path, "old", begin)
    assert said == ["Waiting for a run to begin; Ctrl-C ends it."]
