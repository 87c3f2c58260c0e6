"""What the main picture shows of boots under way, on recorded runs."""

import re

import pytest

from support.facts import SECOND
from support.recording import Recorder, plan_for, smooth_run, stuck_run, until
from support.stage import dashboard
from vmtiming_tui.tui.drawing.axis import axis, ticks
from vmtiming_tui.tui.drawing.cell_shape import cell_shape
from vmtiming_tui.tui.drawing.glyphs import ASCII, UNICODE
from vmtiming_tui.tui.drawing.histogram import bar_rows, histogram
from vmtiming_tui.tui.drawing.pictures import Picture, best_picture, charts_height, pictures_of
from vmtiming_tui.tui.drawing.theme import DARK, Palette

PALETTE = Palette.of(DARK)
STUCK = stuck_run(8, stuck=5)
SIGNS = {"firmware": "f", "kernel": "k", "initrd": "i", "userspace": "u", "lag": "l"}


def lanes(text: str) -> list[str]:
    """Return the lines of an ASCII picture that are a VM's bar."""
    return [line for line in text.splitlines() if re.match(r"[ *] ?\d+ [.oc+x!-] ", line)]


async def test_each_lane_says_the_stage_its_vm_is_in_and_the_lanes_differ():
    async with dashboard(STUCK, 4.0, size=(120, 40), ascii_only=True) as stage:
        drawn = lanes(stage.text)
        assert len(drawn) == 8
        assert len({line[24:] for line in drawn}) > 4
        for line, vm in zip(drawn, stage.app.model.fleet.vms.values(), strict=True):
            assert f" c {vm.newest.stage_seen} " in line
            bar = line[24:].rstrip()
            assert set(bar) <= set("?kiul")
            assert bar.endswith(SIGNS[vm.newest.stage_seen])


async def test_the_last_line_of_its_console_stands_in_each_lane():
    async with dashboard(STUCK, 4.0, size=(120, 40)) as stage:
        for vm in stage.app.model.fleet.vms.values():
            assert vm.newest.console_line.strip() in stage.text


async def test_one_vm_is_one_picture_with_its_console_and_no_chart():
    async with dashboard(smooth_run(1), 3.0, size=(120, 40), number=1) as stage:
        assert not stage.main.charts.display
        for line in stage.app.model.fleet.vms[0].newest.console_lines:
            assert line.strip() in stage.text
        await stage.press("t")
        assert stage.main.picture is Picture.LANES


@pytest.mark.parametrize("at", [1.5, 4.0, 7.0, 50.0, 90.0])
@pytest.mark.parametrize("number", [8, 100])
async def test_the_legend_names_exactly_what_is_drawn(at, number):
    run = stuck_run(number, stuck=5)
    async with dashboard(run, at, size=(160, 48), number=number, ascii_only=True) as stage:
        lines = stage.text.splitlines()
        legend = next(line for line in lines if re.search(r" (k kernel|\? not seen)", line))
        bars = "".join(line[24:] for line in lanes(stage.text) if number == 8)
        if stage.main.charts.display:
            high = stage.main.charts.size.height
            first = lines.index(legend) - high
            bars += "".join(line[5:95] for line in lines[first : first + high - 1])
        if number == 8:
            for name, sign in SIGNS.items():
                is_drawn = re.search(rf"{sign}{sign}|[?kiu]{sign}", bars) is not None
                assert (f" {sign} {name} " in legend) == is_drawn, (name, legend)
        assert ("not seen" in legend) == ("?" in bars or number == 100)


async def test_a_stuck_vm_does_not_flatten_the_others():
    async with dashboard(STUCK, 50.0, size=(120, 40), ascii_only=True) as stage:
        stuck = lanes(stage.text)[5]
        assert stage.main.grid_area.scale_ns <= 12 * SECOND
        assert stuck.rstrip().endswith(ASCII.beyond)
        assert re.search(r"48\.\d ", stuck)
        assert f"{ASCII.beyond} goes on" in stage.text


async def test_the_median_of_earlier_storms_stands_behind_the_bars():
    recorder = Recorder(4, started={"plan": plan_for(4)})
    second = recorder.storm(0.1, range(4)) + 1
    recorder.storm(second, range(4))
    events = recorder.ordered()
    async with dashboard(until(events, second + 2), second + 2, number=4) as stage:
        typical = stage.app.model.figures.typical
        assert typical.boots == 4
        assert "median of 4 boots" in stage.text
        assert f"median {typical.median_ns / 1e9:.2f} s" in stage.text


