"""Runs on several hosts compared: within the hosts that both have, whatever was booted where."""

import math
import random
from dataclasses import replace

import pytest

from support.compared import compare
from support.facts import config
from support.many_hosts import Hosting, many_hosts_run, on_hosts
from support.recording import plan_for, repeated_run
from vmtiming_tui.analysis.comparison.compare import (
    ALL_BOOTED_IN,
    Gate,
    compare_sides,
    compare_variants,
)
from vmtiming_tui.analysis.comparison.difference import Verdict
from vmtiming_tui.analysis.comparison.samples import Sample, Side, StormSample, side_of
from vmtiming_tui.analysis.comparison.sequential import pairs_of
from vmtiming_tui.analysis.comparison.strata import AS_WHOLES, within_hosts
from vmtiming_tui.analysis.units.own_times import OwnTimes
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import Variant

SPEEDS = {"a": 5.0, "b": 6.5}


def storm_on(placed, chance, factor=1.0, turn=0):
    """A storm of so many VMs on each host, one of which is 30 % slower."""
    mood = math.exp(chance.gauss(0, 0.02))
    hosts = {
        name: StormSample(
            boots=tuple(
                SPEEDS[name] * mood * factor * math.exp(chance.gauss(0, 0.04)) for _ in range(vms)
            ),
            turn=turn,
        )
        for name, vms in placed.items()
    }
    boots = tuple(boot for each in hosts.values() for boot in each.boots)
    return StormSample(boots=boots, hosts=hosts, turn=turn)


def sample_on(placed, chance, factor=1.0, storms=8, **parameters):
    told = tuple(storm_on(placed, chance, factor, turn) for turn in range(storms))
    return Sample(parameters=parameters, storms=told)


def side(sample):
    return Side(label="run", samples=(sample,), facts={})


def compared(first, second):
    return compare_sides(side(first), side(second))


def boot(first, second):
    (group,) = compared(first, second).groups
    return group.boot


MOSTLY_A, MOSTLY_B = {"a": 6, "b": 2}, {"a": 2, "b": 6}


def test_another_placing_alone_makes_no_run_slower_more_often_than_chance_may():
    tries = 100
    verdicts = [
        boot(sample_on(MOSTLY_A, chance), sample_on(MOSTLY_B, chance)).verdict
        for chance in map(random.Random, range(tries))
    ]

    wrong = sum(verdict in (Verdict.SLOWER, Verdict.FASTER) for verdict in verdicts)
    assert wrong <= 0.1 * tries  # of 5 %, the chance of more is 1 in 90


def test_the_same_storms_as_wholes_would_differ_for_their_placing():
    chance = random.Random(1)
    first, second = sample_on(MOSTLY_A, chance), sample_on(MOSTLY_B, chance)

    assert boot(unplaced(first), unplaced(second)).verdict is Verdict.SLOWER
    assert boot(first, second).verdict is not Verdict.SLOWER


def unplaced(sample):
    return replace(sample, storms=tuple(replace(each, hosts={}) for each in sample.storms))


def test_a_true_change_is_found_whatever_was_booted_where():
    tries = 40
    found = [
        boot(sample_on(MOSTLY_A, chance), sample_on(MOSTLY_B, chance, factor=1.05))
        for chance in map(random.Random, range(tries))
    ]

    assert sum(each.verdict is Verdict.SLOWER for each in found) >= 0.8 * tries
    assert sum(each.percent for each in found) / tries == pytest.approx(5, abs=1)


def test_the_gate_goes_by_the_same_figures():
    chance = random.Random(1)
    first = sample_on(MOSTLY_A, chance)

    assert compared(first, sample_on(MOSTLY_B, chance)).gate(8) is Gate.PASSED
    assert compared(first, sample_on(MOSTLY_B, chance, 1.3)).gate(8) is Gate.TOO_SLOW


def test_variants_booted_in_turn_are_compared_within_hosts_too():
    chance = random.Random(3)
    first = sample_on(MOSTLY_A, chance, smp="1")
    second = sample_on(MOSTLY_B, chance, smp="2")
    (found,) = compare_variants([first, second])

    assert found.boot.rounds == 8
    assert not found.boot.is_decided
    assert set(found.strata.weights) == {"a", "b"}


def test_a_run_goes_on_until_it_is_decided_by_the_same_figures():
    chance = random.Random(3)
    first, second = sample_on(MOSTLY_A, chance), sample_on(MOSTLY_B, chance, smp="2")
    plan = replace(plan_for(8), variants=(variant(), variant(smp="2")), runs=8)
    (pair,) = pairs_of(plan, (first, second), None)
    one, other, _ = within_hosts(first, second)

    assert pair.first == tuple(storm.median for storm in one.storms)
    assert pair.second == tuple(storm.median for storm in other.storms)
    assert abs(sum(pair.second) / sum(pair.first) - 1) < 0.05


def variant(**parameters):
    return Variant(config=config(8), parameters=parameters)


def test_a_host_alone_is_compared_to_the_digit_as_a_run_without_hosts():
    one, other = repeated_run(4, runs=6), repeated_run(4, runs=6)
    alone = Hosting(hosts=("a",))
    plain = compare(Fleet(one), Fleet(other))
    told = compare(Fleet(on_hosts(one, alone)), Fleet(on_hosts(other, alone)))

    assert told.groups[0].differences == plain.groups[0].differences
    assert told.groups[0].losses == plain.groups[0].losses
    assert plain.groups[0].strata == AS_WHOLES


