"""Which run another was held against: kept with it, told, and exported."""

import pytest

from support.making import as_told, run_events
from support.past_runs import keep
from support.schema import exported_file
from vmtiming_tui.analysis.comparison.samples import Identity, side_of
from vmtiming_tui.history.listing import history_lines, show_lines
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export import render

BASE = Identity("base", "nightly", 1)


def keep_held(history, events, baseline=BASE):
    with history.recorder(None, baseline) as recorder:
        recorder.write(as_told(events))
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
        "run": "base", "name": "nightly", "started": "1970-01-01T00:00:00+00:00", "wall_ns": 1,
        "setting": "",
    }  # fmt: skip
