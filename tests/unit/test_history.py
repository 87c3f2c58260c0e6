"""The history: runs kept as they happen, found again, and changed."""

import itertools
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from support.facts import plan
from support.making import FAILED, KILLED, PENDING, TIMED_OUT, as_told, random_run, raw, run_events
from support.past_runs import keep, named, wait_for
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.errors import HistoryError
from vmtiming_tui.history import recorder as recorder_module
from vmtiming_tui.history.database import connect
from vmtiming_tui.history.finding import matching
from vmtiming_tui.history.owner import is_alive, owner_of
from vmtiming_tui.history.runs import History
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet, RunState
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.report.export import render
from vmtiming_tui.sources.event_lines import LineDecoder


@given(cuts=st.lists(st.integers(0, 40_000), max_size=12))
@settings(max_examples=25, deadline=None)
def test_a_run_is_kept_line_for_line_however_the_stream_is_cut(tmp_path_factory, cuts):
    events = run_events([[5, 6, TIMED_OUT], [5, 5, 5]])
    stream = raw(events)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    decoder = LineDecoder()
    with History.open(tmp_path_factory.mktemp("cut") / "history.db") as history:
        with history.recorder() as recorder:
            for first, last in itertools.pairwise(places):
                recorder.write(decoder.take(stream[first:last]))
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


FILTERS = {
    "": ["a", "b", "c"],
    "night*": ["a", "b"],
    "night* label:branch=main": ["a"],
    "label:bran": ["a", "b"],
    "!label:branch=main": ["b", "c"],
    "COLD": ["c"],
    "timed": ["b"],
    "finished !night": ["c"],
    "label:no=where": [],
}


def test_runs_match_every_word_of_a_filter(history):
    for name, run, more, boots in (
        ("weekly", "c", {"notes": "cold"}, [5, 6]),
        ("nightly", "b", {"labels": {"branch": "work"}}, [5, TIMED_OUT]),
        ("nightly", "a", {"labels": {"branch": "main"}}, [5, 6]),
    ):
        started = {"plan": replace(plan(2), name=name, **more)}
        keep(history, run_events([boots], run=run, started=started))
    runs = history.runs()
    assert {text: [run.run for run in matching(runs, text)] for text in FILTERS} == FILTERS


def test_a_run_is_called_and_noted_otherwise_wherever_it_is_shown(history):
    keep(history, run_events([[5, 6]], started=named("nightly", "cold")))
    (run,) = history.runs()
    history.rename(run, "warm\ud800")
    history.note(history.find("last"), "with the new kernel")

    kept = history.find("warm\\ud800")
    assert (kept.key, kept.notes) == (run.key, "with the new kernel")
    plan = history.load(kept).plan
    assert (plan.name, plan.notes) == (kept.name, kept.notes)
    assert "with the new kernel" in history.rendered(kept, ".md")
    history.rename(kept, "")
    assert history.find("last").label == "run-1"


def test_events_are_read_no_longer_than_they_are_wanted(history):
    events = run_events([[5, 6]])
    keep(history, events)
    turns = iter([True] * 5)
    assert history.events(history.find("last"), lambda: next(turns, False)) == events[:5]


def test_a_run_under_way_can_be_renamed_and_keeps_that(history):
    *most, last = as_told(run_events([[5, 6]], started=named("nightly")))
    with history.recorder() as recorder:
        recorder.write(most)
        (run,) = wait_for(history.runs)
        history.rename(run, "mine")
        recorder.write([last])
    assert history.find("mine").state is RunState.FINISHED


def test_a_run_that_was_forgotten_meanwhile_is_a_sentence_and_no_other_run(history):
    keep(history, run_events([[5, 6]], run="gone"))
    (run,) = history.runs()
    history.remove(run)
    keep(history, run_events([[5, 6]], run="other"))
    assert history.find("other").key == run.key
    for do in (
        history.load,
        lambda run: history.rename(run, "x"),
        lambda run: history.note(run, ""),
    ):
        with pytest.raises(HistoryError, match="run gone is not in the history any more"):
            do(run)
    history.remove(run)
    assert [each.run for each in history.runs()] == ["other"]


