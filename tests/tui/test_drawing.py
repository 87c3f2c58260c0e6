"""What the drawing functions make of VMs, without an app and without a terminal."""

import re
from types import SimpleNamespace

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len
from textual.color import Color
from textual.geometry import Offset, Region, Size

from support.facts import SECOND
from support.kernels import log
from support.recording import ZERO_NS, Recorder, plan_for, smooth_run, troubled_run, until
from support.stage import FrozenClock
from vmtiming_tui.analysis.typical_boot import Typical
from vmtiming_tui.model.attempt import Attempt, VmState
from vmtiming_tui.model.guest_events import UnitOrder, UnitTimes, VmDetails, VmUnits
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.tui.drawing.braille import ascii_rows, braille_rows, sparkline, step_heights
from vmtiming_tui.tui.drawing.glyphs import ASCII, UNICODE, glyphs_for
from vmtiming_tui.tui.drawing.grid_cell import CellPainter
from vmtiming_tui.tui.drawing.grid_shape import shape_for
from vmtiming_tui.tui.drawing.pane_text import guest_lines, qemu_lines
from vmtiming_tui.tui.drawing.scale_bars import (
    BEYOND,
    MEDIAN,
    QUARTERED,
    UNSEEN,
    BarMaker,
    cells_of,
    longest_of_most,
    nice_ceiling,
    scale_for,
)
from vmtiming_tui.tui.drawing.styled import (
    BLANK,
    as_ascii,
    clip,
    clock,
    fitting,
    parts_width,
    passing,
    seconds,
    segments,
    shown,
    size,
    spread,
    to_come,
)
from vmtiming_tui.tui.drawing.theme import DARK, LIGHT, Palette
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.keymap import LIVE
from vmtiming_tui.tui.state.live_figures import shown_storm
from vmtiming_tui.tui.widgets.grid import VmGrid
from vmtiming_tui.tui.widgets.header import Header
from vmtiming_tui.tui.widgets.table import VmTable

PALETTE = Palette.of(DARK)


def model_at(events, at, number=40):
    model = Model(plan_for(number), FrozenClock(at))
    model.take(until(events, at))
    model.turn(everything=True)
    model.settle()
    model.reorder(now=True)
    return model


def bare(kind, model, width, height, *, laid_out=True):
    """Return a grid or a list that belongs to no app."""

    class Bare(kind):
        host = SimpleNamespace(palette=PALETTE, glyphs=UNICODE, live=False, there=LIVE)
        outer_size = size = Size(width, height)
        scroll_offset = Offset(0, 0)

        def ground(self):
            return PALETTE.text

    area = Bare(model)
    if laid_out:
        area.lay_out()
    return area


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("number", [1, 8, 40, 100])
@pytest.mark.parametrize("at", [0.05, 3.0, 7.5, 90.0])
def test_grid_lines_fill_the_width_exactly(width, number, at):
    grid = bare(VmGrid, model_at(troubled_run(number), at, number), width, 30)
    for y in range(30):
        assert (
            grid.render_line(y).cell_length == cell_len(grid.render_line(y).text) == grid.room.width
        )


@pytest.mark.parametrize("width", [80, 120, 200])
def test_list_lines_fill_the_width_exactly(width):
    table = bare(VmTable, model_at(troubled_run(40), 90.0), width, 30)
    for y in range(30):
        assert cell_len(table.render_line(y).text) == width - 1  # for the scrollbar


def test_every_vm_is_drawn_with_id_glyph_and_seconds():
    model = model_at(troubled_run(40), 7.5)
    grid = bare(VmGrid, model, 120, 30)
    text = "\n".join(grid.render_line(y).text for y in range(30))
    for vm in model.fleet.vms.values():
        elapsed = vm.newest.elapsed_ns(model.now_ns)
        figure = seconds(elapsed) if vm.state.is_decided else passing(elapsed)
        sign, word = UNICODE.states[vm.state], vm.state
        if vm.state is VmState.CONNECTED:
            word = vm.newest.stage_seen or word
        assert f"{vm.id:>2} {sign} {word:<9} {figure:>6}" in text


