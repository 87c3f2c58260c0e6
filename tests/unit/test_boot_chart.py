"""The boot chart: which rows it has on which axis; that its drawing is sound, and obeys nobody."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from support.made_units import (
    MadeUnit,
    fleet_with_units,
    run_with_units,
    some_units,
)
from vmtiming_tui.analysis.comparison.parts import boots_of
from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.analysis.units.boot_chart import (
    Bar,
    BarKind,
    BootChart,
    chart_of_boot,
    chart_of_boots,
)
from vmtiming_tui.analysis.units.many_boots import units_of_boots, units_of_run
from vmtiming_tui.errors import ExportError, VmTimingError
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.report.export import render
from vmtiming_tui.report.export.as_svg import render_svg
from vmtiming_tui.report.export.html.boot_chart import WIDTH

DISK = MadeUnit("disk.device", 0, (), queued_ms=100)
LOG = MadeUnit("log.service", 400, ("disk.device",), queued_ms=20)
SIDE = MadeUnit("side.service", 30, ("disk.device",), share=0.5)
BAD = MadeUnit("bad.service", 10, ("disk.device",), fails=1)
END = MadeUnit("multi-user.target", 0, ("log.service", "side.service", "bad.service"), queued_ms=0)
UNITS = (DISK, LOG, SIDE, BAD, END)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return fleet_with_units(UNITS, 4, 5)


def of_all(fleet: Fleet) -> BootChart:
    chart = chart_of_boots(units_of_run(fleet), summarise_fleet(fleet).stage_medians_s)
    assert chart is not None
    return chart


def row(chart: BootChart, name: str):
    return next(each for each in chart.rows if each.name == name)


def svg_of(fleet: Fleet, vm: int | None = None) -> str:
    return render_svg(boots_of(fleet), vm)


def drawing(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314  our own


def titles(svg: str) -> list[str]:
    return [title.text or "" for title in drawing(svg).iter(f"{SVG}title")]


# Rows.


def test_a_units_bar_begins_at_its_median_and_is_as_long_as_its_median(fleet):
    figures = {unit.name: unit for unit in units_of_run(fleet).units}
    log = row(of_all(fleet), "log.service")
    start, took = figures["log.service"].start, figures["log.service"].took

    assert log.bars == (Bar(BarKind.ACTIVATING, start.median, start.median + took.median),)
    assert log.reach == (start.median + took.low, start.median + took.high)
    assert (log.on_chain, log.ran, log.boots) == (20, 20, 20)
    assert 0 < row(of_all(fleet), "side.service").ran < 20
    assert row(of_all(fleet), "bad.service").bars[0].kind is BarKind.FAILED


def test_stages_stand_one_after_the_other_and_rows_in_the_order_they_begin(fleet):
    chart = of_all(fleet)
    medians = summarise_fleet(fleet).stage_medians_s

    assert [bar.stage for bar in chart.stages] == list(medians)
    assert chart.stages[0].begin_s == 0
    assert chart.end_s == pytest.approx(sum(medians.values()))
    begins = [each.begin_s for each in chart.rows]
    assert begins == sorted(begins)
    userspace = next(bar for bar in chart.stages if bar.stage is Stage.USERSPACE)
    assert userspace.begin_s < begins[0]


def test_what_usually_begins_after_the_boots_end_is_left_out(fleet):
    late = ev.UnitTimes("late.timer", activating_us=60_000_000, active_us=60_000_000)
    stream = [with_unit(event, late) for event in run_with_units(UNITS, 1, 3)]

    assert "late.timer" not in {each.name for each in of_all(Fleet(stream)).rows}
    boot = Fleet(stream).vms[0].newest
    assert "late.timer" not in {each.name for each in chart_of_boot(boot, None).rows}


def with_unit(event: ev.Event, unit: ev.UnitTimes) -> ev.Event:
    if not isinstance(event, ev.VmUnits):
        return event
    return ev.VmUnits.of([*event.rows, unit], at_ns=event.at_ns, vm=event.vm, attempt=event.attempt)


def states(unit: ev.UnitTimes) -> list[tuple[BarKind, float, float]]:
    """Return what a unit's bar shows of a boot that ends 10 s after its kernel began."""
    who = {"at_ns": 1, "vm": 0, "attempt": 1}
    attempt = next(iter(fleet_with_units((END,), 1, 1).attempts))
    attempt.details = ev.VmDetails(**who, timestamps_us={"FinishTimestampMonotonic": 10_000_000})
    attempt.units = ev.VmUnits.of([unit], **who)
    (only,) = chart_of_boot(attempt, None).rows
    return [(bar.kind, bar.begin_s, bar.end_s) for bar in only.bars]


def test_one_boots_bars_have_the_states_a_unit_was_in_up_to_the_boots_end():
    s = 1_000_000
    up, going, failed = BarKind.ACTIVATING, BarKind.DEACTIVATING, BarKind.FAILED

    def times(*moments, active="active"):
        return ev.UnitTimes("x.service", active, "", "", *(moment * s for moment in moments))

    assert states(times(2, 3, 0, 0)) == [(up, 2, 3), (BarKind.ACTIVE, 3, 10)]
    assert states(times(2, 3, 5, 6)) == [(up, 2, 3), (BarKind.ACTIVE, 3, 5), (going, 5, 6)]
    assert states(times(2, 3, 5, 0))[-1] == (going, 5, 10)
    assert states(times(2, 0, 0, 4, active="inactive")) == [(up, 2, 4)]
    assert states(times(2, 0, 0, 4, active="failed")) == [(failed, 2, 4)]
    assert states(times(2, 3, 5, 6, active="failed"))[-1] == (failed, 5, 6)
    assert states(times(2, 0, 0, 0, active="activating")) == [(up, 2, 10)]
    assert states(times(8, 20, 0, 0)) == [(up, 8, 10)]


