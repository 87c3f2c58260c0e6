"""progress: how long a run has still to go, as a bound that holds, an estimate, or nothing."""

from dataclasses import fields
from itertools import pairwise

import pytest

from support.facts import SECOND, plan
from support.making import FAILED, PENDING, TIMED_OUT, run_events, storm_events
from support.many_hosts import on_hosts
from support.measured import EIGHT, QUIET, WARM_UP_AND_THREE
from support.phased import Aftermath, phased
from vmtiming_tui.analysis.progress import (
    BETWEEN_NS,
    COLLECTING_NS,
    ENDING_NS,
    LATE_NS,
    READY_NS,
    TimeLeft,
    time_left,
)
from vmtiming_tui.engine.guest.limits import Limits
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import AfterReport, KernelDetail
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan, StormKind
from vmtiming_tui.request.sweeps import build_plan

RAW = {"prefix": "vm", "kernel": "k"}


LATE_S, READY_S = LATE_NS / SECOND, READY_NS / SECOND


def about_s(fleet: Fleet, run: RunPlan, now_ns: int) -> float | None:
    found = time_left(fleet, run, now_ns).about_ns
    return None if found is None else found / SECOND


def at_most_s(fleet: Fleet, run: RunPlan, now_ns: int) -> float | None:
    found = time_left(fleet, run, now_ns).at_most_ns
    return None if found is None else found / SECOND


def until(stream, storm: int, kind: type = ev.StormEnded) -> Fleet:
    """The run up to the event of that storm."""
    at = next(i for i, e in enumerate(stream) if isinstance(e, kind) and e.storm == storm)
    return Fleet(stream[: at + 1])


def test_nothing_is_said_before_the_first_storm():
    assert time_left(Fleet(), plan(4), 0) == TimeLeft()


def test_nothing_is_estimated_till_half_of_the_first_storm_has_booted():
    waiting = Fleet(run_events([[PENDING] * 4], outcome=None))
    early = Fleet(run_events([[40.0, PENDING, PENDING, PENDING]], outcome=None))

    assert about_s(waiting, plan(4), 3 * SECOND) is None
    assert about_s(early, plan(4), 41 * SECOND) is None


def test_vms_that_boot_are_decided_by_their_limit():
    fleet = Fleet(run_events([[PENDING] * 4], outcome=None, skew_s=0))
    go_ns = fleet.vms[3].newest.go_ns

    assert at_most_s(fleet, plan(4, timeout_s=60.0), go_ns + 20 * SECOND) == 40 + LATE_S


def test_the_bound_allows_for_all_that_the_engine_waits_for():
    limits = Limits()
    early_s = late_s = 1.0
    coming_up_s = limits.greeting_s + limits.report_port_s + 2 * limits.command_s + early_s
    seeing_off_s = limits.details_s + 2 * limits.off_s + limits.quit_s + limits.kill_s

    collecting_s = limits.command_s + limits.details_s + limits.own_way_s + limits.off_s
    ending_s = limits.command_s + limits.powerdown_s + limits.quit_s + limits.kill_s

    assert coming_up_s < READY_S
    assert limits.command_s + late_s < LATE_S
    assert seeing_off_s < BETWEEN_NS / SECOND
    assert collecting_s < COLLECTING_NS / SECOND
    assert ending_s < ENDING_NS / SECOND


@pytest.mark.parametrize(
    ("rows", "warmup"), [(EIGHT, 0), (QUIET, 0), (WARM_UP_AND_THREE, 1), ([EIGHT[0]] * 3, 0)]
)
def test_what_is_said_of_runs_that_were_measured(rows, warmup):
    kinds = [StormKind.WARMUP] * warmup + [StormKind.RUN] * (len(rows) - warmup)
    asked = build_plan(RAW, warmup=warmup, runs=len(rows) - warmup, files=False)
    stream = run_events(rows, kinds=kinds, outcome=None)
    ends_ns = max(e.report_ns for e in stream if isinstance(e, ev.VmBooted))
    fleet, off = Fleet(), []

    for event, after in pairwise(stream):
        fleet.fold(event)
        for now_ns in range(event.at_ns, min(after.at_ns, ends_ns), SECOND):
            if fleet.storm is None:
                continue
            said = time_left(fleet, asked, now_ns)
            assert now_ns + said.at_most_ns >= ends_ns
            if said.about_ns is not None:
                off.append(abs(now_ns + said.about_ns - ends_ns))

    assert max(off) < 0.35 * ends_ns


def test_with_a_vm_overdue_only_the_limit_is_left_to_go_by():
    fleet = Fleet(run_events([[5.0, 5.0, 5.2, PENDING]], outcome=None, skew_s=0))
    go_ns = fleet.vms[3].newest.go_ns
    limit = plan(4, timeout_s=60.0)

    assert about_s(fleet, limit, go_ns + 5 * SECOND) < 2
    assert about_s(fleet, limit, go_ns + 20 * SECOND) is None
    assert at_most_s(fleet, limit, go_ns + 20 * SECOND) == 40 + LATE_S


