"""How a boot under way divides by what the host saw of it."""

import pytest

from support.facts import SECOND
from vmtiming_tui.analysis.stages_seen import seen_pieces
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.stage import Stage

GO_NS = 100 * SECOND


def booting(*seen: tuple[Stage, int], go_ns: int | None = GO_NS) -> Attempt:
    attempt = Attempt(vm=0, number=1, storm=1, queued_ns=0, go_ns=go_ns)
    for stage, second in seen:
        attempt.see(stage, GO_NS + second * SECOND)
    return attempt


def pieces(attempt: Attempt, second: int) -> list[tuple[Stage | None, float]]:
    return [(stage, ns / SECOND) for stage, ns in seen_pieces(attempt, GO_NS + second * SECOND)]


def test_nothing_has_begun_before_the_go():
    assert pieces(booting(go_ns=None), 5) == []


def test_before_the_first_sign_the_stage_is_unknown():
    assert pieces(booting(), 3) == [(None, 3)]


def test_each_stage_lasts_till_the_next_and_the_last_till_now():
    attempt = booting((Stage.KERNEL, 2), (Stage.INITRD, 5), (Stage.USERSPACE, 6))
    assert pieces(attempt, 10) == [
        (None, 2),
        (Stage.KERNEL, 3),
        (Stage.INITRD, 1),
        (Stage.USERSPACE, 4),
    ]


def test_a_stage_seen_at_the_go_leaves_nothing_unknown():
    assert pieces(booting((Stage.FIRMWARE, 0)), 4) == [(Stage.FIRMWARE, 4)]


def test_the_last_stage_ends_with_the_boot():
    attempt = booting((Stage.KERNEL, 2))
    attempt.report_ns = GO_NS + 7 * SECOND
    assert pieces(attempt, 100) == [(None, 2), (Stage.KERNEL, 5)]


def test_after_a_reset_what_was_before_is_unknown():
    attempt = booting((Stage.KERNEL, 2), (Stage.INITRD, 3), (Stage.FIRMWARE, 6))
    assert pieces(attempt, 8) == [(None, 6), (Stage.FIRMWARE, 2)]


@pytest.mark.parametrize("second", [-5, 50])
def test_a_sign_from_outside_the_boot_does_not_stretch_it(second):
    attempt = booting((Stage.KERNEL, second))
    attempt.report_ns = GO_NS + 9 * SECOND
    assert sum(length for _, length in pieces(attempt, 100)) == 9
