"""progress: how long a run has still to go, as a bound that holds or nothing."""

from itertools import pairwise

import pytest

from support.facts import SECOND, plan
from support.making import FAILED, PENDING, TIMED_OUT, run_events, storm_events
from support.measured import EIGHT, QUIET, WARM_UP_AND_THREE
from vmtiming_tui import events as ev
from vmtiming_tui.fleet import Fleet
from vmtiming_tui.plan import RunPlan, build_plan
from vmtiming_tui.progress import time_left_ns

RAW = {"prefix": "vm", "kernel": "k"}


def left_s(fleet: Fleet, run: RunPlan, now_ns: int) -> float | None:
    found = time_left_ns(fleet, run, now_ns)
    return None if found is None else found / SECOND


def until(stream, storm: int, kind: type = ev.StormEnded) -> Fleet:
    """The run up to the event of that storm."""
    at = next(i for i, e in enumerate(stream) if isinstance(e, kind) and e.storm == storm)
    return Fleet(stream[: at + 1])


def test_nothing_is_said_before_the_first_storm_and_till_half_of_it_has_booted():
    waiting = Fleet(run_events([[PENDING] * 4], outcome=None))
    early = Fleet(run_events([[40.0, PENDING, PENDING, PENDING]], outcome=None))

    assert left_s(Fleet(), plan(4), 0) is None
    assert left_s(waiting, plan(4), 3 * SECOND) is None
    assert left_s(early, plan(4), 41 * SECOND) is None


@pytest.mark.parametrize(
    ("rows", "warmup"), [(EIGHT, 0), (QUIET, 0), (WARM_UP_AND_THREE, 1), ([EIGHT[0]] * 3, 0)]
)
def test_what_is_said_to_be_left_holds_all_through_runs_that_were_measured(rows, warmup):
    kinds = [ev.StormKind.WARMUP] * warmup + [ev.StormKind.RUN] * (len(rows) - warmup)
    asked = build_plan(RAW, warmup=warmup, runs=len(rows) - warmup, files=False)
    stream = run_events(rows, kinds=kinds, outcome=None)
    ends_ns = max(e.report_ns for e in stream if isinstance(e, ev.VmBooted))
    fleet, said = Fleet(), 0

    for event, after in pairwise(stream):
        fleet.fold(event)
        for now_ns in range(event.at_ns, min(after.at_ns, ends_ns), SECOND):
            bound_ns = time_left_ns(fleet, asked, now_ns)
            said += bound_ns is not None
            assert bound_ns is None or now_ns + bound_ns >= ends_ns

    assert said


def test_an_overdue_vm_leaves_only_the_limit_to_go_by():
    fleet = Fleet(run_events([[5.0, 5.0, 5.2, PENDING]], outcome=None, skew_s=0))
    go_ns = fleet.vms[3].newest.go_ns
    limit = plan(4, timeout_s=60.0)

    assert left_s(fleet, limit, go_ns + 5 * SECOND) < 2
    assert left_s(fleet, limit, go_ns + 20 * SECOND) == 40


def test_the_limit_says_nothing_of_a_vm_that_was_paused():
    stream = run_events([[5.0, 5.0, 5.2, PENDING]], outcome=None, skew_s=0)
    stop = ev.QmpSeen(at_ns=4 * SECOND, vm=3, attempt=1, name="STOP")
    fleet = Fleet([*stream, stop])

    assert left_s(fleet, plan(4, timeout_s=60.0), 30 * SECOND) is None


def test_vms_that_are_not_to_boot_yet_take_their_turn_after_those_that_do():
    stream = run_events([[5.0, 5.0, 5.0, PENDING, PENDING]], outcome=None, skew_s=0)
    stream = [e for e in stream if getattr(e, "vm", None) != 4 or isinstance(e, ev.VmQueued)]
    fleet = Fleet(stream)
    go_ns = fleet.vms[3].newest.go_ns

    one_at_once, both = plan(5, parallel=1), plan(5, parallel=5)
    assert left_s(fleet, one_at_once, go_ns + SECOND) >= 4 + 5
    assert left_s(fleet, one_at_once, go_ns + SECOND) >= left_s(fleet, both, go_ns + SECOND)


def test_the_storms_to_come_are_part_of_what_is_left():
    stream = run_events([[4.0, 4.0]] * 4, outcome=None)
    asked = plan(2, runs=4)
    ends_ns = max(e.report_ns for e in stream if isinstance(e, ev.VmBooted))

    for storm in (1, 2, 3):
        fleet = until(stream, storm)
        bound_ns = time_left_ns(fleet, asked, fleet.last_ns)
        assert ends_ns <= fleet.last_ns + bound_ns <= fleet.last_ns + 2 * (ends_ns - fleet.last_ns)
    assert time_left_ns(until(stream, 4), asked, 0) == 0


def test_nothing_is_said_while_a_sweep_has_settings_no_storm_has_booted():
    asked = build_plan(RAW, sweeps=[("smp", "1,2")], runs=2, files=False)
    varied = [{"smp": "1"}, {"smp": "2"}, {"smp": "2"}, {"smp": "1"}]
    stream = run_events([[4.0], [8.0], [8.0], [4.0]], parameters=varied, outcome=None)

    assert time_left_ns(until(stream, 1), asked, 0) is None
    fleet = until(stream, 2)
    assert left_s(fleet, asked, fleet.last_ns) >= 8 + 4


def test_warm_ups_are_part_of_the_plan():
    asked = build_plan(RAW, warmup=1, runs=2, files=False)
    kinds = [ev.StormKind.WARMUP, ev.StormKind.RUN, ev.StormKind.RUN]
    fleet = until(run_events([[6.0]] * 3, kinds=kinds, outcome=None), 1)

    assert left_s(fleet, asked, fleet.last_ns) >= 12


def test_what_is_prepared_before_a_storm_is_not_guessed():
    asked = build_plan(RAW, runs=3, prepare="sleep 100", files=False)
    stream = run_events([[4.0]] * 3, outcome=None)

    assert time_left_ns(until(stream, 1), asked, 0) is None
    assert time_left_ns(until(stream, 2), asked, 0) is not None


def test_a_rerun_takes_as_long_as_boots_have_taken():
    stream = run_events([[5.0, 6.0]], outcome=None, skew_s=0)
    again = storm_events(
        {1: PENDING}, storm=2, kind=ev.StormKind.RERUN, attempts={1: 2}, at_ns=90 * SECOND
    )
    fleet = Fleet([*stream, *again])
    go_ns = fleet.vms[1].newest.go_ns

    assert left_s(fleet, plan(2), go_ns + SECOND) == pytest.approx(8.0)


@pytest.mark.parametrize("fate", [FAILED, TIMED_OUT, 5.0])
def test_nothing_is_left_where_all_are_decided(fate):
    assert left_s(Fleet(run_events([[5.0, fate]])), plan(2), 99 * SECOND) == 0
