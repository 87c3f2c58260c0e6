"""Many runs of one kind: what is kept of each, where they stepped, and what changed there."""

import sqlite3
from dataclasses import replace

import pytest
from click.testing import CliRunner

from support.exported import HOSTILE, Elements
from support.facts import SECOND, host, plan
from support.making import TIMED_OUT, run_events
from support.past_runs import keep
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.analysis.trend import TrendPoint, TrendRun, points_of, trends_of
from vmtiming_tui.cli.main import Given, cli
from vmtiming_tui.errors import HistoryError
from vmtiming_tui.history.runs import History
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export.html.trend import render_trends
from vmtiming_tui.report.trend import ASCII, trend_lines

NEWEST_NS = 1_764_000_000 * SECOND
IMAGE = ev.BootFile(
    role="image", path="/images/rootfs.img", size_bytes=2 << 20, modified_ns=NEWEST_NS
)
OLD, NEW = "7.2.15", "10.0.3"


def night(age, boot_s, *, name="nightly", number=2, qemu=OLD, storms=3, **facts):
    """A run of some nights ago: storms of so many VMs that boot alike."""
    planned = replace(plan(number, storms), name=name, labels={"branch": "main"})
    started = {"plan": planned, "wall_ns": NEWEST_NS - age * 86_400 * SECOND, "qemu_version": qemu}
    rows = [[boot_s * (1 + place / 100)] * number for place in range(storms)]
    return run_events(rows, run=f"r{age}", started=started | facts)


def nights(count=12, step_at=7):
    """Runs, the oldest first, that became a fifth slower with another QEMU."""
    return [
        night(count - place, 5 * (1 + place % 3 / 200) * (1.2 if place >= step_at else 1),
              qemu=NEW if place >= step_at else OLD)
        for place in range(count)
    ]  # fmt: skip


def kept(history, runs):
    for events in runs:
        keep(history, events)
    return trends_of(history.trend_of(history.runs()))


def test_the_median_of_a_run_is_over_its_storms_and_has_their_interval(history):
    (trend,) = kept(history, [night(2, 5.0), night(1, 5.0, storms=7)])
    few, many = (run.point for run in trend.runs)

    assert (few.storms, few.booted, few.boots) == (3, 6, 6)
    assert (few.median_s, few.low_s, few.high_s) == pytest.approx((5.05, 5.0, 5.1))
    assert (many.median_s, many.low_s, many.high_s) == pytest.approx((5.15, 5.0, 5.3))


def test_a_single_storm_has_the_median_of_its_vms_and_lost_ones_hide_it():
    def point(rows):
        fleet = Fleet(run_events(rows, started={"plan": plan(8)}))
        return points_of(fleet, side_of(fleet))[0]

    single = point([[5.0 + vm for vm in range(8)]])
    assert (single.median_s, single.low_s, single.high_s) == pytest.approx((8.5, 5.0, 12.0))
    assert point([[5, 6]]).low_s is None
    lost = point([[5, TIMED_OUT, TIMED_OUT]])
    assert (lost.median_s, lost.booted, lost.boots) == (None, 1, 3)


def test_a_step_is_told_with_what_changed_there(history):
    (trend,) = kept(history, nights())
    (step,) = trend.steps

    assert trend.runs[step.at].run == "r5"
    assert step.percent == pytest.approx(20, abs=1)
    assert [(each.name, each.before, each.after) for each in step.changes] == [("QEMU", OLD, NEW)]
    assert [(first, last) for first, last, _ in trend.levels()] == [(0, 7), (7, 12)]
    text = "\n".join(trend_lines(trend))
    assert "Step at nightly, " in text
    assert "5.075s to 6.09s; changed there: QEMU 7.2.15 to 10.0.3." in text
    assert "optimal partitioning" in text


def test_guest_kernel_host_and_tool_are_facts(history):
    told = {"kernel_release": "6.1.0-1-amd64"}
    events = [
        replace(event, properties=told) if isinstance(event, ev.VmDetails) else event
        for event in night(1, 5.0, host=host(hostname="bench9"))
    ]
    # Each of two hosts has the same image in a place of its own.
    seen = ev.FilesSeen(at_ns=1, files=(IMAGE, replace(IMAGE, path="/cache/rootfs.img")))
    (trend,) = kept(history, [[events[0], seen, *events[1:]]])
    facts = trend.runs[0].point.facts

    assert facts["guest kernel"] == "6.1.0-1-amd64"
    assert (facts["host"], facts["accelerator"]) == ("bench9", "kvm")
    assert facts["image file"] == "2,097,152 bytes of 2025-11-24 16:00:00 UTC"
    assert facts["vm-timing-report"] == "0.1.0"


def test_runs_that_asked_for_something_else_are_left_out_and_counted(history):
    runs = [night(4, 5.0), night(3, 5.0, number=4), night(2, 5.0, number=4), night(1, 5.0)]
    (trend,) = kept(history, runs)

    assert [run.run for run in trend.runs] == ["r4", "r1"]
    assert trend_lines(trend)[-1] == "2 runs with number=4 are left out."


def test_another_path_of_the_kernel_is_the_same_kind_of_run(history):
    moved = replace(plan(2, 3, kernel="/builds/2/vmlinuz"), name="nightly")
    (trend,) = kept(history, [night(2, 5.0), night(1, 5.0, plan=moved)])

    assert len(trend.runs) == 2


