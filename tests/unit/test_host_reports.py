"""A run on several hosts in every report and export: by host, and what lies between them."""

import csv
import dataclasses
import io
import json
from xml.etree import ElementTree

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.compared import compare
from support.facts import MS
from support.many_hosts import WORKER_KILLED, clock_measured, host_joined, many_hosts_run
from support.recording import smooth_run
from support.schema import exported_body
from vmtiming_tui.analysis.cautions import cautions
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.analysis.hosts import run_hosts
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export import render
from vmtiming_tui.report.export.from_json import fleet_of
from vmtiming_tui.report.host_report import host_lines, hosts_words
from vmtiming_tui.report.plain import PlainReport

LOST = {"b": 3.0}
TOGETHER = {"a": 0, "b": 3 * MS, "c": MS}


@pytest.fixture(scope="module")
def fleet():
    return Fleet(many_hosts_run(number=9, storms=2, skew_ns=TOGETHER, slow={"c": 1.3}))


@pytest.fixture(scope="module")
def cut():
    return Fleet(many_hosts_run(number=9, lost=LOST))


def test_a_line_a_host_ends_the_report(fleet):
    a, _, c, skew, _ = host_lines(run_hosts(fleet))

    assert a.startswith("Host a: 6 of 6 booted, median ")
    assert c.startswith("Host c: 6 of 6 booted, median ")
    assert skew.startswith("Hosts let their VMs go up to 3.00 ms apart (± 0.24 ms) in storm 1: a")
    assert host_lines(run_hosts(fleet))[-1].endswith("told by two hosts' clocks, to ± 0.24 ms")


def test_a_run_on_one_host_has_no_such_line():
    assert host_lines(run_hosts(Fleet(smooth_run(3)))) == []


def test_a_lost_host_is_said_when_it_is_and_at_the_end(cut):
    lost = ev.HostLost(at_ns=1, host="b", why=WORKER_KILLED, hint="start it again")

    assert PlainReport(cut).diagnostics_for(lost) == [
        "Host b was lost: its worker was killed",
        "  start it again",
    ]
    assert host_lines(run_hosts(cut))[1].endswith(f"lost at 3.0 s: {WORKER_KILLED}")


def test_a_host_that_joined_again_is_said_to_be_back(back):
    words = f"lost at 3.0 s: {WORKER_KILLED}; it has joined again"

    assert host_lines(run_hosts(back))[1].endswith(words)
    assert any("host b was lost at 3.0 s" in str(caution) for caution in cautions(back))


def test_the_json_has_each_host_and_the_host_of_each_boot(fleet):
    body = exported_body(render(".json", fleet))

    assert [each["name"] for each in body["hosts"]] == ["a", "b", "c"]
    assert body["hosts"][2]["boot_s"]["median"] > 1.1 * body["hosts"][0]["boot_s"]["median"]
    assert body["hosts"][0]["clock"]["uncertainty_ns"] == 120_000
    assert {vm["vm"]: vm["attempts"][0]["host"] for vm in body["vms"]} == dict(
        enumerate("aaabbbccc")
    )
    assert [each["skew_s"] for each in body["between_hosts"]["go_skews"]] == [0.003, 0.003]
    assert {each["host"] for each in body["host_samples"]} == set("abc")


def test_the_json_of_one_host_names_none():
    body = exported_body(render(".json", Fleet(smooth_run(3))))

    assert (body["hosts"], body["between_hosts"]) == ([], None)
    assert body["vms"][0]["attempts"][0]["host"] == ""


@pytest.fixture(scope="module")
def back():
    """A run that lost a host, which joined again."""
    cut = many_hosts_run(number=9, lost=LOST)
    after_ns = cut[-1].at_ns + 1
    again = [host_joined("b", after_ns), clock_measured("b", after_ns)]
    return Fleet([*cut[:-1], *again, dataclasses.replace(cut[-1], at_ns=after_ns)])


@pytest.mark.parametrize("which", ["fleet", "cut", "back"])
def test_what_is_read_back_is_the_same_run(which, request):
    told = request.getfixturevalue(which)
    written = render(".json", told)
    read = fleet_of(written)

    assert render(".json", read) == written
    assert read.hosts.are_many
    assert [str(each) for each in cautions(read)] == [str(each) for each in cautions(told)]
    assert compare(told, read).groups[0].strata == compare(told, told).groups[0].strata


def test_a_table_has_a_column_for_the_host(fleet):
    rows = list(csv.DictReader(io.StringIO(render(".csv", fleet))))

    assert [row["host"] for row in rows if row["storm"] == "1"] == list("aaabbbccc")


@pytest.mark.parametrize("ending", [".md", ".html", ".txt"])
def test_a_page_tells_of_each_host(ending, fleet, cut):
    page, after_loss = render(ending, fleet), render(ending, cut)

    assert "3.00 ms apart" in page
    assert "lost at 3.0 s" in after_loss
    assert "3 hosts (a, b, c)" in page or ending == ".txt"
    assert "Hosts" not in render(ending, Fleet(smooth_run(3)))


def test_prometheus_gets_few_series_a_host(cut):
    families = list(text_string_to_metric_families(render(".prom", cut)))
    samples = [each for family in families for each in family.samples if "host" in each.labels]
    of_b = {(each.name, each.labels.get("state")): each.value for each in samples
            if each.labels["host"] == "b"}  # fmt: skip

    assert of_b == {
        ("vmtiming_host_boots", "booted"): 0,
        ("vmtiming_host_boots", "lost"): 3,
        ("vmtiming_host_median_boot_seconds", None): float("inf"),
        ("vmtiming_host_lost", None): 1,
    }


def test_junit_tells_hosts_among_a_suites_properties(fleet):
    suite = ElementTree.fromstring(render(".junit.xml", fleet))[0]  # noqa: S314  our own
    told = {each.get("name"): each.get("value") for each in suite.iter("property")}

    assert told["host.b.vms"] == "3-5"
    assert told["host.b.booted"] == "3"
    assert float(told["host.c.boot_median_s"]) > float(told["host.a.boot_median_s"])
    assert suite.get("hostname") == "a, b, c"


def test_a_comparison_in_json_says_within_which_hosts(fleet):
    body = json.loads(render(".json", fleet, baseline=side_of(fleet)))
    (group,) = body["comparison"]["groups"]

    assert group["hosts"]["weights"] == pytest.approx(dict.fromkeys("abc", 1 / 3))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["bench1"], "bench1"),
        ([""], ""),
        (list("abc"), "3 hosts (a, b, c)"),
        (list("abcdefg"), "7 hosts (a, b, c, d, e and 2 more)"),
    ],
)
def test_hosts_are_named_in_few_words(names, words):
    assert hosts_words(names) == words


def test_a_hosts_name_is_shown_and_obeyed_nowhere():
    evil = "<b>[x](http://evil.example)\x1b[31m|"
    fleet = Fleet(many_hosts_run(("a", evil), 4, 2, skew_ns={evil: MS}, lost={evil: 12.0}))
    page = render(".md", fleet, baseline=side_of(fleet))

    assert "<b>" not in page
    assert "[x](" not in page
    for ending in (".md", ".html", ".txt", ".csv", ".prom", ".junit.xml"):
        assert "\x1b" not in render(ending, fleet)
