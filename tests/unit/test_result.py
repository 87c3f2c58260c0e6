"""What a run came to in a few words."""

from dataclasses import replace

import pytest

from support.facts import plan
from support.making import FAILED, PENDING, TIMED_OUT, fleet_of, run_events, run_failing_for
from vmtiming_tui.analysis.failures import failures_of
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.result import lost_words, result_figures, result_lines, vms_words


def told(storms, **options):
    figures = result_figures(fleet_of(storms, **options))
    return [f"{name} {figure}".strip() for name, figure in figures]


def test_figures_of_a_run_share_their_digits():
    assert told([[5.0, 6.25, 12.5]]) == [
        "all booted in 12.70 s", "median 6.25 s", "p95 11.88 s", "slowest 12.50 s",
    ]  # fmt: skip


def test_where_some_were_lost_it_is_said_how_many_booted():
    assert told([[5.0, 6.0, FAILED]])[0] == "2 of 3 booted, the last after 6.10 s"


def test_where_all_were_lost_there_is_no_figure():
    assert told([[FAILED, FAILED]]) == ["none of 2 VMs booted"]


def test_of_several_storms_the_time_in_which_all_booted_is_their_median():
    assert told([[5.0, 5.0], [6.0, 6.0], [7.0, 7.0]])[0] == (
        "all booted in 6.10 s (median of 3 storms)"
    )


def test_settings_have_no_figure_in_common():
    assert told([[5.0], [9.0]], parameters=[{"smp": "1"}, {"smp": "2"}]) == [
        "2 of 2 booted in 2 storms of 2 settings"
    ]


def test_boots_lost_for_the_same_reason_are_told_together_most_of_them_first():
    fleet = fleet_of([[TIMED_OUT, FAILED, FAILED, 5.0], [FAILED, 5.0, 5.0, 5.0]])
    found = failures_of(fleet.attempts)

    assert [(str(each.state), len(each.attempts), each.vms) for each in found] == [
        ("failed", 3, (0, 1, 2)), ("timed out", 1, (0,)),
    ]  # fmt: skip
    assert lost_words(found[0]).startswith("3 failed: ")
    assert lost_words(found[0]).endswith("(VMs 0-2)")


def test_reasons_that_differ_in_figures_alone_are_one_told_as_an_example():
    fleet = Fleet(run_failing_for("no word for 17 s", "no word for 18 s"))
    (found,) = failures_of(fleet.attempts)

    assert lost_words(found) == "2 failed, such as VM 0: no word for 17 s (VMs 0-1)"


@pytest.mark.parametrize(
    ("vms", "words"),
    [
        ([3], "VM 3"),
        ([3, 4], "VMs 3-4"),
        ([0, 1, 2, 9], "VMs 0-2, 9"),
        (range(0, 20, 2), "VMs 0, 2, 4, 6, 8 and 5 more"),
    ],
)
def test_many_vms_are_named_by_their_ranges(vms, words):
    assert vms_words(vms) == words


def test_a_run_that_is_kept_says_how_to_see_it_again():
    asked = replace(plan(2), name="at night")
    fleet = fleet_of([[5.0, 6.0]], run="r7", started={"plan": asked})

    assert result_lines(fleet, is_kept=True) == [
        "2 of 2 booted, all booted in 6.10 s, median 5.50 s, p95 5.95 s, slowest 6.00 s",
        "Kept as at night (r7); "
        "see it again by vm-timing-report show 'at night', or replay 'at night'",
    ]
    assert len(result_lines(fleet, is_kept=False)) == 1


def test_of_a_run_that_was_interrupted_it_says_what_is_known():
    cut = fleet_of([[5.0, PENDING]], outcome=ev.Outcome.INTERRUPTED)
    nothing = Fleet(run_events([], outcome=ev.Outcome.INTERRUPTED))

    assert result_lines(cut, is_kept=False)[0].startswith(
        "Interrupted: 1 of 2 booted, the last after 5.00 s"
    )
    assert result_lines(nothing, is_kept=False) == ["Interrupted: no boot that counts"]
    assert result_lines(Fleet(), is_kept=True) == []
