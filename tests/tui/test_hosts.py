"""The dashboard of a run on several hosts: their lines, their screen, and their VMs."""

import pytest

from support.facts import SECOND
from support.many_hosts import (
    Hosting,
    clock_measured,
    host_joined,
    many_hosts_run,
    on_hosts,
)
from support.past_runs import keep
from support.recording import ENGINE_LOST, smooth_run, until
from support.stage import dashboard, replayed
from vmtiming_tui.history.runs import History
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Quit, Rerun, Start, Stop
from vmtiming_tui.tui.screens.confirm import ConfirmScreen
from vmtiming_tui.tui.screens.engine_error import EngineErrorScreen
from vmtiming_tui.tui.screens.hosts import HostsScreen
from vmtiming_tui.tui.screens.new_run import NewRunScreen
from vmtiming_tui.tui.screens.played import PlayedScreen
from vmtiming_tui.tui.screens.storm import StormScreen
from vmtiming_tui.tui.state.keymap import Need
from vmtiming_tui.tui.state.view import Sort

LOST = many_hosts_run(number=24, lost={"b": 5.0})
DONE = 90.0
MANY = [f"node{place:02}" for place in range(20)]


def line_of(stage, name):
    """Return the line of a host."""
    lines = stage.main.host_lines.lines(stage.app.size.width)
    texts = ["".join(text for text, _ in line) for line in lines]
    return next(text for text in texts if text.split()[0] == name)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_few_hosts_have_a_line_each(size):
    async with dashboard(LOST, 4.0, size, number=24) as stage:
        for name in "abc":
            assert line_of(stage, name).split()[1:4] == ["◔", "booting", "0/8"]
        assert "40 GiB  ± 0.12 ms" in line_of(stage, "a")
        assert "3 hosts" in stage.text.splitlines()[0]


async def test_a_run_on_one_host_has_neither_lines_nor_keys_of_hosts():
    async with dashboard(smooth_run(8), 6.4) as stage:
        assert not stage.main.host_lines.display
        await stage.press("s")
        stage.on(StormScreen)
        await stage.press("slash")
        assert "host" not in stage.main.filter.placeholder
        await stage.press("escape", "greater_than_sign")
        assert stage.app.model.view.order.sort is Sort.STATE


async def test_of_many_hosts_the_worst_have_lines_and_the_rest_are_counted():
    run = many_hosts_run(MANY, 40, lost={"node13": 5.0}, slow={"node07": 2.0})
    async with dashboard(run, 5.5, (80, 24), number=40) as stage:
        lines = stage.main.host_lines.lines(80)
        first, second, rest = ("".join(text for text, _ in line) for line in lines[1:])
        assert first.split()[:3] == ["node13", "✗", "lost"]
        assert "booting" in second
        assert rest.startswith(" 18 more hosts  ")
        assert "s shows all" in rest


async def test_a_host_that_is_lost_stands_out_with_why_and_all_its_vms_failed():
    async with dashboard(until(LOST, 4.0), 4.0, number=24) as stage:
        await stage.feed([event for event in LOST if event not in until(LOST, 4.0)], at=5.5)
        assert "✗ lost" in line_of(stage, "b")
        assert "at 5.0 s: its worker was killed" in line_of(stage, "b")
        assert "✗ 1 lost" in stage.text.splitlines()[0]
        assert "host b was lost at 5.0 s: its worker was killed" in stage.text.splitlines()[-2]
        stage.on(StormScreen)


async def test_a_terminal_too_small_for_hosts_says_how_many_are_lost():
    async with dashboard(LOST, 6.0, (40, 8), number=24) as stage:
        await stage.sees("1 of 3 hosts lost")


async def test_the_warnings_say_what_to_do_about_a_lost_host():
    async with dashboard(LOST, DONE, number=24) as stage:
        await stage.press("W")
        await stage.sees("host b was lost: its worker was killed")
        await stage.sees("start it again")


async def test_where_no_host_is_left_it_is_the_engines_end():
    run = many_hosts_run(("a",), 4, lost={"a": 3.0})
    async with dashboard(run, 3.5, number=4) as stage:
        await stage.feed([ENGINE_LOST])
        stage.on(EngineErrorScreen)


async def test_failed_vms_are_booted_again_and_then_stand_with_their_new_host():
    run = many_hosts_run(number=24, lost={"b": 5.0}, rerun=range(8, 16))
    is_over = next(at for at, event in enumerate(run) if isinstance(event, ev.RunEnded)) + 1
    async with dashboard(run[:is_over], DONE, number=24) as stage:
        await stage.press("R")
        assert [each.vms for each in stage.source.sent if isinstance(each, Rerun)] == [
            tuple(range(8, 16))
        ]
        await stage.feed(run[is_over:], at=DONE)
        assert line_of(stage, "b").split()[:5] == ["b", "✗", "lost", "-", "0"]
        assert "12/12" in line_of(stage, "a")


async def test_a_host_that_is_back_is_idle_again_and_the_warnings_keep_that_it_was_lost():
    begin_ns = LOST[0].at_ns
    back = host_joined("b", begin_ns + 7 * SECOND), clock_measured("b", begin_ns + 7 * SECOND)
    async with dashboard([*until(LOST, 6.0), *back], 7.5, number=24) as stage:
        assert "lost" not in line_of(stage, "b")
        assert "lost" not in stage.text.splitlines()[0]
        await stage.press("W")
        await stage.sees("host b was lost: its worker was killed")