def test_nothing_is_estimated_once_a_vm_has_hung():
    stream = run_events([[4.0, 4.0, 4.0], [4.0, TIMED_OUT, 4.0], [4.0, 4.0, PENDING]], outcome=None)
    before, after = until(stream, 1), Fleet(stream)

    assert about_s(before, plan(3, runs=3), before.last_ns) is not None
    assert time_left(after, plan(3, runs=3), after.last_ns).about_ns is None
    assert at_most_s(after, plan(3, runs=3), after.last_ns) > 200


def test_the_limit_says_nothing_of_a_vm_that_was_paused():
    stream = run_events([[5.0, 5.0, 5.2, PENDING]], outcome=None, skew_s=0)
    stop = ev.QmpSeen(at_ns=4 * SECOND, vm=3, attempt=1, name="STOP")
    fleet = Fleet([*stream, stop])

    assert time_left(fleet, plan(4, timeout_s=60.0), 30 * SECOND) == TimeLeft()


@pytest.mark.parametrize("left_s", [about_s, at_most_s])
def test_vms_that_are_not_to_boot_yet_take_their_turn_after_those_that_do(left_s):
    stream = run_events([[5.0, 5.0, 5.0, PENDING, PENDING]], outcome=None, skew_s=0)
    stream = [e for e in stream if getattr(e, "vm", None) != 4 or isinstance(e, ev.VmQueued)]
    fleet = Fleet(stream)
    now_ns = fleet.vms[3].newest.go_ns + SECOND

    at_once, apart = plan(5), plan(5, stagger_s=9.0)
    assert left_s(fleet, at_once, now_ns) >= 4 + 5
    assert left_s(fleet, apart, now_ns) == pytest.approx(left_s(fleet, at_once, now_ns) + 9)


def test_turns_add_up_where_few_may_boot_at_once():
    stream = run_events([[PENDING] * 5], outcome=None)
    queued = Fleet([e for e in stream if isinstance(e, (ev.StormStarted, ev.VmQueued))])
    turn_s = READY_S + 60 + LATE_S

    for parallel, turns in ((1, 5), (2, 3), (5, 1)):
        asked = plan(5, parallel=parallel, timeout_s=60.0)
        assert at_most_s(queued, asked, SECOND) == turns * turn_s


def test_what_each_host_counts_for_itself_takes_as_many_times_less_on_several():
    stream = on_hosts(run_events([[10.0] * 6 + [PENDING] * 3], outcome=None, skew_s=0))
    queued = [e for e in stream if isinstance(e, ev.VmQueued) or getattr(e, "vm", 0) < 6]
    fleet = Fleet(queued)
    now_ns = fleet.vms[0].newest.report_ns
    over_all, on_each = (plan(9, parallel=1, parallel_per_host=each) for each in (False, True))

    assert about_s(fleet, on_each, now_ns) < about_s(fleet, over_all, now_ns) / 2
    assert at_most_s(fleet, on_each, now_ns) == at_most_s(fleet, over_all, now_ns)


def test_the_storms_to_come_are_part_of_what_is_left():
    stream = run_events([[4.0, 4.0]] * 4, outcome=None)
    asked = plan(2, runs=4, timeout_s=60.0)
    ends_ns = max(e.report_ns for e in stream if isinstance(e, ev.VmBooted))

    for storm in (1, 2, 3):
        fleet = until(stream, storm)
        left_ns = ends_ns - fleet.last_ns
        assert about_s(fleet, asked, fleet.last_ns) == pytest.approx(left_ns / SECOND, rel=0.3)
        assert at_most_s(fleet, asked, fleet.last_ns) > (4 - storm) * 60
    assert time_left(until(stream, 4), asked, 0) == TimeLeft(0, 0)


def test_nothing_is_estimated_while_a_sweep_has_settings_no_storm_has_booted():
    asked = build_plan(RAW, sweeps=[("smp", "1,2")], runs=2, files=False)
    varied = [{"smp": "1"}, {"smp": "2"}, {"smp": "2"}, {"smp": "1"}]
    stream = run_events([[4.0], [8.0], [8.0], [4.0]], parameters=varied, outcome=None)

    assert about_s(until(stream, 1), asked, 0) is None
    fleet = until(stream, 2)
    assert about_s(fleet, asked, fleet.last_ns) >= 8 + 4


def test_warm_ups_are_part_of_the_plan():
    asked = build_plan(RAW, warmup=1, runs=2, files=False)
    kinds = [StormKind.WARMUP, StormKind.RUN, StormKind.RUN]
    fleet = until(run_events([[6.0]] * 3, kinds=kinds, outcome=None), 1)

    assert about_s(fleet, asked, fleet.last_ns) >= 12


