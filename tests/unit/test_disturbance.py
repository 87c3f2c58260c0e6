"""What VMs that had reported cost the boots of others: a figure of each boot, and a word for it."""

import csv
import io
import json

import pytest

from support.facts import MS, SECOND, config, plan_of
from support.making import as_told, run_events
from support.phased import Aftermath, phased
from support.schema import exported_body
from vmtiming_tui.analysis.cautions import CautionKind, cautions
from vmtiming_tui.analysis.stages import DoubtCode, stages_of
from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.history.listing import show_lines
from vmtiming_tui.history.runs import History
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import AfterReport
from vmtiming_tui.model.events import ReleaseCause
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export import render
from vmtiming_tui.report.export.from_json import fleet_of as fleet_of_export

BOOTS = [5.0, 6.0, 9.0]


def one_goes_on(cause, for_s=3.0, boots=BOOTS):
    """Return the stream of a storm whose VM 0 goes on at once after its report, for that long."""
    asked = plan_of(config(after_report=AfterReport.FREEZE))
    stream = phased(run_events([boots], skew_s=0.0, started={"plan": asked}))
    (report,) = [each for each in stream if isinstance(each, ev.VmBooted) and each.vm == 0]
    begun_ns = report.at_ns + 10 * MS
    ended_ns = begun_ns + round(for_s * SECOND)
    who = {"vm": 0, "attempt": 1}
    apart = (ev.VmReleased, ev.VmEnding, ev.VmExited)
    if cause is not ReleaseCause.BY_HAND:
        apart += (ev.VmFrozen,)
    kept = [each for each in stream if not (isinstance(each, apart) and each.vm == 0)]
    more = [
        ev.VmReleased(at_ns=begun_ns, cause=cause, **who),
        ev.VmExited(at_ns=ended_ns, exit_code=0, reason="guest-shutdown", **who),
    ]
    return sorted([*kept, *more], key=lambda event: event.at_ns)


def as_before(boots=BOOTS):
    """Return the stream of an earlier version, which knew no phases."""
    asked = plan_of(config(after_report=AfterReport.OFF))
    stream = run_events([boots], skew_s=0.0, started={"plan": asked})
    return [event for event in stream if not isinstance(event, ev.RoundStarted)]


def warned(stream, kind=CautionKind.DISTURBED):
    return [each.text for each in cautions(Fleet(stream)) if each.kind is kind]


@pytest.mark.parametrize("after_report", [AfterReport.FREEZE, AfterReport.RUN])
def test_it_is_zero_by_default_and_for_a_fleet_that_stays_up(after_report):
    stream = phased(run_events([BOOTS]), Aftermath(after_report=after_report))
    summary = summarise_fleet(Fleet(stream))

    assert (summary.disturbed, summary.most_disturbed_s) == (0, 0.0)
    assert all(stages_of(attempt).doubts == () for attempt in Fleet(stream).newest)
    assert warned(stream) == []


def test_the_most_disturbed_boot_and_how_many_there_are_is_told():
    summary = summarise_fleet(Fleet(one_goes_on(ReleaseCause.OWN_WAY)))

    assert (summary.disturbed, summary.most_disturbed_s) == (2, 3.0)


def test_a_disturbed_boot_is_doubted_and_its_stages_still_count():
    fleet = Fleet(one_goes_on(ReleaseCause.OWN_WAY))
    stages = stages_of(fleet.vms[2].newest)

    assert [doubt.code for doubt in stages.doubts] == [DoubtCode.DISTURBED]
    assert str(stages.doubts[0]) == "VMs that had reported were not idle for 3 s of its boot"
    assert not stages.is_doubtful
    assert sum(ns for _, ns in stages.known) == 9 * SECOND


@pytest.mark.parametrize(("for_s", "doubted"), [(0.09, False), (0.1, True)])
def test_what_is_no_more_than_one_percent_of_a_boot_is_no_doubt(for_s, doubted):
    fleet = Fleet(one_goes_on(ReleaseCause.OWN_WAY, for_s))

    assert bool(stages_of(fleet.vms[2].newest).doubts) is doubted


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (
            ReleaseCause.OFF,
            "they gathered their details and powered off at once, as with --after-report off and "
            "in earlier versions; freeze has them stand still",
        ),
        (
            ReleaseCause.OWN_WAY,
            "the guests of VM 0 wait for nobody after their report; bring in the report service "
            "of this version (--inject auto)",
        ),
        (ReleaseCause.NOT_STOPPED, "QEMU did not have VM 0 stand still"),
        (ReleaseCause.BY_HAND, "somebody resumed VM 0 while others booted"),
    ],
)
def test_a_caution_says_which_boots_for_how_long_and_why(cause, words):
    assert warned(one_goes_on(cause)) == [
        "VMs 1, 2 booted while VMs that had reported were not idle: VM 2 for 3 s of its 9 s; "
        + words
    ]


def test_a_single_disturbed_boot_is_named_once():
    (text,) = warned(one_goes_on(ReleaseCause.OFF, boots=[5.0, 9.0]))

    assert text.startswith(
        "VM 1 booted while VMs that had reported were not idle for 3 s of its 9 s; "
    )


def test_a_boot_is_never_said_to_be_disturbed_for_longer_than_it_took():
    (text,) = warned(one_goes_on(ReleaseCause.OFF, for_s=20, boots=[0.001, 14.357]))

    assert "for 14.35 s of its 14.36 s; " in text


def test_a_disturbance_is_said_once_and_not_among_the_stages_again():
    assert warned(one_goes_on(ReleaseCause.BY_HAND), CautionKind.STAGES) == []


