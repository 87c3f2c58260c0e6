"""What each host of a run came to, and what lies between two hosts."""

import pytest

from support.facts import MS
from support.many_hosts import many_hosts_run
from support.recording import smooth_run
from vmtiming_tui.analysis.hosts import (
    alike_in_short,
    go_skews,
    host_figures,
    named_hosts,
    whole_uncertainty_ns,
)
from vmtiming_tui.analysis.straggler import straggler_of
from vmtiming_tui.analysis.summary import counted_groups, summarise_fleet
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.straggler import straggler_words

TOGETHER = {"a": 0, "b": 3 * MS, "c": MS}


def skews(**how):
    fleet = Fleet(many_hosts_run(number=9, **how))
    return go_skews(fleet, fleet.attempts)


def test_each_host_has_figures_of_its_own():
    fleet = Fleet(many_hosts_run(number=9, slow={"b": 1.5}))
    a, b, c = host_figures(fleet)

    assert [each.name for each in (a, b, c)] == ["a", "b", "c"]
    assert (b.number, b.booted, b.lost) == (3, 3, 0)
    assert b.boot.median > 1.3 * max(a.boot.median, c.boot.median)
    assert 0 < c.cpu_percent < a.cpu_percent <= 100
    assert a.psi_io == 2.0
    assert a.memory_least_bytes == 40 << 30


def test_the_vms_of_a_lost_host_are_lost_in_its_figures():
    fleet = Fleet(many_hosts_run(number=9, lost={"b": 3.0}))
    _, b, _ = host_figures(fleet)

    assert (b.booted, b.lost) == (0, 3)
    assert b.boot is None


def test_a_run_on_one_host_has_no_figures_by_host():
    fleet = Fleet(smooth_run(4))

    assert host_figures(fleet) == []
    assert go_skews(fleet, fleet.attempts) == []
    assert whole_uncertainty_ns(fleet, fleet.attempts) == 0


def test_hosts_that_let_go_together_are_apart_by_what_their_clocks_tell():
    (found,) = skews(skew_ns=TOGETHER, uncertainty_ns={"a": 100_000, "b": 300_000})

    assert (found.first, found.last) == ("a", "b")
    assert found.skew_ns == 3 * MS
    assert found.uncertainty_ns == 400_000


def test_every_storm_has_a_skew_of_its_own():
    assert [each.storm for each in skews(storms=3, skew_ns=TOGETHER)] == [1, 2, 3]


def test_hosts_that_let_go_one_by_one_have_no_skew():
    assert skews() == []


def test_a_time_between_two_hosts_is_as_unsure_as_their_clocks():
    known = {"a": 200_000, "b": 300_000, "c": 500_000}

    def unsure(slow):
        fleet = Fleet(many_hosts_run(number=9, slow=slow, uncertainty_ns=known, skew_ns=TOGETHER))
        return whole_uncertainty_ns(fleet, fleet.attempts)

    assert unsure({"c": 3.0}) == 700_000  # from a's first go to c's last report
    assert unsure({"a": 3.0}) == 0  # both are a's


def test_an_outlier_is_one_beside_the_vms_of_its_own_host():
    slow = {18, 19, 20, 21}
    placing = {vm: "b" if vm in slow else "a" for vm in range(22)}
    hosts = Fleet(many_hosts_run(("a", "b"), 22, slow={"b": 6.0}, placing=placing))
    alone = Fleet(smooth_run(22, slow_by=dict.fromkeys(slow, 6.0)))

    assert slow.isdisjoint(summarise_fleet(hosts).outliers_z)
    assert slow <= set(summarise_fleet(alone).outliers_z)


def test_that_hosts_differ_is_no_spread_within_a_storm():
    even = counted_groups(Fleet(many_hosts_run(("a", "b"), 8, 3)))[0].spread
    uneven = counted_groups(Fleet(many_hosts_run(("a", "b"), 8, 3, slow={"b": 3.0})))[0].spread

    assert uneven.within < 3 * even.within


def test_the_slowest_vm_of_a_slow_host_is_told_with_its_host():
    slow = straggler_of(Fleet(many_hosts_run(number=9, slow={"b": 1.5})))
    even = straggler_of(Fleet(many_hosts_run(number=9)))

    assert slow.slowest.host == "b"
    assert "; its host b was slower than the others by " in straggler_words(slow)
    assert "host" not in straggler_words(even)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("a", "host a"),
        ("abc", "hosts a, b and c"),
        ("abcdefgh", "hosts a, b, c, d, e and 3 more"),
        ("abcdef", "hosts a, b, c, d, e and f"),
    ],
)
def test_many_hosts_are_named_in_few_words(names, words):
    assert named_hosts(names) == words


def test_vms_of_another_host_disturb_no_boot():
    alone = Fleet(smooth_run(4, stagger_s=3.0))
    apart = Fleet(many_hosts_run(("a", "b"), 4, how={"stagger_s": 3.0}))

    assert alone.vms[2].newest.disturbed_ns > 0
    assert apart.vms[2].newest.disturbed_ns == 0
    assert apart.vms[3].newest.disturbed_ns > 0


def test_a_fact_of_many_unlike_hosts_is_told_in_short():
    facts = {f"h{number}": {"cores": 2 + number // 2} for number in range(14)}
    fleet = Fleet(many_hosts_run(tuple(facts), 14, unlike=facts))
    words = alike_in_short(fleet.hosts, lambda host: f"{host.facts.cores} cores")

    assert words.startswith("2 cores (hosts h0 and h1); 3 cores (hosts h2 and h3); ")
    assert words.endswith("; 2 more")
