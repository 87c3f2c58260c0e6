"""counted: one definition of which boots count, and every front end that keeps to it."""

import csv
import io
import json

import pytest

from support.facts import SECOND, plan
from support.making import FAILED, TIMED_OUT, held_to, run_events, storm_events
from vmtiming_tui.analysis.cautions import cautions
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.analysis.counted import counted_attempts, made_good, reruns
from vmtiming_tui.analysis.exit_code import exit_code, reasons
from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.history.rows import figures_of
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.report.export import render
from vmtiming_tui.tui.state.live_figures import reckon

RUN, WARMUP, RERUN = StormKind.RUN, StormKind.WARMUP, StormKind.RERUN


def followed(rows, again, kinds=None) -> Fleet:
    """A finished run, and a rerun after it."""
    seen = len(rows)
    return Fleet(
        [
            *run_events(rows, kinds=kinds, skew_s=0, outcome=None),
            *storm_events(
                again,
                storm=seen + 1,
                kind=RERUN,
                attempts=dict.fromkeys(again, seen + 1),
                at_ns=900 * SECOND,
            ),
            ev.RunEnded(at_ns=2000 * SECOND, outcome=ev.Outcome.FINISHED),
        ]
    )


def test_boots_of_the_plans_storms_count_and_no_warm_up_or_rerun():
    fleet = followed([[50.0, 50.0], [5.0, 6.0]], {0: 1.0}, kinds=[WARMUP, RUN])

    assert [(each.vm, each.storm) for each in counted_attempts(fleet)] == [(0, 2), (1, 2)]
    assert [(each.vm, each.storm) for each in reruns(fleet)] == [(0, 3)]


def test_a_boot_that_was_too_slow_stays_so_when_its_vm_is_run_again():
    fleet = followed([[5.0, 5.0], [5.0, 50.0], [5.0, 5.0]], {1: 5.0})

    assert exit_code(held_to(fleet, "20")) == 3
    assert "VM 1 took 50 s in storm 2, over the limit of 20 s" in reasons(fleet)


def test_a_slow_or_failed_rerun_does_not_undo_a_storm_that_was_well():
    assert exit_code(held_to(followed([[5.0, 5.0]], {1: 50.0}), "20")) == 0
    assert exit_code(followed([[5.0, 5.0]], {1: FAILED})) == 0


def test_a_lost_vm_that_boots_when_run_again_is_made_good_for_the_exit_code_and_that_is_said():
    fleet = followed([[5.0, FAILED]], {1: 7.0})

    assert exit_code(fleet) == 0
    assert exit_code(held_to(fleet, "6")) == 3
    assert any("made good for the exit code" in str(each) for each in cautions(fleet))
    assert summarise_fleet(fleet).booted == 1


def test_a_rerun_makes_good_only_what_it_followed():
    fleet = followed([[5.0, FAILED], [5.0, 5.0]], {1: 7.0})

    assert made_good(fleet) == []
    assert exit_code(fleet) == 1


def test_reruns_are_said_to_be_in_no_figure():
    texts = [str(each) for each in cautions(followed([[5.0, 6.0]], {1: 1.0}))]

    assert any("VM 1: run again beside the storm" in text for text in texts)


@pytest.mark.parametrize(
    "fleet",
    [
        followed([[5.0, 9.0]], {1: 2.0}),
        followed([[5.0, 6.0, 9.0], [5.5, 6.5, 9.5]], {2: 1.0}),
        followed([[5.0, FAILED, 7.0]], {1: 6.0}),
        followed([[99.0, 99.0], [5.0, 6.0]], {0: 50.0}, kinds=[WARMUP, RUN]),
        followed([[5.0, TIMED_OUT], [6.0, 7.0], [6.0, 8.0]], {0: 1.0}),
    ],
    ids=["rerun", "storms", "made good", "warm-up", "lost"],
)
def test_every_front_end_and_export_has_the_same_figures(fleet):
    summary = summarise_fleet(fleet)
    row, live = figures_of(fleet), reckon(fleet, plan(), 3000 * SECOND)
    body = json.loads(render(".json", fleet))
    table = list(csv.DictReader(io.StringIO(render(".csv", fleet))))
    counted = [each for each in table if each["counts"] == "true"]
    times = [float(each["boot_s"]) for each in counted if each["state"] == "booted"]
    sample = [storm for sample in side_of(fleet).samples for storm in sample.storms]

    assert row["boots"] == summary.number == len(counted) == sum(storm.size for storm in sample)
    assert row["booted"] == summary.booted == live.booted == len(times)
    assert row["median_s"] == summary.median_s == body["summary"]["median_s"]
    assert row["p95_s"] == summary.p95_s == body["summary"]["p95_s"]
    assert max(times) == summary.max_s == live.max_ns / 1e9
    assert sorted(times) == sorted(time for storm in sample for time in storm.boots)
    assert live.median_ns == (None if summary.median_s is None else summary.median_s * 1e9)
    if summary.p95_s is not None:
        assert f"the p95 is {summary.p95_s:.4g} s, over the limit of 0.5 s" in reasons(
            held_to(fleet, "0.5")
        )


def test_a_rerun_is_exported_beside_what_counts():
    fleet = followed([[5.0, 9.0]], {1: 2.0})
    body = json.loads(render(".json", fleet))

    attempts = body["vms"][1]["attempts"]
    assert [(each["boot_s"], each["counts"]) for each in attempts] == [(9.0, True), (2.0, False)]
    assert [storm["kind"] for storm in body["storms"]] == ["run", "rerun"]
    assert "Run again:\nVM 1 booted in: 2s" in render(".txt", fleet)
