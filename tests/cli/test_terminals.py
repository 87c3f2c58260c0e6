"""Terminals that cannot draw, encodings that lack a letter, and no terminal at all."""

import re

import pytest

from support.terminal import Terminal

ESCAPE = b"\x1b"
RUN_OVER = re.compile(rb"It took [\d.]+s to boot all VMs")


@pytest.fixture
def on_a_terminal(the_tool):
    """Start the command on a terminal of a kind, as ``env`` words name it."""
    terminals = []

    def start(kind: list[str], *words: object) -> Terminal:
        command = ["env", *kind, *the_tool.command(*words)]
        terminals.append(Terminal(command, the_tool.lab.folder, the_tool.environment))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()


@pytest.mark.parametrize("kind", [["TERM=dumb"], ["TERM=unknown"], ["TERM="], ["-u", "TERM"]])
def test_a_terminal_without_a_cursor_gets_the_plain_report_and_no_escape(
    kind, on_a_terminal, arguments
):
    terminal = on_a_terminal(kind, *arguments(2, ""))

    assert terminal.wait() == 0, terminal.output
    assert RUN_OVER.search(terminal.output)
    assert ESCAPE not in terminal.output


@pytest.mark.parametrize(
    "kind", [["TERM=linux"], ["TERM=xterm-256color", "PYTHONIOENCODING=iso-8859-1"]]
)
def test_a_terminal_that_shows_no_other_signs_gets_a_dashboard_in_ascii(
    kind, on_a_terminal, arguments
):
    terminal = on_a_terminal(kind, *arguments(2, ""))

    terminal.till(b"FINISHED")
    terminal.type(b"q")

    assert terminal.wait() == 0, terminal.output
    assert ESCAPE in terminal.output
    assert terminal.output.isascii()


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1"])
def test_a_letter_that_the_encoding_does_not_have_is_escaped_and_the_run_goes_on(
    encoding, the_tool, arguments, lab
):
    words = arguments(2, "", "-v", "v→ü", "--name", "ü→", "-o", "v→ü/run.json")
    (lab.folder / "v→ü").mkdir()
    for vm in range(2):
        (lab.folder / f"vm-{vm}.img").rename(lab.folder / f"v→ü/vm-{vm}.img")
    environment = the_tool.environment | {"PYTHONIOENCODING": encoding}

    process = the_tool.start(*words, env=environment, text=False)
    out, err = process.communicate(timeout=120)

    assert process.returncode == 0, err
    assert RUN_OVER.search(out)
    assert rb"v\u2192" in out
    assert b"Traceback" not in err
    assert (lab.folder / "v→ü/run.json").is_file()
    listed = the_tool.start("history", env=environment, text=False).communicate(timeout=60)[0]
    assert "ü→".encode(encoding, "backslashreplace") in listed
    for words in (out, err, listed):
        words.decode(encoding)


def test_a_replay_without_a_terminal_is_refused_at_once(run, arguments):
    assert run(*arguments(1, "", "--name", "kept"))[0] == 0

    code, out, err = run("replay", "kept", "--speed", "1000")

    assert (code, out) == (2, "")
    assert err.startswith("Error: replay draws on a terminal, and here is none; `show kept` prints")


def test_a_replay_on_a_dumb_terminal_is_refused_too(run, arguments, on_a_terminal):
    assert run(*arguments(1, "", "--name", "kept"))[0] == 0

    terminal = on_a_terminal(["TERM=dumb"], "replay", "kept")

    assert terminal.wait() == 2
    assert ESCAPE not in terminal.output
