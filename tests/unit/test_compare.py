"""compare: what two runs say of each other, and when they cannot say it."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import FAILED, HOST, TIMED_OUT, fleet_of

from vmtiming_tui.compare import Unit, Verdict, compare, difference
from vmtiming_tui.fleet import Fleet


def storms(middle_s: float, count: int, seed: int = 1, vms: int = 3) -> list[list[float]]:
    chance = random.Random(seed)
    return [
        [max(0.6, chance.gauss(storm, 0.1)) for _ in range(vms)]
        for storm in [chance.gauss(middle_s, middle_s * 0.01) for _ in range(count)]
    ]


def test_a_slower_run_is_found_slower_by_about_that_much():
    found = compare(fleet_of(storms(5.0, 8)), fleet_of(storms(6.0, 8, seed=2)))

    boot = found.groups[0].boot
    assert (found.verdict, boot.unit) == (Verdict.SLOWER, Unit.STORM)
    assert boot.percent == pytest.approx(20, abs=3)
    assert boot.percent_interval.low < boot.percent < boot.percent_interval.high
    assert boot.sentence.startswith("boot: slower by ")


def test_a_faster_run_is_found_faster():
    assert compare(fleet_of(storms(6.0, 8)), fleet_of(storms(5.0, 8, 2))).verdict is Verdict.FASTER


def test_the_same_again_shows_no_difference():
    found = compare(fleet_of(storms(5.0, 10)), fleet_of(storms(5.0, 10, seed=3)))

    assert found.verdict is Verdict.NO_DIFFERENCE
    assert not found.is_slower_than(0)


def test_of_twenty_comparisons_of_the_same_about_one_cries_wolf():
    chance = random.Random(1)
    wrong = sum(
        difference(
            "boot",
            Unit.STORM,
            [chance.gauss(5, 0.05) for _ in range(8)],
            [chance.gauss(5, 0.05) for _ in range(8)],
        ).verdict
        is not Verdict.NO_DIFFERENCE
        for _ in range(600)
    )

    assert wrong / 600 == pytest.approx(0.05, abs=0.03)


def test_too_few_storms_are_inconclusive_and_say_how_many_it_takes():
    found = compare(fleet_of(storms(5.0, 3)), fleet_of(storms(6.0, 3, seed=2)))

    boot = found.groups[0].boot
    assert boot.verdict is Verdict.INCONCLUSIVE
    assert boot.needed >= 1
    assert "more storms a side would tell 5 %" in boot.sentence


def test_noise_that_would_hide_a_change_is_inconclusive_rather_than_no_difference():
    chance = random.Random(4)
    noisy = [[[chance.uniform(3, 9)] for _ in range(8)] for _ in range(2)]

    boot = compare(fleet_of(noisy[0]), fleet_of(noisy[1])).groups[0].boot

    assert boot.p_value > 0.05
    assert boot.verdict is Verdict.INCONCLUSIVE
    assert boot.needed > 20


def test_the_storm_is_the_unit_where_storms_repeat_and_the_vm_where_not():
    repeated = compare(fleet_of(storms(5.0, 4, vms=20)), fleet_of(storms(5.0, 4, vms=20, seed=2)))
    single = compare(fleet_of(storms(5.0, 1, vms=20)), fleet_of(storms(6.0, 1, vms=20)))

    assert (repeated.groups[0].boot.unit, repeated.groups[0].boot.first.size) == (Unit.STORM, 4)
    assert (single.groups[0].boot.unit, single.groups[0].boot.first.size) == (Unit.VM, 20)
    assert any("not independent" in caution for caution in single.cautions)


def test_every_stage_and_the_cluster_are_compared():
    names = [
        each.name
        for each in compare(fleet_of(storms(5.0, 4)), fleet_of(storms(6.0, 4)))
        .groups[0]
        .differences
    ]

    assert names == [
        "boot", "cluster", "qemu", "firmware", "kernel", "initrd", "userspace", "lag",
    ]  # fmt: skip


def test_a_build_fails_only_if_the_whole_interval_is_beyond():
    found = compare(fleet_of(storms(5.0, 8)), fleet_of(storms(6.0, 8, seed=2)))
    low = found.groups[0].boot.percent_interval.low

    assert found.is_slower_than(low - 0.1)
    assert not found.is_slower_than(low + 0.1)


def test_vms_that_timed_out_make_a_run_slower():
    first = fleet_of([[5.0, 5.1, 5.2, 5.3, 5.4, 5.5]])
    second = fleet_of([[5.6, TIMED_OUT, TIMED_OUT, TIMED_OUT, TIMED_OUT, TIMED_OUT]])

    found = compare(first, second, labels=("old", "new"))

    assert found.verdict is Verdict.SLOWER
    assert math.isinf(found.groups[0].boot.percent_interval.high)
    assert "to unknown" in found.groups[0].boot.sentence or found.groups[0].boot.percent is None
    assert "new: 5 boots never ended; they rank as slower than all" in found.cautions


def test_failed_vms_are_said_and_not_timed():
    found = compare(fleet_of([[5.0] * 4]), fleet_of([[5.0, 5.0, 5.0, FAILED]]), labels=("a", "b"))

    assert "b: 1 boots failed; they have no time to compare" in found.cautions
    assert found.groups[0].boot.second.size == 3


@pytest.mark.parametrize(
    ("change", "caution"),
    [
        ({"accel": "tcg"}, "accelerator differs: kvm against tcg"),
        ({"qemu_version": "9.0.0"}, "QEMU differs: 7.2.15 against 9.0.0"),
        ({"host": {**HOST, "hostname": "other"}}, "host differs: bench1 against other"),
        ({"host": {**HOST, "kernel": "6.9"}}, "host kernel differs: 6.1.0-18-amd64 against 6.9"),
    ],
)
def test_other_circumstances_are_a_caution(change, caution):
    rows = storms(5.0, 4)

    assert compare(fleet_of(rows), fleet_of(rows)).cautions == ()
    assert compare(fleet_of(rows), fleet_of(rows, started=change)).cautions == (caution,)


def test_settings_of_two_sweeps_are_matched():
    first = [{"smp": "1"}, {"smp": "2"}]
    second = [{"smp": "2"}, {"smp": "4"}]
    rows = [[5.0] * 5, [4.0] * 5]

    found = compare(fleet_of(rows, parameters=first), fleet_of(rows, parameters=second))

    assert [group.parameters for group in found.groups] == [{"smp": "2"}]
    assert "1 settings were booted by one run only and are left out" in found.cautions


def test_runs_without_a_boot_are_inconclusive_and_no_error():
    found = compare(Fleet(), Fleet())
    assert (found.verdict, found.groups) == (Verdict.INCONCLUSIVE, ())

    found = compare(fleet_of([[FAILED]]), fleet_of([[5.0]]))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "one side has no figure" in found.groups[0].boot.sentence


times = st.lists(st.floats(0.5, 100) | st.just(math.inf), max_size=12)


@given(times, times)
def test_any_two_samples_give_a_verdict_that_its_own_figures_bear_out(first, second):
    found = difference("boot", Unit.STORM, first, second)

    assert found.sentence
    if found.verdict in (Verdict.SLOWER, Verdict.FASTER):
        assert found.p_value < 0.05
        assert min(len(first), len(second)) >= 4
    if found.verdict is Verdict.NO_DIFFERENCE:
        assert found.percent_interval.low >= -5
        assert found.percent_interval.high <= 5


@given(st.lists(st.floats(1, 100), min_size=4, max_size=9, unique=True), st.floats(1.01, 2))
def test_turning_the_comparison_round_turns_the_verdict(sample, factor):
    other = [value * factor for value in sample]
    turned = {Verdict.SLOWER: Verdict.FASTER, Verdict.FASTER: Verdict.SLOWER}

    there = difference("boot", Unit.STORM, sample, other)
    back = difference("boot", Unit.STORM, other, sample)

    assert back.p_value == pytest.approx(there.p_value)
    if there.verdict in turned:
        assert back.verdict is turned[there.verdict]
