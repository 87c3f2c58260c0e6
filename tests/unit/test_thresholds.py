"""thresholds: how a limit is written, and what becomes of it."""

import json

import pytest

from support.facts import SECOND
from support.making import FAILED, TIMED_OUT, Guest, fleet_of, held_to, run_events, storm_events
from support.schema import faults_of
from vmtiming_tui.analysis.exit_code import exit_code, reasons
from vmtiming_tui.analysis.thresholds import Finding, judged, parse_threshold, read_thresholds
from vmtiming_tui.errors import ConfigError
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.report.export import render
from vmtiming_tui.report.export.from_json import fleet_of as read_back
from vmtiming_tui.report.findings import threshold_lines

PASSED, OVER, UNKNOWN = Finding.PASSED, Finding.FAILED, Finding.CANNOT_TELL


def found(fleet, limit):
    (each,) = judged(held_to(fleet, limit))
    return each.finding, each.figure_s


# What is written.


@pytest.mark.parametrize(
    ("text", "figure", "limit_s"),
    [
        ("20", "boot max", 20),
        ("p99=8", "boot p99", 8),
        ("p99.9=8", "boot p99.9", 8),
        ("median=5", "boot p50", 5),
        ("max=1.5", "boot max", 1.5),
        ("mean=5", "boot mean", 5),
        ("spread=0.5", "boot spread", 0.5),
        ("boot:p5=2", "boot p5", 2),
        ("all-booted-in=9", "all booted in p50", 9),
        ("all-booted-in:max=9", "all booted in max", 9),
        ("qemu=1", "qemu p50", 1),
        ("userspace=3", "userspace p50", 3),
        ("userspace:p50=3", "userspace p50", 3),
        ("shutdown:max=10", "shutdown max", 10),
        ("unit:sshd.service=0.4", "sshd.service p50", 0.4),
        ("unit:sshd=0.4", "sshd.service p50", 0.4),
        ("unit:sshd.service:p95=1", "sshd.service p95", 1),
        ("unit:sys-module-fuse.device=1", "sys-module-fuse.device p50", 1),
        ("unit:dbus-:1.2-org.a@0.service=1", "dbus-:1.2-org.a@0.service p50", 1),
    ],
)
def test_a_limit_is_read_as_it_is_written(text, figure, limit_s):
    threshold = parse_threshold(text)

    assert (threshold.figure, threshold.limit_s, threshold.text) == (figure, limit_s, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' is no number of seconds"),
        ("soon", "'soon' is no number of seconds; try 20, or p99=8"),
        ("0", "give seconds above 0"),
        ("p99=-1", "-1 is out of range"),
        ("p99=inf", "inf is out of range"),
        ("p101=8", "'p101' is nothing to limit; write p99=8"),
        ("colour=3", "one of boot, all-booted-in, qemu, shutdown, firmware, loader, kernel"),
        ("userspace:often=3", "'often' is no figure of userspace; write userspace:p95="),
        ("stage=3", "'stage' is nothing to limit"),
        ("unit:=3", "a unit needs a name; write unit:sshd.service=0.4"),
    ],
)
def test_what_is_no_limit_is_refused_with_what_to_write(text, words):
    with pytest.raises(ValueError, match=r"\A[^\n]*\Z") as refused:
        parse_threshold(text)

    assert words in str(refused.value)


def test_every_fault_is_found_at_once():
    with pytest.raises(ConfigError) as refused:
        read_thresholds(["soon", "p99=8", "colour=3"])

    assert len(refused.value.problems) == 2


# What becomes of it.


@pytest.mark.parametrize(
    ("limit", "figure_s"),
    [
        ("9", 8.0),
        ("p50=9", 6.0),
        ("min=9", 5.0),
        ("mean=9", 6.25),
        ("spread=9", 1.2583),
        ("all-booted-in=9", 7.1),
        ("all-booted-in:max=9", 8.1),
        ("qemu=9", 0.1),
        ("firmware=9", 0.4),
        ("userspace:max=9", (8.0 - 0.42) * 0.5),
    ],
)
def test_a_figure_is_that_of_the_boots_that_count(limit, figure_s):
    fleet = fleet_of([[5.0, 6.0], [6.0, 8.0]])

    finding, measured_s = found(fleet, limit)

    assert (finding, measured_s) == (PASSED, pytest.approx(figure_s, abs=1e-4))
    assert found(fleet, limit.replace("9", "0.01"))[0] is OVER


def test_a_limit_that_is_just_reached_is_kept():
    assert found(fleet_of([[5.0, 6.0]]), "6") == (PASSED, 6.0)


def with_unit(boots, took_s):
    """A run whose VMs tell of a unit that took so long; None: it never ran."""
    events = run_events([boots])
    return Fleet(told for event in events for told in (event, *_units_after(event, took_s)))


