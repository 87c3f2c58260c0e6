"""A stored run in the dashboard: played, held, stepped, put anywhere, and always true."""

import re

import pytest

from support.facts import SECOND
from support.recording import smooth_run, troubled_run
from support.stage import dashboard, replayed
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.tui.drawing.styled import clock
from vmtiming_tui.tui.screens.detail import DetailScreen
from vmtiming_tui.tui.screens.help import HelpScreen
from vmtiming_tui.tui.screens.too_small import TooSmallScreen

RUN = smooth_run(8)
LENGTH_S = (RUN[-1].at_ns - RUN[0].at_ns) / SECOND
OF_A_VM = re.compile(r" +[0-9]+ \S [a-z]")


def header(stage):
    return stage.text.splitlines()[0]


async def test_a_replay_says_so_and_goes_on_with_the_clock():
    async with replayed(RUN) as stage:
        assert header(stage).endswith(" REPLAY ")
        await stage.press("escape")
        assert stage.notes == "q leaves the replay."
        await stage.play(3)
        assert " 0:03.0 " in header(stage)
        assert f" 0:03.0 / {clock(int(LENGTH_S * SECOND))} " in stage.text


async def test_it_stands_at_its_end_and_can_be_put_back_and_begun_anew():
    async with replayed(RUN) as stage:
        await stage.play(LENGTH_S + 5)
        assert header(stage).endswith(" REPLAY: FINISHED ")
        assert "at its end; p begins anew" in stage.text
        assert stage.place_s == pytest.approx(LENGTH_S)
        await stage.press("shift+left")
        await stage.shown()
        assert stage.place_s == pytest.approx(LENGTH_S - 5)
        await stage.press("dollar_sign")
        await stage.shown()
        await stage.press("p")
        await stage.shown()
        assert stage.place_s == 0
        await stage.play(1)
        assert stage.place_s == pytest.approx(1)


@pytest.mark.parametrize("way", [(), ("dollar_sign", "shift+left", "shift+left"), ("ctrl+right",)])
async def test_what_is_shown_is_the_run_at_that_moment_whichever_way_it_came_there(way):
    async with replayed(troubled_run(40), number=40) as stage:
        await stage.play(7)
        for key in way:
            await stage.press(key)
            await stage.shown()
        at_s, again = stage.place_s, stage.text.splitlines()
    async with dashboard(troubled_run(40), at_s + 1e-9, number=40) as stage:
        live = stage.text.splitlines()
    assert again[1][:60] == live[1][:60]
    assert [line for line in again if OF_A_VM.match(line)] == [
        line for line in live if OF_A_VM.match(line)
    ]


@pytest.mark.parametrize("speed", [0.1, 4.0, 1000.0])
async def test_figures_are_the_runs_own_at_any_speed(speed):
    async with replayed(RUN, speed=speed) as stage:
        await stage.play(0.5)
        model, known = stage.app.model, Fleet(stage.player.before(stage.player.now_ns))
        assert model.now_ns == stage.player.now_ns <= RUN[-1].at_ns
        assert model.fleet.counts == known.counts
        assert model.elapsed_ns == min(model.now_ns, known.ended_ns or model.now_ns) - RUN[0].at_ns


async def test_paused_everything_stands():
    async with replayed(RUN) as stage:
        await stage.play(4)
        await stage.press("p")
        assert header(stage).endswith(" REPLAY PAUSED ")
        before = stage.text
        await stage.play(10)
        assert stage.text == before
        await stage.press("p")
        await stage.play(1)
        assert stage.place_s == pytest.approx(5)


async def test_a_step_goes_on_to_what_is_seen_next_and_back():
    booted_ns = min(e.at_ns for e in RUN if isinstance(e, ev.VmBooted))
    async with replayed(RUN) as stage:
        await stage.play((booted_ns - RUN[0].at_ns) / SECOND - 0.2)
        while stage.player.now_ns < booted_ns:
            await stage.press("full_stop")
            await stage.shown()
        assert stage.player.now_ns == booted_ns
        assert stage.player.is_paused
        assert stage.app.model.figures.booted == 1
        await stage.press("comma")
        await stage.shown()
        assert stage.app.model.figures.booted == 0


