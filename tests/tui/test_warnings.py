"""The screen of warnings: all there is to heed, each sentence once, with when and who."""

from support.making import run_failing_for
from support.recording import ZERO_NS, smooth_run, troubled_run
from support.stage import dashboard
from vmtiming_tui.analysis.cautions import cautions
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.tui.screens.warnings import WarningsScreen
from vmtiming_tui.tui.state.sayings import Topic, sayings_of

DONE, SECOND = 90.0, 1_000_000_000


def notice(at_s, text, level=ev.Level.WARNING):
    return ev.Notice(at_ns=ZERO_NS + round(at_s * SECOND), level=level, text=text)


def test_a_sentence_stands_once_for_all_vms_it_holds_for():
    told = run_failing_for("no word for 17 s", "no word for 18 s", "no word for 18 s", "panicked")
    _, lost, *_ = sayings_of(Fleet(told), None)

    assert (lost.topic, lost.vms, lost.count, lost.varies) == (Topic.LOST, (0, 1, 2), 3, True)
    assert (lost.newest_vm, lost.text) == (2, "failed: no word for 18 s")
    assert lost.first_ns < lost.last_ns


def test_what_came_last_stands_first_in_its_group():
    fleet = Fleet([*smooth_run(2), notice(1, "one"), notice(2, "two"), notice(3, "one")])
    said = [each for each in sayings_of(fleet, None) if each.topic is Topic.RUN]

    assert [(each.text, each.count) for each in said] == [("one", 2), ("two", 1)]


def test_every_caution_of_the_plain_report_is_there_in_its_order():
    fleet = Fleet(troubled_run(40))
    said = [each.text for each in sayings_of(fleet, None) if each.topic is Topic.FIGURES]

    assert said == [str(caution) for caution in cautions(fleet)]


async def test_the_last_line_says_how_many_there_are_and_which_key_shows_them():
    async with dashboard(troubled_run(40), DONE, number=40) as stage:
        await stage.sees("more: W")
        assert " W warnings" in stage.text.splitlines()[-1]
        await stage.press("W")
        stage.on(WarningsScreen)
        await stage.sees("Before the figures are believed")
        await stage.sees("check root= in --append")


async def test_while_all_is_well_no_key_is_offered_for_it():
    async with dashboard(smooth_run(8), 0.05) as stage:
        assert "W warnings" not in stage.text
        await stage.press("W")
        await stage.sees("Nothing so far.")


async def test_it_grows_while_it_is_open():
    async with dashboard(smooth_run(8), 2.0) as stage:
        await stage.press("W")
        await stage.sees("Warnings and notices")
        await stage.feed([notice(2.5, "the host is short of memory")], at=2.6)
        await stage.sees("the host is short of memory")
        await stage.sees("0:02.5")


async def test_long_sentences_break_between_words():
    words = " ".join(["considerable"] * 30)
    async with dashboard([*smooth_run(8), notice(3, words)], DONE, (80, 24)) as stage:
        await stage.press("W")
        await stage.sees("considerable considerable")
        assert stage.text.count("considerable") == 30
