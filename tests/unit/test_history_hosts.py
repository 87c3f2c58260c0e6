"""Runs on several hosts in the history: kept with their hosts, listed, found and shown by them."""

import pytest

from support.many_hosts import many_hosts_run
from support.past_runs import keep, named_run
from vmtiming_tui.analysis.hosts import run_hosts
from vmtiming_tui.history.event_budget import MAX_HOST_BYTES, Budget
from vmtiming_tui.history.finding import matching
from vmtiming_tui.history.listing import history_lines, show_lines
from vmtiming_tui.history.runs import History
from vmtiming_tui.model import events as ev
from vmtiming_tui.report.host_report import host_lines
from vmtiming_tui.sources.event_lines import Told


@pytest.fixture
def history(tmp_path):
    with History.open(tmp_path / "history.db") as opened:
        yield opened


def test_a_run_is_kept_with_all_its_hosts(history):
    keep(history, many_hosts_run(("a", "b"), 4, late={"c": 5.0}))
    (run,) = history.runs()

    assert run.hosts == ("a", "b", "c")
    assert list(history.load(run).hosts) == ["a", "b", "c"]


def test_the_list_counts_hosts_where_a_run_has_several(history):
    keep(history, named_run("alone", 3))
    assert "hosts" not in history_lines(history.runs())[0]

    keep(history, many_hosts_run(number=6))
    head, newest, _ = history_lines(history.runs())
    assert head.split()[-1] == "hosts"
    assert newest.split()[-1] == "3"


def test_a_run_is_found_by_a_host_of_it(history):
    keep(history, many_hosts_run(("rack1-a", "rack1-b"), 4))
    keep(history, named_run("alone", 3))

    assert [run.hosts for run in matching(history.runs(), "rack1-b")] == [("rack1-a", "rack1-b")]


def test_a_run_is_shown_with_its_hosts(history):
    keep(history, many_hosts_run(number=6, lost={"b": 3.0}))
    (run,) = history.runs()
    fleet = history.load(run)
    lines = show_lines(run, fleet)

    assert "on 3 hosts (a, b, c), kvm" in lines[0]
    assert set(host_lines(run_hosts(fleet))) < set(lines)


def test_each_host_has_room_of_its_own_for_what_tells_how_busy_it_is():
    budget = Budget()

    def keeps(name):
        sample = ev.HostSample(at_ns=1, cpu_percent=1, load1=1, host=name)
        return budget.keeps(Told(b"x" * (1 << 20), sample))

    assert [keeps("a") for _ in range(5)] == [True] * (MAX_HOST_BYTES >> 20) + [False]
    assert keeps("b")
    assert all(keeps("") for _ in range(9))  # the only host of a run has all there is
    assert budget.left_out == {"host_sample": 1}
