"""The man page: made of the topics, taken without a warning by those who set man pages."""

import os
import subprocess
from datetime import date
from pathlib import Path

import pytest

from manual.tables import MANUAL
from vmtiming_tui.manual.manpage import man_page
from vmtiming_tui.manual.roff import roff
from vmtiming_tui.manual.topics import read_topics


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("man") / "vm-timing-report.1"
    text = man_page(read_topics(MANUAL), "1.2.3", date(2026, 11, 26))
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["mandoc", "-Tlint", "-Wwarning"],
        ["groff", "-man", "-ww", "-z"],
        ["groff", "-man", "-ww", "-z", "-Tutf8"],
    ],
    ids=" ".join,
)
def test_the_page_is_set_without_a_warning(page, command):
    ended = subprocess.run([*command, page], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_man_shows_every_topic_whole(page):
    shown = subprocess.run(
        ["man", "-l", page],
        env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    for topic in read_topics(MANUAL):
        assert f"\n{topic.title.upper()}\n" in shown
    for words in (
        "vm-timing-report - boot N virtual machines at once",
        "-k, --kernel FILE",
        "VMREPORTID:<i>|||Startup finished",
        "◔",
        "1.2.3",
        "2026-11-26",
    ):
        assert words in shown


@pytest.mark.parametrize(
    ("markdown", "lines"),
    [
        ("Words\nof one *kind*.", [".PP", r"Words of one \fIkind\fR."]),
        ("`-n 8` \\<i> & \\\\", [".PP", r"\fB\-n 8\fR <i> & \(rs"]),
        (".dot\n\n'quote", [".PP", r"\&.dot", ".PP", r"\(aqquote"]),
        ("## One `two`", [r".SS One \fBtwo\fR"]),
        ("### One", [".PP", ".B One"]),
        ("- one\n\n  more\n- two", [r".IP \(bu 3", "one", ".RS", ".PP", "more", ".RE",
                                    r".IP \(bu 3", "two"]),
        ("1. one", [".IP 1. 4", "one"]),
        ("```\n.x  y\n```", [".PP", ".RS 4", ".nf", r"\&.x  y", ".fi", ".RE"]),
        ("| A | B |\n|---|---|\n| `a` | b \\| c |", [".TP", r"\fBa\fR", "b | c"]),
        ("| A | B | C |\n|---|---|---|\n| a | b | |", [".TP", r"\fBa\fR", "B: b", ".br",
                                                      r"C: \(en"]),
        (f"| A | B |\n|---|---|\n| {'a' * 50} | b |", [".PP", "a" * 50, ".RS 4", "b", ".RE"]),
        ("“◌”", [".PP", r"\(lq\[u25CC]\(rq"]),
    ],
)  # fmt: skip
def test_markdown_becomes_roff(markdown, lines):
    assert roff(markdown).splitlines() == lines


def test_what_the_page_cannot_show_is_said():
    with pytest.raises(ValueError, match="the man page takes no image"):
        roff("![a picture](picture.svg)")
