"""The screen of storms: a row a storm or a setting, what is left, and the verdict so far."""

from dataclasses import replace

import pytest

from support.facts import plan, run_started
from support.keys import swept_run
from support.making import FAILED, PENDING, fleet_of, run_events, storm_events
from support.stage import dashboard
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.analysis.stats import Interval
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import StormKind, Variant
from vmtiming_tui.tui.drawing.whisker import Axis
from vmtiming_tui.tui.screens.storms import StormsScreen
from vmtiming_tui.tui.state.storms import storms_of

LONG = 9000.0
WARM, RUN, RERUN = StormKind.WARMUP, StormKind.RUN, StormKind.RERUN


def repeats(*storms, kinds, **how):
    asked = replace(plan(len(storms[0]), 5), warmup=1)
    return run_events(storms, kinds=kinds, started={"plan": asked}, **how)


def test_what_counts_is_told_from_warm_ups_reruns_and_what_still_boots():
    events = repeats(
        [9.0, 9.0], [5.0, 6.0], [5.0, 7.0], [8.0], [5.0, PENDING],
        kinds=(WARM, RUN, RUN, RERUN, RUN), outcome=None,
    )  # fmt: skip
    found = storms_of(Fleet(events), None)

    assert [row.number for row in found.counted] == [2, 3, 5]
    assert [row.is_over for row in found.rows] == [True, True, True, True, False]
    assert found.rows[-1].median_s is None
    (setting,) = found.settings
    assert (setting.booted, setting.boots, setting.medians.median) == (4, 4, 5.75)
    assert found.planned == 5


def test_a_storm_that_lost_most_of_its_vms_has_no_median():
    found = storms_of(fleet_of([[5.0, FAILED, FAILED]]), None)

    assert (found.rows[0].booted, found.rows[0].median_s) == (1, None)


def test_settings_are_told_against_the_first():
    found = storms_of(Fleet(swept_run(3)), None)

    assert [row.is_reference for row in found.settings] == [True, False, False]
    assert [round(row.change.percent) for row in found.settings[1:]] == [20, 40]


def test_a_setting_whose_turn_has_not_come_is_a_row_already():
    one = plan(1).config
    variants = [Variant(config=one, parameters={"smp": text}) for text in ("1", "2")]
    asked = replace(plan(1, 6), variants=tuple(variants))
    first = run_events([[5.0]], parameters=[{"smp": "1"}], started={"plan": asked}, outcome=None)
    found = storms_of(Fleet(first), None)

    assert [len(row.storms) for row in found.settings] == [1, 0]
    assert found.planned == 12


@pytest.mark.parametrize(
    ("figure", "interval", "drawn"),
    [
        (5.0, Interval(0.0, 10.0, 0.95), "├────●────┤"),
        (0.0, None, "●"),
        (10.0, Interval(9.0, 10.0, 0.95), "         ├●"),
        (None, None, ""),
    ],
)
def test_a_figure_stands_on_its_interval(figure, interval, drawn):
    assert Axis(0.0, 10.0, 11).whisker(figure, interval, ascii_only=False) == drawn


async def test_storms_are_rows_and_it_is_said_what_is_left_of_the_plan():
    events = repeats(
        [9.0, 9.0], [5.0, 6.0], [5.5, 7.0], [5.0, PENDING],
        kinds=(WARM, RUN, RUN, RUN), outcome=None,
    )  # fmt: skip
    async with dashboard(events, LONG, number=2) as stage:
        await stage.press("w")
        stage.on(StormsScreen)
        await stage.sees("2 of 5 storms over · left ")
        await stage.sees("Median of 2 storms: 5.88 s   ▁█ 5.50 to 6.25 s")
        assert "1  warm-up not counted" in stage.text
        assert "4  booting" in stage.text


async def test_a_row_comes_as_a_storm_is_over():
    first, second = repeats([5.0, 6.0], kinds=(RUN,), outcome=None), [5.5, 7.0]
    async with dashboard(first, LONG, number=2) as stage:
        await stage.press("w")
        await stage.sees("1 of 5 storms over")
        at_ns, again = first[-1].at_ns + 10**9, {0: 2, 1: 2}
        await stage.feed(storm_events(second, storm=2, at_ns=at_ns, attempts=again))
        await stage.sees("2 of 5 storms over")
        await stage.sees("Median of 2 storms")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_a_setting_is_one_row_with_its_change_at_any_width(size):
    async with dashboard(swept_run(3), LONG, size, number=3) as stage:
        await stage.press("w")
        await stage.sees("the first")
        (row,) = [line for line in stage.text.splitlines() if "smp=2  " in line and "%" in line]
        assert "6/6" in row
        assert "+19.8%" in row
        assert "slower" in row


async def test_the_verdict_against_the_baseline_stands_there():
    before = side_of(Fleet(run_events([[4.0, 4.1]] * 8)), name="nightly")
    async with dashboard(run_events([[6.0, 6.1]] * 8), LONG, number=2, baseline=before) as stage:
        await stage.press("w")
        await stage.sees("against nightly: slower by")


async def test_before_the_first_storm_there_is_nothing_to_tell():
    async with dashboard([run_started()], 1.0, number=2) as stage:
        await stage.press("w")
        await stage.sees("No storm that counts is over yet.")
