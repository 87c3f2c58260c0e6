"""What the HTML page is put together from: how boots are spread, why some failed, every boot."""

import re

import pytest

from support.exported import Elements
from support.facts import SECOND
from support.making import FAILED, TIMED_OUT, fleet_of, run_events
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export import render
from vmtiming_tui.report.export.html.boots import MOST_OPEN
from vmtiming_tui.report.export.html.distribution import (
    MOST_SPREADS,
    distribution_chart,
    spread_of,
)


def page(fleet):
    read = Elements()
    read.feed(render(".html", fleet))
    return read


def chart(*samples, lost=0, labels=("",) * 20):
    spreads = [
        spread_of(label, "series-0", times, lost)
        for label, times in zip(labels, samples, strict=False)
    ]
    return distribution_chart(spreads)


def test_a_single_boot_has_no_spread_and_no_curve():
    words = page(fleet_of([[5.0]])).text

    assert "How boot times are spread" not in words
    assert "VMs booted over time" not in words


@pytest.mark.parametrize(
    "storms", [[[5.0] * 20], [[5.0, 5.0]] * 3, [[0.0, 0.0]] * 2, [[FAILED] * 3] * 2]
)
def test_whatever_a_run_came_to_can_be_drawn(storms):
    assert "<h1>Run run-1</h1>" in render(".html", fleet_of(storms))


def test_few_boots_are_points_and_many_are_bars():
    few, many = chart([5.0, 5.5, 7.0]), chart([5 + at / 40 for at in range(60)])

    assert few.count("<circle") == 3
    assert '<rect class="bar"' not in few
    assert "<circle" not in many
    counts = re.findall(r"s: (\d+) boots?</title>", many)
    assert sum(map(int, counts)) == 60


def test_one_stuck_vm_does_not_flatten_the_others():
    drawn = chart([5 + at / 40 for at in range(40)] + [190.0])

    assert "1 beyond, up to 190 s" in drawn
    assert len(re.findall('<rect class="bar"', drawn)) == 5


def test_the_lines_are_hidden_where_lost_vms_hide_the_figures():
    drawn = chart([5.0, 6.0, 7.0], lost=2)

    assert "median 7.000 s" in drawn
    assert "quantile p95" not in drawn
    assert "3 boots, median 7.000 s, 2 more did not boot, 5.000 s to 7.000 s" in drawn


def test_each_setting_has_a_row_of_its_own_on_one_axis():
    settings = [{"smp": str(at)} for at in range(1, 4)]
    read = page(fleet_of([[5.0, 6.0], [4.0, 5.0], [3.0, 4.0]], parameters=settings))

    assert all(f"smp={at}" in read.text for at in range(1, 4))
    drawn = next(each["aria-label"] for name, each in read.found if name == "svg")
    assert "smp=3: 2 boots, median 3.500 s" in drawn


def test_of_very_many_settings_the_rest_is_counted():
    settings = [{"smp": str(at)} for at in range(MOST_SPREADS + 2)]
    rows = [[5.0, 6.0] for _ in settings]

    assert "2 more settings left out" in page(fleet_of(rows, parameters=settings)).text


def test_why_vms_failed_is_told_once_with_what_qemu_said_of_one():
    words = page(fleet_of([[5.0, FAILED, FAILED, TIMED_OUT]])).text

    assert "Why 3 boots did not succeed: 2 reasons" in words
    assert "VMs 1-2 in storm 1" in words
    assert words.count("What QEMU said of VM") == 1


def test_every_boot_of_every_storm_is_a_row():
    read = page(fleet_of([[5.0, FAILED], [5.5, 6.0]]))
    ids = [each.get("id") for name, each in read.found if name == "table"]

    assert "vms" in ids
    assert render(".html", fleet_of([[5.0, FAILED], [5.5, 6.0]])).count("</svg></td>") == 3


@pytest.mark.parametrize(("boots", "is_folded"), [(MOST_OPEN, False), (MOST_OPEN + 1, True)])
def test_very_many_boots_are_folded(boots, is_folded):
    words = page(fleet_of([[5.0] * boots], skew_s=0.001)).text

    assert (f"All {boots} boots as a table" in words) is is_folded


def test_a_run_with_a_baseline_tells_every_figure_of_both():
    base = side_of(fleet_of([[5.0, 5.1]] * 8, run="base"), "base")
    read = Elements()
    read.feed(render(".html", fleet_of([[8.0, 8.1]] * 8), None, base))
    ids = [each.get("id") for name, each in read.found if name == "table"]

    assert "boot: slower by " in read.text
    assert "figures-0-0" in ids


def test_cautions_of_one_kind_stand_together():
    busy = fleet_of([[5.0] * 20], skew_s=0.001)
    read = page(busy)
    nested = [name for name, _ in read.found].count("ul")

    assert "size:" in read.text
    assert nested > 1


def test_what_the_run_warned_of_while_it_went_on_is_told_once():
    notice = ev.Notice(at_ns=SECOND, level=ev.Level.WARNING, text="no KVM: TCG is used")
    first, *rest = run_events([[5.0]])
    words = page(Fleet([first, notice, notice, *rest])).text

    assert words.count("no KVM: TCG is used") == 1


def test_all_drawings_say_in_words_what_they_show():
    read = page(fleet_of([[5.0, 6.0, 7.0], [5.0, 6.0, 8.0]]))
    drawings = [each for name, each in read.found if name == "svg"]

    assert all(
        each.get("aria-label") or each.get("aria-hidden") or each["viewbox"] == "0 0 10 10"
        for each in drawings
    )
