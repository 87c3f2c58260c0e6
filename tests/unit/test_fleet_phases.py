"""Fleet: the phases and rounds of a storm, and what they cost the boots of others."""

import dataclasses

import pytest
from hypothesis import given, strategies as st

from support.facts import SECOND, plan, run_started
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.attempt import Phase, VmState
from vmtiming_tui.model.config import End
from vmtiming_tui.model.events import ReleaseCause
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.model.storm import StormPhase


def storm(*vms, at=0, number=1):
    yield ev.StormStarted(at_ns=at, storm=number, kind=StormKind.RUN, vms=vms)
    for vm in vms:
        yield ev.VmQueued(at_ns=at, vm=vm, attempt=1, storm=number)


def round_of(*vms, number=1, rounds=1, at=0):
    return ev.RoundStarted(at_ns=at, storm=1, round=number, rounds=rounds, vms=vms)


def go(vm, at):
    return ev.VmStarted(at_ns=at, vm=vm, attempt=1, go_ns=at)


def booted(vm, at):
    return ev.VmBooted(at_ns=at, vm=vm, attempt=1, report_ns=at, uncertainty_ns=0)


def frozen(vm, at):
    return ev.VmFrozen(at_ns=at, vm=vm, attempt=1)


def released(vm, at, cause=ReleaseCause.COLLECT):
    return ev.VmReleased(at_ns=at, vm=vm, attempt=1, cause=cause)


def ending(vm, at, how=End.POWEROFF):
    return ev.VmEnding(at_ns=at, vm=vm, attempt=1, how=how)


def exited(vm, at, shutdown=None, reason="guest-shutdown"):
    return ev.VmExited(at_ns=at, vm=vm, attempt=1, exit_code=0, reason=reason, shutdown_ns=shutdown)


def of_two(*events, with_round=True):
    """Return a fleet of two VMs, both let go at 10."""
    opening = [*storm(0, 1), *([round_of(0, 1)] if with_round else []), go(0, 10), go(1, 10)]
    return Fleet([run_started(), *opening, *events])


# Where a VM is after its report.


def test_a_vm_goes_from_frozen_over_collecting_and_ending_to_off():
    fleet, seen = of_two(), []

    for event in (
        booted(0, 20), frozen(0, 21), released(0, 40), ending(0, 50), exited(0, 60, shutdown=58),
    ):  # fmt: skip
        fleet.fold(event)
        seen.append(fleet.vms[0].newest.phase)

    assert seen == [Phase.UP, Phase.FROZEN, Phase.COLLECTING, Phase.ENDING, Phase.OFF]
    assert fleet.vms[0].newest.state is VmState.BOOTED
    assert fleet.vms[1].newest.phase is None


def test_a_vm_that_somebody_resumed_is_marked_also_when_it_stands_still_again():
    fleet = of_two(booted(0, 20), frozen(0, 21), released(0, 30, ReleaseCause.BY_HAND))
    attempt = fleet.vms[0].newest
    assert (attempt.phase, attempt.was_resumed) == (Phase.COLLECTING, True)

    fleet.fold(frozen(0, 40))
    assert (attempt.phase, attempt.was_resumed) == (Phase.FROZEN, True)
    fleet.fold(released(0, 50))
    assert (attempt.release, attempt.was_resumed) == (ReleaseCause.COLLECT, True)


def test_the_words_of_a_report_may_come_after_it():
    fleet = of_two(booted(0, 20), ev.ReportText(at_ns=30, vm=0, attempt=1, text="Startup"))

    assert fleet.vms[0].newest.text == "Startup"


def test_the_order_of_units_is_the_runs():
    order = ev.UnitOrder(at_ns=30, vm=0, attempt=1, after={"a.service": ("b.service",)})

    assert of_two(booted(0, 20), order).unit_order == order


# How it ends.


def test_shutdown_is_from_the_request_to_the_guests_end_and_qemus_exit_comes_after_it():
    attempt = of_two(booted(0, 20), ending(0, 50), exited(0, 64, shutdown=60)).vms[0].newest

    assert (attempt.shutdown_took_ns, attempt.exit_took_ns) == (10, 4)
    assert not attempt.overran


@pytest.mark.parametrize(
    "end",
    [
        [exited(0, 64, shutdown=60)],  # off by itself
        [ending(0, 50, End.QUIT), exited(0, 64, shutdown=60, reason="host-qmp-quit")],
        [ending(0, 50), exited(0, 64, shutdown=60, reason="host-qmp-quit")],
        [ending(0, 50), exited(0, 64, reason="")],
    ],
)
def test_what_the_guest_did_not_end_by_itself_on_request_has_no_shutdown(end):
    attempt = of_two(booted(0, 20), *end).vms[0].newest

    assert (attempt.shutdown_took_ns, attempt.exit_took_ns) == (None, None)
    assert not attempt.overran


