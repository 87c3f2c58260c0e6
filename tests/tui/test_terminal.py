"""The terminal after the dashboard: as it was before, whatever ended it."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 30.0

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


class Terminal:
    """A pty with a program on it."""

    def __init__(self, source: str, folder: Path) -> None:
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.output = b""
        environment = os.environ | {
            "TERM": "xterm-256color",
            "PYTHONPATH": str(ROOT),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", source],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )

    def wait_for(self, words: bytes) -> None:
        end = time.monotonic() + LIMIT_S
        while words not in self.output:
            left = end - time.monotonic()
            assert left > 0, self.output[-2000:]
            if select.select([self.master], [], [], left)[0]:
                self.output += os.read(self.master, 65536)

    def wait(self) -> int:
        """Wait for the program's end, reading what it still writes."""
        end = time.monotonic() + LIMIT_S
        while self.process.poll() is None:
            assert time.monotonic() < end, self.output[-2000:]
            if select.select([self.master], [], [], 0.05)[0]:
                self.output += os.read(self.master, 65536)
        while select.select([self.master], [], [], 0)[0]:
            self.output += os.read(self.master, 65536)
        return self.process.returncode

    def assert_restored(self) -> None:
        assert termios.tcgetattr(self.slave) == self.before
        for on, off in ((b"?1049h", b"?1049l"), (b"?25l", b"?25h"), (b"?1003h", b"?1003l")):
            assert self.output.rindex(b"\x1b[" + off) > self.output.rindex(b"\x1b[" + on)

    @property
    def last_words(self) -> str:
        return self.output[self.output.rindex(b"\x1b[?1049l") :].decode()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.slave)
        os.close(self.master)


@pytest.fixture
def play(tmp_path):
    terminals = []

    def start(before: str = "", speed: float = 1.0) -> Terminal:
        terminals.append(Terminal(PLAY.format(before=before, speed=speed), tmp_path))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()


def test_after_q(play):
    terminal = play()
    terminal.wait_for(b"connected")
    os.write(terminal.master, b"q")
    assert terminal.wait() == 0
    terminal.assert_restored()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_after_a_signal(play, number):
    terminal = play()
    terminal.wait_for(b"connected")
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
    terminal.wait_for(b"connected")
    os.close(terminal.slave)
    os.close(terminal.master)
    terminal.slave, terminal.master = pty.openpty()
    terminal.process.send_signal(signal.SIGHUP)
    terminal.process.wait(LIMIT_S)
    assert terminal.process.returncode is not None


@pytest.mark.parametrize("redirected", [None, "stdin", "stdout", "stderr"])
def test_a_dashboard_needs_all_three_streams(tmp_path, redirected):
    """It is drawn on standard error: ``2>file`` would put the picture into the file."""
    master, slave = pty.openpty()
    program = (
        "import os; from vmtiming_tui.cli.main import on_a_terminal as on; os._exit(40 + on())"
    )
    with (tmp_path / "file").open("w+") as file:
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), slave)
        if redirected:
            streams[redirected] = file
        code = subprocess.run([sys.executable, "-c", program], check=False, **streams).returncode
    os.close(slave)
    os.close(master)
    assert code == (41 if redirected is None else 40)