async def test_speeds_double_and_halve_and_come_back():
    async with replayed(RUN) as stage:
        await stage.press("right_curly_bracket", "right_curly_bracket")
        assert header(stage).endswith(" REPLAY 4x ")
        await stage.play(1)
        assert stage.place_s == pytest.approx(4)
        await stage.press("left_curly_bracket")
        assert stage.player.speed == 2
        await stage.press("backspace")
        assert stage.player.speed == 1


async def test_many_wishes_end_at_the_last_one():
    async with replayed(smooth_run(300), number=300) as stage:
        await stage.press(*["ctrl+right"] * 12, *["ctrl+left"] * 2)
        await stage.shown()
        length_s = (stage.player.end_ns - stage.player.begin_ns) / SECOND
        assert stage.place_s == pytest.approx(length_s / 2)


async def test_a_click_on_the_bar_goes_there():
    async with replayed(RUN) as stage:
        line = stage.main.query_one("#player")
        await stage.pilot.click("#player", offset=(line._bar[len(line._bar) // 2], 0))
        await stage.shown()
        assert stage.place_s == pytest.approx(LENGTH_S / 2, rel=0.02)


async def test_marks_filter_and_cursor_stay_when_it_is_put_elsewhere():
    async with replayed(RUN) as stage:
        await stage.play(5)
        await stage.press("right", "space", "ctrl+left")
        await stage.shown()
        assert stage.app.model.view.marked == {1}
        assert stage.main.area.current == 2


async def test_an_export_from_the_middle_says_so_and_one_from_the_end_does_not():
    async with replayed(RUN) as stage:
        await stage.play(5)
        await stage.press("p", "e")
        await stage.sees("the run as it was at this moment")
        await stage.press("escape", "dollar_sign")
        await stage.shown()
        await stage.press("e")
        assert "partial" not in stage.text


async def test_one_vm_is_played_too():
    async with replayed(RUN) as stage:
        await stage.play(2)
        await stage.press("enter")
        stage.on(DetailScreen)
        await stage.press("dollar_sign")
        await stage.shown()
        assert "at its end" in stage.text
        assert "booted" in stage.text.splitlines()[1]


async def test_what_needs_an_engine_is_offered_nowhere():
    lost = [*RUN[:40], ev.EngineFailed(at_ns=RUN[40].at_ns, why="it was lost", hint="again")]
    async with replayed(lost, size=(200, 100)) as stage:
        await stage.press("dollar_sign")
        await stage.shown()
        assert header(stage).endswith(" REPLAY: INTERRUPTED ")
        assert "it was lost" in stage.text
        await stage.press("r", "K", "n", "ctrl+r", "R")
        assert stage.screen is stage.main
        await stage.press("question_mark")
        stage.on(HelpScreen)
        for words in ("Boot every VM again", "Kill", "other settings", "Hold the picture"):
            assert words not in stage.text
        assert "Half as fast" in stage.text


async def test_leaving_asks_for_nothing_in_the_middle_even_where_it_is_small():
    async with replayed(RUN) as stage:
        await stage.play(3)
        await stage.pilot.resize_terminal(40, 10)
        await stage.comes(TooSmallScreen)
        await stage.press("q")
        await stage.until(lambda: not stage.app.is_running, "the end")


async def test_a_live_run_has_no_player():
    async with dashboard(RUN, 4.0) as stage:
        assert "REPLAY" not in stage.text
        await stage.press("question_mark")
        assert "Half as fast" not in stage.text


@pytest.mark.parametrize("events", [RUN[:1], [*RUN, *smooth_run(3)], RUN[:60]])
async def test_streams_of_any_kind_are_played_to_their_end(events):
    async with replayed(events) as stage:
        await stage.press("full_stop", "ctrl+right", "dollar_sign")
        await stage.shown()
        assert "at its end" in stage.text
        await stage.press("ctrl+left", "comma", "0", "p", "p")
        await stage.shown()
        assert stage.app.crash is None
