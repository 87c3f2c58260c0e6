"""The history and the comparison: past runs in a table, and two of them beside each other."""

from dataclasses import replace

import pytest
from rich.cells import cell_len

from support.making import as_told, run_events
from support.past_runs import keep_named, named_run, wait_for
from support.recording import plan_for, smooth_run, troubled_run, until
from support.stage import dashboard
from tui.test_foreign_words import EVIL
from vmtiming_tui.analysis.comparison.samples import Identity, side_of
from vmtiming_tui.analysis.progress import TimeLeft
from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.analysis.thresholds import parse_threshold
from vmtiming_tui.history.runs import History
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Start
from vmtiming_tui.model.decision import Decision, Standing, UntilDecided
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export import write_export
from vmtiming_tui.tui.drawing.braille import outline_rows
from vmtiming_tui.tui.drawing.glyphs import UNICODE, glyphs_for
from vmtiming_tui.tui.drawing.run_columns import spark_values
from vmtiming_tui.tui.drawing.run_glance import RunGlance
from vmtiming_tui.tui.drawing.theme import palette_for
from vmtiming_tui.tui.screens.compare import CompareScreen
from vmtiming_tui.tui.screens.download import DownloadScreen
from vmtiming_tui.tui.screens.export_comparison import ExportComparisonScreen
from vmtiming_tui.tui.screens.history import HistoryScreen
from vmtiming_tui.tui.screens.played import PlayedScreen
from vmtiming_tui.tui.screens.trend import TrendScreen
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.glance import glance_of
from vmtiming_tui.tui.state.keymap import Need, Scope
from vmtiming_tui.tui.state.live_figures import ns_of, reckon
from vmtiming_tui.tui.widgets.stats_line import StatsLine, left_words

DONE, SECOND = 90.0, 1_000_000_000


