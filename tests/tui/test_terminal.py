"""The terminal after the dashboard: as it was before, whatever ended it."""

import asyncio
import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from textual.drivers.web_driver import WebDriver

from support.engine_lab import until
from support.recording import plan_for
from support.stage import RecordedSource
from support.terminal import LIMIT_S, Terminal, stopped
from support.tmux import Tmux
from vmtiming_tui.session.streams import Streams
from vmtiming_tui.tui.app import VmTimingApp

TESTS = Path(__file__).resolve().parents[1]

PLAY = """
import sys
from support.recording import plan_for, smooth_run
from vmtiming_tui.tui import replay_dashboard
{before}
sys.exit(replay_dashboard(smooth_run(4), plan_for(4), speed={speed}))
"""

CRASH = """
from vmtiming_tui.tui.widgets.status_lines import Header
def lines(self, width):
    if self.model.figures.booted:
        raise ValueError("a fault of the dashboard")
    return []
Header.lines = lines
"""


def settings(folder: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": str(TESTS),
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CONFIG_HOME": str(folder / "config"),
    }


class Played(Terminal):
    """The dashboard of a stored run, on a pty of its own."""

    def __init__(self, source: str, folder: Path) -> None:
        environment = os.environ | settings(folder)
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


@pytest.fixture
def window(tmp_path):
    """Play the stored run in windows of tmux, one after the other."""
    windows = []

    def start() -> Tmux:
        folder = tmp_path / str(len(windows))
        folder.mkdir()
        windows.append(Tmux(folder))
        source = PLAY.format(before="import os; print(os.getpid(), file=open('pid', 'w'))", speed=2)
        windows[-1].start([sys.executable, "-c", source], settings(folder))
        return windows[-1]

    yield start
    for one in windows:
        one.close()


def test_a_terminal_that_was_stopped_for_a_while_shows_what_another_does(window):
    terminal = window()
    terminal.wait_for("connected")
    pid = int((terminal.folder / "pid").read_text())
    with stopped(terminal.device, pid):
        written = terminal.log.stat().st_size
        other = window()
        other.wait_for("FINISHED")
        assert "connected" in terminal.screen()
    asyncio.run(until(lambda: "FINISHED" in terminal.screen() == other.screen()))
    assert terminal.log.stat().st_size - written < 1 << 19  # of three times as much
    terminal.keys("q")
    assert terminal.exit_code() == 0


def test_a_driver_that_somebody_else_has_chosen_is_not_replaced(monkeypatch):
    monkeypatch.setattr("textual.constants.DRIVER", "textual.drivers.web_driver:WebDriver")
    with Streams() as streams:
        app = VmTimingApp(RecordedSource([]).connect, plan_for(1), terminal=streams.err)
    assert app.driver_class is WebDriver


def test_ctrl_z_on_a_stopped_terminal_suspends(play):
    terminal = play()
    at = terminal.till(b"connected")
    with stopped(terminal.device, terminal.process.pid):
        terminal.type(b"\x1a")
        stat = Path(f"/proc/{terminal.process.pid}/stat")
        asyncio.run(until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T"))
    terminal.process.send_signal(signal.SIGCONT)
    at = terminal.till(b"?1049l", after=at)
    at = terminal.till(b"?1049h", after=at)
    terminal.till(b"connected", after=at)
    terminal.type(b"q")
    assert terminal.wait() == 0
    terminal.assert_restored()


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
