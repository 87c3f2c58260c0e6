"""Turns that are counted over all hosts: who is next, and when."""

from support.facts import MS, config
from vmtiming_tui.cluster.leading.turns import Turns


def admitted(turns: Turns) -> list[int]:
    return [each.vm for each in turns.admit()]


def test_nobody_boots_before_all_hosts_are_in_line():
    turns = Turns(config(parallel=2), 4)
    for host in "ab":
        turns.expect(host)
    for vm in (0, 1):
        turns.want("a", vm)

    assert admitted(turns) == []
    turns.want("b", 2)
    assert admitted(turns) == [0, 2]


def test_a_host_that_wants_no_turn_is_not_waited_for():
    turns = Turns(config(parallel=2), 4)
    turns.expect("a")
    turns.expect("b")
    turns.want("a", 0)
    turns.give_up("b")

    assert admitted(turns) == [0]


def test_a_place_goes_to_the_host_that_has_the_fewest():
    turns = Turns(config(parallel=3), 6)
    for host, vm in (("a", 0), ("a", 1), ("a", 2), ("b", 3), ("b", 4)):
        turns.want(host, vm)

    assert admitted(turns) == [0, 3, 1]
    turns.leave("a", 0)
    assert admitted(turns) == [2]
    turns.leave("a", 1)
    assert admitted(turns) == [4]


def test_a_vm_that_is_decided_gives_back_no_more_than_it_had():
    turns = Turns(config(parallel=1), 3)
    for vm in range(3):
        turns.want("a", vm)

    assert admitted(turns) == [0]
    turns.leave("a", 1)
    turns.leave("a", 1)
    assert admitted(turns) == []
    turns.leave("a", 0)
    assert admitted(turns) == [2]


def test_moments_are_apart_and_never_before_they_can_be_heard_of():
    turns = Turns(config(stagger_s=0.1), 3)

    assert turns.let_go("a", 0, soonest_ns=50 * MS).at_ns == 50 * MS
    assert turns.let_go("b", 1, soonest_ns=60 * MS).at_ns == 150 * MS
    assert turns.let_go("a", 2, soonest_ns=900 * MS).at_ns == 900 * MS
