"""summary: the figures of a run, of its storms, and what is left of it."""

import pytest
from hypothesis import given, strategies as st

from support.facts import SECOND, run_started
from support.making import FAILED, KILLED, PENDING, TIMED_OUT, fleet_of, run_events, storm_events
from vmtiming_tui.analysis.counted import counted_attempts
from vmtiming_tui.analysis.summary import completion, counted_groups, summarise_fleet
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.model.stage import Stage


def test_all_booted_in_is_from_the_first_start_to_the_last_boot():
    summary = summarise_fleet(fleet_of([[5.0, 6.0, 4.0]], skew_s=0.5))

    assert summary.all_booted_in_s == pytest.approx(6.5)
    assert summary.launch_skew_s == pytest.approx(1.0)
    assert summary.vms_per_s == pytest.approx(3 / 6.5)
    assert summary.median_s == 5.0


def test_the_share_of_vms_booted_is_told_over_time():
    summary = summarise_fleet(fleet_of([[1.0, 2.0, 3.0, 4.0, FAILED]], skew_s=0.0))

    assert summary.time_to_s == {25: 2.0, 50: 3.0, 75: 4.0}


def test_stages_have_a_median_each():
    summary = summarise_fleet(fleet_of([[5.4, 5.4, 5.4]]))

    assert summary.stage_medians_s == {
        Stage.FIRMWARE: pytest.approx(0.4),
        Stage.KERNEL: pytest.approx(0.996),
        Stage.INITRD: pytest.approx(1.494),
        Stage.USERSPACE: pytest.approx(2.49),
        Stage.LAG: pytest.approx(0.02),
    }
    assert summary.qemu.median == pytest.approx(0.1)


def test_a_timed_out_vm_is_counted_as_slower_and_never_as_booted_at_the_limit():
    summary = summarise_fleet(fleet_of([[5.0, 6.0, 7.0, TIMED_OUT]]))

    assert (summary.number, summary.booted, summary.lost) == (4, 3, 1)
    assert summary.counts == {VmState.BOOTED: 3, VmState.TIMED_OUT: 1}
    assert summary.median_s == 6.5
    assert summary.p95_s is None
    assert (summary.mean_s, summary.max_s) == (6.0, 7.0)


@pytest.mark.parametrize("fate", [FAILED, TIMED_OUT, KILLED])
def test_a_lost_vm_ranks_behind_all_that_booted_however_it_was_lost(fate):
    summary = summarise_fleet(fleet_of([[5.0, 7.0, fate]]))

    assert (summary.booted, summary.lost, summary.median_s, summary.mean_s) == (2, 1, 7.0, 6.0)
    assert summary.median_interval is None


def test_a_storm_that_lost_a_vm_has_no_time_in_which_all_booted():
    summary = summarise_fleet(fleet_of([[5.0, 7.0, FAILED]], skew_s=0))

    assert (summary.all_booted_in_s, summary.last_booted_s) == (None, 7.0)


def test_nothing_booted_leaves_no_figures_and_no_error():
    summary = summarise_fleet(fleet_of([[FAILED, TIMED_OUT]]))

    assert (summary.booted, summary.median_s, summary.mean_s, summary.last_booted_s) == (0,) + (
        None,
    ) * 3
    assert summary.time_to_s == {}


def rerun(boots, storm=2, attempts=None, at_s=60):
    return storm_events(
        boots,
        storm=storm,
        kind=StormKind.RERUN,
        attempts=attempts or dict.fromkeys(boots, 2),
        at_ns=at_s * SECOND,
    )


@pytest.mark.parametrize("again", [7.0, 1.0, FAILED])
def test_a_rerun_is_in_no_figure_of_the_storm_it_followed(again):
    storm = run_events([[5.0, 9.0]], skew_s=0, outcome=None)
    alone, followed = Fleet(storm), Fleet([*storm, *rerun({1: again})])

    assert summarise_fleet(followed) == summarise_fleet(alone)
    assert summarise_fleet(followed).all_booted_in_s == 9.0
    assert counted_groups(followed)[0].storms[0].summary.median_s == 7.0


def test_a_vm_that_failed_stays_failed_in_its_storms_figures():
    fleet = Fleet([*run_events([[5.0, FAILED]], outcome=None), *rerun({1: 7.0})])

    (group,) = counted_groups(fleet)

    assert (group.storms[0].summary.booted, group.storms[0].summary.lost) == (1, 1)
    assert [attempt.number for attempt in group.attempts] == [1, 1]


