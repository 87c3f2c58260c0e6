"""A storm in rounds: its figures are those of the same boots without rounds."""

import json
from dataclasses import replace

import pytest

from support.facts import SECOND, plan
from support.making import FAILED, TIMED_OUT, run_events
from support.phased import Aftermath, phased
from support.schema import exported_body
from vmtiming_tui.analysis.cautions import CautionKind, cautions
from vmtiming_tui.analysis.counted import counted_attempts
from vmtiming_tui.analysis.summary import completion, summarise_fleet
from vmtiming_tui.history.rows import figures_of
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export import render
from vmtiming_tui.report.export.from_json import fleet_of as fleet_of_export

BOOTS = [5.0, 6.0, 5.5, 4.5, 7.0, 5.25]


def in_rounds(boots=BOOTS, rounds=3, **each):
    each = {"skew_s": 0.0} | each
    return Fleet(phased(run_events([boots], **each), Aftermath(rounds=rounds)))


def test_each_round_begins_where_the_last_vm_of_the_one_before_was_booted():
    fleet = in_rounds()

    assert [attempt.round for attempt in fleet.newest] == [1, 1, 2, 2, 3, 3]
    assert completion(counted_attempts(fleet)) == [
        (round(at * SECOND), k) for k, at in enumerate([5.0, 6.0, 10.5, 11.5, 16.75, 18.5], start=1)
    ]


def test_the_time_in_which_vms_are_collected_and_ended_is_in_no_figure():
    fleet = in_rounds()
    first, *_, last = sorted(fleet.newest, key=lambda attempt: attempt.report_ns)
    summary = summarise_fleet(fleet)

    assert last.report_ns - first.go_ns > 20 * SECOND
    assert summary.all_booted_in_s == summary.last_booted_s == 18.5
    assert summary.time_to_s == {25: 6.0, 50: 10.5, 75: 16.75, 90: 18.5, 100: 18.5}
    assert summary.vms_per_s == pytest.approx(6 / 18.5)
    assert summary.launch_skew_s == 11.5


def test_what_is_of_single_boots_is_what_it_is_without_rounds():
    rounds, none = summarise_fleet(in_rounds()), summarise_fleet(in_rounds(rounds=1))

    for name in ("mean_s", "median_s", "p95_s", "stages", "qemu", "lost", "mad_s", "disturbed"):
        assert getattr(rounds, name) == getattr(none, name)


def test_a_vm_that_was_lost_holds_up_the_round_after_it():
    fleet = in_rounds([5.0, TIMED_OUT, 6.0, FAILED], rounds=2)

    assert completion(counted_attempts(fleet)) == [(5 * SECOND, 1), (36 * SECOND, 2)]
    assert summarise_fleet(fleet).all_booted_in_s is None


def test_storms_of_rounds_stand_each_on_their_own_axis():
    fleet = Fleet(phased(run_events([BOOTS, BOOTS], skew_s=0.0), Aftermath(rounds=3)))

    assert completion(counted_attempts(fleet))[-2:] == [(18_500_000_000, 11), (18_500_000_000, 12)]
    assert summarise_fleet(fleet).all_booted_in_s == 18.5


def test_the_list_of_runs_has_the_same_figures():
    row = figures_of(in_rounds())

    assert row["cluster_s"] == 18.5
    assert json.loads(row["curve"])[-1] == [18.5, 6]


def test_it_is_said_in_words():
    texts = [c.text for c in cautions(in_rounds()) if c.kind is CautionKind.ROUNDS]

    assert texts == [
        "the storm went in 3 rounds of 2: the host cannot hold all VMs at once; "
        "the figures leave out the time between the rounds"
    ]
    several = Fleet(phased(run_events([BOOTS, BOOTS]), Aftermath(rounds=2)))
    (text,) = [c.text for c in cautions(several) if c.kind is CautionKind.ROUNDS]
    assert text.startswith("2 of 2 storms went in 2 rounds of 3: ")


def test_it_is_said_so_from_the_first_round_on():
    stream = phased(run_events([BOOTS]), Aftermath(rounds=3))
    first = next(at for at, event in enumerate(stream) if isinstance(event, ev.RoundStarted))

    (text,) = [c.text for c in cautions(Fleet(stream[: first + 1])) if c.kind is CautionKind.ROUNDS]
    assert text.startswith("the storm went in 3 rounds of 2: ")


def test_only_one_rounds_vms_are_held_against_the_hosts_memory():
    started = {"plan": plan(number=6, parallel=2, memory_mib=4096)}

    def said(rounds):
        return [
            c.text for c in cautions(in_rounds(rounds=rounds, started=started))
            if c.kind is CautionKind.SIZE
        ]  # fmt: skip

    (text,) = said(1)
    assert "may take 24576 MiB" in text
    assert said(3) == []


def test_nothing_is_said_of_a_storm_in_one_round():
    assert [c for c in cautions(in_rounds(rounds=1)) if c.kind is CautionKind.ROUNDS] == []


def test_they_are_exported_and_read_back():
    text = render(".json", in_rounds())
    body = exported_body(text)

    assert body["storms"][0]["rounds"] == 3
    assert [vm["attempts"][0]["round"] for vm in body["vms"]] == [1, 1, 2, 2, 3, 3]
    assert render(".json", fleet_of_export(text)) == text
    rows = render(".csv", in_rounds()).splitlines()
    place = rows[0].split(",").index("round")
    assert [row.split(",")[place] for row in rows[1:]] == ["1", "1", "2", "2", "3", "3"]


def test_a_scope_leaves_out_the_rounds_of_others():
    summary = summarise_fleet(in_rounds(), {4, 5})

    assert summary.all_booted_in_s == 7.0
    assert replace(summary, launch_skew_s=0.0) == summary