@pytest.mark.parametrize(("took_s", "overran"), [(29, False), (30, True)])
def test_a_guest_that_was_ended_at_its_limit_is_told_from_one_that_was_ended_sooner(
    took_s, overran
):
    short = run_started(plan=plan(shutdown_timeout_s=30.0))
    forced = exited(0, 50 + took_s * SECOND, reason="host-qmp-quit")
    fleet = Fleet([short, *storm(0), go(0, 10), booted(0, 20), ending(0, 50), forced])

    assert fleet.vms[0].newest.overran is overran


# Rounds.


def test_a_storm_goes_through_its_phases_round_after_round():
    fleet, seen = Fleet(storm(0, 1, 2)), []

    for event in (
        round_of(0, 1, number=1, rounds=2, at=1),
        ev.StormDecided(at_ns=10, storm=1, round=1),
        ev.StormCollected(at_ns=20, storm=1, round=1),
        round_of(2, number=2, rounds=2, at=30),
        ev.StormDecided(at_ns=40, storm=1, round=2),
    ):
        fleet.fold(event)
        of_it = fleet.storm
        seen.append((of_it.round, of_it.phase, of_it.decided_ns, of_it.collected_ns))

    assert seen == [
        (1, StormPhase.BOOT, None, None),
        (1, StormPhase.COLLECT, 10, None),
        (1, StormPhase.END, 10, 20),
        (2, StormPhase.BOOT, None, None),
        (2, StormPhase.COLLECT, 40, None),
    ]
    assert fleet.storm.rounds == 2
    assert {vm: each.newest.round for vm, each in fleet.vms.items()} == {0: 1, 1: 1, 2: 2}


def test_a_vm_that_is_queued_in_a_round_is_of_that_round():
    late = ev.VmQueued(at_ns=31, vm=2, attempt=1, storm=1)
    fleet = Fleet([*storm(0, 1), round_of(0, 1, rounds=2), round_of(2, number=2, rounds=2), late])

    assert [attempt.round for attempt in fleet.newest] == [1, 1, 2]


@pytest.mark.parametrize(("number", "rounds"), [(0, 1), (2, 1), (-1, -1), (1, 0)])
def test_a_round_that_cannot_be_is_left_out_and_counted(number, rounds):
    fleet = Fleet([*storm(0), round_of(0, number=number, rounds=rounds)])

    assert (fleet.misfits, fleet.storm.rounds, fleet.newest[0].round) == (1, 0, 1)


def test_what_is_told_of_a_storm_or_a_vm_nobody_knows_is_left_out_and_counted():
    strange = [
        dataclasses.replace(round_of(0), storm=7),
        ev.StormDecided(at_ns=1, storm=7),
        ev.StormCollected(at_ns=1, storm=7),
        frozen(5, 1),
        released(5, 1),
        ending(5, 1),
        ev.ReportText(at_ns=1, vm=5, attempt=1, text="x"),
    ]

    assert Fleet(strange).misfits == len(strange)


# What others cost a boot.


def disturbed(fleet, vm=1):
    return fleet.vms[vm].newest.disturbed_ns


def test_a_boot_is_not_disturbed_by_vms_that_stand_still():
    assert disturbed(of_two(booted(0, 20), frozen(0, 21), booted(1, 90))) == 0


def test_nor_by_one_that_stays_up_and_of_which_nothing_is_asked():
    assert disturbed(of_two(booted(0, 20), booted(1, 90))) == 0


@pytest.mark.parametrize("cause", ReleaseCause)
def test_a_guest_that_goes_on_disturbs_the_others_till_it_is_gone(cause):
    fleet = of_two(booted(0, 20), released(0, 25, cause), exited(0, 70), booted(1, 90))

    assert disturbed(fleet) == 45
    assert disturbed(fleet, vm=0) == 0


def test_one_that_was_resumed_by_hand_disturbs_them_till_it_stands_still_again():
    by_hand = released(0, 30, ReleaseCause.BY_HAND)

    assert (
        disturbed(of_two(booted(0, 20), frozen(0, 21), by_hand, frozen(0, 40), booted(1, 90))) == 10
    )


def test_one_that_is_asked_to_end_disturbs_them_whatever_it_did_before():
    assert disturbed(of_two(booted(0, 20), ending(0, 60), booted(1, 90))) == 30