def test_the_figures_of_several_storms_are_of_all_their_boots():
    summary = summarise_fleet(fleet_of([[4.0, 6.0], [5.0, 7.0], [6.0, 8.0]], skew_s=0))

    assert (summary.number, summary.median_s, summary.max_s) == (6, 6.0, 8.0)
    assert summary.all_booted_in_s == 7.0


def test_the_time_between_storms_is_not_boot_time():
    fleet = fleet_of([[5.0], [7.0]], skew_s=0)

    assert completion(list(fleet.attempts)) == [(5 * SECOND, 1), (7 * SECOND, 2)]


def test_a_scope_narrows_the_figures():
    fleet = fleet_of([[5.0, 9.0, 6.0]])

    assert [attempt.vm for attempt in counted_attempts(fleet, {0, 2})] == [0, 2]
    assert summarise_fleet(fleet, {0, 2}).max_s == 6.0


def test_repeated_storms_give_one_figure_a_storm():
    (group,) = counted_groups(fleet_of([[4.0, 6.0], [5.0, 7.0], [6.0, 8.0]], skew_s=0.0))

    assert (group.medians.size, group.medians.median, group.medians.stddev) == (3, 6.0, 1.0)
    assert (group.all_booted_in.min, group.all_booted_in.max) == (6.0, 8.0)
    assert group.spread.within == pytest.approx(2**0.5)
    assert group.stage_medians_s()[Stage.LAG] == [pytest.approx(0.02)] * 3


def test_warmups_do_not_count():
    kinds = [StormKind.WARMUP, StormKind.RUN, StormKind.RUN]

    (group,) = counted_groups(fleet_of([[50.0], [5.0], [5.2]], kinds=kinds))

    assert [storm.number for storm in group.storms] == [2, 3]


def test_a_sweep_gives_a_group_a_setting():
    parameters = [{"smp": "1"}, {"smp": "2"}, {"smp": "2"}, {"smp": "1"}]

    groups = counted_groups(fleet_of([[5.0], [4.0], [4.2], [5.2]], parameters=parameters))

    assert [(group.label, group.medians.median) for group in groups] == [
        ("smp=1", 5.1),
        ("smp=2", 4.1),
    ]


def test_a_storm_whose_median_is_hidden_is_counted_and_ranks_last():
    rows = [[5.0, 5.0], [TIMED_OUT, TIMED_OUT], [6.0, 6.0], [7.0, FAILED]]

    (group,) = counted_groups(fleet_of(rows, skew_s=0))

    assert (group.medians.size, group.medians.lost, group.medians.median) == (4, 2, None)
    assert (group.all_booted_in.size, group.all_booted_in.lost) == (4, 2)


def test_a_doubtful_vm_is_in_no_stage_figure_and_is_counted_as_left_out():
    fleet = fleet_of([[5.4, 5.4, 5.4]])
    honest = summarise_fleet(fleet)
    clock = ev.VmDetails(
        at_ns=99 * SECOND,
        vm=1,
        attempt=1,
        clock_us=999_999_999_999_999,
        timestamps_us=fleet.vms[1].newest.details.timestamps_us,
    )
    fleet.fold(clock)

    summary = summarise_fleet(fleet)

    assert (honest.doubtful, summary.doubtful) == (0, 1)
    assert {figures.size for figures in summary.stages.values()} == {2}
    assert summary.stage_medians_s == pytest.approx(honest.stage_medians_s)
    assert summary.median_s == honest.median_s


def test_no_storm_no_groups():
    assert counted_groups(Fleet([run_started()])) == []


@given(
    st.lists(
        st.floats(1, 100) | st.sampled_from([TIMED_OUT, FAILED, KILLED, PENDING]),
        min_size=1,
        max_size=12,
    )
)
def test_the_curve_only_rises_and_the_counts_add_up(boots):
    fleet = fleet_of([boots], outcome=None)
    curve, summary = completion(fleet.newest), summarise_fleet(fleet)

    assert curve == sorted(curve)
    assert [k for _, k in curve] == list(range(1, summary.booted + 1))
    assert sum(summary.counts.values()) == summary.number == len(boots)
    assert list(summary.time_to_s.values()) == sorted(summary.time_to_s.values())