def test_a_vm_that_somebody_resumed_is_marked_and_its_stages_still_count():
    stages = stages_of(Fleet(one_goes_on(ReleaseCause.BY_HAND)).vms[0].newest)

    assert [doubt.code for doubt in stages.doubts] == [DoubtCode.RESUMED]
    assert not stages.is_doubtful


def test_guests_of_an_earlier_versions_run_disturbed_each_other_from_report_to_exit():
    stream = as_before()
    summary = summarise_fleet(Fleet(stream))

    assert (summary.disturbed, summary.most_disturbed_s) == (2, 4.0)
    (text,) = warned(stream)
    assert text.startswith(
        "VMs 1, 2 booted while VMs that had reported were not idle: VM 2 for 4 s"
    )
    assert text.endswith("in earlier versions; freeze has them stand still")


def test_a_scope_narrows_it_to_the_boots_that_are_looked_at():
    fleet = Fleet(one_goes_on(ReleaseCause.OFF))

    assert summarise_fleet(fleet, {0, 1}).most_disturbed_s == pytest.approx(0.99)
    assert cautions(fleet, {0}) == cautions(Fleet(phased(run_events([BOOTS]))), {0})


# Exported.


def test_json_and_csv_have_it_for_each_boot():
    fleet = Fleet(one_goes_on(ReleaseCause.OFF))
    body = exported_body(render(".json", fleet))
    rows = csv.DictReader(io.StringIO(render(".csv", fleet)))

    assert [vm["attempts"][0]["disturbed_s"] for vm in body["vms"]] == [0.0, 0.99, 3.0]
    assert [float(row["disturbed_s"]) for row in rows] == [0.0, 0.99, 3.0]
    assert body["vms"][0]["attempts"][0]["release"] == "off"
    assert body["vms"][2]["attempts"][0]["stages"]["doubt_codes"] == ["disturbed"]
    assert (body["summary"]["disturbed"], body["summary"]["most_disturbed_s"]) == (2, 3.0)


@pytest.mark.parametrize("suffix", [".md", ".html"])
def test_a_page_has_a_column_for_it_where_any_boot_was_disturbed(suffix):
    page = render(suffix, Fleet(one_goes_on(ReleaseCause.OFF)))
    quiet = render(suffix, Fleet(phased(run_events([BOOTS]))))

    assert "0.990 s" in page
    assert page.count("disturbed") > quiet.count("disturbed")


def _twice_resumed():
    """Return a run whose VM 0 went on by hand, stood still again, and was collected later."""
    stream = phased(run_events([BOOTS], skew_s=0.0))
    (report,) = [each for each in stream if isinstance(each, ev.VmBooted) and each.vm == 0]
    who = {"vm": 0, "attempt": 1}
    more = [
        ev.VmReleased(at_ns=report.at_ns + SECOND, cause=ReleaseCause.BY_HAND, **who),
        ev.VmFrozen(at_ns=report.at_ns + 2 * SECOND, **who),
    ]
    return sorted([*stream, *more], key=lambda event: event.at_ns)


@pytest.mark.parametrize(
    "stream",
    [one_goes_on(ReleaseCause.OFF), one_goes_on(ReleaseCause.BY_HAND), _twice_resumed()],
    ids=["off", "by hand", "twice"],
)
def test_reading_an_export_back_gives_the_same_figures(stream):
    fleet = Fleet(stream)
    text = render(".json", fleet)
    again = fleet_of_export(text)

    assert summarise_fleet(fleet).disturbed
    assert summarise_fleet(again) == summarise_fleet(fleet)
    assert again.vms[0].newest.was_resumed == fleet.vms[0].newest.was_resumed
    assert render(".json", again) == text


@pytest.mark.parametrize("till_s", [6.5, 9.5, 10.5])
def test_a_run_that_is_not_over_is_read_back_in_the_phase_it_was_in(till_s):
    stream = phased(run_events([BOOTS], outcome=None))
    begun_ns = next(each.at_ns for each in stream if isinstance(each, ev.StormStarted))
    so_far = [each for each in stream if each.at_ns <= begun_ns + till_s * SECOND]
    fleet, again = Fleet(so_far), fleet_of_export(render(".json", Fleet(so_far)))

    assert [each.phase for each in again.newest] == [each.phase for each in fleet.newest]
    assert again.storm.phase is fleet.storm.phase


def test_an_export_of_before_it_was_told_is_reckoned_from_reports_and_exits():
    body = exported_body(render(".json", Fleet(as_before())))
    new = (
        "round", "disturbed_s", "shutdown_s", "qemu_exit_s", "stop_jobs", "phase", "released_at_s",
        "release", "resumed", "ending_at_s", "end", "shutdown_at_s",
    )  # fmt: skip
    for vm in body["vms"]:
        for name in new:
            del vm["attempts"][0][name]
    for name in ("rounds", "decided_at_s", "collected_at_s"):
        del body["storms"][0][name]
    del body["plan"]["variants"][0]["config"]["after_report"]

    fleet = fleet_of_export(json.dumps(body))

    assert fleet.plan.config.after_report is AfterReport.OFF
    assert summarise_fleet(fleet) == summarise_fleet(Fleet(as_before()))


def test_the_report_of_a_stored_run_leaves_it_to_the_caution(tmp_path):
    with History.open(tmp_path / "history.db") as history:
        with history.recorder() as recorder:
            recorder.write(as_told(one_goes_on(ReleaseCause.OFF)))
        run = history.find("last")
        fleet = history.load(run)

    assert not any("isturbed" in line for line in show_lines(run, fleet))
    assert [c for c in cautions(fleet) if c.kind is CautionKind.DISTURBED]