@pytest.fixture
def history(tmp_path, monkeypatch):
    """A history with two runs; returns the folder of the user's state."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    keep_named(tmp_path, "first", "second")
    return tmp_path


async def test_past_runs_are_listed_newest_first_and_one_is_held_beside_this_run(history):
    async with dashboard(smooth_run(8), DONE) as stage:
        await stage.press("H")
        screen = await stage.comes(HistoryScreen)
        await stage.sees("2 runs")
        assert [run.name for run in screen.runs] == ["second", "first"]

        await stage.press("c")
        await stage.comes(CompareScreen)
        await stage.sees("this run")
        await stage.press("escape")
        await stage.press("escape")
        assert stage.screen is stage.main


async def test_two_past_runs_are_held_beside_each_other_and_turned_around(history):
    async with dashboard(smooth_run(8), DONE) as stage:
        await stage.press("H")
        await stage.sees("2 runs")
        await stage.press("space")
        await stage.sees("beside second")
        await stage.press("j", "c")
        await stage.comes(CompareScreen)
        await stage.sees("━━ second ━━ first")

        await stage.press("s")
        await stage.sees("━━ first ━━ second")


async def test_e_writes_the_comparison_as_the_command_line_does(history, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with dashboard(smooth_run(8), DONE) as stage:
        await stage.press("c")
        await stage.comes(CompareScreen)
        await stage.press("e")
        await stage.comes(ExportComparisonScreen)
        await stage.sees("this-run-against-second.md")
        await stage.sees("Format md")
        await stage.press("enter")
        await stage.sees("Wrote ")

    written = (tmp_path / "this-run-against-second.md").read_text()
    assert written.startswith("## Boot times: this run against second\n")


async def test_in_a_browser_the_comparison_is_downloaded(history, monkeypatch):
    handed = []
    async with dashboard(smooth_run(8), DONE) as stage:
        monkeypatch.setattr(stage.app.model, "there", frozenset())
        monkeypatch.setattr(stage.app, "deliver", lambda text, name: handed.append((name, text)))
        await stage.press("c")
        await stage.comes(CompareScreen)
        await stage.press("e")
        await stage.comes(DownloadScreen)
        await stage.pilot.click("#download")
        await stage.until(lambda: handed, "the download")

    ((name, text),) = handed
    assert name == "this-run-against-second.html"
    assert "this run against second" in text


async def test_c_holds_this_run_beside_the_newest_before_it_with_figures_and_straggler(history):
    async with dashboard(smooth_run(8), DONE) as stage:
        await stage.press("c")
        await stage.comes(CompareScreen)

        await stage.sees("━━ second ━━ this run")
        await stage.sees("boot: cannot tell; a single storm carries no verdict")
        await stage.sees("The straggler of second")
        await stage.press("pagedown")
        await stage.sees("The straggler of this run")


async def test_a_single_storm_is_told_by_what_the_history_knows_of_the_host(history):
    keep_named(history, *(f"run{at}" for at in range(6)))
    async with dashboard(smooth_run(8), DONE) as stage:
        await stage.press("c")
        await stage.comes(CompareScreen)

        await stage.sees("(7 past runs)")
        await stage.press("s")
        await stage.sees("(7 past runs)")


async def test_the_dashboard_and_its_exports_say_which_run_the_baseline_is(tmp_path):
    before = Fleet(smooth_run(8))

    async with dashboard(smooth_run(8), DONE, baseline=side_of(before, name="nightly")) as stage:
        await stage.sees("against r1, nightly, 2025-01-01")

        exported = write_export(
            tmp_path / "out.md", stage.app.model.fleet, baseline=stage.app.model.baseline
        )
    assert "Held against r1, nightly, 2025-01-01" in exported.read_text()


async def test_the_dashboard_names_the_limits_that_do_not_hold_so_far():
    events = smooth_run(8)
    asked = replace(events[0].plan, thresholds=tuple(map(parse_threshold, ["p50=1", "max=900"])))

    async with dashboard([replace(events[0], plan=asked), *events[1:]], DONE) as stage:
        await stage.sees("over p50=1 ")


async def test_the_dashboard_says_what_a_run_was_concluded_with():
    events = smooth_run(8)
    asked = replace(events[0].plan, until_decided=UntilDecided(percent=5.0, looks=(6, 10)))
    decision = Decision(
        parameters={"smp": "2"}, against="smp=1", standing=Standing.SLOWER, storms=6, percent=9.0
    )
    concluded = ev.Concluded(at_ns=events[-1].at_ns, storms=6, decisions=(decision,))

    async with dashboard([replace(events[0], plan=asked), *events[1:], concluded], DONE) as stage:
        await stage.sees("Decided after 6 storms: smp=2 against smp=1: slower by 9.0 %")


async def test_the_history_says_what_each_run_was_held_against(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with History.open() as kept, kept.recorder(None, Identity("r0", "nightly", 1)) as recorder:
        recorder.write(as_told(run_events([[5, 6]], run="held")))
    async with dashboard(smooth_run(8), DONE, size=(200, 40)) as stage:
        await stage.press("H")
        await stage.sees("against")
        await stage.sees("nightly")


async def test_t_shows_how_it_went_over_the_runs_of_the_same_name(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    keep_named(tmp_path, *["nightly"] * 6, "other")
    async with dashboard(smooth_run(8), DONE) as stage:
        await stage.press("H")
        await stage.sees("7 runs")
        await stage.press("j", "t")
        await stage.comes(TrendScreen)
        await stage.sees("No step was found.")
        assert stage.text.count("nightly") == 6

        await stage.press("escape")
        await stage.press("k", "t")
        await stage.sees("1 run with a median: a step can be told from 6 on.")


async def test_a_stored_run_is_looked_at_while_the_live_one_goes_on_beneath(history):
    run = smooth_run(8)
    async with dashboard(until(run, 4.0), 4.0) as stage:
        await stage.press("H")
        await stage.sees("2 runs")
        await stage.press("enter")
        opened = await stage.comes(PlayedScreen)
        await stage.sees(" REPLAY: FINISHED ")
        await stage.press("r", "K", "n")
        assert stage.screen is opened

        await stage.feed(run[len(until(run, 4.0)) :], at=DONE)
        assert stage.app.model.fleet.ran_to_end
        assert "second" in stage.text.splitlines()[0]
        await stage.press("escape", "escape")
        assert stage.screen is stage.main
        await stage.sees(" FINISHED ")
        assert [type(command) for command in stage.source.sent] == [Start]


async def test_leaving_from_a_stored_run_asks_for_the_live_one(history):
    async with dashboard(smooth_run(8), 4.0) as stage:
        await stage.press("H")
        await stage.sees("2 runs")
        await stage.press("r")
        await stage.comes(PlayedScreen)
        await stage.press("q")
        await stage.sees("8 VMs still running")


async def test_a_stored_run_is_held_beside_another_by_its_name(history):
    async with dashboard(smooth_run(8), 4.0) as stage:
        await stage.press("H")
        await stage.sees("2 runs")
        await stage.press("enter")
        await stage.comes(PlayedScreen)
        await stage.press("H", "j")
        await stage.sees("holds it beside second")


async def test_a_run_that_another_process_removed_is_a_sentence(history):
    async with dashboard(smooth_run(8), 4.0) as stage:
        await stage.press("H")
        screen = await stage.comes(HistoryScreen)
        await stage.sees("2 runs")
        with History.open() as kept:
            kept.remove(kept.find("second"))
        await stage.press("enter")
        await stage.until(lambda: "second is not in the history any more" in stage.notes, "words")
        await stage.until(lambda: [run.name for run in screen.runs] == ["first"], "what is left")
        await stage.press("enter")
        await stage.comes(PlayedScreen)


async def test_a_run_under_way_can_be_looked_at_and_is_not_forgotten(history):
    with History.open() as kept, kept.recorder() as recorder:
        recorder.write(as_told(named_run("going", -1)[:60]))
        wait_for(lambda: len(kept.runs()) == 3)
        async with dashboard(smooth_run(8), 4.0) as stage:
            await stage.press("H")
            await stage.sees("3 runs")
            await stage.press("d")
            await stage.until(lambda: "going still goes on" in stage.notes, "the word")
            await stage.press("enter")
            await stage.sees(" REPLAY: SO FAR ")
            await stage.press("escape")
            recorder.write(as_told(named_run("going", -1)[60:]))
            await stage.until(lambda: "running" not in stage.text, "the end", limit_s=20)


async def test_the_preview_says_what_the_run_was_and_only_of_where_the_cursor_rests(history):
    keep_named(history, "third", labels={"branch": "main"}, notes="after the new initrd")
    async with dashboard(smooth_run(8), 4.0) as stage:
        await stage.press("H")
        await stage.sees("3 runs")
        for words in ("VM 5 was the slowest", "after the new initrd", "branch=main", "userspace"):
            await stage.sees(words)
        await stage.press("j", "k", "j")
        await stage.sees("2026-second-1")
        assert "after the new initrd" not in stage.text


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_foreign_words_of_a_run_are_shown_escaped(tmp_path, monkeypatch, size):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    keep_named(tmp_path, EVIL, notes=EVIL, labels={"os": EVIL})
    async with dashboard(smooth_run(8), 4.0, size) as stage:
        await stage.press("H")
        await stage.sees("slowest")
        texts = [stage.text]
        for keys in (("n",), ("escape", "N"), ("escape", "d"), ("escape", "enter"), ("e",)):
            await stage.press(*keys)
            await stage.pilot.pause(0.2)
            texts.append(stage.text)
    for char in "\x1b\x07\x9b\u202e":
        assert char not in "".join(texts)
    assert all("\\x1b[2J" in text for text in texts[:4])


@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_glance_fits_its_width_and_has_a_curve_where_there_is_room(history, ascii_only):
    keep_named(history, EVIL, notes=EVIL * 20, labels={"os": "debian " * 30})
    with History.open() as kept:
        run = kept.find("last")
        told = glance_of(kept.load(run))
    palette = palette_for(dark=True, colour=True)
    glyphs = glyphs_for(ascii_only=ascii_only, colour=True)
    for width in (45, 76, 200):
        glance = RunGlance(run, told, palette, glyphs)
        lines = ["".join(text for text, _ in line).rstrip() for line in glance.lines(width, 40)]
        assert max(map(cell_len, lines)) <= width
        assert any("booted over time" in line for line in lines)
        assert "".join(lines).isascii() or not ascii_only
        assert len(glance.lines(width, 12)) < len(lines)


def test_who_only_looks_on_is_offered_nothing_that_changes_a_run():
    offered = {key.id for key in keymap.useful(Scope.HISTORY, frozenset({Need.PLAYER}))}
    assert {"history.open", "history.replay", "history.export", "history.compare"} <= offered
    assert not {"history.name", "history.note", "history.delete"} & offered


async def test_an_empty_history_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with dashboard(smooth_run(8), DONE) as stage:
        await stage.press("H")
        await stage.sees("No other run has been kept yet.")


async def test_nothing_is_compared_before_anything_has_booted(history):
    async with dashboard(until(smooth_run(8), 0.2), 0.2) as stage:
        await stage.press("c")
        await stage.until(lambda: "Nothing of this run has booted" in stage.notes, "the word")


@pytest.mark.parametrize("stream", [smooth_run(40), troubled_run(40)])
def test_live_figures_are_those_of_the_summary(stream):
    fleet = Fleet(stream)
    live, summary = reckon(fleet, plan_for(40), fleet.last_ns), summarise_fleet(fleet)

    assert live.booted == summary.booted
    for ns, value_s in (
        (live.median_ns, summary.median_s),
        (live.p95_ns, summary.p95_s),
        (live.max_ns, summary.max_s),
    ):
        assert ns == (None if value_s is None else ns_of(value_s))


def test_a_spark_rises_to_all_that_booted(history):
    with History.open(history / "vmtiming-tui" / "history.db") as kept:
        values = spark_values(kept.find("first"))

    assert values == sorted(values)
    assert values[-1] == 100


def test_an_outline_joins_its_steps():
    assert outline_rows([0, 0, 2, 4], 2, braille=False) == ["   *", "  **"]
    assert outline_rows([4, 8], 2, braille=True) == ["⢸", "⡏"]


@pytest.mark.parametrize(("ascii_only", "sign"), [(False, "≤"), (True, "<=")])
async def test_what_is_left_is_a_bound_and_an_estimate_once_half_the_storm_has_booted(
    ascii_only, sign
):
    async with dashboard(smooth_run(8), 3.0, ascii_only=ascii_only) as stage:
        await stage.sees(f"left {sign} 65 s")
    async with dashboard(smooth_run(8), 7.5, ascii_only=ascii_only) as stage:
        await stage.sees(f"left ~1 s, {sign} 60 s")


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (TimeLeft(), "-"),
        (TimeLeft(about_ns=12 * SECOND), "~12 s"),
        (TimeLeft(at_most_ns=290 * SECOND), "≤ 5 min"),
        (TimeLeft(12 * SECOND, 290 * SECOND), "~12 s, ≤ 5 min"),
        (TimeLeft(12 * SECOND, 12 * SECOND), "≤ 12 s"),
        (TimeLeft(0, 0), "≤ 1 s"),
    ],
)
def test_the_words_for_what_is_left(left, words):
    assert left_words(left, UNICODE) == words


async def test_where_there_is_little_room_the_bound_stands_alone():
    async with dashboard(smooth_run(8), 7.5) as stage:
        line = stage.app.screen.query_one(StatsLine)
        roomy, narrow = ("".join(text for text, _ in line.lines(width)[0]) for width in (80, 68))

    assert "left ~1 s, ≤ 60 s " in roomy
    assert "left ≤ 60 s " in narrow
