"""The history: runs kept as they happen, through crashes, full disks and damage."""

import asyncio
import itertools
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.making import PENDING, TIMED_OUT, plan, random_run, raw, run_events
from support.schema import exported_file
from vmtiming_tui import budget
from vmtiming_tui import events as ev
from vmtiming_tui import recorder as recorder_module
from vmtiming_tui.budget import MAX_BOOT_BYTES, MAX_LINE_BYTES
from vmtiming_tui.errors import HistoryError
from vmtiming_tui.export import render
from vmtiming_tui.fleet import Fleet, RunState
from vmtiming_tui.history import History
from vmtiming_tui.listing import history_lines, show_lines
from vmtiming_tui.plan import plan_to_json
from vmtiming_tui.recorder import is_alive, owner_of
from vmtiming_tui.replay import replay
from vmtiming_tui.retention import Retention
from vmtiming_tui.sides import Identity, side_of
from vmtiming_tui.store import MIGRATIONS, VERSION, connect
from vmtiming_tui.summary import summarise_fleet


@pytest.fixture
def history(tmp_path):
    with History.open(tmp_path / "state" / "history.db") as opened:
        yield opened


def keep(history, events):
    with history.recorder() as recorder:
        recorder.write(raw(events))


def named(name, notes=""):
    body = plan_to_json(plan())
    return {"plan": body | {"name": name, "notes": notes}}


# Keeping.


@given(cuts=st.lists(st.integers(0, 40_000), max_size=12))
@settings(max_examples=25, deadline=None)
def test_a_run_is_kept_line_for_line_however_the_stream_is_cut(tmp_path_factory, cuts):
    events = run_events([[5, 6, TIMED_OUT], [5, 5, 5]])
    stream = raw(events)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    with History.open(tmp_path_factory.mktemp("cut") / "history.db") as history:
        with history.recorder() as recorder:
            for first, last in itertools.pairwise(places):
                recorder.write(stream[first:last])
        run = history.find("run-1")
        assert b"".join(line + b"\n" for line in history.lines(run)) == stream
        assert history.events(run) == events


def test_the_list_shows_what_a_run_came_to(history):
    keep(history, run_events([[5, 6, 7], [6, 7, TIMED_OUT]], started=named("nightly", "cold")))
    (run,) = history.runs()
    assert (run.name, run.notes, run.label) == ("nightly", "cold", "nightly")
    assert (run.state, run.storms, run.boots, run.booted) == (RunState.FINISHED, 2, 6, 5)
    assert (run.host, run.accel, run.qemu_version) == ("bench1", "kvm", "7.2.15")
    assert run.median_s == 6.5
    assert run.all_booted_in_s is None
    assert run.counts == {"booted": 5, "timed out": 1}
    assert run.curve == ((6.0, 1), (7.1, 2))


def test_a_long_curve_is_thinned_but_keeps_its_end(history):
    keep(history, run_events([[5 + vm / 10 for vm in range(500)]], skew_s=0))
    (run,) = history.runs()
    assert len(run.curve) <= 41
    assert run.curve[-1] == (pytest.approx(54.9), 500)


def test_two_runs_of_one_session_are_kept_apart_and_a_rerun_with_its_run(history):
    first = run_events([[5, 6]], run="a")
    rerun = [
        ev.StormStarted(at_ns=first[-1].at_ns, storm=2, kind=ev.StormKind.RERUN, vms=(1,)),
        ev.VmQueued(at_ns=first[-1].at_ns, vm=1, attempt=2, storm=2),
        ev.RunEnded(at_ns=first[-1].at_ns, outcome=ev.Outcome.STOPPED),
    ]
    second = run_events([[7]], run="b")
    keep(history, [*first, *rerun, *second])
    assert {run.run: run.state for run in history.runs()} == {
        "a": RunState.STOPPED,
        "b": RunState.FINISHED,
    }
    assert history.events(history.find("a")) == [*first, *rerun]
    assert history.events(history.find("b")) == second


def test_lines_before_any_run_are_not_kept(history):
    keep(history, [ev.EngineFailed(at_ns=1, why="no QEMU"), *run_events([[5]])])
    (run,) = history.runs()
    assert len(list(history.lines(run))) == len(run_events([[5]]))


