"""outcome: the exit code a run deserves, and the sentences for it."""

import pytest

from support.facts import SECOND
from support.making import (
    FAILED,
    KILLED,
    PENDING,
    TIMED_OUT,
    fleet_of,
    held_to,
    run_events,
    storm_events,
)
from vmtiming_tui.analysis.exit_code import exit_code, reasons
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import StormKind


def test_all_booted_is_success():
    fleet = fleet_of([[5.0, 6.0]])

    assert exit_code(fleet) == 0
    assert reasons(fleet) == []


@pytest.mark.parametrize(
    ("fate", "words"),
    [
        (FAILED, "1 of 2 boots failed"),
        (TIMED_OUT, "1 of 2 boots timed out"),
        (KILLED, "1 of 2 boots killed"),
    ],
)
def test_one_that_did_not_boot_is_a_failure(fate, words):
    fleet = fleet_of([[5.0, fate]])

    assert exit_code(fleet) == 1
    assert reasons(fleet) == [words]


def test_a_failed_vm_that_booted_when_tried_again_is_forgiven():
    again = storm_events(
        {1: 7.0}, storm=2, kind=StormKind.RERUN, attempts={1: 2}, at_ns=90 * SECOND
    )
    end = ev.RunEnded(at_ns=200 * SECOND, outcome=ev.Outcome.FINISHED)

    assert exit_code(Fleet([*run_events([[5.0, FAILED]]), *again, end])) == 0


def test_a_failure_in_any_storm_counts_but_not_in_a_warmup():
    kinds = [StormKind.WARMUP, StormKind.RUN]

    assert exit_code(fleet_of([[FAILED], [5.0]])) == 1
    assert exit_code(fleet_of([[FAILED], [5.0]], kinds=kinds)) == 0


@pytest.mark.parametrize(("limit_s", "code"), [(6.5, 0), (5.5, 3)])
def test_a_limit_exceeded_is_said_and_exits_3(limit_s, code):
    fleet = fleet_of([[5.0, 6.0]])

    assert exit_code(held_to(fleet, f"{limit_s}")) == code


def test_the_sentences_name_the_slow_vm_and_the_p95():
    assert reasons(held_to(fleet_of([[5.0, 6.0]]), "5.5")) == [
        "VM 1 took 6 s, over the limit of 5.5 s",
        "the p95 is 5.95 s, over the limit of 5.5 s",
    ]


def test_a_failure_outranks_a_limit():
    assert exit_code(held_to(fleet_of([[50.0, FAILED]]), "1")) == 1


def test_interrupted_is_130():
    assert exit_code(fleet_of([[5.0, 5.0]], outcome=ev.Outcome.INTERRUPTED)) == 130


@pytest.mark.parametrize("fate", [KILLED, PENDING])
def test_stopped_with_vms_on_their_way_is_130(fate):
    fleet = fleet_of([[5.0, fate]], outcome=ev.Outcome.STOPPED)

    assert exit_code(fleet) == 130
    assert reasons(fleet)[0] == "the run was ended before all of it was done"


def test_stopped_between_two_storms_is_130():
    stream = [e for e in run_events([[5.0], [5.0]]) if getattr(e, "storm", 1) == 1]
    stream = [e for e in stream if getattr(e, "attempt", 1) == 1]
    stream[-1] = ev.RunEnded(at_ns=stream[-1].at_ns, outcome=ev.Outcome.STOPPED)

    assert exit_code(Fleet(stream)) == 130


def test_stopped_when_all_was_done_is_success():
    assert exit_code(fleet_of([[5.0, 5.0]], outcome=ev.Outcome.STOPPED)) == 0


def test_a_stream_that_breaks_off_is_no_success():
    fleet = fleet_of([[5.0, 5.0]], outcome=None)

    assert exit_code(fleet) == 1
    assert reasons(fleet) == ["the run's events stop before its end"]


def test_a_run_that_could_not_begin_is_a_failure():
    fleet = Fleet(
        [
            ev.EngineFailed(at_ns=1, why="no folder for the socket"),
            ev.RunEnded(at_ns=2, outcome=ev.Outcome.FINISHED),
        ]
    )

    assert exit_code(fleet) == 1
    assert reasons(fleet) == ["no folder for the socket"]
