"""The units of many boots: how often each ran, when it began, what of its time was its own."""

import contextlib
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from support.made_units import MadeUnit, fleet_with_units, run_with_units
from support.making import Guest
from vmtiming_tui.analysis.comparison.compare import compare_sides
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.analysis.straggler import straggler
from vmtiming_tui.analysis.units.many_boots import (
    sorted_units,
    units_of_boots,
    units_of_run,
)
from vmtiming_tui.analysis.units.ordering import Ordering, Orderings
from vmtiming_tui.analysis.units.own_times import OwnTimes
from vmtiming_tui.analysis.units.spans import Spans
from vmtiming_tui.analysis.units.unit_sort import UnitSort
from vmtiming_tui.analysis.units.waiting import shares
from vmtiming_tui.errors import ExportError
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export.as_svg import render_svg
from vmtiming_tui.report.export.json_units import render_units
from vmtiming_tui.report.unit_tables import NO_UNITS, unit_lines

DISK = MadeUnit("disk.device", 0, (), queued_ms=100)
MOUNT = MadeUnit("var.mount", 50, ("disk.device",), queued_ms=0)
LOG = MadeUnit("log.service", 400, ("var.mount",), queued_ms=20)
RARE = MadeUnit("rare.service", 30, ("var.mount",), share=0.5)
BAD = MadeUnit("bad.service", 10, ("var.mount",), fails=0.5)
END = MadeUnit("multi-user.target", 0, ("log.service", "rare.service", "bad.service"), queued_ms=0)
UNITS = (DISK, MOUNT, LOG, RARE, BAD, END)


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return fleet_with_units(UNITS, 4, 10)


def of(fleet: Fleet, name: str):
    return next(unit for unit in units_of_run(fleet).units if unit.name == name)


# What is a unit's own time.


def parted(*units: ev.UnitTimes, userspace_us: int = 1000, **after: str):
    """Return (own, waited, queued) in µs by name."""
    told = ev.VmUnits.of(units, at_ns=1, vm=0, attempt=1)
    order = {f"{name}.service": tuple(words.split()) for name, words in after.items()}
    ordering = Ordering(told.names, ev.UnitOrder(at_ns=1, vm=0, attempt=1, after=order))
    found = shares(Spans.of(told), ordering, userspace_us)
    columns = zip(found.own_us, found.waited_us, found.queued_us, strict=True)
    return dict(zip(told.names, columns, strict=True))


def unit(name: str, begun_us: int, up_us: int) -> ev.UnitTimes:
    return ev.UnitTimes(f"{name}.service", activating_us=begun_us, active_us=up_us)


def test_what_lies_before_the_last_unit_that_is_waited_for_is_waiting_and_the_rest_a_queue():
    found = parted(unit("a", 1100, 1500), unit("b", 1600, 1900), b="a.service")

    assert found == {"a.service": (400, 0, 100), "b.service": (300, 500, 100)}


def test_a_unit_that_waits_for_one_of_which_nothing_is_told_waits_for_what_that_one_waits_for():
    found = parted(unit("a", 1000, 1500), unit("b", 1500, 1600), b="gone.service", gone="a.service")

    assert found["b.service"] == (100, 500, 0)


def test_the_time_in_which_one_that_is_waited_for_starts_after_all_is_not_a_units_own():
    late = unit("late", 1200, 1500)
    later = unit("later", 1400, 1700)

    found = parted(unit("b", 1100, 1600), late, later, b="late.service later.service")

    assert found["b.service"] == (100, 0, 100)


def test_what_began_before_userspace_waited_for_nothing_in_it():
    assert parted(unit("a", 400, 1200), b="a.service")["a.service"] == (800, 0, 0)


def test_a_unit_that_never_began_or_never_was_up_has_no_time_of_its_own():
    assert parted(unit("a", 0, 0), unit("b", 1300, 0)) == {
        "a.service": (0, 0, 0),
        "b.service": (0, 0, 300),
    }