def test_a_recorder_that_closes_before_the_end_leaves_an_interrupted_run(history):
    keep(history, run_events([[5, PENDING]], outcome=None))
    run = history.find("run-1")
    assert run.state is RunState.INTERRUPTED
    assert history.load(run).state is RunState.INTERRUPTED
    assert "Interrupted: the run was cut off" in render(".txt", history.load(run))


def test_a_run_is_listed_as_running_while_it_does(history):
    with history.recorder() as recorder:
        recorder.write(raw(run_events([[5, PENDING]], outcome=None)))
        wait_for(history.runs)
        run = history.find("run-1")
        assert run.state is RunState.RUNNING
        with pytest.raises(HistoryError, match="still goes on"):
            history.remove(run)
        with History.open(history.path) as other:
            assert other.find("run-1").state is RunState.RUNNING


def wait_for(condition, limit_s=20.0):
    """Poll what another thread or process brings about."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError("it never came")


CHILD = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from support.making import PENDING, raw, run_events
from vmtiming_tui.history import History
with History.open(Path(sys.argv[1])) as history, history.recorder() as recorder:
    recorder.write(raw(run_events([[5, 6, PENDING]], run=sys.argv[3], outcome=None)))
    while not any(run.run == sys.argv[3] for run in history.runs()):
        time.sleep(0.01)
    print("kept", flush=True)
    sys.stdin.read()
"""


def recording_process(path, run="run-1"):
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), str(Path(__file__).parents[1]), run],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"kept\n"
    return process


def test_a_killed_tool_leaves_an_interrupted_run_with_all_events_of_its_last_batch(tmp_path):
    path = tmp_path / "history.db"
    process = recording_process(path)
    with process:
        process.send_signal(signal.SIGKILL)
    with History.open(path) as history:
        run = history.find("run-1")
        assert run.state is RunState.INTERRUPTED
        assert (run.boots, run.booted) == (3, 2)
        assert run.median_s == 6.0  # the third would have taken longer than it was let live
        fleet = history.load(run)
        assert fleet.state is RunState.INTERRUPTED
        assert summarise_fleet(fleet).booted == 2
        expected = run_events([[5, 6, PENDING]], outcome=None)
        assert history.events(run)[:-1] == expected


def test_two_processes_keep_their_runs_at_once(tmp_path):
    path = tmp_path / "history.db"
    History.open(path).__exit__(None, None, None)
    processes = [recording_process(path, f"run-{number}") for number in range(2)]
    with History.open(path) as history:
        assert {run.run for run in history.runs()} == {"run-0", "run-1"}
        assert {run.state for run in history.runs()} == {RunState.RUNNING}
    for process in processes:
        with process:
            process.stdin.close()