def test_a_host_weighs_by_what_both_sides_tell_of_it():
    chance = random.Random(1)
    _, _, strata = within_hosts(
        sample_on({"a": 3, "b": 1}, chance), sample_on({"a": 3, "b": 3}, chance)
    )

    assert strata.weights == pytest.approx({"a": 1.5 / 2.25, "b": 0.75 / 2.25})
    assert strata.uneven == ("b",)


def test_a_lost_host_counts_on_neither_side_and_moves_nothing():
    chance = random.Random(1)
    first, second = sample_on({"a": 4, "b": 4}, chance), sample_on({"a": 4, "b": 4}, chance)
    cut = list(second.storms)
    of_b = cut[5].hosts["b"]
    cut[5] = replace(
        cut[5],
        boots=cut[5].hosts["a"].boots,
        lost={VmState.FAILED: of_b.size},
        hosts={"a": cut[5].hosts["a"]},
        lost_hosts=frozenset("b"),
    )
    (group,) = compared(first, replace(second, storms=tuple(cut))).groups
    (of_a,) = compared(only("a", first), only("a", second)).groups

    assert group.boot == of_a.boot
    assert not group.losses.differ
    assert "VMs of host b count on neither side" in group.sentences[-1]


def only(name, sample):
    return replace(sample, storms=tuple(each.hosts[name] for each in sample.storms))


def test_a_vm_that_is_lost_by_itself_ranks_last_on_its_host():
    chance = random.Random(1)
    first, second = sample_on({"a": 3, "b": 3}, chance), sample_on({"a": 3, "b": 3}, chance)
    hidden = tuple(replace(each, hosts=each.hosts | {"b": lost(3)}) for each in second.storms)
    found = boot(first, replace(second, storms=hidden))

    assert found.verdict is Verdict.SLOWER
    assert found.percent is None


def lost(count):
    return StormSample(boots=(), lost={VmState.TIMED_OUT: count})


def test_runs_without_a_common_host_are_compared_as_wholes_and_that_is_said():
    first = side_of(Fleet(many_hosts_run(("a", "b"), 4, 6)))
    second = side_of(Fleet(many_hosts_run(("c", "d"), 4, 6)))
    found = compare_sides(first, second)

    assert "compared as wholes" in found.groups[0].sentences[-1]
    assert "host differs: a, b against c, d" in found.cautions


def test_the_whole_time_of_hosts_that_booted_more_on_one_side_is_not_compared():
    chance = random.Random(1)
    (group,) = compared(sample_on(MOSTLY_A, chance), sample_on(MOSTLY_B, chance)).groups
    (whole,) = (each for each in group.differences if each.name == ALL_BOOTED_IN)

    assert whole.verdict is Verdict.NOT_COMPARED
    assert "booted more VMs at once on one side" in group.sentences[-1]


def test_hosts_that_one_run_has_alone_are_left_out_in_words():
    first = Fleet(many_hosts_run(("a", "b"), 6, 6))
    second = Fleet(many_hosts_run(("a", "b", "c"), 9, 6))
    (group,) = compare(first, second).groups

    assert "compared within hosts a and b" in group.sentences
    assert any(text.startswith("VMs of host c count on neither side") for text in group.sentences)
    assert (group.losses.first_number, group.losses.second_number) == (36, 36)


def test_the_vms_of_a_lost_host_are_not_held_against_the_run():
    first = Fleet(many_hosts_run(number=9, storms=6))
    second = Fleet(many_hosts_run(number=9, storms=6, lost={"b": 3.0}))
    (group,) = compare(first, second).groups

    assert group.losses.sentence == ""
    assert set(group.strata.weights) == {"a", "c"}
    assert group.strata.uneven == ("a", "c")


def test_that_a_run_lost_a_host_is_said_beside_it_and_its_vms_are_not_counted_as_slow():
    whole = Fleet(many_hosts_run(number=9, storms=6))
    cut = Fleet(many_hosts_run(number=9, storms=6, lost={"b": 3.0}))
    found = compare(whole, cut, labels=("old", "new")).cautions

    assert "new: host b was lost while it ran" in found
    assert not [text for text in found if "rank as slower" in text]


class Told(OwnTimes):
    """Units' own times that are known."""

    are_told = True

    def __init__(self, **medians_s):
        super().__init__()
        self.medians_s = medians_s


def test_parts_of_a_boot_are_put_together_by_the_same_weights():
    one = StormSample(boots=(5.0,), initcalls={"i": 0.2}, units=Told(u=1.0, only_here=1.0))
    other = StormSample(boots=(5.0,) * 3, initcalls={"i": 0.4, "j": 0.8}, units=Told(u=2.0))
    storm = StormSample(boots=(5.0,) * 4, hosts={"a": one, "b": other})
    sample = Sample(parameters={}, storms=(storm,))
    (found,) = within_hosts(sample, sample)[0].storms

    assert found.initcalls == pytest.approx({"i": 0.35, "j": 0.6})  # a has none of j
    assert found.units.medians_s == pytest.approx({"u": 1.75})
    assert found.units.are_told


def test_a_stage_that_a_host_tells_nothing_of_is_not_compared():
    chance = random.Random(1)
    told = sample_on(MOSTLY_A, chance)
    storms = tuple(
        replace(
            storm,
            stages={"kernel": (1.0,)},
            hosts=storm.hosts | {"a": replace(storm.hosts["a"], stages={"kernel": (1.0,)})},
        )
        for storm in told.storms
    )
    sample = replace(told, storms=storms)
    (group,) = compared(sample, sample).groups

    assert "kernel" not in [each.name for each in group.differences]