def test_a_long_curve_is_thinned_but_keeps_its_end(history):
    keep(history, run_events([[5 + vm / 10 for vm in range(500)]], skew_s=0))
    (run,) = history.runs()
    assert len(run.curve) <= 41
    assert run.curve[-1] == (pytest.approx(54.9), 500)


def test_two_runs_of_one_session_are_kept_apart_and_a_rerun_with_its_run(history):
    first = run_events([[5, 6]], run="a")
    rerun = [
        ev.StormStarted(at_ns=first[-1].at_ns, storm=2, kind=StormKind.RERUN, vms=(1,)),
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
        recorder.write(as_told(run_events([[5, PENDING]], outcome=None)))
        wait_for(history.runs)
        run = history.find("run-1")
        assert run.state is RunState.RUNNING
        with pytest.raises(HistoryError, match="still goes on"):
            history.remove(run)
        with History.open(history.path) as other:
            assert other.find("run-1").state is RunState.RUNNING


CHILD = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from support.making import PENDING, as_told, run_events
from vmtiming_tui.history.runs import History
with History.open(Path(sys.argv[1])) as history, history.recorder() as recorder:
    recorder.write(as_told(run_events([[5, 6, PENDING]], run=sys.argv[3], outcome=None)))
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
        recorder.write(as_told(run_events([[5]])))
        recorder.write(as_told(run_events([[5]], run="run-2")))
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
        recorder.write(as_told(events[: len(events) // 2]))
        wait_for(lambda: said)
        assert said == [recorder.trouble]
        assert "not being kept in the history: database or disk is full" in said[0]
        monkeypatch.undo()
        recorder.write(as_told(events[len(events) // 2 :]))
    assert said[1:] == ["the run is kept in the history again"]
    assert history.events(history.find("run-1")) == events


def test_what_can_not_be_kept_is_bounded_and_said(history, monkeypatch):
    monkeypatch.setattr(recorder_module, "MOST_WAITING_BYTES", 20_000)
    said = []
    with history.recorder(said.append) as recorder:
        recorder.write(as_told(run_events([[5]])))
        recorder.write(LineDecoder().take(b"x" * 30_000 + b"\n"))
    assert said == ["part of the run is missing from the history"]


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


def test_the_medians_of_a_runs_whole_storms_are_kept_for_later_runs_to_be_told_by(history):
    rows = [[5.0, 5.2], [6.0, 6.2], [7.0, 7.2]]
    for name, fates, outcome in (
        ("one", rows, ev.Outcome.FINISHED),
        ("lost", [[5.0, FAILED], [FAILED, FAILED], [8.0, 8.2]], ev.Outcome.FINISHED),
        ("cut", [[5.0, 5.2], [4.0, KILLED]], ev.Outcome.STOPPED),
        ("none", [[FAILED, FAILED]], ev.Outcome.FINISHED),
    ):
        started = {"wall_ns": len(name), "number": 2, "plan": plan(2)}
        keep(history, run_events(fates, run=name, outcome=outcome, started=started))

    setting = side_of(history.load(history.find("one"))).samples[0].setting
    known = {each.run: each.medians for each in history.known([setting.circumstances])}

    assert known == {"one": (5.1, 6.1, 7.1), "lost": (8.1,), "cut": (5.1,)}
    assert {each.setting for each in history.known([setting.circumstances])} == {setting}
    assert history.known(["other"]) == history.known([]) == ()
    history.remove(history.find("one"))
    assert "one" not in {each.run for each in history.known([setting.circumstances])}


def test_a_damaged_median_is_passed_over(history):
    keep(history, run_events([[5.0, 5.2], [6.0, 6.2]], started={"plan": plan(2)}))
    where = side_of(history.load(history.find("last"))).samples[0].setting.circumstances
    connection = connect(history.path)
    connection.execute("UPDATE storms SET median_s = x'00' WHERE place = 0")
    connection.close()

    assert [each.medians for each in history.known([where])] == [(6.1,)]
