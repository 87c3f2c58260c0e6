"""summary: the figures of a run, of its storms, and what is left of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import (
    FAILED,
    KILLED,
    PENDING,
    SECOND,
    TIMED_OUT,
    fleet_of,
    run_events,
    run_started,
    storm_events,
)

from vmtiming_tui import events as ev
from vmtiming_tui.fleet import Fleet, VmState
from vmtiming_tui.stages import Stage
from vmtiming_tui.summary import (
    completion,
    counted_attempts,
    counted_groups,
    progress,
    summarise_fleet,
    time_left_ns,
)


def test_the_cluster_is_booted_from_the_first_start_to_the_last_boot():
    summary = summarise_fleet(fleet_of([[5.0, 6.0, 4.0]], skew_s=0.5))

    assert summary.cluster_s == pytest.approx(6.5)
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

    assert (summary.number, summary.booted, summary.censored) == (4, 3, 1)
    assert summary.counts == {VmState.OFF: 3, VmState.TIMED_OUT: 1}
    assert summary.median_s == 6.0
    assert summary.p95_s is None
    assert (summary.mean_s, summary.max_s) == (6.0, 7.0)


def test_a_failed_vm_has_no_time_and_is_counted():
    summary = summarise_fleet(fleet_of([[5.0, 7.0, FAILED]]))

    assert (summary.booted, summary.censored, summary.median_s) == (2, 0, 6.0)
    assert summary.counts[VmState.FAILED] == 1


def test_a_killed_vm_is_known_to_take_longer_than_until_then():
    summary = summarise_fleet(fleet_of([[1.0, 3.0, 4.0, KILLED]]))

    assert summary.censored == 1
    assert summary.median_s == 3.0
    assert summary.median_interval is None


def test_nothing_booted_leaves_no_figures_and_no_error():
    summary = summarise_fleet(fleet_of([[FAILED, TIMED_OUT]]))

    assert (summary.booted, summary.median_s, summary.mean_s, summary.cluster_s) == (0,) + (
        None,
    ) * 3
    assert summary.time_to_s == {}


def test_the_newest_attempts_count():
    fleet = Fleet(
        [
            *storm_events([5.0, FAILED]),
            *storm_events(
                {1: 7.0}, storm=2, kind=ev.StormKind.RERUN, attempts={1: 2}, at_ns=60 * SECOND
            ),
        ]
    )

    summary = summarise_fleet(fleet)

    assert (summary.booted, summary.mean_s) == (2, 6.0)


def test_the_time_between_storms_is_not_boot_time():
    fleet = Fleet(
        [
            *storm_events([5.0, 5.0], skew_s=0),
            *storm_events(
                {1: 7.0}, storm=2, kind=ev.StormKind.RERUN, attempts={1: 2}, at_ns=3600 * SECOND
            ),
        ]
    )

    assert summarise_fleet(fleet).cluster_s == 7.0
    assert completion(fleet.newest) == [(5 * SECOND, 1), (7 * SECOND, 2)]


def test_a_scope_narrows_the_figures():
    fleet = fleet_of([[5.0, 9.0, 6.0]])

    assert [attempt.vm for attempt in counted_attempts(fleet, {0, 2})] == [0, 2]
    assert summarise_fleet(fleet, {0, 2}).max_s == 6.0


def test_repeated_storms_give_one_figure_a_storm():
    (group,) = counted_groups(fleet_of([[4.0, 6.0], [5.0, 7.0], [6.0, 8.0]], skew_s=0.0))

    assert (group.medians.size, group.medians.median, group.medians.stddev) == (3, 6.0, 1.0)
    assert (group.clusters.min, group.clusters.max) == (6.0, 8.0)
    assert group.spread.within == pytest.approx(2**0.5)
    assert group.stage_medians_s()[Stage.LAG] == [pytest.approx(0.02)] * 3


def test_warmups_do_not_count():
    kinds = [ev.StormKind.WARMUP, ev.StormKind.RUN, ev.StormKind.RUN]

    (group,) = counted_groups(fleet_of([[50.0], [5.0], [5.2]], kinds=kinds))

    assert [storm.number for storm in group.storms] == [2, 3]


def test_a_sweep_gives_a_group_a_setting():
    parameters = [{"smp": "1"}, {"smp": "2"}, {"smp": "2"}, {"smp": "1"}]

    groups = counted_groups(fleet_of([[5.0], [4.0], [4.2], [5.2]], parameters=parameters))

    assert [(group.label, group.medians.median) for group in groups] == [
        ("smp=1", 5.1),
        ("smp=2", 4.1),
    ]


def test_vms_booted_again_take_their_place_in_the_last_storm():
    stream = run_events([[5.0, FAILED]], outcome=None)
    again = storm_events(
        {1: 7.0}, storm=2, kind=ev.StormKind.RERUN, attempts={1: 2}, at_ns=90 * SECOND
    )

    (group,) = counted_groups(Fleet([*stream, *again]))

    assert [attempt.number for attempt in group.attempts] == [1, 2]
    assert group.storms[0].summary.booted == 2


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


def test_time_left_needs_a_first_boot_and_ends_at_nothing():
    started = fleet_of([[PENDING, PENDING]], outcome=None)
    halfway = fleet_of([[5.0, PENDING]], outcome=None, skew_s=0.0)
    done = fleet_of([[5.0, 6.0]])

    assert time_left_ns(started.newest, 3 * SECOND) is None
    go_ns = halfway.vms[1].newest.go_ns
    assert time_left_ns(halfway.newest, go_ns + 2 * SECOND) == 3 * SECOND
    assert time_left_ns(done.newest, 99 * SECOND) == 0


def test_progress_reckons_the_storms_to_come_by_those_before():
    rows = [[4.0], [4.0], [4.0], [4.0]]
    stream = run_events(rows, outcome=None)
    second_ended = [i for i, e in enumerate(stream) if isinstance(e, ev.StormEnded)][1]
    fleet = Fleet(stream[: second_ended + 1])

    found = progress(fleet, fleet.last_ns)

    assert (found.storms_done, found.storms_planned) == (2, 4)
    first_ns = fleet.storms[1].started_ns
    assert found.time_left_ns == fleet.last_ns - first_ns


def test_progress_of_a_single_storm_is_its_own():
    fleet = fleet_of([[5.0, PENDING]], outcome=None, skew_s=0.0)
    now_ns = fleet.vms[1].newest.go_ns + 2 * SECOND

    assert progress(fleet, now_ns).time_left_ns == 3 * SECOND
    assert progress(Fleet(), 0).time_left_ns is None
