"""Fleet: a run's state is what its events say, and nothing an event says can break it."""

import pytest
from hypothesis import given, strategies as st

from support.facts import SECOND, run_started
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.fleet import Fleet, RunState
from vmtiming_tui.model.plan import StormKind


def queued(vm=0, attempt=1, storm=1, at_ns=0):
    return ev.VmQueued(at_ns=at_ns, vm=vm, attempt=attempt, storm=storm)


def launched(vm=0, attempt=1, at_ns=1):
    return ev.VmLaunched(at_ns=at_ns, vm=vm, attempt=attempt, pid=9, spawn_ns=at_ns, argv=("qemu",))


def connected(vm=0, attempt=1, at_ns=2):
    return ev.VmConnected(at_ns=at_ns, vm=vm, attempt=attempt)


def started(vm=0, attempt=1, at_ns=3):
    return ev.VmStarted(at_ns=at_ns, vm=vm, attempt=attempt, go_ns=at_ns)


def booted(vm=0, attempt=1, at_ns=4):
    return ev.VmBooted(
        at_ns=at_ns, vm=vm, attempt=attempt, report_ns=at_ns, uncertainty_ns=0, text="Startup"
    )


def exited(vm=0, attempt=1, at_ns=5):
    return ev.VmExited(at_ns=at_ns, vm=vm, attempt=attempt, exit_code=0, reason="guest-shutdown")


def failed(vm=0, attempt=1, at_ns=4):
    return ev.VmFailed(at_ns=at_ns, vm=vm, attempt=attempt, why="no bootable disk", stderr="boom")


def qmp(name, vm=0, attempt=1, at_ns=4):
    return ev.QmpSeen(at_ns=at_ns, vm=vm, attempt=attempt, name=name)


def test_a_vm_goes_from_queued_to_booted_and_stays_so_when_it_is_gone():
    fleet, seen = Fleet(), []

    for event in (queued(), launched(), connected(), started(), booted(), exited()):
        fleet.fold(event)
        seen.append(fleet.vms[0].state)

    assert seen == ["queued", "launching", "connected", "connected", "booted", "booted"]
    assert fleet.vms[0].newest.exited_ns == exited().at_ns


def test_boot_time_is_from_go_to_report():
    fleet = Fleet([queued(), launched(), connected(), started(at_ns=10), booted(at_ns=10 + SECOND)])

    assert fleet.vms[0].newest.boot_ns == SECOND


@pytest.mark.parametrize("loss", [failed, lambda: ev.VmKilled(at_ns=9, vm=0, attempt=1)])
def test_the_first_verdict_stands(loss):
    assert Fleet([queued(), loss(), booted()]).vms[0].state.is_lost
    assert Fleet([queued(), booted(), loss()]).vms[0].state is VmState.BOOTED


def test_counts_follow_the_newest_attempts():
    fleet = Fleet([queued(0), queued(1), failed(0), booted(1), queued(0, attempt=2)])

    assert +fleet.counts == {VmState.QUEUED: 1, VmState.BOOTED: 1}
    fleet.fold(exited(0, attempt=1))
    assert fleet.vms[0].state is VmState.QUEUED


def test_a_rerun_keeps_the_earlier_attempts():
    fleet = Fleet([queued(), failed(), queued(attempt=2, storm=2), started(attempt=2, at_ns=7)])

    first, second = fleet.vms[0].attempts
    assert (first.state, first.why) == (VmState.FAILED, "no bootable disk")
    assert (second.state, second.go_ns) == (VmState.QUEUED, 7)


def test_stop_and_resume_show_as_paused():
    fleet = Fleet([queued(), launched(), connected(), started(), qmp("STOP")])
    assert fleet.vms[0].newest.paused

    fleet.fold(qmp("RESUME"))
    assert not fleet.vms[0].newest.paused


def test_panic_and_reset_are_kept_and_named():
    fleet = Fleet([queued(), started(), qmp("RESET"), qmp("GUEST_PANICKED")])

    attempt = fleet.vms[0].newest
    assert (attempt.resets, attempt.panicked) == (1, True)
    assert "panicked" in fleet.troubles[0].text


def test_troubles_are_newest_first_and_name_their_vm():
    fleet = Fleet([queued(0), queued(1), failed(0), failed(1, at_ns=9)])

    assert [trouble.vm for trouble in fleet.troubles] == [1, 0]


def test_changed_vms_are_told_once():
    fleet = Fleet([queued(0), queued(1)])

    assert fleet.take_changed() == {0, 1}
    assert fleet.take_changed() == set()


def test_a_run_that_ended_can_go_on_with_a_rerun():
    fleet = Fleet([ev.RunEnded(at_ns=1, outcome=ev.Outcome.STOPPED)])
    assert (fleet.state, fleet.ran_to_end) == (RunState.STOPPED, True)

    fleet.fold(ev.StormStarted(at_ns=2, storm=2, kind=StormKind.RERUN, vms=(0,)))
    assert (fleet.state, fleet.ran_to_end) == (RunState.RUNNING, False)


small = st.integers(-1, 3)
vm_events = st.one_of(
    *(
        st.builds(kind, vm=small, attempt=small, at_ns=small)
        for kind in (
            ev.VmQueued, ev.VmLaunched, ev.VmConnected, ev.VmStarted, ev.VmBooted, ev.VmFailed,
            ev.VmTimedOut, ev.VmKilled, ev.VmExited, ev.VmUsage, ev.VmConsole,
        )
    )
)  # fmt: skip


@given(st.lists(vm_events, max_size=60))
def test_any_order_of_events_leaves_counts_true(stream):
    fleet = Fleet(stream)

    states = [vm.state for vm in fleet.vms.values()]
    assert +fleet.counts == {state: states.count(state) for state in set(states)}


LOST = ev.EngineFailed(at_ns=9, why="the engine ended unexpectedly", hint="run again")


def test_an_engine_that_is_lost_ends_every_vm_and_the_runs_clock():
    fleet = Fleet(
        [
            run_started(),
            *(queued(vm) for vm in range(4)),
            *(started(1), qmp("STOP", 1)),
            *(started(2), booted(2)),
            *(started(3), booted(3), exited(3)),
            LOST,
        ]
    )
    lost, paused, on, off = fleet.newest

    assert [attempt.state for attempt in fleet.newest] == ["killed", "killed", "booted", "booted"]
    assert +fleet.counts == {VmState.KILLED: 2, VmState.BOOTED: 2}
    assert (lost.why, paused.elapsed_ns(99), paused.paused) == ("ended with the engine", 6, False)
    assert (on.boot_ns, on.exited_ns, off.exited_ns) == (1, 9, 5)
    assert (fleet.state, fleet.ended_ns) == (RunState.INTERRUPTED, 9)


def test_a_run_that_was_over_is_not_changed_by_what_comes_after_it():
    ended = ev.RunEnded(at_ns=6, outcome=ev.Outcome.FINISHED)
    refused = ev.RunEnded(at_ns=10, outcome=ev.Outcome.INTERRUPTED)
    fleet = Fleet([run_started(), queued(), started(), booted(), exited(), ended, LOST, refused])

    assert (fleet.state, fleet.ended_ns) == (RunState.FINISHED, 6)
    assert fleet.failure == LOST


def test_a_run_that_begins_after_one_that_was_refused_has_not_failed():
    fleet = Fleet([LOST, ev.RunEnded(at_ns=10, outcome=ev.Outcome.INTERRUPTED), run_started(11)])

    assert (fleet.state, fleet.ended_ns, fleet.failure) == (RunState.RUNNING, None, None)
