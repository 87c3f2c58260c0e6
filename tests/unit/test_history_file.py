"""The history's file: the user's alone, of any age, damaged anywhere."""

import os
import sqlite3
import stat
import zlib

import pytest
from hypothesis import given, settings, strategies as st

from support.making import as_told, random_run, raw, run_events
from support.past_runs import keep, named
from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.errors import HistoryError
from vmtiming_tui.history.database import MIGRATIONS, VERSION, connect
from vmtiming_tui.history.listing import history_lines
from vmtiming_tui.history.runs import History
from vmtiming_tui.model.fleet import RunState
from vmtiming_tui.sources.event_lines import LineDecoder


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

    monkeypatch.setattr("vmtiming_tui.history.database.MIGRATIONS", (MIGRATIONS[0], broken))
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
        unread = LineDecoder().take(b'{"event":"from_the_future"}\n\xff\xfe\n')
        recorder.write([*as_told(events[:5]), *unread, *as_told(events[5:])])
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