def test_a_row_is_drawn_again_only_when_it_changes():
    model = model_at(smooth_run(8), 60.0, 8)
    grid = bare(VmGrid, model, 80, 8)
    first = grid.render_line(3)
    assert grid.render_line(3) is first
    grid.repaint({4})
    assert grid.render_line(3) is first
    grid.repaint({3})
    assert grid.render_line(3) is not first


def test_a_grid_painted_before_it_was_laid_out_lays_itself_out():
    grid = bare(VmGrid, model_at(smooth_run(8), 60.0, 8), 80, 8, laid_out=False)
    grid.set_reactive(VmGrid.show_vertical_scrollbar, False)
    lines = grid.render_lines(Region(0, 0, 80, 8))
    assert [line.text[:6] for line in lines] == [f"  {vm} ✓ " for vm in range(8)]


def test_cursor_and_marks_are_seen():
    model = model_at(smooth_run(8), 60.0, 8)
    model.view.marked = {1}
    grid = bare(VmGrid, model, 80, 8)
    assert grid.render_line(1).text.startswith("▌")
    here = [piece.style.bgcolor for piece in grid.render_line(0)]
    there = [piece.style.bgcolor for piece in grid.render_line(1)]
    assert PALETTE.cursor.bgcolor in here
    assert PALETTE.cursor.bgcolor not in there


def test_a_rerun_that_differs_by_much_is_marked():
    model = model_at(troubled_run(40), 90.0)
    grid = bare(VmGrid, model, 120, 30)
    text = "\n".join(grid.render_line(y).text for y in range(30))
    for vm in (2, 5):
        assert f"{seconds(model.fleet.vms[vm].newest.boot_ns)}{UNICODE.slower}" in text
    assert text.count(UNICODE.slower) == 2