async def test_hosts_that_wait_for_the_next_start_are_idle():
    run = many_hosts_run(number=6, late={"d": 4.0})
    async with dashboard(run, 6.0, number=6) as stage:
        assert line_of(stage, "d").split()[:4] == ["d", "·", "idle", "-"]


async def test_vms_are_filtered_by_host_with_a_word_that_completes_itself():
    async with dashboard(LOST, DONE, number=24) as stage:
        await stage.press("slash", *"!host:", "b")
        await stage.until(lambda: stage.main.filter._suggestion == "!host:b", "the completion")
        assert stage.app.model.view.shown == [*range(8), *range(16, 24)]
        await stage.press("enter", "escape")
        assert len(stage.app.model.view.shown) == 24


async def test_a_click_on_a_hosts_line_shows_its_vms():
    async with dashboard(LOST, DONE, number=24) as stage:
        await stage.pilot.click("#host-lines", offset=(3, 3))
        assert stage.app.model.view.filter_text == "host:c"


@pytest.mark.parametrize("key", ["greater_than_sign", "v"])
async def test_lanes_by_host_and_the_list_name_each_vms_host(key):
    async with dashboard(LOST, 6.0, number=24) as stage:
        await stage.press(key)
        rows = [stage.main.area.render_line(y).text.split()[:2] for y in (0, 12, 20)]
        assert rows == [["0", "a"], ["12", "b"], ["20", "c"]]


async def test_cells_by_host_are_blocks_that_begin_with_its_name():
    run = on_hosts(smooth_run(60), Hosting(lost={"b": 5.0}))
    async with dashboard(run, 6.0, (80, 24), number=60) as stage:
        await stage.press("greater_than_sign")
        area = stage.main.cells_area
        assert area.display
        texts = [area.render_line(row).text for row in range(len(area.begins))]
        named = [row for row, text in enumerate(texts) if not text.startswith("  ")]
        assert [texts[row].split()[:2] for row in named] == [
            ["a", "0"],
            ["✗b", "20"],
            ["c", "40"],
        ]
        await stage.press("end", "home", *["right"] * 10, "down")
        await stage.until(lambda: " 19 a " in stage.main.lane.render_line(0).text, "its lane")
        assert area.current == 19  # the last of the first host: its second row is a short one


async def test_a_vm_says_which_host_it_is_on_beside_its_process_and_its_command():
    async with dashboard(LOST, 6.0, number=24) as stage:
        await stage.press("enter", "4")
        assert "host a  pid 4000" in stage.text
        await stage.sees("On host a, process 4000:")


async def test_clocks_are_said_where_the_axis_shows_them_and_nowhere_else():
    unsure = many_hosts_run(number=24, uncertainty_ns={"c": 130_000_000})
    async with dashboard(unsure, 6.0, number=24) as stage:
        await stage.sees("clocks of hosts ± 130 ms")
    async with dashboard(LOST, 6.0, number=24) as stage:
        assert "clocks of hosts" not in stage.text


async def test_how_far_apart_hosts_let_their_vms_go_is_told_with_the_answer_and_the_storms():
    run = many_hosts_run(number=9, skew_ns={"b": 3_000_000})
    async with dashboard(run, DONE, number=9) as stage:
        words = "Hosts let their VMs go 3.00 ms apart (± 0.24 ms): a first, b last"
        assert words in stage.text
        await stage.press("w")
        await stage.sees(words)


async def test_the_history_says_on_how_many_hosts_a_run_was_made(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with History.open(tmp_path / "vmtiming-tui" / "history.db") as stored:
        keep(stored, many_hosts_run(how={"started": {"run": "before"}}))
    async with dashboard(LOST, DONE, number=24) as stage:
        await stage.press("H")
        await stage.sees("3 hosts (a, b, c)")
        await stage.press("r")
        await stage.comes(PlayedScreen)
        assert stage.app.there >= {Need.HOSTS}


async def test_settings_of_a_new_run_are_checked_against_no_file_of_this_host():
    async with dashboard(LOST, DONE, number=24) as stage:
        await stage.press("n")
        stage.on(NewRunScreen)
        await stage.press("enter")
        await stage.until(
            lambda: [each for each in stage.source.sent if isinstance(each, Start)][1:], "a start"
        )


async def test_leaving_asks_and_a_new_run_stops_the_one_under_way():
    async with dashboard(LOST, 4.0, number=24) as stage:
        await stage.press("q")
        stage.on(ConfirmScreen)
        await stage.press("escape", "n", "enter")
        await stage.until(lambda: Stop() in stage.source.sent, "a stop")
        await stage.press("q", "y")
        assert any(isinstance(each, Quit) for each in stage.source.sent)


async def test_a_stored_run_is_played_with_its_hosts():
    async with replayed(LOST, number=24) as stage:
        await stage.play(6.0)
        assert "✗ lost" in line_of(stage, "b")
        await stage.press("0")
        await stage.shown()
        assert "lost" not in stage.text
        await stage.press("s")
        assert len(stage.on(HostsScreen).list.rows) == 3


async def test_all_that_is_told_of_a_host_is_told_of_the_one_that_is_pointed_at():
    async with dashboard(LOST, DONE, number=24) as stage:
        await stage.press("s")
        assert "lost at 5.0 s: its worker was killed · start it again" in stage.text
        await stage.press("down")
        assert "tls://a:40001" in stage.text
        assert "QEMU 7.2.15" in stage.text
