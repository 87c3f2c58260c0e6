"""A terminal of its own for a command: to be typed into, read, and closed."""

import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

LIMIT_S = 60.0

_FRAMES = 60
_FRAME_S = 0.03


def is_held_up(pid: int) -> bool:
    """Whether a thread of a process waits till a terminal takes something."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return any("wait_woken" in (task / "wchan").read_text() for task in tasks)


def overfill(terminal: int, pid: int) -> None:
    """Have a dashboard draw more than a terminal holds that takes nothing, and any queue for it."""
    usual = termios.tcgetwinsize(terminal)
    for size in islice(cycle(((60, 200), (58, 190))), _FRAMES):
        termios.tcsetwinsize(terminal, size)
        time.sleep(_FRAME_S)  # to draw it; nothing tells that it is drawn
    termios.tcsetwinsize(terminal, usual)
    assert is_held_up(pid)


@contextmanager
def stopped(device: Path, pid: int) -> Iterator[None]:
    """Have a terminal take nothing of what a dashboard draws meanwhile, which is much."""
    with device.open("wb", buffering=0) as terminal:
        termios.tcflow(terminal, termios.TCOOFF)
        overfill(terminal.fileno(), pid)
        yield
        termios.tcflow(terminal, termios.TCOON)


class Terminal:
    """A pty with a program on it.

    One that is ``controlling`` sends SIGHUP when it is closed; another is just gone.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        *,
        controlling: bool = True,
        lines: int = 30,
        **how: object,
    ) -> None:
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (lines, 110))
        self.device = Path(os.ttyname(slave))
        self.before = termios.tcgetattr(slave)
        self.output = b""
        # A test runner may pretend to a size of its own, which is not this terminal's.
        own = {name: text for name, text in environment.items() if name not in ("COLUMNS", "LINES")}
        on_it = {"stdin": slave, "stdout": slave, "stderr": slave}
        self.process = subprocess.Popen(
            ["setsid", *(["--ctty"] if controlling else []), *command],
            cwd=folder,
            env={**own, "TERM": "xterm-256color", "PS1": "$ "},
            **on_it | how,
        )
        os.close(slave)

    def type(self, text: bytes) -> None:
        os.write(self.master, text)

    def till(self, words: bytes, *, after: int = 0) -> int:
        """Read till words are there, behind a place; return the place behind them."""
        end = time.monotonic() + LIMIT_S
        while (at := self.output.find(words, after)) < 0:
            left = end - time.monotonic()
            assert left > 0, self.output[-2000:]
            self._read(left)
        return at + len(words)

    def _read(self, limit_s: float) -> bool:
        if not select.select([self.master], [], [], limit_s)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # nobody has the other end any more
            return False
        self.output += data
        return bool(data)

    def wait(self) -> int:
        """Wait for the program's end, reading what it still writes; return its exit code."""
        end = time.monotonic() + LIMIT_S
        while self.process.poll() is None:
            assert time.monotonic() < end, self.output[-2000:]
            if self.master < 0 or not self._read(0.05):
                time.sleep(0.01)
        while self.master >= 0 and self._read(0):
            pass
        return self.process.returncode

    def stall(self) -> None:
        """Take nothing more, though the terminal stays: as a frozen ssh or a stopped tmux does."""
        overfill(self.master, self.process.pid)

    def hang_up(self) -> None:
        """Close the terminal, as a lost connection or a closed window does."""
        os.close(self.master)
        self.master = -1

    def close(self) -> None:
        """End what is still on it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.master >= 0:
            self.hang_up()
