"""What a run came to in a few words."""

import pytest

from support.making import FAILED, TIMED_OUT, fleet_of
from vmtiming_tui.analysis.failures import failures_of
from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.report.result import lost_words, result_figures, vms_words


def told(storms, settings=1):
    summary = summarise_fleet(fleet_of(storms))
    figures = result_figures(summary, len(storms), settings)
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
    assert told([[5.0], [9.0]], settings=2) == ["2 of 2 booted in 2 storms of 2 settings"]


def test_boots_lost_for_the_same_reason_are_told_together_most_of_them_first():
    fleet = fleet_of([[TIMED_OUT, FAILED, FAILED, 5.0], [FAILED, 5.0, 5.0, 5.0]])
    found = failures_of(fleet.attempts)

    assert [(str(each.state), len(each.attempts), each.vms) for each in found] == [
        ("failed", 3, (0, 1, 2)), ("timed out", 1, (0,)),
    ]  # fmt: skip
    assert lost_words(found[0]).startswith("3 failed: ")
    assert lost_words(found[0]).endswith("(VMs 0-2)")


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