# Over many boots.


def test_each_unit_has_its_counts_over_all_boots(fleet):
    found = units_of_run(fleet)
    counts = {unit.name: (unit.ran, unit.failed, unit.on_chain) for unit in found.units}

    assert (found.boots, found.doubtful, found.has_order) == (40, 0, True)
    assert counts["log.service"] == (40, 0, 40)
    assert counts["multi-user.target"] == (40, 0, 40)
    assert 10 < counts["rare.service"][0] < 30
    assert 10 < counts["bad.service"][1] < 30
    assert counts["bad.service"][2] == 0


def test_a_unit_starts_on_the_hosts_axis_where_the_stages_put_its_kernel(fleet):
    starts = []
    for attempt in fleet.attempts:
        begun_us = dict(zip(attempt.units.names, attempt.units.activating_us, strict=True))
        starts.append((stages_of(attempt).kernel_start_ns / 1e3 + begun_us["log.service"]) / 1e6)
    log = of(fleet, "log.service")

    assert log.start.low == pytest.approx(sorted(starts)[9], abs=0.02)
    assert min(starts) < log.start.low < log.start.median < log.start.high < max(starts)
    assert Guest().firmware_s < min(starts)


def test_own_time_waiting_and_queue_of_a_unit_are_told_apart(fleet):
    log = of(fleet, "log.service")

    assert log.own == log.took
    assert log.own.median == pytest.approx(0.4, abs=0.03)
    assert log.waited.median == pytest.approx(0.15, abs=0.02)
    assert log.queued.median == pytest.approx(0.02, abs=0.005)
    assert 0 < log.spread.between < 0.05


def test_units_stand_in_the_order_they_begin(fleet):
    begins = [unit.start.median for unit in units_of_run(fleet).units]

    assert begins == sorted(begins)


def test_a_doubtful_boot_counts_and_is_in_no_time():
    stream = run_with_units(UNITS, 1, 3)
    at = next(at for at, event in enumerate(stream) if isinstance(event, ev.VmDetails))
    stream[at] = replace(stream[at], clock_us=10**15)
    found = units_of_run(Fleet(stream))

    assert (found.boots, found.doubtful) == (3, 1)
    assert {unit.ran for unit in found.units if unit.name in ("log.service", "var.mount")} == {3}
    assert unit_lines(found, UnitSort.OWN)[-1] == "1 of 3 boots is doubtful and in no time."


def test_a_target_is_counted_over_the_boots_that_tell_of_targets():
    stream = [
        without_targets(event) if isinstance(event, ev.VmUnits) and event.vm else event
        for event in run_with_units(UNITS, 1, 4)
    ]
    figures = {unit.name: unit for unit in units_of_run(Fleet(stream)).units}

    target, log = figures["multi-user.target"], figures["log.service"]
    assert (target.ran, target.told, target.on_chain) == (1, 1, 1)
    assert (log.ran, log.told, log.on_chain) == (4, 4, 4)


def without_targets(units: ev.VmUnits) -> ev.VmUnits:
    rows = [row for row in units.rows if not row.name.endswith(".target")]
    return ev.VmUnits.of(rows, at_ns=units.at_ns, vm=units.vm, attempt=units.attempt)


def test_without_an_order_nothing_is_on_a_chain_and_waiting_is_not_known(fleet):
    found = units_of_boots([list(fleet.attempts)], None)
    log = next(unit for unit in found.units if unit.name == "log.service")

    assert (log.on_chain, log.waited, log.queued) == (0, None, None)
    assert log.own == log.took
    assert "No guest told which unit waits for which" in unit_lines(found, UnitSort.OWN)[-1]


def test_lost_boots_and_guests_without_units_are_left_out():
    stream = run_with_units(UNITS, 1, 2)
    with_lost = [event for event in stream if not isinstance(event, ev.VmUnits)]

    assert unit_lines(units_of_run(Fleet(with_lost)), UnitSort.OWN) == [NO_UNITS]
    assert units_of_run(Fleet()).units == ()


