"""stop_jobs: what a shutdown waited for, as systemd 219 to 260 writes it on the console."""

import time

import pytest
from hypothesis import given, strategies as st

from support.facts import SECOND
from vmtiming_tui.analysis.stop_jobs import MAX_UNITS, StopJob, stop_jobs

MINUTE_AND_A_HALF = 90 * SECOND


@pytest.mark.parametrize(
    ("line", "job"),
    [
        (
            "[ ***  ] A stop job is running for Demo database (12s / 1min 30s)",
            StopJob("Demo database", 12 * SECOND, MINUTE_AND_A_HALF),
        ),
        (
            "[*     ] (2 of 3) A stop job is running for Session 1 of User (root) (5s / no limit)",
            StopJob("Session 1 of User (root)", 5 * SECOND, None),
        ),
        (
            "[  *** ] A stop job is running for demo-db.service - Demo database (1min 2s / 3min)",
            StopJob("demo-db.service - Demo database", 62 * SECOND, 180 * SECOND),
        ),
        (
            "[    **] Job demo-db.service/stop running (12s / 1min 30s): flushing (4 / 9)",
            StopJob("demo-db.service", 12 * SECOND, MINUTE_AND_A_HALF),
        ),
        (
            "[     *] (1 of 2) Job systemd-mount/x.mount/stop running (7s / 1min 30s)",
            StopJob("systemd-mount/x.mount", 7 * SECOND, MINUTE_AND_A_HALF),
        ),
        (
            "[ ***  ] A stop job is running for A unit with a long desc… name (8s / 1min 30s)",
            StopJob("A unit with a long desc… name", 8 * SECOND, MINUTE_AND_A_HALF),
        ),
    ],
)
def test_every_wording_tells_the_unit_and_its_wait(line, job):
    assert stop_jobs(f"[  OK  ] Stopped Getty on tty1.\n{line}\n[  OK  ] more") == (job,)


def test_of_each_unit_the_longest_wait_counts_and_the_longest_is_first():
    console = "".join(
        f"[ *    ] A stop job is running for {unit} ({at}s / 1min 30s)\n"
        for unit, at in (("a", 5), ("b", 6), ("a", 7), ("b", 20), ("a", 8))
    )

    assert [(job.unit, job.waited_ns // SECOND) for job in stop_jobs(console)] == [
        ("b", 20),
        ("a", 8),
    ]


@pytest.mark.parametrize(
    "console",
    [
        "",
        "[ *    ] A start job is running for Demo (12s / 1min 30s)",
        "Job demo.service/start running (12s / 1min 30s)",
        "A stop job is running for Demo (12s / 1min 3",
        "A stop job is running for Demo\n(12s / 1min 30s)",
        "A stop job is running for Demo (soon / 1min 30s)",
    ],
)
def test_what_is_no_such_line_tells_nothing(console):
    assert stop_jobs(console) == ()


@given(st.text(max_size=200))
def test_no_words_of_a_guest_break_it(text):
    for console in (
        text,
        f"A stop job is running for {text} (1s / 2s)",
        f"Job {text}/stop running",
    ):
        assert len(stop_jobs(console)) <= 1


@pytest.mark.parametrize("piece", ["A stop job is running for ", "Job x/stop running (", "(1s / "])
def test_a_flood_takes_no_longer_than_its_length(piece):
    flood = piece * (256 * 1024 // len(piece))

    begun = time.monotonic()
    assert len(stop_jobs(flood)) <= MAX_UNITS
    assert time.monotonic() - begun < 5


def test_what_a_debian_12_guest_wrote_while_a_unit_did_not_stop_is_read():
    console = (
        "         Stopping user.slice - User and Session Slice...\n"
        "[**    ] Job slow.service/stop running (39s / 40s)\n"
        "[ ***  ] Job slow.service/stop running (40s / 40s)\n"
        "[  OK  ] Stopped slow.service - Demo database.\n"
    )

    assert stop_jobs(console) == (StopJob("slow.service", 40 * SECOND, 40 * SECOND),)
