"""The terminal after the dashboard: as it was before, whatever ended it."""

import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from support.terminal import LIMIT_S, Terminal

TESTS = Path(__file__).resolve().parents[1]

PLAY = """
import sys
from support.recording import plan_for, smooth_run
from vmtiming_tui.tui import replay_dashboard
{before}
sys.exit(replay_dashboard(smooth_run(4), plan_for(4), speed={speed}))
"""

CRASH = """
from vmtiming_tui.tui.widgets.bars import StatsLine
def lines(self, width):
    if self.model.figures.booted:
        raise ValueError("a fault of the dashboard")
    return []
StatsLine.lines = lines
"""


class Played(Terminal):
    """The dashboard of a stored run, on a pty of its own."""

    def __init__(self, source: str, folder: Path) -> None:
        environment = os.environ | {
            "PYTHONPATH": str(TESTS),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }
        super().__init__([sys.executable, "-c", source], folder, environment, controlling=False)

    def assert_restored(self) -> None:
        assert termios.tcgetattr(self.master) == self.before

    @property
    def last_words(self) -> str:
        return self.output[self.output.rindex(b"\x1b[?1049l") :].decode()


@pytest.fixture
def play(tmp_path):
    terminals = []

    def start(before: str = "", speed: float = 1.0) -> Played:
        terminals.append(Played(PLAY.format(before=before, speed=speed), tmp_path))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()


def test_after_q(play):
    terminal = play()
    terminal.till(b"connected")
    terminal.type(b"q")
    assert terminal.wait() == 0
    terminal.assert_restored()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_after_a_signal(play, number):
    terminal = play()
    terminal.till(b"connected")
    terminal.process.send_signal(number)
    assert terminal.wait() == 130
    terminal.assert_restored()
    assert "Traceback" not in terminal.last_words


def test_after_a_fault_of_the_dashboard_there_is_a_sentence_and_no_traceback(play, tmp_path):
    terminal = play(CRASH, speed=20)
    assert terminal.wait() == 1
    terminal.assert_restored()
    assert "the dashboard failed (ValueError: a fault of the dashboard)" in terminal.last_words
    assert "Traceback" not in terminal.last_words
    kept = tmp_path / "state" / "vmtiming-tui" / "dashboard-crash.txt"
    assert "in lines" in kept.read_text()


def test_the_terminal_that_goes_away_ends_the_dashboard(play):
    terminal = play()
    terminal.till(b"connected")
    terminal.hang_up()
    terminal.process.send_signal(signal.SIGHUP)
    terminal.process.wait(LIMIT_S)
    assert terminal.process.returncode is not None


@pytest.mark.parametrize("redirected", [None, "stdin", "stdout", "stderr"])
def test_a_dashboard_needs_all_three_streams(tmp_path, redirected):
    """It is drawn on standard error: ``2>file`` would put the picture into the file."""
    master, slave = pty.openpty()
    program = (
        "import os; from vmtiming_tui.cli.terminal import can_show_a_dashboard as can; "
        "os._exit(40 + can())"
    )
    environment = os.environ | {"TERM": "xterm-256color"}
    with (tmp_path / "file").open("w+") as file:
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), slave)
        if redirected:
            streams[redirected] = file
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, check=False, **streams
        )
    os.close(slave)
    os.close(master)
    assert done.returncode == (41 if redirected is None else 40)
