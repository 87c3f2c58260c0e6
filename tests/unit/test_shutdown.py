"""The shutdown: a stage of its own after the boot, in every view and in no boot's figure."""

import csv
import io
from dataclasses import replace

import pytest

from support.facts import SECOND, plan
from support.making import FAILED, as_told, run_events
from support.phased import Aftermath, phased
from support.schema import exported_body
from vmtiming_tui.analysis.cautions import CautionKind, cautions
from vmtiming_tui.analysis.comparison.compare import Verdict, compare_sides
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.history.listing import show_lines
from vmtiming_tui.history.runs import History
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import End
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export import render
from vmtiming_tui.report.export.from_json import fleet_of as fleet_of_export
from vmtiming_tui.report.plain import PlainReport


def ended(storms=((5.0, 6.0, 7.0),), **after):
    return Fleet(phased(run_events(storms), Aftermath(**after)))


def console(vm, text, at_ns=500 * SECOND):
    return ev.VmConsole(at_ns=at_ns, vm=vm, attempt=1, text=text, total_bytes=len(text))


def overran(*vms, text=""):
    """Return a run some of whose guests did not shut down within their limit."""
    limit_s = 30

    def late(event):
        match event:
            case ev.RunStarted():
                return replace(event, plan=plan(3, shutdown_timeout_s=float(limit_s)))
            case ev.VmExited(vm=vm) if vm in vms:
                late_ns = event.at_ns + limit_s * SECOND
                return replace(event, at_ns=late_ns, shutdown_ns=None, reason="host-qmp-quit")
        return event

    return Fleet([*map(late, THREE), *([console(vms[0], text)] if text else [])])


THREE = phased(run_events([[5.0, 6.0, 7.0]]))


def test_the_summary_has_its_figures_over_the_vms_and_qemus_exit_apart():
    summary = summarise_fleet(ended(shuts_down_s=1.2, exits_s=0.05))

    assert (summary.shutdown.size, summary.shutdown.median) == (3, pytest.approx(1.23))
    assert summary.qemu_exit.median == pytest.approx(0.05)


def test_it_is_in_no_stage_and_in_no_boot():
    quick, slow = ended(shuts_down_s=0.5), ended(shuts_down_s=50.0)
    one, other = summarise_fleet(quick), summarise_fleet(slow)

    assert (one.stages, one.mean_s, one.all_booted_in_s) == (
        other.stages,
        other.mean_s,
        other.all_booted_in_s,
    )
    attempt = slow.vms[0].newest
    assert sum(ns for _, ns in stages_of(attempt).known) == attempt.boot_ns


def test_vms_that_were_quit_or_did_not_boot_have_none():
    assert summarise_fleet(ended(end=End.QUIT)).shutdown is None
    assert summarise_fleet(ended([[5.0, FAILED]])).shutdown.size == 1


def test_one_that_ran_into_its_limit_ranks_as_the_slowest_and_not_at_its_limit():
    shutdown = summarise_fleet(overran(1)).shutdown

    assert (shutdown.size, shutdown.lost) == (3, 1)
    assert shutdown.median == pytest.approx(1.26)
    assert shutdown.max == pytest.approx(1.26)


@pytest.mark.parametrize("suffix", [".json", ".csv", ".md", ".html", ".txt"])
def test_every_export_has_it(suffix):
    assert "shutdown" in render(suffix, ended()).lower()


def test_json_has_it_for_each_vm_and_reads_it_back():
    text = render(".json", ended(shuts_down_s=1.2, exits_s=0.05))
    body = exported_body(text)
    attempt = body["vms"][1]["attempts"][0]

    assert attempt["shutdown_s"] == pytest.approx(1.23)
    assert attempt["qemu_exit_s"] == pytest.approx(0.05)
    assert (attempt["phase"], attempt["end"], attempt["release"]) == ("off", "poweroff", "collect")
    assert body["summary"]["shutdown"]["median"] == pytest.approx(1.23)
    assert render(".json", fleet_of_export(text)) == text


def test_csv_has_it_for_each_vm():
    rows = list(csv.DictReader(io.StringIO(render(".csv", ended(shuts_down_s=2.0)))))

    assert [float(row["shutdown_s"]) for row in rows] == pytest.approx([2.0, 2.03, 2.06])
    assert [float(row["qemu_exit_s"]) for row in rows] == pytest.approx([0.05] * 3)


def test_the_plain_reports_own_lines_are_the_same_with_and_without_it():
    one = PlainReport(ended(shuts_down_s=9.0)).final_lines()

    assert one == PlainReport(ended(end=End.QUIT)).final_lines()
    assert one[0].startswith("VM 0 booted in: 5s: Startup finished in ")


