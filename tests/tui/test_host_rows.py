"""Hosts as rows: their order, what a filter means, and what each width has room for."""

import pytest

from support.many_hosts import many_hosts_run
from support.recording import until
from vmtiming_tui.analysis.summary import boots_s
from vmtiming_tui.model.attempt import Vm
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.tui.drawing.glyphs import ASCII, UNICODE
from vmtiming_tui.tui.drawing.host_table import HostTable
from vmtiming_tui.tui.drawing.theme import palette_for
from vmtiming_tui.tui.state.host_rows import HostSort, HostView, boots_by_host, host_rows, ordered
from vmtiming_tui.tui.state.view import FilterError, parse_filter

PALETTE = palette_for(dark=True, colour=True)
RUN = many_hosts_run(
    ("a", "b", "a1"), 30, lost={"b": 5.0}, late={"new": 2.0}, how={"failing": frozenset({25})}
)


def rows_of(events):
    fleet = Fleet(events)
    return host_rows(fleet, boots_by_host(fleet, fleet.newest))


def text_of(parts):
    return "".join(text for text, _ in parts)


def test_what_became_of_a_hosts_vms_is_counted_and_its_own_boots_make_its_median():
    rows = {row.name: row.boots for row in rows_of(RUN)}
    assert (rows["a"].vms, rows["a"].booted, rows["a"].failed) == (10, 10, 0)
    assert (rows["b"].vms, rows["b"].booted, rows["b"].failed) == (10, 0, 10)
    assert (rows["a1"].booted, rows["a1"].failed, rows["new"].vms) == (9, 1, 0)
    times = sorted(boots_s(each for each in Fleet(RUN).newest if each.host == "a"))
    assert rows["a"].median_ns == pytest.approx(1e9 * (times[4] + times[5]) / 2)
    assert rows["b"].median_ns is None


def test_the_worst_come_first_and_what_is_not_known_last_whichever_the_direction():
    rows = rows_of(RUN)
    assert [row.name for row in ordered(rows)] == ["b", "a1", "a", "new"]
    for descending in (False, True):
        by_cpu = ordered(rows, HostSort.CPU, descending=descending)
        assert by_cpu[-1].name == "new"
    assert [row.name for row in ordered(rows, HostSort.HOST)] == ["a", "b", "a1", "new"]


def test_a_hosts_pressure_is_the_worst_of_all():
    (first, *_) = rows_of(until(RUN, 4.0))
    name, percent = first.pressure
    assert name == "CPU"
    assert percent == first.host.sample.psi_cpu


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("host:a", {"a"}), ("host:A", {"a"}), ("!host:a", {"b", "a1", "new"}),
        ("host:a1", {"a1"}), ("host:n", {"new"}), ("host: b", {"b"}), ("host:zz", set()),
    ],
)  # fmt: skip
def test_a_filter_means_the_host_of_that_name_else_all_that_begin_so(text, found):
    fleet = Fleet(RUN)
    test = parse_filter(text, fleet.hosts)
    vms = {vm.newest.host: vm for vm in fleet.vms.values()}
    new = Vm(99, [type(fleet.newest[0])(99, 1, 1, 0, 1, "new")])
    assert {name for name, vm in {**vms, "new": new}.items() if test(vm, 0)} == found


def test_a_filter_without_a_hosts_name_is_none():
    with pytest.raises(FilterError, match="host:b"):
        parse_filter("host:", ())


def test_hosts_are_looked_for_by_name_state_and_address():
    view = HostView(filter_text="lost")
    view.refresh(rows_of(RUN))
    assert [row.name for row in view.shown] == ["b"]
    view.filter_text = "!TLS://A"
    view.refresh(rows_of(RUN))
    assert [row.name for row in view.shown] == ["b", "new"]


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize("width", [79, 119, 199])
def test_no_line_is_wider_than_there_is_room_and_all_columns_fit_the_least_terminal(width, glyphs):
    rows = rows_of(until(RUN, 6.0))
    table = HostTable(rows, width, PALETTE, glyphs, 0)
    assert list(table.columns) == list(HostSort)
    lines = [table.head(HostSort.CPU), *map(table.row, rows), table.summary(rows, "more")]
    lines += [line for row in rows for line in table.told(row)]
    assert all(len(text_of(line)) <= width for line in lines)


def test_one_vm_that_failed_among_many_is_seen_in_the_bar():
    run = many_hosts_run(("a", "b"), 600, how={"failing": frozenset({3}), "signs": False})
    row = rows_of(run)[0]
    bar = HostTable([row], 199, PALETTE, UNICODE, 0).row(row)
    drawn = {style: len(text) for text, style in bar}
    assert drawn[PALETTE.error] == 1
