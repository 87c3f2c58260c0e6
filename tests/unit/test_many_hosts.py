"""A run on several hosts, as tests make it up: what it tells is what hosts tell."""

from collections import Counter

from support.many_hosts import HOSTS, Hosting, many_hosts_run, on_hosts
from support.phased import phased
from support.recording import smooth_run
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet, RunState


def test_each_host_boots_its_share():
    fleet = Fleet(many_hosts_run(number=9, storms=2))

    assert fleet.state is RunState.FINISHED
    assert fleet.misfits == 0
    assert tuple(fleet.hosts) == HOSTS
    assert Counter(attempt.host for attempt in fleet.attempts) == {"a": 6, "b": 6, "c": 6}
    assert all(each.samples and each.clock for each in fleet.hosts.values())


def test_the_vms_of_a_lost_host_fail_and_boot_elsewhere_when_run_again():
    fleet = Fleet(many_hosts_run(number=9, lost={"b": 3.0}, rerun=[3, 4, 5]))

    assert fleet.misfits == 0
    assert fleet.hosts["b"].lost is not None
    first, again = fleet.vms[4].attempts
    assert (first.host, first.why) == ("b", "host b was lost at 3.0 s: its worker was killed")
    assert again.host != "b" and again.state.is_booted
    assert not [each for each in fleet.hosts["b"].samples if each.at_ns > first.decided_ns]


def test_hosts_let_their_vms_go_together():
    fleet = Fleet(many_hosts_run(number=6, skew_ns={"a": 0, "b": 2_000_000, "c": 0}))

    went = [attempt.go_ns for attempt in fleet.attempts]
    assert max(went) - min(went) == 2_000_000


def test_a_host_that_joins_late_has_what_others_have():
    fleet = Fleet(many_hosts_run(number=6, late={"d": 5.0}))

    assert fleet.hosts["d"].clock is not None
    assert fleet.hosts["d"].joined_ns > fleet.hosts["a"].joined_ns


def test_a_run_in_phases_can_be_told_so_too():
    told = on_hosts(phased(smooth_run(6)), Hosting(hosts=("a", "b")))

    assert Fleet(told).misfits == 0
    assert [event.host for event in told if isinstance(event, ev.VmQueued)] == list("aaabbb")
