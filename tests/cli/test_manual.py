"""``manual``: on a terminal as a terminal can show it, elsewhere as plain text."""

import json
import os
import re
from collections.abc import Iterator

import pytest

from support.terminal import Terminal
from vmtiming_tui.manual.topics import ORDER, read_topic
from vmtiming_tui.resources import resource

SHORT, LONG = "settings", "faults"


@pytest.fixture
def on_a_terminal(the_tool) -> Iterator[object]:
    """Start the tool on a terminal of 60 lines; ``more`` is set in its environment."""
    terminals = []

    def start(*words: str, **more: str) -> Terminal:
        line = ["env", *(f"{name}={value}" for name, value in more.items())]
        line += the_tool.command(*words)
        terminals.append(Terminal(line, the_tool.lab.folder, the_tool.environment, lines=60))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()


def test_without_a_topic_it_lists_them_with_a_line_each(run):
    code, out, _ = run("manual")

    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[: len(ORDER)]] == list(ORDER)
    assert "vm-timing-report manual TOPIC" in out


@pytest.mark.parametrize("name", ORDER)
def test_a_topic_is_plain_text_where_there_is_no_terminal(run, name):
    code, out, err = run("manual", name)

    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert "<!--" not in out
    assert max(map(len, out.splitlines())) <= 100


def test_an_unknown_topic_is_answered_with_those_there_are(run):
    code, out, err = run("manual", "image")

    assert (code, out) == (2, "")
    assert "did you mean images?" in err
    assert ", ".join(ORDER) in err


def test_a_short_topic_is_drawn_without_a_pager(on_a_terminal):
    terminal = on_a_terminal("manual", SHORT, PAGER="false")

    assert terminal.wait() == 0
    assert b"\x1b[1m" in terminal.output
    assert b"config.toml" in terminal.output


def test_a_long_topic_is_in_a_pager(on_a_terminal):
    terminal = on_a_terminal("manual", LONG, PAGER="sed 1q")
    assert terminal.wait() == 0
    assert b"What can go wrong" in terminal.output
    assert len(terminal.output.splitlines()) < 5


def test_a_long_topic_in_less_is_left_with_q(on_a_terminal):
    terminal = on_a_terminal("manual", LONG, LESS="")
    terminal.till(b"A hostile or broken guest")
    terminal.type(b"q")

    assert terminal.wait() == 0


def test_where_nobody_can_turn_a_page_there_is_no_pager(on_a_terminal):
    terminal = on_a_terminal("manual", LONG, TERM="dumb", PAGER="false")

    assert terminal.wait() == 0
    assert b"Odd names" in terminal.output


def test_without_colour_a_terminal_gets_none(on_a_terminal):
    terminal = on_a_terminal("manual", SHORT, NO_COLOR="1")

    assert terminal.wait() == 0
    assert b"\x1b[3" not in terminal.output


def test_the_run_that_the_manual_follows_is_a_run(run, arguments):
    told = read_topic(resource("assets", "manual"), "inside").text
    followed = re.findall(r"^\| `([a-z]+_[a-z_]+)` \|", told, re.MULTILINE)
    _, out, _ = run(*arguments(1), "--json")

    seen = {json.loads(line)["event"] for line in out.splitlines()}
    # A run may well end before it has any of the first two; the others come where a guest has a
    # console, and where they are asked for.
    now_and_then = {"notice", "host_sample", "console_line", "vm_kernel"}
    of_several_hosts = {"host_joined", "clock_measured", "host_lost"}
    assert set(followed) - now_and_then - of_several_hosts == seen - now_and_then


def test_a_reader_that_goes_away_is_no_error_of_ours(the_tool):
    ended = the_tool.run("manual", LONG, stdout=_closed_pipe())

    assert ended.code == 141
    assert "Traceback" not in ended.err


def _closed_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer
