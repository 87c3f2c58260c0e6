"""A comparison written by itself: one document, the same figures in Markdown, JSON and HTML."""

import html
import json

import pytest
from markdown_it import MarkdownIt

from support.compared import document
from support.exported import HOSTILE, Elements, hostile_fleet
from support.made_units import fleet_with_units, some_units
from support.making import FAILED, fleet_of
from support.schema import compared_body
from vmtiming_tui.errors import ExportError
from vmtiming_tui.report.export.comparison import as_markdown
from vmtiming_tui.report.export.comparison.as_markdown import render_markdown
from vmtiming_tui.report.export.comparison_formats import FORMATS, write_comparison

UNITS = some_units(30)
LATE = {unit.name: 300.0 for unit in UNITS if unit.name.endswith(".service")}
SETTINGS = [{"smp": "1"}, {"smp": "2"}] * 8


def storms(base, count=8):
    return [[base + at / 90, base + 0.1 + at / 70] for at in range(count)]


@pytest.fixture(scope="module")
def moved():
    before = fleet_with_units(UNITS, 8, 3)
    after = fleet_with_units(UNITS, 8, 3, seed=2, added_ms=LATE)
    return document(5.0, before=before, after=after)


@pytest.fixture(scope="module")
def sweeps():
    fleets = {
        name: fleet_of(
            [each for at in range(8) for each in ([5 + at / 90] * 2, [high + at / 90] * 2)],
            parameters=SETTINGS,
        )
        for name, high in (("main", 4.0), ("mine", 6.0))
    }
    return document(**fleets)


@pytest.mark.parametrize("ending", FORMATS)
def test_the_verdict_and_every_figure_of_it_are_the_same_in_each_format(ending, moved):
    boot = moved.comparisons[0].groups[0].boot
    text = html.unescape(FORMATS[ending](moved))

    assert boot.words.partition(" (")[0] in text
    assert f"{boot.percent:.1f} %" in text
    assert "too slow" in text
    unit = moved.comparisons[0].groups[0].parts["units"].moved[0]
    assert unit.name in text


@pytest.mark.parametrize("ending", FORMATS)
def test_is_written_whole_under_any_name_and_leaves_what_it_may_not_replace(
    tmp_path, moved, ending
):
    path = tmp_path / f"pr{ending.upper()}"
    assert write_comparison(path, moved).read_text() == FORMATS[ending](moved)

    with pytest.raises(ExportError, match="is there already"):
        write_comparison(path, moved, overwrite=False)


def test_an_ending_that_is_none_is_refused_with_those_that_are(tmp_path, moved):
    with pytest.raises(ExportError, match="no format of a comparison") as caught:
        write_comparison(tmp_path / "pr.csv", moved)
    assert ".md .json .html" in caught.value.hint


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("row", [[5.0], [5.0, 5.0], [FAILED], [0.0]])
def test_whatever_two_runs_came_to_can_be_written(ending, row):
    held = document(a=fleet_of([row]), b=fleet_of([row]))

    assert "cannot tell" in FORMATS[ending](held) or "no setting" in FORMATS[ending](held)


# JSON.


def test_json_keeps_to_its_schema_whatever_is_compared(moved, sweeps):
    few = fleet_of([[5.0, FAILED], [6.0, 6.1]])
    none = fleet_of([[FAILED, FAILED]])
    for each in (moved, sweeps, document(a=few, b=none), document(a=few, b=few, c=hostile_fleet())):
        body = compared_body(FORMATS[".json"](each))
        assert [run["label"] for run in body["runs"]] == [side.label for side in each.sides]


def test_json_tells_what_was_measured_of_each_storm_and_what_the_limit_made_of_it(moved):
    body = json.loads(FORMATS[".json"](moved))

    measured = [len(storm["boots_s"]) for storm in body["runs"][1]["settings"][0]["storms"]]
    assert measured == [3] * 8
    (pair,) = body["comparisons"]
    assert (pair["first"], pair["second"], pair["gate"]) == ("before", "after", "too slow")
    assert pair["comparison"]["verdict"] == "slower"