def test_a_stored_run_is_shown_with_it(tmp_path):
    with History.open(tmp_path / "history.db") as history:
        with history.recorder() as recorder:
            recorder.write(as_told(THREE))
        run = history.find("last")
        lines = show_lines(run, history.load(run))

    assert "Shutdown: median 1.23s (1.2s to 1.26s), QEMU's exit 0.05s after it" in lines


# Compared.


def shut_down_in(*seconds):
    """Return a run of a storm for each of these shutdowns."""
    fleet = ended([[5.0, 5.1]] * len(seconds))
    for attempt in fleet.attempts:
        attempt.shutdown_ns = attempt.ending_ns + round(seconds[attempt.storm - 1] * SECOND)
    return fleet


def test_a_slower_shutdown_is_told_by_the_same_test_as_any_stage():
    quick = side_of(shut_down_in(*(1 + at / 100 for at in range(6))))
    slow = side_of(shut_down_in(*(3 + at / 100 for at in range(6))))

    (group,) = compare_sides(quick, slow).groups
    shutdown = group.differences[-1]

    assert (shutdown.name, shutdown.verdict) == ("shutdown", Verdict.SLOWER)
    assert shutdown.percent == pytest.approx(195, abs=5)
    assert group.boot.verdict is Verdict.THE_SAME


def test_where_one_run_has_none_it_is_not_compared():
    (group,) = compare_sides(side_of(ended()), side_of(ended(end=End.QUIT))).groups

    assert "shutdown" not in [each.name for each in group.differences]


def test_a_run_whose_every_guest_ran_into_its_limit_is_slower_beyond_figures():
    (group,) = compare_sides(side_of(ended()), side_of(overran(0, 1, 2))).groups

    assert (group.differences[-1].name, group.differences[-1].second) == ("shutdown", None)


# Why a slow one was slow.

WAITED = (
    "[ ***  ] (1 of 2) A stop job is running for Demo database (12s / 1min 30s)\n"
    "[  *** ] (2 of 2) A stop job is running for Demo cache (9s / 1min 30s)\n"
    "[   ***] (1 of 2) A stop job is running for Demo database (14s / 1min 30s)\n"
)


def warned(fleet):
    return [each.text for each in cautions(fleet) if each.kind is CautionKind.SHUTDOWN]


def test_a_quick_one_needs_no_word_whatever_the_console_says():
    assert warned(Fleet([*THREE, console(0, WAITED)])) == []


def test_a_slow_one_is_said_with_what_it_waited_for():
    slow = phased(run_events([[5.0, 6.0]]), Aftermath(shuts_down_s=14.5))

    assert warned(Fleet([*slow, console(1, WAITED)])) == [
        "VMs 0, 1 took up to 14.5 s to shut down, "
        "waiting for Demo database (14 s), Demo cache (9 s)"
    ]


def test_where_the_console_told_nothing_it_is_said_how_it_does():
    slow = phased(run_events([[5.0]]), Aftermath(shuts_down_s=14.5))

    assert warned(Fleet(slow)) == [
        "VM 0 took 14.5 s to shut down "
        "(--append systemd.show_status=1 has the console say what for)"
    ]


def test_one_at_its_limit_is_said_with_what_can_be_done():
    assert warned(overran(1, text=WAITED)) == [
        "VM 1 had not shut down within 30 s and was ended, waiting for Demo database (14 s), "
        "Demo cache (9 s); --shutdown-timeout gives more time, --end quit takes none"
    ]


def test_what_it_waited_for_is_exported_and_read_back():
    fleet = overran(1, text=f"{WAITED}Job x.service/stop running (5s / no limit)")
    text = render(".json", fleet)
    attempt = exported_body(text)["vms"][1]["attempts"][0]

    assert attempt["stop_jobs"] == [
        {"unit": "Demo database", "waited_s": 14.0, "limit_s": 90.0},
        {"unit": "Demo cache", "waited_s": 9.0, "limit_s": 90.0},
        {"unit": "x.service", "waited_s": 5.0, "limit_s": None},
    ]
    assert (attempt["shutdown_s"], attempt["exit_reason"]) == (None, "host-qmp-quit")
    assert render(".json", fleet_of_export(text)) == text
    row = list(csv.DictReader(io.StringIO(render(".csv", fleet))))[1]
    assert row["stop_jobs"] == "Demo database 14; Demo cache 9; x.service 5"
