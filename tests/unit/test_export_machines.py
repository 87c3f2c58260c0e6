"""What CI servers and Prometheus read, read by their own parsers."""

import math
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from support.exported import hostile_fleet
from support.facts import plan
from support.making import FAILED, PENDING, TIMED_OUT, fleet_of, run_events
from vmtiming_tui.analysis.thresholds import read_thresholds
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.report.export import render

BUILD = {"branch": "main", "pull-request": "12"}
OF_SUITE = {
    "name", "hostname", "timestamp", "tests", "failures", "errors", "skipped", "time"
}  # fmt: skip
IN_SUITE = ("properties", "testcase", "system-out", "system-err")
IN_CASE = ("skipped", "error", "failure", "system-out", "system-err")


def labelled(labels=BUILD, **how):
    """Two storms of three VMs, one of which was lost, of a run with a name and labels."""
    started = {"plan": replace(plan(3), name="nightly", labels=labels)}
    return fleet_of([[5, 6, TIMED_OUT], [5, 6, 7]], started=started, **how)


def held_to(*limits):
    """Three storms of two VMs and, in the last, one that was lost, held to limits."""
    started = {"plan": replace(plan(3), thresholds=read_thresholds(limits))}
    return fleet_of([[5, 6, 7], [5, 6, TIMED_OUT]], started=started)


# JUnit.


def junit(fleet):
    """The suites of a run by name, once their XML is what the schema says.

    junit-10.xsd (Jenkins' xUnit plugin): which elements stand where, with which attributes.
    """
    text = render(".junit.xml", fleet)
    root = ElementTree.fromstring(text)  # noqa: S314  our own
    assert (root.tag, list(root.attrib)) == ("testsuites", ["name"])
    for suite in root:
        assert (suite.tag, suite.attrib.keys()) == ("testsuite", OF_SUITE)
        places = [IN_SUITE.index(child.tag) for child in suite]
        assert places == sorted(places)
        for case in suite.iter("testcase"):
            assert case.attrib.keys() == {"name", "classname", "time"}
            assert [child.tag for child in case if child.tag not in IN_CASE] == []
    return {suite.name: suite for suite in JUnitXml.fromstring(text.encode())}


def test_each_vm_of_a_storm_is_a_case_that_took_as_long_as_its_boot():
    suites = junit(labelled())

    assert list(suites) == ["storm 1", "storm 2"]
    assert [(case.name, case.time, case.is_passed) for case in suites["storm 2"]] == [
        ("VM 0", 5.0, True), ("VM 1", 6.0, True), ("VM 2", 7.0, True)
    ]  # fmt: skip
    assert suites["storm 1"].hostname == "bench1"
    assert suites["storm 1"].timestamp == "2023-11-14T22:13:20"


def test_a_lost_vm_fails_with_its_reason():
    suites = junit(fleet_of([[5, FAILED, TIMED_OUT]]))

    _, failed, late = suites["storm 1"]
    (failure,) = failed.result
    assert isinstance(failure, Failure)
    assert (failure.type, failure.message) == ("failed", "the guest's kernel panicked")
    (failure,) = late.result
    assert (failure.type, failure.message) == ("timed out", "no report within 30 s")
    assert (suites["storm 1"].tests, suites["storm 1"].failures) == (3, 2)


def test_the_figures_and_what_they_rest_on_are_properties():
    suites = junit(labelled())
    told = {each.name: each.value for each in suites["storm 2"].properties()}

    assert told["boot_median_s"] == "6"
    assert told["all_booted_in_s"] == "7.2"
    assert told["label.pull-request"] == "12"
    assert told["accel"] == "kvm"
    assert "all_booted_in_s" not in {each.name for each in suites["storm 1"].properties()}


def test_a_vm_that_a_rerun_made_good_passes_and_says_so():
    stream = run_events([[5, FAILED]])
    at_ns = stream[-1].at_ns
    again = [
        ev.StormStarted(at_ns=at_ns, storm=2, kind=StormKind.RERUN, vms=(1,)),
        ev.VmQueued(at_ns=at_ns, vm=1, attempt=2, storm=2),
        ev.VmStarted(at_ns=at_ns, vm=1, attempt=2, go_ns=at_ns),
        ev.VmBooted(
            at_ns=at_ns, vm=1, attempt=2, report_ns=at_ns + 4_000_000_000, uncertainty_ns=0
        ),
        ev.RunEnded(at_ns=at_ns, outcome=ev.Outcome.FINISHED),
    ]
    (_, case) = junit(Fleet([*stream, *again]))["storm 1"]

    assert (case.is_passed, case.time) == (True, 4.0)
    assert "it booted when it was run again" in case.system_out


def test_each_threshold_is_a_case_that_took_as_long_as_its_figure():
    passed, failed, hidden, unknown = junit(
        held_to("median=8", "p50=3", "max=20", "unit:none=1")
    )["thresholds"]  # fmt: skip

    assert (passed.name, passed.time, passed.is_passed) == ("median=8", 6.0, True)
    assert (failed.name, failed.time, failed.is_failure) == ("p50=3", 6.0, True)
    assert failed.result[0].message == "the boot p50 is 6 s, over the limit of 3 s"
    assert (hidden.time, hidden.is_failure) == (0.0, True)
    assert unknown.is_error
    assert "cannot be told" in unknown.result[0].message