# Markdown.


def test_a_comment_begins_with_the_verdict_and_folds_the_circumstances(moved):
    lines = [line for line in render_markdown(moved).splitlines() if line]

    assert lines[0] == "## Boot times: after against before"
    assert lines[1].startswith("🔴 **slower by ")
    assert lines[2] == "Limit: at most 5 % slower: **too slow**"
    assert lines[3].startswith("| stage | before | after | change |")
    assert "<details><summary>The runs and their circumstances</summary>" in lines
    assert lines.count("</details>") == sum(line.startswith("<details>") for line in lines)


def test_the_units_that_moved_are_a_few_rows_and_all_are_folded(moved):
    shown, _, folded = render_markdown(moved).partition("<details>")

    assert shown.count(".service |") == 5
    assert folded.count(".service |") == len(moved.comparisons[0].groups[0].parts["units"].moved)


def test_of_several_settings_there_is_a_row_each_and_the_stages_are_folded(sweeps):
    text = render_markdown(sweeps)
    shown, _, _ = text.partition("<details>")

    assert "🔴 **2 settings: " in shown
    assert "| smp\\=1 |" in shown or "| smp=1 |" in shown
    assert "userspace" not in shown
    assert "userspace" in text


def test_several_runs_stand_one_after_the_other():
    base = fleet_of(storms(5.0))
    text = render_markdown(
        document(main=base, slow=fleet_of(storms(8.0)), fast=fleet_of(storms(3.0)))
    )

    assert text.startswith("## Boot times: slow and fast against main\n")
    assert text.index("### slow against main") < text.index("🔴")
    assert text.index("### fast against main") < text.index("🟢")


@pytest.mark.parametrize("most", [1000, 3000])
def test_a_comment_is_never_longer_than_github_takes(monkeypatch, most):
    monkeypatch.setattr(as_markdown, "MOST_CHARACTERS", most)
    varied = [{"smp": str(at)} for at in range(20)]
    wide = fleet_of([[5.0, 6.0] for _ in varied], parameters=varied)
    text = render_markdown(document(one=wide, two=wide))

    assert len(text) <= most
    assert text.startswith("## Boot times: two against one\n")
    assert text.endswith("\n\nDetails are left out: they were too long.\n")
    assert ("| smp=19 |" in text) is (most == 3000)


def test_foreign_words_are_words_in_a_comment():
    fleet = hostile_fleet()
    text = render_markdown(document(**{HOSTILE: fleet, "b": fleet}))
    names = {token.type for token in MarkdownIt("gfm-like").parse(text)}

    assert "<script" not in text
    assert "html_block" in names  # the folds, our own
    assert "link_open" not in names


# HTML.


def test_the_page_shows_both_spreads_both_curves_and_stages_side_by_side(moved):
    read = Elements()
    read.feed(FORMATS[".html"](moved))
    drawn = [each["aria-label"] for name, each in read.found if name == "svg" and "role" in each]

    assert [words.partition(".")[0].partition(" of")[0] for words in drawn] == [
        "Distribution",
        "VMs that took no longer than that",
        "Median stages",
    ]
    assert all(name in drawn[0] and name in drawn[2] for name in ("before: ", "after: "))
    assert "units that moved" in read.text


def test_the_page_shows_foreign_words_and_obeys_none():
    fleet = hostile_fleet()
    read = Elements()
    read.feed(FORMATS[".html"](document(**{HOSTILE: fleet, "b": fleet})))

    assert [name for name, _ in read.found].count("script") == 1
    assert not [name for name, _ in read.found if name in ("img", "a")]
    assert "<script>alert(1)</script>" in read.text


def test_settings_that_were_not_both_booted_are_told_so():
    one = fleet_of([[5.0, 6.0]], parameters=[{"smp": "1"}])
    other = fleet_of([[5.0, 6.0], [5.0, 6.0]], parameters=[{"smp": "2"}, {"smp": "3"}])
    held = document(a=one, b=other)

    assert "no setting in common" in FORMATS[".md"](held)
    assert "no setting in common" in FORMATS[".html"](held)
