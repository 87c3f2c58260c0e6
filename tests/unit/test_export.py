"""Exports: written whole or not at all, safe to open, and marked where a run was not done."""

import contextlib
import csv
import errno
import html
import io
import os
import re
import resource
import stat
from pathlib import Path

import pytest
from hypothesis import assume, given, settings, strategies as st
from markdown_it import MarkdownIt

from support.exported import Elements, hostile_fleet
from support.making import PENDING, TIMED_OUT, Guest, fleet_of, run_events
from vmtiming_tui.errors import ExportError
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export import FORMATS, ending_of, render, write_export
from vmtiming_tui.report.export.as_csv import safe_cell
from vmtiming_tui.report.export.markdown_parts import escaped

ALL = list(FORMATS)


@pytest.fixture
def fleet():
    return fleet_of([[5, 6, 7, TIMED_OUT]])


@pytest.mark.parametrize("suffix", ALL)
def test_a_file_of_each_format_is_written_where_it_was_asked_for(tmp_path, fleet, suffix):
    path = tmp_path / f"run{suffix.upper()}"
    assert write_export(path, fleet) == path
    assert path.read_bytes().decode() == render(suffix, fleet)
    assert list(tmp_path.iterdir()) == [path]


def test_an_unknown_ending_is_refused_with_those_that_are_known(tmp_path, fleet):
    with pytest.raises(ExportError, match="no format to export to") as caught:
        write_export(tmp_path / "run.pdf", fleet)
    assert ".json .csv .md .txt .html .junit.xml .prom" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("run.json", ".json"), ("Run.JUnit.XML", ".junit.xml"), ("a.b.prom", ".prom"),
        ("run.xml", ""), (".json", ""), (".junit.xml", ""), ("junit.xml", ""), ("json", ""),
    ],
)  # fmt: skip
def test_a_file_s_ending_tells_its_format_where_a_name_is_before_it(name, ending):
    assert ending_of(Path("a.json") / name) == ending


@pytest.mark.parametrize("suffix", ALL)
def test_every_format_says_of_a_run_not_over_that_it_is_partial(suffix):
    unfinished = render(suffix, fleet_of([[5, PENDING]], outcome=None))
    whole = render(suffix, fleet_of([[5, 6]]))
    mark = re.compile(
        r"partial\"?: true|Partial: the run|^run-1,true,|^vmtiming_run_whole 0", re.MULTILINE
    )
    assert mark.search(unfinished)
    assert not mark.search(whole)


@pytest.mark.parametrize("suffix", [".md", ".txt", ".html"])
def test_texts_for_people_say_that_a_run_was_interrupted(suffix):
    assert "Interrupted: " in render(suffix, fleet_of([[5]], outcome=ev.Outcome.INTERRUPTED))


@pytest.mark.parametrize("suffix", ALL)
@pytest.mark.parametrize("events", [[], run_events([]), run_events([[TIMED_OUT, TIMED_OUT]])])
def test_a_run_without_a_boot_is_exported_too(suffix, events):
    assert render(suffix, Fleet(events))


@pytest.mark.parametrize("suffix", ALL)
def test_nothing_outside_the_scope_is_exported(suffix):
    stream = run_events([[5, 6]])
    marked = [
        ev.VmBooted(**{name: getattr(event, name) for name in ev.VmBooted.__slots__} | {
            "text": f"I am VM number {event.vm}"
        })
        if isinstance(event, ev.VmBooted) else event
        for event in stream
        if not isinstance(event, ev.VmDetails)
    ]  # fmt: skip
    text = render(suffix, Fleet(marked), scope={1})
    assert "I am VM number 0" not in text
    one = {".junit.xml": 'name="VM 1"', ".prom": 'vmtiming_boots{state="booted"} 1'}
    assert one.get(suffix, "I am VM number 1") in text


# Writing.


def test_an_existing_file_is_replaced_and_keeps_its_permissions(tmp_path, fleet):
    path = tmp_path / "run.json"
    path.write_text("old")
    path.chmod(0o640)
    write_export(path, fleet)
    assert path.read_text() == render(".json", fleet)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_new_file_has_the_permissions_any_program_would_give_it(tmp_path, fleet):
    before = os.umask(0o027)
    try:
        write_export(tmp_path / "run.json", fleet)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o640


def test_an_existing_file_is_left_where_it_may_not_be_replaced(tmp_path, fleet):
    path = tmp_path / "run.json"
    path.write_text("old")
    with pytest.raises(ExportError, match="is there already"):
        write_export(path, fleet, overwrite=False)
    assert path.read_text() == "old"
    write_export(tmp_path / "new.json", fleet, overwrite=False)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["new.json", "run.json"]


@contextlib.contextmanager
def largest_file(size):
    """A real limit of the kernel's: a write that goes beyond it fails half-way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_fails_half_way_leaves_the_old_file_and_no_rest(tmp_path, fleet):
    path = tmp_path / "run.html"
    path.write_text("old")
    with largest_file(4096), pytest.raises(ExportError, match="was not written: File too large"):
        write_export(path, fleet)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("owner", "name"), [(os, "fsync"), (Path, "replace")])
def test_a_disk_that_fills_up_is_said_with_what_to_do(tmp_path, fleet, monkeypatch, owner, name):
    path = tmp_path / "run.html"
    path.write_text("old")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(owner, name, full)
    with pytest.raises(ExportError, match="No space left on device") as caught:
        write_export(path, fleet)
    assert "free some space" in caught.value.hint
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_symbolic_link_in_the_way_is_neither_followed_nor_replaced(tmp_path, fleet):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    link = tmp_path / "run.json"
    link.symlink_to(precious)
    with pytest.raises(ExportError, match="symbolic link"):
        write_export(link, fleet)
    assert precious.read_text() == "mine"
    assert link.is_symlink()


def test_what_is_no_file_is_left_alone(tmp_path, fleet):
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(ExportError, match="no regular file"):
        write_export(tmp_path / "run.json", fleet)


def test_a_missing_folder_is_said_so(tmp_path, fleet):
    with pytest.raises(ExportError, match="No such file") as caught:
        write_export(tmp_path / "none" / "run.json", fleet)
    assert caught.value.hint == "make the folder first"


# Foreign text.


@pytest.mark.parametrize("suffix", ALL)
def test_no_control_character_or_direction_mark_gets_out(suffix):
    text = render(suffix, hostile_fleet())
    assert not set(text) & set("\x1b\u202e\u2028\x00\x07")


@pytest.mark.parametrize("suffix", [".html", ".md"])
def test_a_doubt_is_said_once_and_marked_beside_its_vm(suffix):
    text = render(suffix, fleet_of([[5, 6]], guest=Guest(firmware_s=-3)))
    assert text.count("are doubtful and left out of the figures") == 1
    assert text.count("the clocks disagree") == 1
    assert text.count("doubtful: impossible clock") == 2


def test_html_shows_foreign_text_and_makes_nothing_of_it():
    page = Elements()
    page.feed(render(".html", hostile_fleet()))
    names = [name for name, _ in page.found]
    assert names.count("script") == 1
    assert not {"img", "iframe", "link", "object", "embed", "a"} & set(names)
    attributes = {key for _, each in page.found for key in each}
    assert not {
        key for key in attributes if key.startswith("on") or key in ("src", "href", "style")
    }
    assert "<img src=x onerror=alert(2)>" in page.text


def test_html_allows_its_own_style_and_script_and_nothing_else():
    page = Elements()
    page.feed(render(".html", fleet_of([[5]])))
    policies = [
        attributes["content"]
        for _, attributes in page.found
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    assert "default-src 'none'" in policies[0]
    assert "unsafe" not in policies[0]


@given(st.text(max_size=40))
@settings(max_examples=300, deadline=None)
def test_markdown_shows_any_text_as_it_is(text):
    # This renderer makes a link of a bare host's name; GitHub's kind (GFM 6.9) does not.
    assume(not re.search(r"\w\.[^\W\d]", text) or "www." in text.lower())
    cell = escaped(text)
    markdown = MarkdownIt("gfm-like")
    shown = Elements()
    shown.feed(markdown.render(f"| a | b |\n| --- | --- |\n| {cell} | end |"))
    assert [name for name, _ in shown.found] == [
        "table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td",
    ]  # fmt: skip
    item = Elements()
    item.feed(markdown.render(f"- {cell}"))
    assert [name for name, _ in item.found] == ["ul", "li"]


def test_markdown_makes_no_link_and_no_markup_of_foreign_text():
    shown = Elements()
    shown.feed(MarkdownIt("gfm-like").render(render(".md", hostile_fleet())))
    assert not {"a", "img", "script", "em", "strong", "s", "code"} & {
        name for name, _ in shown.found
    }


@pytest.mark.parametrize("lead", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "＝"])
def test_no_csv_cell_starts_a_formula(lead):
    assert safe_cell(f"{lead}cmd|' /C calc'!A0").startswith("'")


def test_csv_has_a_row_an_attempt_with_numbers_as_numbers():
    text = render(
        ".csv", fleet_of([[5, 6], [7, TIMED_OUT]], parameters=[{"smp": "1"}, {"smp": "2"}])
    )
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["vm"], row["attempt"], row["boot_s"]) for row in rows] == [
        ("0", "1", "5.0"), ("0", "2", "7.0"), ("1", "1", "6.0"), ("1", "2", ""),
    ]  # fmt: skip
    assert [row["parameter_smp"] for row in rows] == ["1", "2", "1", "2"]
    assert rows[3]["state"] == "timed out"
    assert float(rows[0]["reported_at_s"]) - float(rows[0]["started_at_s"]) == pytest.approx(5)


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_csv_stays_a_table_whatever_guests_write(texts):
    stream = [event for text in texts[:1] for event in run_events([[5] * len(texts)], text=text)]
    rows = list(csv.reader(io.StringIO(render(".csv", Fleet(stream)), newline="")))
    assert len(rows) == len(texts) + 1
    assert len({len(row) for row in rows}) == 1


@pytest.mark.parametrize("suffix", [".md", ".txt", ".html", ".json"])
def test_what_made_the_slowest_vm_slow_is_told_in_every_text(suffix):
    fleet = fleet_of([[5.0, 5.1, 9.0], [5.0, 5.1, 5.2]])
    words = "VM 2 fell furthest behind, in storm 1: +3.9 s to its median: userspace"

    assert words in html.unescape(render(suffix, fleet))
    assert words not in html.unescape(render(suffix, fleet, {2}))


def test_text_is_the_plain_report():
    text = render(".txt", fleet_of([[5, 6]]))
    assert "Average boot: 5.5s" in text.splitlines()
    assert "It took 6.1s to boot all VMs" in text.splitlines()