@pytest.mark.parametrize(
    ("outcome", "kind", "words"),
    [
        (None, Skipped, "Partial: the run had not ended"),
        (ev.Outcome.INTERRUPTED, Error, "Interrupted: the run was cut off"),
        (ev.Outcome.STOPPED, Skipped, "Stopped: the run was ended on request"),
    ],
)
def test_a_run_that_did_not_come_to_its_end_is_a_case_of_its_own(outcome, kind, words):
    suites = junit(fleet_of([[5, PENDING]], outcome=outcome))

    (case,) = suites["run"]
    (result,) = case.result
    assert isinstance(result, kind)
    assert result.message.startswith(words)


def test_a_run_that_came_to_nothing_fails_with_the_reason():
    failed = ev.EngineFailed(at_ns=1, why="there is no QEMU")
    (case,) = junit(Fleet([*run_events([])[:1], failed]))["run"]

    assert (case.is_error, case.result[0].message) == (True, "there is no QEMU")


def test_hostile_words_are_words_in_xml():
    (suite,) = junit(hostile_fleet()).values()
    failure = next(iter(suite.testcase.fromelem(case).result[0] for case in suite if case.result))

    assert "<script>alert(1)</script>" in failure.message
    assert "\\x1b[31m\\u202eevil" in failure.message


# Prometheus.


def samples(fleet):
    """What both of Prometheus' parsers read, by name and labels; both must read the same."""
    text = render(".prom", fleet)
    read = [
        {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in parse(text)
            for sample in family.samples
        }
        for parse in (open_metrics, prometheus)
    ]
    assert read[0] == read[1]
    return read[0]


NAMED = (("label_branch", "main"), ("label_pull_request", "12"), ("name", "nightly"))


def test_boot_times_are_a_summary_in_seconds_with_lost_vms_ranked_last():
    found = samples(labelled())

    assert found["vmtiming_boot_seconds", *NAMED, ("quantile", "0.5")] == 6.0
    assert found["vmtiming_boot_seconds", *NAMED, ("quantile", "0.99")] == math.inf
    assert found["vmtiming_boot_seconds_count", *NAMED] == 5
    assert found["vmtiming_boot_seconds_sum", *NAMED] == 29
    assert found["vmtiming_all_booted_in_seconds", *NAMED] == math.inf


def test_the_other_figures_stand_beside_and_name_their_unit():
    found = samples(labelled())

    assert found["vmtiming_boots", *NAMED, ("state", "timed out")] == 1
    assert found["vmtiming_boots", *NAMED, ("state", "killed")] == 0
    assert found["vmtiming_storms", *NAMED] == 2
    assert found["vmtiming_stage_seconds", *NAMED, ("stage", "userspace")] == pytest.approx(2.79)
    assert found["vmtiming_run_started_timestamp_seconds", *NAMED] == 1.7e9
    assert found["vmtiming_run_whole", *NAMED] == 1
    (info,) = [key for key in found if key[0] == "vmtiming_run_info"]
    assert ("run", "run-1") in info


def test_every_metric_has_a_help_a_type_and_a_unit_that_its_name_ends_in():
    families = list(open_metrics(render(".prom", labelled())))

    assert {family.type for family in families} == {"gauge", "summary"}
    assert all(family.documentation for family in families)
    named = {family.name for family in families if family.name.endswith("_seconds")}
    assert named == {family.name for family in families if family.unit == "seconds"}


def test_each_setting_of_a_sweep_has_series_of_its_own():
    parameters = [{"smp": "1"}, {"smp": "2"}]
    found = samples(fleet_of([[5, 5], [4, 4]], parameters=parameters))

    assert found["vmtiming_boot_seconds", ("parameter_smp", "1"), ("quantile", "0.5")] == 5
    assert found["vmtiming_boot_seconds", ("parameter_smp", "2"), ("quantile", "0.5")] == 4


def test_thresholds_are_limit_figure_and_whether_it_held():
    found = samples(held_to("median=8", "max=20", "unit:none=1", "max=20"))

    for name, median, slowest in (
        ("limit_seconds", 8, 20), ("figure_seconds", 6, math.inf), ("passed", 1, 0)
    ):  # fmt: skip
        assert found[f"vmtiming_threshold_{name}", ("threshold", "median=8")] == median
        assert found[f"vmtiming_threshold_{name}", ("threshold", "max=20")] == slowest
    assert ("vmtiming_threshold_passed", ("threshold", "unit:none=1")) not in found


def test_labels_that_prometheus_would_take_for_the_same_stay_apart():
    found = samples(labelled({"a.b": "1", "a-b": "2"}))

    assert (
        "vmtiming_storms",
        ("label_a_b", "1"),
        ("label_a_b_", "2"),
        ("name", "nightly"),
    ) in found


def test_hostile_words_are_words_in_labels():
    found = samples(hostile_fleet())

    (info,) = [dict(key[1:]) for key in found if key[0] == "vmtiming_run_info"]
    assert info["host"].startswith("<script>alert(1)</script>")
    assert "\\x1b[31m" in info["host"]