def test_one_boot_stands_on_the_hosts_axis_with_its_own_stages(fleet):
    boot = fleet.vms[1].newest
    chart = chart_of_boot(boot, fleet.unit_order)
    begun_us = dict(zip(boot.units.names, boot.units.activating_us, strict=True))

    assert chart.end_s == pytest.approx(boot.boot_ns / 1e9)
    zero_s = stages_of(boot).kernel_start_ns / 1e9
    assert row(chart, "log.service").begin_s == pytest.approx(
        zero_s + begun_us["log.service"] / 1e6
    )
    assert [each.name for each in chart.rows if each.on_chain] == [
        "disk.device", "log.service", "multi-user.target",
    ]  # fmt: skip


def test_a_boot_whose_clock_cannot_be_believed_begins_with_its_kernel(fleet):
    boot = fleet.vms[0].newest
    wrong = replace(boot.details, clock_us=10**15)
    chart = chart_of_boot(replace(boot, details=wrong), None)

    assert (chart.from_kernel, chart.stages) == (True, ())
    assert chart.end_s == boot.details.timestamps_us["FinishTimestampMonotonic"] / 1e6


def test_a_unit_of_a_type_that_one_boot_alone_tells_of_is_in_its_own_chart_only():
    stream = run_with_units(UNITS, 1, 3)
    fleet = Fleet(_without_targets(event) if getattr(event, "vm", 0) else event for event in stream)

    assert END.name not in {each.name for each in of_all(fleet).rows}
    assert row(chart_of_boot(fleet.vms[0].newest, fleet.unit_order), END.name)


def _without_targets(event: ev.Event) -> ev.Event:
    if not isinstance(event, ev.VmUnits):
        return event
    told = [unit for unit in event.rows if not unit.name.endswith(".target")]
    return ev.VmUnits.of(told, at_ns=event.at_ns, vm=event.vm, attempt=event.attempt)


def test_there_is_no_chart_without_units_or_without_times(fleet):
    boot = fleet.vms[0].newest

    assert chart_of_boots(units_of_boots([], None), {}) is None
    assert chart_of_boot(replace(boot, units=None), None) is None
    assert chart_of_boot(replace(boot, details=None), None) is None
    assert (
        chart_of_boot(replace(boot, details=ev.VmDetails(at_ns=1, vm=0, attempt=1)), None) is None
    )


# The drawing.


@pytest.mark.parametrize("count", [10, 100, 300])
def test_a_drawing_is_as_high_as_its_units_need_and_nothing_leaves_it(count):
    root = drawing(svg_of(fleet_with_units(some_units(count), 1, 2)))
    height = float(root.get("height", "0"))
    rows = [each for each in root.iter(f"{SVG}g") if "chart-unit" in each.get("class", "")]

    assert len(rows) == count
    assert 19 * count < height < 19 * count + 200
    for each in root.iter(f"{SVG}rect"):
        assert float(each.get("x", "0")) + float(each.get("width", "0")) <= WIDTH + 2
        assert float(each.get("y", "0")) + float(each.get("height", "0")) <= height


def test_who_points_at_a_unit_reads_its_figures(fleet):
    (log,) = (title for title in titles(svg_of(fleet)) if title.startswith("log.service"))
    begins, takes, chain = log.split("\n")[1:]

    assert (begins[:10], takes[:6]) == ("begins at ", "takes ")
    assert chain == "on the critical chain in 20 of 20 boots"
    (bad,) = (title for title in titles(svg_of(fleet, 1)) if title.startswith("bad.service"))
    assert bad.endswith("\nfailed")


def test_a_units_name_is_no_markup_and_a_long_one_is_cut_where_it_is_drawn():
    evil = "<script>alert(1)</script>\x1b[2J&\u202e.service"
    long = "very-" * 60 + ".service"
    units = (MadeUnit(evil, 9), MadeUnit(long, 900), END)
    fleet = fleet_with_units(units, 1, 2)
    svg = svg_of(fleet)
    drawn = ["".join(each.itertext()) for each in drawing(svg).iter(f"{SVG}text")]

    assert "<script" not in svg
    assert any(
        title.startswith("<script>alert(1)</script>\\x1b[2J&\\u202e") for title in titles(svg)
    )
    assert any(text.startswith("very-very") and "…" in text for text in drawn)
    assert max(map(len, drawn)) < 200
    assert "<script>alert" not in render(".html", fleet)


def test_a_page_has_the_chart_of_its_run_and_every_unit_in_a_table(fleet):
    page = render(".html", fleet)

    assert page.count('class="boot-chart"') == 1
    assert 'id="units"' in page
    assert 'class="boot-chart"' not in render(".html", Fleet())


def test_of_a_sweep_one_setting_may_be_drawn_and_the_page_has_no_chart():
    sweep = fleet_with_units(UNITS, 2, 2, parameters=[{"smp": "1"}, {"smp": "2"}])
    one = boots_of(sweep, "smp=2")

    assert (one.is_mixed, boots_of(sweep).is_mixed) == (False, True)
    assert "run-1, smp=2: the median of 2 boots" in render_svg(one)
    assert "run-1, smp=2: VM 1, storm 2" in render_svg(one, 1)
    assert 'class="boot-chart"' not in render(".html", sweep)
    with pytest.raises(VmTimingError, match="run-1 booted nothing with smp=3"):
        boots_of(sweep, "smp=3")


def test_what_cannot_be_drawn_is_said(fleet):
    with pytest.raises(ExportError, match="the run has no VM 9") as caught:
        svg_of(fleet, 9)
    assert caught.value.hint == "it has 5 VMs"
    with pytest.raises(ExportError, match="no boot tells of its units"):
        svg_of(Fleet())
