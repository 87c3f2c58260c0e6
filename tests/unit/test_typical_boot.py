"""What a boot under way is held against: the median of those before it."""

import pytest

from support.facts import SECOND, plan
from support.making import FAILED, fleet_of, run_events
from vmtiming_tui.analysis.comparison.samples import Side, side_of
from vmtiming_tui.analysis.typical_boot import Typical
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.tui.state.live_figures import reckon


def typical_boot(fleet: Fleet, baseline: Side | None = None) -> Typical | None:
    """Return what the dashboard holds boots of this run against."""
    return reckon(fleet, plan(3), 0, baseline).typical


def test_it_is_the_median_of_the_boots_that_count_divided_as_their_stages_are():
    typical = typical_boot(fleet_of([[4.0, 5.0, 6.0]]))
    assert typical.boots == 3
    assert typical.median_ns == 5 * SECOND
    stages = dict(typical.pieces)
    assert list(stages) == [
        Stage.FIRMWARE, Stage.KERNEL, Stage.INITRD, Stage.USERSPACE, Stage.LAG]  # fmt: skip
    assert stages[Stage.FIRMWARE] == pytest.approx(0.4 * SECOND, rel=0.01)


def test_boots_that_were_lost_rank_last_in_it():
    typical = typical_boot(fleet_of([[4.0, 5.0, 6.0, FAILED, FAILED]]))
    assert typical.median_ns == 6 * SECOND


def test_where_no_boot_tells_its_stages_it_is_in_one_piece():
    fleet = fleet_of([[4.0, 5.0, 6.0]], with_details=False, text="")
    assert typical_boot(fleet).pieces == ((None, 5 * SECOND),)


def test_in_a_warm_up_it_is_of_the_boots_of_warm_ups():
    typical = typical_boot(fleet_of([[7.0, 8.0]], kinds=[StormKind.WARMUP]))
    assert typical.median_ns == 7.5 * SECOND


def test_before_any_boot_it_is_of_the_baseline():
    baseline = side_of(Fleet(run_events([[4.0, 5.0, 6.0]])), "before")
    typical = typical_boot(Fleet(), baseline)
    assert typical.is_baseline
    assert typical.median_ns == 5 * SECOND
    assert dict(typical.pieces)[Stage.USERSPACE] > 0


def test_with_neither_there_is_none():
    assert typical_boot(Fleet()) is None