def test_one_that_went_before_its_report_disturbs_nobody():
    killed = ev.VmKilled(at_ns=20, vm=0, attempt=1)

    assert disturbed(of_two(killed, ending(0, 21, End.QUIT), booted(1, 90))) == 0


def test_one_that_is_gone_disturbs_nobody_whatever_is_told_of_it_after_that():
    late = [booted(0, 20), exited(0, 30), released(0, 31), ending(0, 32), booted(1, 90)]

    assert disturbed(of_two(*late)) == 0


def test_a_boot_without_a_report_has_no_such_figure():
    fleet = of_two(booted(0, 20), released(0, 25), ev.VmKilled(at_ns=90, vm=1, attempt=1))

    assert disturbed(fleet) is None


def test_in_a_stream_that_knows_no_rounds_guests_went_on_from_their_report_to_their_exit():
    fleet = of_two(booted(0, 20), exited(0, 60), booted(1, 90), with_round=False)

    assert disturbed(fleet) == 40


def test_vms_of_an_interrupted_run_disturb_nobody_in_the_rerun_after_it():
    fleet = of_two(
        booted(0, 20),
        released(0, 25),
        ev.RunEnded(at_ns=100, outcome=ev.Outcome.INTERRUPTED),
        ev.StormStarted(at_ns=200, storm=2, kind=StormKind.RERUN, vms=(1,)),
        ev.VmQueued(at_ns=200, vm=1, attempt=2, storm=2),
        ev.RoundStarted(at_ns=200, storm=2, round=1, rounds=1, vms=(1,)),
        ev.VmStarted(at_ns=210, vm=1, attempt=2, go_ns=210),
        ev.VmBooted(at_ns=290, vm=1, attempt=2, report_ns=290, uncertainty_ns=0),
    )

    assert fleet.vms[0].newest.phase is Phase.OFF
    assert disturbed(fleet) == 0


# Any order.

small = st.integers(-1, 3)
WHO = {"vm": small, "attempt": small, "at_ns": small}
STORM = {"storm": small, "at_ns": small}
VMS = st.lists(small, max_size=4).map(tuple)
ANY = st.one_of(
    st.builds(ev.RunStarted, **{name: st.just(getattr(run_started(), name)) for name in (
        "at_ns", "run", "wall_ns", "number", "plan", "host", "accel", "accel_reason",
        "qemu_version", "tool_version",
    )}),
    st.builds(ev.StormStarted, **STORM, kind=st.sampled_from(StormKind), vms=VMS),
    st.builds(ev.RoundStarted, **STORM, round=small, rounds=small, vms=VMS),
    st.builds(ev.StormDecided, **STORM, round=small),
    st.builds(ev.StormCollected, **STORM, round=small),
    st.builds(ev.StormEnded, **STORM),
    st.builds(ev.VmQueued, **WHO, storm=small),
    st.builds(ev.VmStarted, **WHO, go_ns=small),
    st.builds(ev.VmBooted, **WHO, report_ns=small, uncertainty_ns=small),
    st.builds(ev.VmFailed, **WHO, why=st.just("")),
    st.builds(ev.VmKilled, **WHO),
    st.builds(ev.VmFrozen, **WHO),
    st.builds(ev.VmReleased, **WHO, cause=st.sampled_from(ReleaseCause)),
    st.builds(ev.VmEnding, **WHO, how=st.sampled_from(End)),
    st.builds(ev.ReportText, **WHO, text=st.just("up")),
    st.builds(ev.VmDetails, **WHO),
    st.builds(ev.VmUnits.of, st.just(()), **WHO),
    st.builds(ev.UnitOrder, **WHO),
    st.builds(
        ev.VmExited, **WHO, reason=st.sampled_from(["guest-shutdown", "host-qmp-quit", ""]),
        shutdown_ns=st.none() | small,
    ),
    st.builds(ev.EngineFailed, at_ns=small, why=st.just("")),
    st.builds(ev.RunEnded, at_ns=small, outcome=st.sampled_from(ev.Outcome)),
)  # fmt: skip


@given(st.lists(ANY, max_size=60))
def test_no_order_of_events_is_too_much_and_every_figure_stays_possible(stream):
    fleet = Fleet(stream)

    for attempt in fleet.attempts:
        assert (attempt.phase is None) == (attempt.report_ns is None)
        assert attempt.round >= 1
        for figure in (attempt.disturbed_ns, attempt.shutdown_took_ns, attempt.exit_took_ns):
            assert figure is None or figure >= 0
        if attempt.disturbed_ns and attempt.boot_ns is not None:
            assert attempt.disturbed_ns <= attempt.boot_ns
    for each in fleet.storms.values():
        assert each.round <= max(each.rounds, 1)