def _units_after(event, took_s):
    if not isinstance(event, ev.VmDetails) or took_s[event.vm] is None:
        return []
    began, ended = 1_000_000, 1_000_000 + round(took_s[event.vm] * 1e6)
    unit = ev.UnitTimes(name="sshd.service", activating_us=began, active_us=ended)
    return [ev.VmUnits.of([unit], at_ns=event.at_ns, vm=event.vm, attempt=event.attempt)]


def test_a_unit_is_limited_by_its_activation_where_it_ran():
    fleet = with_unit([5.0, 5.0, 5.0, 5.0], [0.3, 0.5, 0.9, None])

    assert found(fleet, "unit:sshd=0.4") == (OVER, pytest.approx(0.5))
    assert found(fleet, "unit:sshd:max=1") == (PASSED, pytest.approx(0.9))


def test_a_unit_that_never_ran_cannot_be_told_and_passes_no_build_unless_that_is_allowed():
    fleet = held_to(with_unit([5.0], [0.3]), "unit:ssdh=0.4")

    assert (judged(fleet)[0].finding, exit_code(fleet)) == (UNKNOWN, 4)
    assert reasons(fleet) == [
        "whether unit:ssdh=0.4 was kept cannot be told: no boot that counts tells of it"
    ]
    assert exit_code(fleet, allow_undecided=True) == 0


def test_what_has_failed_outranks_what_cannot_be_told():
    assert exit_code(held_to(fleet_of([[5.0]]), "spread=1", "4")) == 3
    assert exit_code(held_to(fleet_of([[5.0]]), "spread=1")) == 4


@pytest.mark.parametrize(
    ("limit", "outcome"),
    [
        ("p50=9", (PASSED, 6.0)),
        ("p99=9", (OVER, None)),
        ("mean=9", (OVER, None)),
        ("spread=9", (OVER, None)),
        ("all-booted-in=20", (OVER, None)),
        ("userspace:max=9", (OVER, None)),
    ],
)
def test_lost_vms_rank_behind_all_that_booted(limit, outcome):
    assert found(fleet_of([[5.0, 6.0, TIMED_OUT]]), limit) == outcome


def test_a_lost_vm_that_was_made_good_has_the_time_of_its_rerun():
    again = storm_events(
        {1: 7.0}, storm=2, kind=StormKind.RERUN, attempts={1: 2}, at_ns=90 * SECOND
    )
    end = ev.RunEnded(at_ns=200 * SECOND, outcome=ev.Outcome.FINISHED)
    fleet = Fleet([*run_events([[5.0, FAILED]]), *again, end])

    assert found(fleet, "max=8") == (PASSED, 7.0)


def test_doubtful_stages_are_in_no_figure():
    fleet = fleet_of([[5.0, 5.0]], guest=Guest(firmware_s=-2.0))

    assert found(fleet, "kernel=9") == (UNKNOWN, None)


def test_every_setting_of_a_sweep_is_held_to_every_limit():
    settings = [{"number": "1"}, {"number": "2"}]
    fleet = held_to(fleet_of([[5.0], [6.0, 9.0]], parameters=settings), "p50=7", "userspace=9")

    findings = [(each.parameters["number"], each.finding) for each in judged(fleet)]
    assert findings == [("1", PASSED), ("2", OVER), ("1", PASSED), ("2", PASSED)]
    assert reasons(fleet) == ["number=2: the boot p50 is 7.5 s, over the limit of 7 s"]


# How it is told.


def test_each_is_a_line_with_its_figure():
    assert threshold_lines(judged(held_to(fleet_of([[5.0, FAILED]]), "p50=6", "p0=6"))) == [
        "threshold  figure    measured  limit",
        "p50=6      boot p50         -     6s  failed: hidden by VMs that never booted",
        "p0=6       boot min        5s     6s  passed",
    ]


def test_every_export_tells_them_and_one_read_back_tells_them_again():
    fleet = held_to(fleet_of([[5.0, 6.0]]), "p99=5.5", "unit:a|b.service=1")
    body = json.loads(render(".json", fleet))

    assert faults_of(body) == []
    assert [each["finding"] for each in body["thresholds"]] == ["failed", "cannot tell"]
    assert judged(read_back(render(".json", fleet))) == judged(fleet)
    assert "| p99=5.5 | boot p99 | 5.990 s | 5.500 s | failed |" in render(".md", fleet)
    assert "a&#124;b.service" in render(".md", fleet)
    assert "p99=5.5" in render(".html", fleet)
    assert "p99=5.5" in render(".txt", fleet)


def test_a_run_without_limits_tells_of_none():
    fleet = fleet_of([[5.0]])

    assert threshold_lines(judged(fleet)) == []
    assert "Thresholds" not in render(".md", fleet) + render(".html", fleet)
