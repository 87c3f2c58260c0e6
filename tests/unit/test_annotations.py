"""What a step of GitHub Actions is told, read as GitHub's runner reads it."""

import re

import pytest

from support.exported import HOSTILE, hostile_fleet
from support.making import TIMED_OUT, fleet_of
from vmtiming_tui.report.export.annotations import SHOWN, annotation_lines, step_summary
from vmtiming_tui.report.export.document import document_of


def read(line):
    """Return a command's name, properties and text, as the runner takes them from a line.

    ActionCommand.cs of actions/runner: `::name key=value,key=value::data`, escapes undone.
    """
    name, _, rest = line.removeprefix("::").partition(" ")
    properties, _, data = rest.partition("::")
    pairs = dict(pair.split("=", 1) for pair in properties.split(","))
    return name, {key: plain(value) for key, value in pairs.items()}, plain(data)


def plain(text):
    for sign, escape in (("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C"), ("%", "%25")):
        text = text.replace(escape, sign)
    return text


def test_reasons_are_errors_and_doubts_are_warnings():
    lines = annotation_lines("nightly", ["1 of 2 boots failed"], ["the host was busy"])

    assert lines == [
        "::error title=nightly::1 of 2 boots failed",
        "::warning title=nightly::the host was busy",
    ]


def test_nothing_in_a_title_or_a_sentence_ends_it_or_begins_another():
    title, text = "50 %: a, b::c", "100 % of\nthem::set-output name=x::y"
    (line,) = annotation_lines(title, [text], [])

    assert "\n" not in line
    assert read(line) == ("error", {"title": title}, text)


def test_hostile_words_come_out_escaped_on_one_line():
    (line,) = annotation_lines(HOSTILE, [HOSTILE], [])
    _, properties, data = read(line)

    assert data == properties["title"]
    assert "\\x1b[31m\\u202eevil" in data
    assert line.isprintable()


def test_of_more_than_github_shows_the_last_says_how_many_there_are():
    sentences = [f"fault {n}" for n in range(SHOWN + 5)]

    *shown, last = annotation_lines("t", sentences, [])
    assert len(shown) == SHOWN - 1
    assert last == "::error title=t::6 more sentences in the step's output"
    assert len(annotation_lines("t", sentences[:SHOWN], [])) == SHOWN


def test_the_summary_leaves_out_the_vms_where_there_is_no_room_for_them():
    document = document_of(fleet_of([[5.0] * 200 + [TIMED_OUT]]))

    whole = step_summary(document)
    short = step_summary(document, room_bytes=8000)

    assert "## VMs" in whole
    assert "## VMs" not in short
    assert short.endswith("201 VMs left out: too many to show.\n")
    assert re.search(r"\| timed out \| 1 \|", short)


@pytest.mark.parametrize("text", [step_summary(document_of(hostile_fleet()))])
def test_the_summary_obeys_no_hostile_word(text):
    assert "<script>" not in text
    assert "\x1b" not in text
