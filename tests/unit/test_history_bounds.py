"""What a history takes at the most: of a line, of a boot, of all of them, on the disk."""

import os
import tracemalloc
import zlib

import pytest

from support.making import as_told, raw, run_events
from support.past_runs import keep, named, wait_for
from vmtiming_tui.history import event_budget
from vmtiming_tui.history.event_budget import MAX_BOOT_BYTES, MAX_LINE_BYTES
from vmtiming_tui.history.retention import Retention
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import RunState
from vmtiming_tui.sources.event_lines import LineDecoder


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


def test_a_units_order_is_left_out_like_details_and_a_guests_words_never_are(history):
    order = ev.UnitOrder(at_ns=1, vm=0, attempt=1, after={"x": ("y" * 800_000,)})
    words = ev.ReportText(at_ns=1, vm=0, attempt=1, text="Startup finished in 5s")
    events = run_events([[5]])
    keep(history, [*events[:-1], order, order, words, events[-1]])
    *kept, notice = history.events(history.find("run-1"))

    assert [event for event in kept if event not in events] == [order, words]
    assert notice.left_out == {"unit_order": 1}


def test_units_are_left_out_like_details(history):
    units = ev.VmUnits.of([ev.UnitTimes("x" * 800_000)], at_ns=1, vm=0, attempt=1)
    keep(history, [*run_events([[5]]), units, units])
    *kept, notice = history.events(history.find("run-1"))

    assert kept.count(units) == 1
    assert notice.left_out == {"vm_units": 1}


def test_all_boots_together_have_their_bound_too(history, monkeypatch):
    monkeypatch.setattr(event_budget, "MAX_RUN_BYTES", 1_000_000)
    keep(history, [*run_events([[5]]), *(told(vm) for vm in range(20))])
    notice = history.events(history.find("run-1"))[-1]

    assert 15 <= notice.left_out["vm_details"] <= 16
    assert "vm_details were left out" in notice.text


@pytest.mark.parametrize("size", [MAX_LINE_BYTES + 1, 3 * MAX_LINE_BYTES])
def test_a_line_longer_than_any_event_is_neither_kept_nor_in_the_way(history, size):
    events = run_events([[5, 6]])
    half = len(events) // 2
    with history.recorder() as recorder:
        recorder.write(as_told(events[:half]))
        recorder.write(LineDecoder().take(b"x" * size + b"\n"))
        recorder.write(as_told(events[half:]))

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
        recorder.write(as_told(run_events([[5]])[:-1]))
        wait_for(lambda: len(history.runs()) == 1)
        assert history.prune(Retention(keep=0)) == []
