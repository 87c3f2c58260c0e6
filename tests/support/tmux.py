"""A real terminal to run the dashboard in: tmux, on a server of its own."""

import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

LIMIT_S = 180


class Tmux:
    """A tmux session; what the program wrote is kept whole in ``log``, escape sequences and all."""

    def __init__(self, folder: Path, width: int = 120, height: int = 36) -> None:
        self.folder = folder
        self.log = folder / "terminal.log"
        self._socket = Path(tempfile.mkdtemp(prefix="vmt-")) / "tmux"
        self._size = ("-x", str(width), "-y", str(height))

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-S", str(self._socket), "-f", "/dev/null", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def start(self, command: list[str], environment: dict[str, str]) -> None:
        """Run a command in the terminal; its exit code is in the file ``code`` when it is over."""
        settings = [f"{name}={value}" for name, value in environment.items()]
        # A test runner may pretend to a size of its own, which is not this terminal's.
        sizeless = ["env", "-u", "COLUMNS", "-u", "LINES"]
        line = shlex.join([*sizeless, *settings, *command]) + "; echo $? > code; cat"
        self._tmux(
            "new-session", "-d", *self._size, "-c", str(self.folder), f"sleep 0.5; {line}",
            ";", "pipe-pane", f"cat > {shlex.quote(str(self.log))}",
        )  # fmt: skip

    def keys(self, *names: str) -> None:
        """Press keys, by tmux's names; a text is typed as it is."""
        self._tmux("send-keys", *names)

    def screen(self) -> str:
        """Return what a person sees now."""
        return self._tmux("capture-pane", "-p")

    @property
    def device(self) -> Path:
        """The terminal's own file, as the program has it."""
        return Path(self._tmux("display-message", "-p", "#{pane_tty}").strip())

    def resize(self, width: int, height: int) -> None:
        """Give the terminal another size."""
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def _wait(self, what: str, seen: Callable[[str], bool]) -> str:
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            if seen(screen := self.screen()):
                return screen
            time.sleep(0.05)
        raise AssertionError(f"{what} on:\n{self.screen()}")

    def wait_for(self, *words: str) -> str:
        """Return the screen as soon as it shows all of these words; fail where it never does."""
        return self._wait(f"never saw {words}", lambda screen: all(w in screen for w in words))

    def wait_till_gone(self, word: str) -> None:
        """Return as soon as the screen shows a word no more."""
        self._wait(f"{word} stayed", lambda screen: word not in screen)

    def exit_code(self) -> int:
        """Return the command's exit code when it is over."""
        until = time.monotonic() + LIMIT_S
        code = self.folder / "code"
        while time.monotonic() < until:
            if code.exists() and code.read_text().strip():
                return int(code.read_text())
            time.sleep(0.05)
        raise AssertionError(f"it never ended:\n{self.screen()}")

    def close(self) -> None:
        """End the terminal and all that runs in it."""
        subprocess.run(
            ["tmux", "-S", str(self._socket), "kill-server"], check=False, capture_output=True
        )
        shutil.rmtree(self._socket.parent)