@pytest.mark.parametrize(
    ("by", "first"),
    [
        (UnitSort.START, "disk.device"),
        (UnitSort.TIME, "log.service"),
        (UnitSort.OWN, "log.service"),
        (UnitSort.WAITED, "multi-user.target"),
        (UnitSort.SHARE, "log.service"),
        (UnitSort.SPREAD, "log.service"),
        (UnitSort.FAILED, "bad.service"),
        (UnitSort.NAME, "bad.service"),
    ],
)
def test_units_are_sorted_by_what_is_wanted(fleet, by, first):
    assert sorted_units(units_of_run(fleet).units, by)[0].name == first


def test_the_table_has_a_row_a_unit_and_its_words_are_made_safe():
    evil = (MadeUnit("evil\x1b[2J.service", 9), END)
    head, row, *_ = unit_lines(units_of_run(fleet_with_units(evil, 1, 2)), UnitSort.OWN)

    assert head.split()[-4:] == ["chain", "ran", "failed", "unit"]
    assert row.endswith("2/2       0  evil\\x1b[2J.service")


def test_the_json_has_every_figure_in_seconds(fleet):
    body = json.loads(render_units(units_of_run(fleet), UnitSort.OWN))
    first = body["units"][0]
    log = of(fleet, "log.service")

    assert (body["boots"], first["name"], first["type"]) == (40, "log.service", "service")
    assert first["own_s"] == {
        "median": log.own.median, "low": log.own.low, "high": log.own.high,
    }  # fmt: skip
    assert first["between_storms_s"] == log.spread.between


def test_a_storms_medians_are_of_the_units_that_were_up_in_it(fleet):
    storm = [attempt for attempt in fleet.attempts if attempt.storm == 1]
    found = OwnTimes(storm, Orderings(fleet.unit_order)).medians_s

    assert found["log.service"] == pytest.approx(0.4, abs=0.05)
    assert found["disk.device"] == 0
    assert OwnTimes().medians_s == {}


# Whatever a stream tells.

NAMES = st.sampled_from(["a.service", "b.service", "c.target", "multi-user.target", "odd", ""])
STAMPS = st.one_of(st.integers(-5, 5_000_000), st.integers(-(2**63) + 1, 2**63 - 1))
ROWS = st.lists(
    st.builds(
        ev.UnitTimes,
        NAMES,
        st.sampled_from(["active", "failed", ""]),
        **dict.fromkeys(("activating_us", "active_us", "deactivating_us", "inactive_us"), STAMPS),
    ),
    max_size=6,
)
ORDERS = st.dictionaries(NAMES, st.lists(NAMES, max_size=4).map(tuple), max_size=5)


@given(st.lists(ROWS, min_size=3, max_size=3), st.none() | ORDERS)
@settings(max_examples=60, deadline=None)
def test_whatever_stamps_guests_tell_there_are_figures_and_a_chart_or_none(rows, after):
    told = iter(rows)
    stream = [
        ev.VmUnits.of(next(told), at_ns=1, vm=event.vm, attempt=1)
        if isinstance(event, ev.VmUnits)
        else event
        for event in run_with_units((END,), 1, 3)
        if not isinstance(event, ev.UnitOrder)
    ]
    if after is not None:
        stream.append(ev.UnitOrder(at_ns=1, vm=0, attempt=1, after=after))
    fleet = Fleet(stream)
    found = units_of_run(fleet)

    assert found.boots == 3
    json.loads(render_units(found, UnitSort.SHARE))
    for vm in (None, 0):
        with contextlib.suppress(ExportError):
            assert render_svg(fleet, vm).endswith("</svg>")
    straggler(fleet.newest, fleet.unit_order)
    assert compare_sides(side_of(fleet), side_of(fleet)).groups