@given(st.integers(20, 300), st.integers(1, 100), st.integers(1, 6000))
def test_shape_has_room_for_every_figure_and_shows_all_where_it_can(width, height, count):
    shape = shape_for(width, height, count, count - 1)
    assert shape.columns * shape.cell <= width
    assert shape.cell >= min(width, 12 + shape.id_width)
    rows = -(-count // shape.columns)
    if rows > height:
        bare_cell = 12 + shape.id_width
        assert -(-count // max(width // bare_cell, 1)) > height
    else:
        assert rows * shape.row_height <= height


def test_few_vms_get_the_whole_width_and_many_get_small_cells():
    assert shape_for(200, 45, 8, 7).columns == 1
    assert shape_for(200, 45, 8, 7).row_height == 5
    assert shape_for(200, 45, 1, 0).row_height == 45
    assert shape_for(200, 45, 100, 99).columns == 3
    assert shape_for(200, 45, 5000, 4999).bar >= 3


@given(
    st.lists(st.integers(0, 10**11), min_size=1, max_size=6),
    st.integers(1, 200),
    st.floats(1.0, 3.0),
)
def test_stage_cells_never_exceed_the_bar_and_keep_the_total(lengths, width, slack):
    scale = max(int(sum(lengths) * slack), 1)
    cells = cells_of([("kernel", ns) for ns in lengths], scale, width)
    assert all(count >= 0 for _, count in cells)
    assert sum(count for _, count in cells) == round(sum(lengths) * width / scale)


@given(st.floats(1e-3, 1e7))
def test_axis_ends_are_round_and_not_below(value):
    for steps in ((1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10), QUARTERED):
        end = nice_ceiling(value, steps)
        assert value * 0.99999 <= end <= value * 2.1


def test_scale_leaves_room_for_the_median():
    assert scale_for(3 * SECOND, 10 * SECOND) >= 11 * SECOND
    assert scale_for(0, None) == SECOND


def test_stages_are_drawn_in_order_and_to_scale():
    model = model_at(smooth_run(8), 60.0, 8)
    attempt = model.fleet.vms[0].newest
    parts = BarMaker(PALETTE, ASCII).stages(attempt, attempt.boot_ns, 100)
    text = "".join(text for text, _ in parts)
    assert len(text) == 100
    assert "".join(dict.fromkeys(text)) == "fkiul"
    assert text.count("u") == pytest.approx(62, abs=2)


def test_a_boot_under_way_is_drawn_as_the_stages_seen_so_far_with_the_median_behind_it():
    model = model_at(smooth_run(8), 3.0, 8)
    attempt = model.fleet.vms[0].newest
    elapsed_ns = attempt.elapsed_ns(model.now_ns)
    typical = Typical(9, ((Stage.KERNEL, 2 * SECOND), (Stage.USERSPACE, 4 * SECOND)))
    bars = BarMaker(PALETTE, ASCII)
    parts = bars.attempt(attempt, elapsed_ns, 10 * SECOND, 50, typical=typical)
    text = "".join(text for text, _ in parts)
    assert re.fullmatch(r"\?{3}k+i+u*-+ {20}", text), text
    assert len(text) == 50
    assert bars.drawn >= {UNSEEN, "kernel", "initrd", MEDIAN}
    assert BEYOND not in bars.drawn


def test_a_bar_ends_with_a_mark_where_the_boot_goes_on_beyond_the_axis():
    model = model_at(smooth_run(8), 3.0, 8)
    attempt = model.fleet.vms[0].newest
    bars = BarMaker(PALETTE, ASCII)
    text = "".join(text for text, _ in bars.attempt(attempt, 25 * SECOND, 10 * SECOND, 50))
    assert text.endswith(ASCII.beyond)
    assert len(text) == 50
    assert BEYOND in bars.drawn


@pytest.mark.parametrize(
    ("lengths", "usual", "longest"),
    [
        ([], None, 0),
        ([3, 58], None, 58),  # nothing tells that it is stuck
        ([5, 6, 7, 58], 6, 7),
        ([2, 6, 6, 6], 2, 6),  # most are slower than what has booted
        ([5, 6, 7, 14], 6, 14),
    ],
)
def test_an_axis_is_as_long_as_most_boots_need(lengths, usual, longest):
    assert longest_of_most(lengths, usual) == longest


def test_curve_rises_in_steps_and_only_all_reach_the_top():
    curve = [(1 * SECOND, 1), (2 * SECOND, 2), (3 * SECOND, 3)]
    heights = step_heights(
        curve, until_ns=4 * SECOND, span_ns=8 * SECOND, top=4, columns=8, levels=8
    )
    assert heights == [2, 4, 6, 6, 6, -1, -1, -1]
    full = [*curve, (4 * SECOND, 4)]
    heights = step_heights(
        full, until_ns=8 * SECOND, span_ns=8 * SECOND, top=4, columns=8, levels=8
    )
    assert heights[3:] == [8] * 5


def test_one_boot_of_many_is_seen():
    heights = step_heights(
        [(SECOND, 1)], until_ns=2 * SECOND, span_ns=2 * SECOND, top=5000, columns=2, levels=8
    )
    assert heights == [1, 1]


def test_braille_is_filled_from_below():
    assert braille_rows([0, 1, 4, 8, -1, 3], 2) == [" ⢸ ", "⢀⣿⢰"]
    assert braille_rows([4, 4], 1) == ["⣿"]
    assert braille_rows([8, 4], 2) == ["⡇", "⣿"]
    assert braille_rows([0, 1], 1) == ["⢀"]
    assert braille_rows([-1, -1], 1) == [" "]


def test_ascii_curve_and_sparkline():
    assert ascii_rows([0, 1, 2, 3, 4], 2) == ["   .#", " .###"]
    assert sparkline([0, 50, 100, 150], UNICODE.blocks, 3) == "▅██"


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII, glyphs_for(ascii_only=False, colour=False)])
def test_states_and_stages_are_told_apart_without_colour(glyphs):
    signs = list(glyphs.states.values())
    assert len(set(signs)) == len(signs)
    assert all(cell_len(sign) == 1 for sign in [*glyphs.states.values(), *glyphs.stages.values()])
    if glyphs is not UNICODE:
        assert len(set(glyphs.stages.values())) == len(Stage)
    if glyphs is ASCII:
        assert all(isinstance(v, bool) or str(v).isascii() for v in glyphs.states.values())