def test_what_is_prepared_before_a_storm_is_not_guessed():
    asked = build_plan(RAW, runs=3, prepare="sleep 100", files=False)
    stream = run_events([[4.0]] * 3, outcome=None)

    assert time_left(until(stream, 1), asked, 0) == TimeLeft()
    assert about_s(until(stream, 2), asked, 0) is not None


def test_a_rerun_takes_as_long_as_boots_have_taken():
    stream = run_events([[5.0, 6.0]], outcome=None, skew_s=0)
    again = storm_events(
        {1: PENDING}, storm=2, kind=StormKind.RERUN, attempts={1: 2}, at_ns=90 * SECOND
    )
    fleet = Fleet([*stream, *again])
    go_ns = fleet.vms[1].newest.go_ns

    assert about_s(fleet, plan(2), go_ns + SECOND) == pytest.approx(6.5)


def test_one_more_storm_for_the_kernels_details_is_waited_for_too():
    asked = plan(2, kernel_detail=KernelDetail.EXTRA)
    counted = run_events([[5.0, 6.0]], outcome=None, skew_s=0)
    extra = storm_events(
        {0: PENDING, 1: PENDING}, storm=2, kind=StormKind.DETAIL, attempts={0: 2, 1: 2},
        at_ns=90 * SECOND,
    )  # fmt: skip

    before, fleet = Fleet(counted), Fleet([*counted, *extra])
    assert about_s(before, asked, before.last_ns) > 5
    assert about_s(fleet, asked, fleet.vms[1].newest.go_ns + SECOND) > 5


@pytest.mark.parametrize("fate", [FAILED, TIMED_OUT, 5.0])
def test_nothing_is_left_where_all_are_decided(fate):
    assert time_left(Fleet(run_events([[5.0, fate]])), plan(2), 99 * SECOND) == TimeLeft(0, 0)


# VMs that stand still after their report, and rounds.


def in_phases(rows, rounds=1, **after):
    return phased(run_events(rows, outcome=None, skew_s=0.0), Aftermath(rounds=rounds, **after))


def place_of(stream, kind, **told):
    """Return where a stream has the first event of a kind that tells this."""
    return next(
        at
        for at, event in enumerate(stream)
        if isinstance(event, kind) and told.items() <= vars_of(event).items()
    )


def vars_of(event):
    return {field.name: getattr(event, field.name) for field in fields(event)}


def last_boot_ns(stream):
    return max(event.at_ns for event in stream if isinstance(event, ev.VmBooted))


def test_a_vm_that_stands_still_is_done_with_and_the_storm_is_over_for_it():
    stream = in_phases([[5.0, 5.2, 9.0]])
    fleet = Fleet(stream[: place_of(stream, ev.StormDecided) + 1])

    for later_s in (0, 60):
        assert time_left(fleet, plan(3), fleet.last_ns + later_s * SECOND) == TimeLeft(0, 0)


@pytest.mark.parametrize(("rounds", "runs"), [(1, 1), (2, 1), (3, 1), (1, 3), (2, 3)])
def test_neither_phases_nor_rounds_break_the_bound(rounds, runs):
    rows = [[5.0, 6.0, 30.0, 5.5, 7.0]] * runs
    stream = in_phases(rows, rounds, gathers_s=50.0, shuts_down_s=110.0)
    asked, fleet, ends_ns = plan(5, runs=runs), Fleet(), last_boot_ns(stream)

    for event in stream:
        fleet.fold(event)
        if fleet.storm is not None and fleet.storm.rounds:
            said = time_left(fleet, asked, event.at_ns)
            assert event.at_ns + said.at_most_ns >= ends_ns
            assert said.about_ns is None or 0 <= said.about_ns <= said.at_most_ns


def test_the_first_round_tells_nothing_of_how_long_the_others_take():
    stream = in_phases([[5.0, 5.1, 5.2, 5.0, 5.1, 5.2]], rounds=2)
    fleet = Fleet(stream[: place_of(stream, ev.StormDecided)])

    assert about_s(fleet, plan(6), fleet.last_ns) is None
    assert at_most_s(fleet, plan(6), fleet.last_ns) > 300


def test_a_round_that_was_seen_off_tells_how_long_the_next_one_takes():
    stream = in_phases([[5.0] * 6], rounds=3)
    fleet = Fleet(stream[: place_of(stream, ev.StormDecided, round=2)])
    left_s = (last_boot_ns(stream) - fleet.last_ns) / SECOND
    assert about_s(fleet, plan(6), fleet.last_ns) == pytest.approx(left_s, rel=0.35)


def test_the_bound_of_a_next_storm_leaves_time_to_collect_and_end_this_one():
    stream = in_phases([[5.0] * 40, [5.0] * 40])
    fleet = until(stream, 1, ev.StormDecided)
    frozen, off = (
        at_most_s(fleet, plan(40, runs=2, after_report=after), fleet.last_ns)
        for after in (AfterReport.FREEZE, AfterReport.OFF)
    )

    assert frozen - off == 40 / 8 * COLLECTING_NS / SECOND + 120 + ENDING_NS / SECOND
