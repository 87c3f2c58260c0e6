"""Labels of a run: read, kept with it, told in every export, and found by."""

import csv
import io
import sqlite3
from dataclasses import replace

import pytest

from support.facts import plan
from support.making import run_events
from support.past_runs import keep
from support.schema import exported_file
from vmtiming_tui.errors import ConfigError, HistoryError
from vmtiming_tui.history.listing import history_lines, show_lines
from vmtiming_tui.history.lookup import side_named
from vmtiming_tui.history.runs import History
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export import render
from vmtiming_tui.report.export.from_json import read_export
from vmtiming_tui.request.labels import MAX_LABELS, MAX_VALUE, read_labels, searched_label
from vmtiming_tui.request.sweeps import build_plan

MAIN = {"branch": "main", "os": "debian 13"}


def labelled(run, age, **labels):
    """A run with labels that began so many ns before the newest that there can be."""
    started = {"plan": replace(plan(2), labels=labels), "wall_ns": (1 << 61) - age}
    return run_events([[5, 6]], run=run, started=started)


def test_what_follows_the_first_equals_sign_is_the_value():
    assert read_labels(["branch=main", " url = a=b , c "]) == {"branch": "main", "url": "a=b , c"}
    assert searched_label("label:branch=feature/x.json") == ("branch", "feature/x.json")
    assert searched_label("branch=main") is None


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["branch"], "'branch' has no value; give key=value, such as branch=main"),
        (["=main"], "'' is no key; begin with a letter"),
        (["2nd=x"], "'2nd' is no key"),
        (["ein käse=x"], "'ein käse' is no key"),
        ([f"{'k' * 64}=x"], "at most 63 in all"),
        (["branch="], "branch has an empty value"),
        (["a=\x1b[31mred"], "the value of a is no plain line"),
        (["a=two\nlines"], "the value of a is no plain line"),
        ([f"a={'x' * (MAX_VALUE + 1)}"], f"give one of at most {MAX_VALUE} characters"),
        (["a=1", "a=2"], "a is given twice; give each key one value"),
        ([f"k{n}=x" for n in range(MAX_LABELS + 1)], f"keep to {MAX_LABELS}"),
    ],
)
def test_a_bad_label_is_refused_with_what_to_write(texts, words):
    raw = {"prefix": "vm", "kernel": "k"}
    with pytest.raises(ConfigError) as caught:
        build_plan(raw, labels=texts, files=False)

    (problem,) = caught.value.problems
    assert str(problem).startswith("--label: ")
    assert words in str(problem)


def test_a_name_that_would_be_taken_for_a_search_is_refused():
    with pytest.raises(ConfigError, match="--name: label: begins a search by label"):
        build_plan({"prefix": "vm", "kernel": "k"}, name="label:a=b", files=False)


def test_labels_are_in_the_stream_and_one_without_them_still_reads():
    (started, *_) = labelled("r", 0, **MAIN)
    line = ev.encode(started)

    assert ev.decode(line).plan.labels == MAIN
    assert ev.decode(line.replace(',"labels":{"branch":"main","os":"debian 13"}', "")) == replace(
        started, plan=replace(started.plan, labels={})
    )


def test_a_table_has_a_column_a_label():
    rows = csv.DictReader(io.StringIO(render(".csv", Fleet(labelled("r", 0, **MAIN)))))

    assert [(row["label_branch"], row["label_os"]) for row in rows] == [("main", "debian 13")] * 2


@pytest.mark.parametrize("suffix", [".md", ".html", ".txt"])
def test_a_page_tells_the_labels(suffix):
    assert "branch=main, os=debian 13" in render(suffix, Fleet(labelled("r", 0, **MAIN)))


def test_the_json_tells_the_labels_and_is_read_back_with_them(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(render(".json", Fleet(labelled("r", 0, **MAIN))))

    assert exported_file(path)["run"]["labels"] == MAIN
    assert read_export(path).plan.labels == MAIN


def test_the_newest_run_with_a_label_is_found_wherever_a_run_is_named(history, monkeypatch):
    keep(history, labelled("old", 3, branch="main"))
    keep(history, labelled("new", 2, branch="main", os="debian"))
    keep(history, labelled("other", 1, branch="topic/a.json"))

    assert history.find("label:branch=main").run == "new"
    monkeypatch.setattr("vmtiming_tui.history.runs.default_path", lambda: history.path)
    assert side_named("label:branch=main").identity.run == "new"
    assert side_named("label:branch=topic/a.json").identity.run == "other"


def test_runs_are_listed_by_all_the_labels_asked_for(history):
    keep(history, labelled("one", 3, branch="main"))
    keep(history, labelled("two", 2, branch="main", os="debian"))
    keep(history, labelled("none", 1))

    assert [run.run for run in history.chosen(None, ["label:branch=main"])] == ["two", "one"]
    both = history.chosen(None, ["label:branch=main", "label:os=debian"])
    assert [run.run for run in both] == ["two"]
    listed = history_lines(both)
    assert listed[0].endswith("labels")
    assert listed[1].endswith("branch=main, os=debian")
    assert "labels" not in history_lines([history.find("none")])[0]
    assert "Labels: branch=main, os=debian" in show_lines(both[0], history.load(both[0]))


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ("label:branch=gone", "no run in the history is labelled branch=gone"),
        ("label:branch", "label: 'branch' has no value"),
        ("label:", "label: '' has no value"),
    ],
)
def test_a_search_that_finds_nothing_says_so(history, search, words):
    keep(history, labelled("one", 1, branch="main"))

    with pytest.raises(HistoryError) as caught:
        history.find(search)
    assert words in caught.value.message
    assert caught.value.hint


def test_labels_that_are_damaged_in_the_history_hide_no_run(tmp_path):
    with History.open(tmp_path / "history.db") as history:
        keep(history, labelled("one", 1, branch="main"))
        with sqlite3.connect(history.path) as connection:
            connection.execute('UPDATE runs SET labels = \'{"a": 1, "b": "x"}\'')
        connection.close()

        assert history.find("one").labels == {"b": "x"}