def test_many_threads_open_a_new_history_at_once(tmp_path):
    path, words = tmp_path / "new" / "history.db", []

    def opened():
        with History.open(path) as history:
            words.append(history.word)
            keep(history, run_events([[5]], run=f"run-{threading.get_ident()}"))

    threads = [threading.Thread(target=opened) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert words == [""] * 6
    with History.open(path) as history:
        assert len(history.runs()) == 6


def test_a_process_is_known_from_another_that_got_its_id():
    ours = owner_of(os.getpid())
    assert is_alive(ours)
    boot, pid, started = ours.split()
    assert not is_alive(f"{boot} {pid} {int(started) + 1}")
    assert not is_alive(f"another-boot {pid} {started}")
    assert not is_alive("")
    assert not is_alive("x ../../etc 1")


def test_the_caller_never_waits_for_the_disk(history):
    with history.recorder() as recorder:
        blocker = connect(history.path)
        blocker.execute("BEGIN EXCLUSIVE")
        recorder.write(raw(run_events([[5]])))
        recorder.write(raw(run_events([[5]], run="run-2")))
        blocker.execute("ROLLBACK")
        blocker.close()
    assert len(history.runs()) == 2


def test_a_full_disk_is_said_once_and_the_run_is_whole_when_there_is_room_again(
    history, monkeypatch
):
    said = []

    def small(path):
        connection = connect(path)
        connection.execute("PRAGMA max_page_count = 12")
        return connection

    monkeypatch.setattr(recorder_module, "connect", small)
    events = random_run(200, 3)
    with history.recorder(said.append) as recorder:
        recorder.write(raw(events[: len(events) // 2]))
        wait_for(lambda: said)
        assert said == [recorder.trouble]
        assert "not being kept in the history: database or disk is full" in said[0]
        monkeypatch.undo()
        recorder.write(raw(events[len(events) // 2 :]))
    assert said[1:] == ["the run is kept in the history again"]
    assert history.events(history.find("run-1")) == events


def test_what_can_not_be_kept_is_bounded_and_said(history, monkeypatch):
    monkeypatch.setattr(recorder_module, "MOST_WAITING_BYTES", 20_000)
    said = []
    with history.recorder(said.append) as recorder:
        recorder.write(raw(run_events([[5]])))
        recorder.write(b"x" * 30_000)
    assert said == ["part of the run is missing from the history"]


# Finding and changing.


def test_a_run_is_found_by_id_by_how_it_begins_by_name_and_as_the_last(history):
    for number, name in enumerate(["base", "", "base"]):
        started = named(name) | {"wall_ns": number * 10**9}
        keep(history, run_events([[5 + number]], run=f"2026{number}-abc", started=started))
    assert history.find("20261-abc").run == "20261-abc"
    assert history.find("20261").run == "20261-abc"
    assert history.find("base").run == "20262-abc"
    assert history.find("last").run == "20262-abc"
    with pytest.raises(HistoryError, match="3 runs begin with '2026': 20262-abc, "):
        history.find("2026")
    with pytest.raises(HistoryError, match="no run in the history is called 'none'"):
        history.find("none")
    with pytest.raises(HistoryError):
        history.find("")


def test_names_and_notes_can_be_changed(history):
    keep(history, run_events([[5]]))
    history.annotate(history.find("last"), name="before", notes="kernel 6.1")
    history.annotate(history.find("before"), notes="kernel 6.2")
    assert (history.find("last").name, history.find("last").notes) == ("before", "kernel 6.2")


def test_a_removed_run_is_gone_and_its_room_free(history):
    keep(history, random_run(100, 4))
    keep(history, run_events([[5]], run="other"))
    with_both = pages(history.path)
    history.remove(history.find("run-1"))
    assert [run.run for run in history.runs()] == ["other"]
    assert pages(history.path) < with_both / 2


def pages(path):
    connection = connect(path)
    try:
        return connection.execute("PRAGMA page_count").fetchone()[0]
    finally:
        connection.close()


def test_a_stored_run_is_exported_like_a_live_one(history, tmp_path):
    events = run_events([[5, 6]])
    keep(history, events)
    path = history.export(history.find("last"), tmp_path / "run.json")
    assert path.read_text() == render(".json", Fleet(events))


# What a run was held against.

BASE = Identity("base", "nightly", 1)


def keep_held(history, events, baseline=BASE):
    with history.recorder(None, baseline) as recorder:
        recorder.write(raw(events))
    return history.find("last")


def test_the_run_that_it_was_held_against_is_kept_with_a_run_and_told(history):
    keep(history, run_events([[5, 6]], run="plain"))
    assert history.find("last").baseline is None
    assert "against" not in history_lines(history.runs())[0]

    run = keep_held(history, run_events([[5, 6]], run="held", started={"wall_ns": 1 << 61}))

    assert run.baseline == BASE
    listed = {line.split()[0]: line for line in history_lines(history.runs())}
    assert listed["run"].endswith("against")
    assert listed["held"].endswith("nightly")
    assert listed["plain"].endswith("kvm")
    assert "Held against base, nightly, " in "\n".join(show_lines(run, history.load(run)))


@pytest.mark.parametrize("suffix", [".json", ".txt", ".md", ".html"])
def test_a_stored_run_is_exported_with_its_comparison_while_the_other_is_kept(
    history, tmp_path, suffix
):
    before = run_events([[5, 6]] * 4, run="base", started={"wall_ns": 1})
    events = run_events([[9, 9]] * 4, run="held", started={"wall_ns": 1 << 61})
    keep(history, before)
    run = keep_held(history, events)

    path = history.export(run, tmp_path / f"run{suffix}")

    live = side_of(Fleet(before), "nightly", name="nightly")
    assert path.read_text() == render(suffix, Fleet(events), None, live)
    assert "slower" in path.read_text()

    history.remove(history.find("base"))
    text = history.export(run, path).read_text()
    assert "nightly" in text
    assert "slower" not in text


def test_an_export_names_the_baseline_that_is_not_there_any_more(history, tmp_path):
    run = keep_held(history, run_events([[5, 6]]))

    body = exported_file(history.export(run, tmp_path / "run.json"))

    assert body["comparison"] is None
    assert body["run"]["baseline"] == {
        "run": "base", "name": "nightly", "started": "1970-01-01T00:00:00+00:00", "wall_ns": 1
    }  # fmt: skip


# The file.


def test_only_the_user_may_read_the_history(history):
    assert stat.S_IMODE(history.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(history.path.parent.stat().st_mode) == 0o700


def test_writes_survive_a_power_cut(history):
    connection = connect(history.path)
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    connection.close()


def old_database(path):
    """A history as version 1 wrote it."""
    connection = sqlite3.connect(path)
    MIGRATIONS[0](connection)
    connection.execute("PRAGMA user_version = 1")
    connection.execute(
        "INSERT INTO runs (key, run, wall_ns, state, number, host, accel, qemu_version,"
        " tool_version, owner) VALUES (7, 'old', 1, 'finished', 2, 'h', 'tcg', '7', '0.1', '')"
    )
    lines = zlib.compress(raw(run_events([[5, 6]], run="old")))
    connection.execute("INSERT INTO chunks VALUES (7, 0, ?)", (lines,))
    connection.commit()
    connection.close()


def test_an_old_history_is_brought_up_to_date_with_all_its_runs(tmp_path):
    path = tmp_path / "history.db"
    old_database(path)
    with History.open(path) as history:
        assert history.word == ""
        (run,) = history.runs()
        assert (run.run, run.state, run.name) == ("old", RunState.FINISHED, "")
        assert (run.boots, run.booted, run.median_s, run.baseline) == (2, 2, 5.5, None)
        assert history.load(run).state is RunState.FINISHED
        keep(history, run_events([[5]], run="new", started={"wall_ns": 2}))
        assert [each.run for each in history.runs()] == ["new", "old"]
    connection = connect(path)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == VERSION
    connection.close()


def test_a_migration_that_fails_leaves_the_old_history_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "history.db"
    old_database(path)

    def broken(connection):
        connection.execute("ALTER TABLE runs ADD COLUMN half TEXT")
        connection.execute("nonsense")

    monkeypatch.setattr("vmtiming_tui.store.MIGRATIONS", (MIGRATIONS[0], broken))
    with pytest.raises(HistoryError, match="cannot be opened"):
        History.open(path)
    monkeypatch.undo()
    with History.open(path) as history:
        assert [run.run for run in history.runs()] == ["old"]


def test_a_history_of_a_newer_program_is_left_alone(tmp_path):
    path = tmp_path / "history.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="newer vm-timing-report") as caught:
        History.open(path)
    assert "--no-history" in caught.value.hint
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["header", "text", "truncated", "rows"])
def test_a_damaged_history_is_set_aside_untouched_and_a_new_one_begun(tmp_path, damage):
    path = tmp_path / "history.db"
    with History.open(path) as history:
        keep(history, random_run(50, 2))
    content = bytearray(path.read_bytes())
    match damage:
        case "header":
            content[:100] = bytes(100)
        case "text":
            content[:] = b"this is no database\n" * 500
        case "truncated":
            del content[len(content) // 2 :]
        case "rows":
            content[4096:8192] = os.urandom(4096)
            content[8192:12288] = os.urandom(4096)
    path.write_bytes(content)
    with History.open(path) as history:
        assert "damaged; it is kept as" in history.word
        assert history.runs() == []
        keep(history, run_events([[5]]))
        assert len(history.runs()) == 1
    (aside,) = tmp_path.glob("history.db.damaged-*")
    assert aside.read_bytes() == content
    with History.open(path) as history:
        assert history.word == ""


def test_a_folder_without_the_right_to_write_is_said_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryError, match="cannot be opened: Not a directory") as caught:
        History.open(tmp_path / "file" / "history.db")
    assert "--no-history" in caught.value.hint


def test_events_that_can_not_be_read_are_left_out_and_counted(history):
    events = run_events([[5, 6]])
    with history.recorder() as recorder:
        recorder.write(raw(events[:5]) + b'{"event":"from_the_future"}\n\xff\xfe\n')
        recorder.write(raw(events[5:]))
    run = history.find("last")
    *read, notice = history.events(run)
    assert read == events
    assert notice.text.startswith("2 events of this stored run could not be read")
    assert summarise_fleet(history.load(run)).booted == 2


def test_words_that_are_no_utf8_do_not_keep_a_run_out_of_the_history(history):
    keep(history, run_events([[5]], started=named("nightly", "caf\udce9")))
    assert history.find("nightly").notes == "caf\\udce9"


@pytest.mark.parametrize(
    "column",
    [
        "curve = '[1]'", "curve = '[[1e400, 1e400]]'", "curve = '[[\"a\", 1]]'", "curve = x'00'",
        "counts = '{\"off\": []}'", "counts = '" + "[" * 50_000 + "'", "wall_ns = 'then'",
        "median_s = 'long'", "name = cast(x'ff' AS TEXT)", "owner = x'00', state = 'running'",
        "owner = 'boot ² 1', state = 'running'", "state = x'ff'", "baseline = '{\"run\": []}'",
        "baseline = x'ff'", "baseline = '[]'", "baseline = 5",
    ],
)  # fmt: skip
def test_damage_in_the_list_costs_that_figure_only(history, column):
    keep(history, run_events([[5, 6]]))
    history._connection.execute(f"UPDATE runs SET {column}")
    with History.open(history.path) as again:
        assert [run.run for run in again.runs()] == ["run-1"]
        assert list(history_lines(again.runs()))
        assert summarise_fleet(again.load(again.find("last"))).booted == 2


@given(blob=st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_damage_inside_a_run_costs_that_part_only(tmp_path_factory, blob):
    with History.open(tmp_path_factory.mktemp("blob") / "history.db") as history:
        keep(history, run_events([[5, 6]]))
        history._connection.execute("INSERT INTO chunks VALUES (1, 99, ?)", (blob,))
        assert summarise_fleet(history.load(history.find("last"))).booted == 2


# Replaying.


class FakeTime:
    """Stands in for the loop's clock: sleeping takes no time and is counted."""

    def __init__(self, monkeypatch):
        self.now_s = 0.0
        monkeypatch.setattr("vmtiming_tui.replay.asyncio.sleep", self.sleep)
        monkeypatch.setattr("vmtiming_tui.replay.asyncio.get_running_loop", lambda: self)

    def time(self):
        return self.now_s

    async def sleep(self, seconds):
        self.now_s += seconds


def replayed(events, speed, monkeypatch):
    clock = FakeTime(monkeypatch)

    async def collect():
        return [(clock.now_s, batch) async for batch in replay(events, speed)]

    return asyncio.run(collect())


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_a_replay_keeps_the_gaps_divided_by_its_speed(monkeypatch, speed):
    events = run_events([[5, 6, TIMED_OUT], [5, 5, 5]])
    batches = replayed(events, speed, monkeypatch)
    assert [event for _, batch in batches for event in batch] == events
    for now_s, batch in batches:
        for event in batch:
            late_s = now_s - event.at_ns / 1e9 / speed
            assert -1e-6 <= late_s <= 0.05 + 1e-6


def test_a_replay_of_infinite_speed_comes_at_once(monkeypatch):
    events = run_events([[5, 6]])
    assert replayed(events, float("inf"), monkeypatch) == [(0.0, events)]


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_a_replay_needs_a_speed_above_zero(monkeypatch, speed):
    with pytest.raises(ValueError, match="give one above 0"):
        replayed(run_events([[5]]), speed, monkeypatch)


# Bounds.


def told(vm, *, size=200_000, attempt=1):
    return ev.VmDetails(at_ns=1, vm=vm, attempt=attempt, slowest=("x" * size,))


def test_details_beyond_the_room_of_a_boot_are_left_out_and_the_boots_stay(history):
    events = run_events([[5, 6]])
    floods = [told(0), told(1, size=100)] * 50
    keep(history, [*events[:-1], *floods, events[-1]])
    run = history.find("run-1")
    *kept, notice = history.events(run)

    assert [event for event in kept if not isinstance(event, ev.VmDetails)] == [
        event for event in events if not isinstance(event, ev.VmDetails)
    ]
    assert sum(event == told(1, size=100) for event in kept) == 50
    assert sum(event == told(0) for event in kept) == MAX_BOOT_BYTES // 200_000
    assert notice.left_out == {"vm_details": 50 - MAX_BOOT_BYTES // 200_000}
    assert (run.booted, run.state) == (2, RunState.FINISHED)


def test_all_boots_together_have_their_bound_too(history, monkeypatch):
    monkeypatch.setattr(budget, "MAX_RUN_BYTES", 1_000_000)
    keep(history, [*run_events([[5]]), *(told(vm) for vm in range(20))])
    notice = history.events(history.find("run-1"))[-1]

    assert 15 <= notice.left_out["vm_details"] <= 16
    assert "vm_details were left out" in notice.text


@pytest.mark.parametrize("size", [MAX_LINE_BYTES + 1, 3 * MAX_LINE_BYTES])
def test_a_line_longer_than_any_event_is_neither_kept_nor_in_the_way(history, size):
    events = run_events([[5, 6]])
    half = len(events) // 2
    with history.recorder() as recorder:
        recorder.write(raw(events[:half]))
        for start in range(0, size, 1 << 20):
            recorder.write(b"x" * min(1 << 20, size - start))
        recorder.write(b"\n" + raw(events[half:]))

    kept = history.events(history.find("run-1"))
    assert [event for event in kept if not isinstance(event, ev.Notice)] == events


@pytest.mark.parametrize("line", [b"x" * (MAX_LINE_BYTES + 1), b'{"event":"' + b"y" * (64 << 20)])
def test_a_stored_line_that_is_huge_is_passed_over_in_little_memory(history, line):
    events = run_events([[5, 6]])
    keep(history, events)
    run = history.find("run-1")
    blob = zlib.compress(raw(events[:-1]) + line + b"\n" + raw(events[-1:]))
    history._connection.execute("UPDATE chunks SET lines = ?", (blob,))
    tracemalloc.start()
    longest = max(map(len, history.lines(run)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    *read, notice = history.events(run)

    assert read == events
    assert notice.text.startswith("1 event of this stored run could not be read")
    assert longest < MAX_LINE_BYTES
    assert peak < 8 * MAX_LINE_BYTES


def test_a_stored_bomb_ends_at_a_bound(history):
    keep(history, run_events([[5]]))
    run = history.find("run-1")
    bomb = zlib.compress(bytes(300 << 20))
    history._connection.execute("UPDATE chunks SET lines = ?", (bomb,))

    assert list(history.lines(run)) == [b"damaged"]


def test_the_oldest_without_a_name_go_where_there_is_too_much_and_the_file_shrinks(history):
    for number in range(6):
        started = (named("kept") if number == 1 else {}) | {"wall_ns": number}
        keep(history, run_events([[5]], run=f"r{number}", started=started))
        blob = zlib.compress(os.urandom(400_000))
        key = history.find(f"r{number}").key
        history._connection.execute("INSERT INTO chunks VALUES (?, 99, ?)", (key, blob))
    history._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    before = history.path.stat().st_size
    asked = Retention(max_bytes=1_500_000)

    would = [sized.run.run for sized in history.prune(asked, dry_run=True)]
    assert len(history.runs()) == 6
    gone = [sized.run.run for sized in history.prune(asked)]

    assert would == gone == ["r0", "r2", "r3"]
    assert [run.run for run in history.runs()] == ["r5", "r4", "r1"]
    assert history.path.stat().st_size < before * 0.6


def test_a_run_under_way_is_not_given_up(history):
    with history.recorder() as recorder:
        recorder.write(raw(run_events([[5]])[:-1]))
        wait_for(lambda: len(history.runs()) == 1)
        assert history.prune(Retention(keep=0)) == []