@pytest.mark.parametrize("colours", [DARK, LIGHT], ids=["dark", "light"])
def test_texts_have_a_contrast_of_at_least_4_5(colours):
    texts = [colours.text, colours.dim, colours.accent, colours.warning]
    for background in (colours.background, colours.surface, colours.panel, colours.cursor):
        for name in [*texts, *colours.states.values()]:
            assert ratio(name, background) >= 4.5, (name, background)


def ratio(one: str, other: str) -> float:
    """WCAG 2.1's contrast ratio."""

    def luminance(name: str) -> float:
        parts = [
            c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
            for c in Color.parse(name).normalized
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_red_is_for_failure_only():
    for colours in (DARK, LIGHT):
        red = colours.states[VmState.FAILED]
        others = [name for state, name in colours.states.items() if state is not VmState.FAILED]
        for name in [*others, colours.warning, colours.accent, *colours.stages.values()]:
            hue, _, _ = Color.parse(name).hsl
            assert name != red
            assert 0.06 < hue < 0.94


def test_no_colour_means_none_at_all():
    palette = Palette.plain()
    styles = [palette.text, palette.error, palette.cursor, palette.chip_live, *palette.curve]
    for style in [*styles, *palette.states.values(), *palette.stages.values()]:
        assert style.color is None
        assert style.bgcolor is None


def test_figures_in_words():
    assert [seconds(ns) for ns in (None, 0, 12_345_678_901, 1_234_560_000_000)] == [
        "", "0.00", "12.35", "1234.6"]  # fmt: skip
    assert [clock(ns * SECOND) for ns in (0, 42, 3599, 3600)] == [
        "0:00.0", "0:42.0", "59:59.0", "1:00:00"]  # fmt: skip
    assert [to_come(round(s * SECOND)) for s in (0, 35, 35.1, 240, 240.1, 7200, 7201)] == [
        "1 s", "35 s", "36 s", "4 min", "5 min", "2.0 h", "2.1 h"]  # fmt: skip
    assert [size(n) for n in (0, 999, 340 << 20, 3 << 30)] == ["0 B", "999 B", "340 MiB", "3 GiB"]


def test_lines_fit():
    plain = PALETTE.text
    assert clip("hello", 5) == "hello"
    assert clip("hello world", 6) == "hello…"
    line = spread([("left " * 20, plain)], [("right", plain)], 30)
    assert parts_width(line) == 30
    assert line[-1][0] == "right"
    assert (
        parts_width(fitting([[("four", plain)], [("nineteen", plain)], [("two", plain)]], 8)) == 7
    )


def test_blanks_do_not_part_pieces_that_look_the_same():
    pieces = segments([("a", PALETTE.error), (" ", BLANK), ("b", PALETTE.error)], PALETTE.text)
    assert [piece.text for piece in pieces] == ["a b"]
    marked = segments([("a", PALETTE.error), (" ", PALETTE.cursor)], PALETTE.text)
    assert len(marked) == 2


def test_foreign_text_cannot_steer_the_terminal():
    assert "\x1b" not in shown("\x1b[2J[bold red]x[/]\u202e")
    assert "[bold red]" in shown("[bold red]x")


def test_small_cells_of_a_storm_are_drawn_from_what_the_clock_leaves_of_them():
    model = model_at(smooth_run(400, stagger_s=0.001, mean_s=10), 4.0, 400)
    painter = CellPainter(PALETTE, UNICODE, shape_for(200, 20, 400, 399))
    painter.set_scale(8 * SECOND, None, None)
    now_ns = ZERO_NS + 4 * SECOND
    for vm in list(model.fleet.vms.values())[:20]:
        small = painter.small(vm, now_ns)
        parts = painter.small_parts(small, now_ns - small.zero_ns)
        slow = painter.line(vm, now_ns, marked=False)
        assert "".join(text for text, _ in parts) == "".join(text for text, _ in slow)
        assert parts[-1][1] == parts[0][1] == PALETTE.stages[vm.newest.stage_seen]
        assert small.signs >= {str(vm.newest.stage_seen)}


@pytest.mark.parametrize("colours", [DARK, LIGHT], ids=["dark", "light"])
def test_no_state_has_the_colour_of_a_stage(colours):
    stages = [*colours.stages.values(), colours.unseen, colours.residual]
    assert not {*colours.states.values(), colours.warning, colours.accent} & {*stages}
    assert len(set(stages)) == len(stages)
    for name in stages:
        for ground in (colours.background, colours.cursor):
            assert ratio(name, ground) >= 4.5, (name, ground)


def test_a_guests_tree_has_a_likeness_in_ascii():
    assert as_ascii("└─ssh.service @1s ●") == "+-ssh.service @1s *"
    assert as_ascii("größe 漢") == "gr??e ?"


@pytest.mark.parametrize("injected", ["", "the initrd (dracut)"])
def test_how_the_report_service_came_in_is_said_beside_the_command(injected):
    attempt = Attempt(vm=0, number=1, storm=1, queued_ns=0, argv=("qemu",), injected=injected)
    texts = [text for text, _ in qemu_lines(attempt, Palette.plain())]
    said = "The report service is brought in by the initrd (dracut)." in texts
    assert said == bool(injected)


def test_slowest_units_and_critical_chain_are_worked_out_where_the_guest_tells_its_units():
    who = {"at_ns": 1, "vm": 0, "attempt": 1}
    units = (
        UnitTimes("a.service", activating_us=1_000_000, active_us=1_500_000),
        UnitTimes("multi-user.target", activating_us=1_500_000, active_us=1_500_000),
    )
    attempt = Attempt(vm=0, number=1, storm=1, queued_ns=0, text="up")
    attempt.details, attempt.units = VmDetails(**who), VmUnits.of(units, **who)
    order = UnitOrder(**who, after={"multi-user.target": ("a.service",)})
    texts = [text for text, _ in guest_lines(attempt, Palette.plain(), "", order)]

    assert texts[texts.index("Slowest units") + 1].split() == ["500ms", "a.service"]
    assert texts[texts.index("Critical chain") + 1 :] == [
        "multi-user.target @1.500s",
        "└─a.service @1.000s +500ms",
    ]


def test_what_a_kernel_took_stands_with_its_guests_words():
    attempt = Attempt(vm=0, number=1, storm=1, queued_ns=0, text="up")
    attempt.details = VmDetails(at_ns=1, vm=0, attempt=1)
    attempt.kernel = log({"slow_init": 800, "evil\x1b[31m": 3}, pending=("b.sysc",))
    texts = [text for text, _ in guest_lines(attempt, Palette.plain(), "")]

    at = texts.index("Slowest initcalls")
    assert texts[at + 1 : at + 3] == ["    800.0ms slow_init", "      3.0ms evil\\x1b[31m"]
    assert texts[texts.index("Devices that waited for others in vain") + 1] == "b.sysc"


def test_a_storm_that_does_not_count_says_so_while_it_goes_and_is_no_curve_after():
    recorder = Recorder(4)
    end = recorder.storm(0.1, range(4))
    last = recorder.storm(end + 1, range(4), StormKind.DETAIL, slow=1.5)
    recorder.end(last)
    under_way = model_at(recorder.ordered(), end + 2, 4)
    (header,) = bare(Header, under_way, 120, 1, laid_out=False).lines(120)
    over = model_at(recorder.ordered(), last + 5, 4)

    assert "kernel details, not counted" in "".join(text for text, _ in header)
    assert over.figures.curve_number == 4
    assert shown_storm(over.fleet).kind is StormKind.RUN
