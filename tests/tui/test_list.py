"""The list: a row a VM, its columns by the width, in an order of its own."""

import pytest

from support.recording import smooth_run, troubled_run, until
from support.stage import dashboard
from vmtiming_tui.model import events as ev
from vmtiming_tui.tui.drawing.table_columns import COLUMNS, columns_for
from vmtiming_tui.tui.state.view import Sort

DONE = 90.0
STAGES = ("firmware", "kernel", "initrd", "userspace", "lag")


def rows_of(stage):
    return [strip.text for strip in map(stage.main.table_area.render_line, range(12))]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_every_stage_and_the_waiting_for_a_cpu_have_a_column_at_any_width(size):
    async with dashboard(troubled_run(40), DONE, size, number=40) as stage:
        await stage.press("v")
        head = stage.main.table_head.render_line(0).text
        for name in ("host s", *STAGES, "waited"):
            assert name in head
        row = rows_of(stage)[0]
        for name in STAGES:
            end = head.index(name) + len(name)
            assert row[end - 1].isdigit(), name
            assert row[end - 3] == ".", name


def test_columns_that_are_least_wanted_go_first_and_the_rest_keep_their_order():
    assert columns_for(1000) == COLUMNS
    few = [column.sort for column in columns_for(40)]
    assert few == [Sort.TIME, Sort.KERNEL, Sort.INITRD, Sort.USERSPACE]
    assert columns_for(0) == ()


async def test_a_time_that_runs_has_its_point_below_those_that_stand():
    async with dashboard(until(smooth_run(8), 6.4), 6.4) as stage:
        await stage.press("v")
        end = stage.main.table_head.render_line(0).text.index("host s") + len("host s")
        assert {row[end - 3] for row in rows_of(stage)[:8]} == {"."}


async def test_it_is_sorted_by_every_column_that_is_seen_and_by_no_other():
    async with dashboard(troubled_run(40), DONE, (80, 24), number=40) as stage:
        await stage.press("v")
        head = stage.main.table_head.render_line(0).text
        seen = []
        for _ in range(20):
            await stage.press("greater_than_sign")
            seen.append(str(stage.app.model.view.order.sort))
            if seen[-1] == "VM":
                break
        assert all(name in head for name in seen)
        assert "disk read" not in seen
        assert len(seen) == len(head.replace("host s", "seconds").split())


async def test_grid_and_list_keep_their_own_order():
    async with dashboard(troubled_run(40), DONE, number=40) as stage:
        grid = list(stage.app.model.view.shown)
        await stage.press("v", *["greater_than_sign"] * 2, "o")
        by_time = list(stage.app.model.view.shown)
        assert by_time != grid
        await stage.press("v")
        assert stage.app.model.view.shown == grid
        assert "by host s" not in stage.text
        await stage.press("v")
        assert stage.app.model.view.shown == by_time
        assert "by host s" in stage.text


async def test_a_reason_stands_once_and_the_others_name_the_vm_it_stands_at():
    async with dashboard(troubled_run(100), DONE, (200, 60), number=100) as stage:
        await stage.press("v", "4")
        first, *others = rows_of(stage)[:8]
        assert "the guest's kernel panicked" in first
        assert all(row.rstrip().endswith("as VM 4") for row in others)


async def test_a_boot_under_way_shows_the_stages_that_the_host_has_seen():
    async with dashboard(until(smooth_run(8), 4.0), 4.0) as stage:
        await stage.press("v")
        head, row = stage.main.table_head.render_line(0).text, rows_of(stage)[0]
        end = head.index("kernel") + len("kernel")
        assert row[:end].rstrip().endswith(" 1.0")


async def test_a_vm_that_boots_shows_its_consoles_last_line():
    events = until(smooth_run(8), 5.0)
    line = ev.ConsoleLine(at_ns=events[-1].at_ns, vm=0, attempt=1, text="Started a thing.\x1b[2J")
    async with dashboard([*events, line], 5.0, (200, 60)) as stage:
        await stage.press("v")
        await stage.sees("Started a thing.\\x1b[2J")