async def test_many_vms_are_cells_of_the_stage_they_are_in():
    run = stuck_run(300, stuck=5)
    async with dashboard(run, 4.0, size=(120, 40), number=300, ascii_only=True) as stage:
        assert stage.main.picture is Picture.CELLS
        area = stage.main.area
        drawn = "".join(area.render_line(y).text[5:] for y in range(area.size.height))
        seen = [vm.newest.stage_seen for vm in stage.app.model.fleet.vms.values()]
        for name, sign in SIGNS.items():
            assert len(re.findall(f"{sign}+", drawn)) == seen.count(name)
        await stage.press("t")
        assert stage.main.picture is Picture.CHARTS
        assert stage.main.charts.size.height > 20


async def test_the_few_that_match_a_filter_are_lanes_again():
    async with dashboard(stuck_run(300, 5), 30.0, size=(120, 40), number=300) as stage:
        await stage.press("right", "slash", *"3-7", "enter")
        assert stage.main.picture is Picture.LANES
        assert stage.main.area.current == 3
        await stage.press("down", "escape")
        assert stage.main.picture is Picture.CELLS
        assert stage.main.area.current == 4


async def test_a_click_on_a_cell_puts_the_cursor_there():
    async with dashboard(stuck_run(300, 5), 4.0, size=(120, 40), number=300) as stage:
        area = stage.main.area
        x, y = area.left + 7 * area.cell_width, 2
        await stage.pilot.click("#cells", offset=(x, y))
        assert area.current == 2 * area.columns + 7


def test_lanes_are_drawn_while_all_of_them_can_be_seen_and_cells_beyond():
    assert best_picture(8, 80, 18, 7) is Picture.LANES
    assert best_picture(100, 120, 34, 99) is Picture.LANES
    assert best_picture(300, 120, 34, 299) is Picture.CELLS
    assert best_picture(5000, 200, 54, 4999) is Picture.CELLS
    assert pictures_of(1) == (Picture.LANES,)
    assert set(pictures_of(2)) == set(Picture)


@pytest.mark.parametrize("picture", Picture)
@pytest.mark.parametrize("count", [2, 8, 40, 100, 1000, 5000])
@pytest.mark.parametrize("height", [8, 18, 34, 54])
def test_charts_leave_room_for_the_vms(picture, count, height):
    charts = charts_height(picture, count, 120, height, count - 1)
    assert charts == 0 or 5 <= charts < height
    if picture is Picture.LANES and count <= height:
        assert charts + count <= height


@pytest.mark.parametrize("count", [2, 100, 1000, 5000])
def test_cells_are_as_wide_as_all_of_them_can_be_seen(count):
    shape = cell_shape(200, 30, count, count - 1)
    assert -(-count // shape.columns) <= 30
    assert shape.columns * shape.cell + shape.label <= 200


def test_a_histogram_has_round_ends_and_counts_what_lies_beyond_them():
    boots = sorted([*(4 * SECOND + n * SECOND // 20 for n in range(40)), 58 * SECOND])
    spread = histogram(boots, 5 * SECOND, 30)
    assert spread.begin_ns <= boots[0]
    assert sum(spread.counts) + spread.beyond == 41
    assert spread.beyond == 1
    assert spread.end_ns < 10 * SECOND
    assert bar_rows((0, 1, 4), 2, "_-", wide=2) == ["    --", "  __--"]


def test_without_a_boot_there_is_no_histogram():
    assert histogram([], None, 30) is None


def test_an_axis_has_round_ticks_and_its_end():
    for scale_s, width, first_s in ((4.8, 60, 1.2), (3.0, 170, 0.3), (8.0, 50, 2.0)):
        found = [ns / SECOND for ns in ticks(round(scale_s * SECOND), width)]
        assert (found[0], found[-1]) == (first_s, scale_s)


def test_the_median_is_marked_on_the_axis_and_no_label_is_cut_by_it():
    line = axis(8 * SECOND, 60, PALETTE, UNICODE, mark_ns=4 * SECOND - 1)
    text = "".join(part for part, _ in line)
    assert len(text) == 60
    assert text[29] == UNICODE.median
    assert "2 s" in text
    assert "4 s" not in text
    assert text.endswith(" 8 s")