def test_each_setting_of_the_newest_sweep_has_a_trend_of_its_own(history):
    def sweep(age):
        planned = plan(2)
        fast, slow = (
            replace(planned.variants[0], parameters={"smp": smp},
                    config=replace(planned.config, smp=int(smp)))
            for smp in "12"
        )  # fmt: skip
        started = {"plan": replace(planned, variants=(fast, slow)), "wall_ns": NEWEST_NS - age}
        both = [{"smp": "1"}, {"smp": "2"}]
        return run_events([[5, 5], [4, 4]], parameters=both, run=f"s{age}", started=started)

    trends = kept(history, [sweep(2), sweep(1)])

    assert [trend.parameters for trend in trends] == [{"smp": "1"}, {"smp": "2"}]
    assert [[run.point.median_s for run in trend.runs] for trend in trends] == [[5, 5], [4, 4]]
    assert trends[0].left_out == {}
    assert trend_lines(trends[1])[0] == "smp=2:"


def test_what_is_kept_is_read_without_any_event_and_what_is_not_is_reckoned_once(
    tmp_path, monkeypatch
):
    with History.open(tmp_path / "history.db") as history:
        (trend,) = kept(history, nights(3))
        with sqlite3.connect(history.path) as connection:
            connection.execute("UPDATE runs SET points = '' WHERE run = 'r2'")
            connection.execute("UPDATE runs SET points = '[{\"kind\": 3}]' WHERE run = 'r1'")
        connection.close()
        assert trends_of(history.trend_of(history.runs())) == [trend]

        def unread(self, run):
            raise AssertionError(run)

        monkeypatch.setattr(History, "events", unread)
        assert trends_of(history.trend_of(history.runs())) == [trend]


def test_a_thousand_runs_are_one_trend_of_the_newest():
    def run(age):
        point = TrendPoint(kind="{}", storms=1, booted=1, boots=1, median_s=5.0 + age % 7 / 100)
        return TrendRun(run=f"r{age}", name="", wall_ns=-age, point=point)

    (trend,) = trends_of(run(age) for age in range(1000))

    assert (len(trend.runs), trend.runs[-1].run, trend.steps) == (500, "r0", ())


def test_each_interval_is_drawn_to_one_scale(history):
    (trend,) = kept(history, [night(2, 5.0), night(1, 6.0)])
    _, first, second, *_ = trend_lines(trend, ASCII)

    assert first.endswith("        |o|")
    assert second.endswith("        |o|")
    assert len(second) - len(first) == 21


def test_too_few_runs_say_how_many_a_step_takes(history):
    (trend,) = kept(history, nights(4))

    assert "4 runs with a median: a step can be told from 6 on." in trend_lines(trend)
    assert "No step was found." in trend_lines(kept(history, nights(8, 99))[0])


def test_a_run_that_never_booted_is_in_the_list_and_no_step(history):
    runs = nights(8, 99)
    lost = night(3, 5.0)
    runs[5] = run_events(
        [[TIMED_OUT, TIMED_OUT]] * 3, run="r3", started={
            "plan": lost[0].plan, "wall_ns": lost[0].wall_ns
        }
    )  # fmt: skip
    (trend,) = kept(history, runs)

    assert (len(trend.runs), trend.known, trend.steps) == (8, 7, ())
    assert render_trends([trend])


# HTML.


def test_the_page_has_each_run_with_its_interval_the_levels_and_the_step(history):
    page = Elements()
    page.feed(render_trends(kept(history, nights()), "nightly"))
    drawn = [attributes.get("class") for _, attributes in page.found]

    counts = {name: drawn.count(name) for name in ("point", "whisker", "level", "step")}
    assert counts == {"point": 12, "whisker": 12, "level": 2, "step": 1}
    assert "Boot times of nightly" in page.text
    assert "changed there: QEMU 7.2.15 to 10.0.3" in page.text


def test_hostile_words_are_words_on_the_page_and_in_the_terminal(history):
    runs = [night(age, 5.0 + age, name=HOSTILE, qemu=HOSTILE + str(age)) for age in range(1, 9)]
    (trend,) = kept(history, runs)
    page = Elements()
    page.feed(render_trends([trend], HOSTILE))

    assert {name for name, _ in page.found} <= {
        "html", "head", "meta", "title", "style", "body", "main", "header", "h1", "h2", "p", "svg",
        "g", "line", "text", "circle", "section", "ul", "li", "div", "table", "thead", "tbody",
        "tr", "th", "td", "button", "script",
    }  # fmt: skip
    assert "\x1b" not in page.text
    assert all(line.isprintable() for line in trend_lines(trend))


# The command.


@pytest.fixture
def history_command(history, monkeypatch):
    """Run ``history`` with these words on the history of a test."""
    monkeypatch.setattr("vmtiming_tui.history.runs.default_path", lambda: history.path)

    def run(*words):
        return CliRunner().invoke(cli, ["history", *words], obj=Given())

    return run


def test_the_trend_is_of_runs_of_a_name_or_a_label(history, history_command, tmp_path):
    kept(history, [*nights(7, 99), night(0, 9.0, name="other")])

    path = tmp_path / "trend.html"
    told = history_command("--trend", "--name", "night*", "-o", str(path))
    assert told.exit_code == 0
    assert told.output.count("nightly") == 7
    assert "No step was found." in told.output
    assert path.read_text().startswith("<!doctype html>")
    assert history_command("--trend", "label:branch=main").output.count("nightly") == 7
    assert history_command("--name", "other").output.count("\n") == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-o", "x.html"), "add --trend"),
        (("--trend", "-o", "x.pdf"), "x.pdf is to end in .html"),
        (("--name", "nobody"), "no run in the history has a name like 'nobody'"),
    ],
)
def test_what_cannot_be_shown_is_refused(history, history_command, words, told):
    kept(history, nights(1))
    failed = history_command(*words).exception

    assert told in str(failed)
    assert not isinstance(failed, HistoryError) or failed.hint


def test_an_empty_history_has_no_trend(history_command):
    assert "No run with a boot that counts" in history_command("--trend").output
