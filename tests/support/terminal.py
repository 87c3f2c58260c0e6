"""A terminal of its own for a command: to be typed into, read, and closed."""

import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

LIMIT_S = 60.0


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
        **how: object,
    ) -> None:
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (30, 110))
        self.before = termios.tcgetattr(slave)
        self.output = b""
        on_it = {"stdin": slave, "stdout": slave, "stderr": slave}
        self.process = subprocess.Popen(
            ["setsid", *(["--ctty"] if controlling else []), *command],
            cwd=folder,
            env={**environment, "TERM": "xterm-256color", "PS1": "$ "},
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
