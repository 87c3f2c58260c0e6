"""``watch``: a run in one process, seen in others that have nothing to do with it."""

import os
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.engine_lab import children_of
from support.past_runs import wait_for
from support.tmux import Tmux

VMS = 5
WITHIN_S = 1.0
TESTS = Path(__file__).resolve().parents[1]


def seen_at(lines: Iterator[str], words: str) -> dict[str, float]:
    """Return when each line with these words came, till the last VM's but one has."""
    seen = {}
    for line in lines:
        if words in line:
            seen[line] = time.monotonic()
        if len(seen) == VMS - 1:
            break
    return seen


def test_what_happens_is_seen_within_a_second_and_the_run_knows_nothing_of_it(
    tool, run, arguments, lab
):
    boots = " ".join(f"{vm}.boot={2 + vm / 4}" for vm in range(VMS - 1))
    last = f"{VMS - 1}.boot=60"
    making = tool(*arguments(VMS, f"{boots} {last}", "--name", "made"))
    assert next(making.stdout)
    wait_for(lambda: "made" in run("history")[1])
    watching = tool("watch", "made")
    killed = tool("watch")
    assert next(killed.stdout)
    killed.kill()

    seen: dict[str, float] = {}
    reader = threading.Thread(
        target=lambda: seen.update(seen_at(watching.stdout, "reported as booted"))
    )
    reader.start()
    made = seen_at(making.stdout, "reported as booted")
    reader.join()

    assert seen.keys() == made.keys()
    assert statistics.median(seen[line] - made[line] for line in made) < WITHIN_S
    assert making.poll() is None

    making.send_signal(signal.SIGKILL)
    out, err = watching.communicate(timeout=60)
    assert watching.returncode == 130
    assert "nobody makes this run any more" in err
    assert "VM 0 booted in" in out
    wait_for(lambda: not lab.leftovers())


@pytest.fixture
def window(the_tool) -> Iterator[Callable[..., Tmux]]:
    """Start the command in a window of its own, in a folder of its own."""
    windows: list[Tmux] = []

    def start(*words: object) -> Tmux:
        folder = the_tool.lab.folder / f"window-{len(windows)}"
        folder.mkdir()
        (folder / "vmlinuz").touch()
        windows.append(Tmux(folder))
        here = {"PYTHONPATH": str(TESTS.parent)}
        windows[-1].start(the_tool.command(*words), the_tool.lab.environment | here)
        return windows[-1]

    yield start
    for one in windows:
        one.close()


def program_in(window: Tmux) -> int:
    """Return the process that has a window's terminal."""
    shell = int(window._tmux("display-message", "-p", "#{pane_pid}"))
    (program,) = (
        pid
        for pid in children_of(shell)
        if b"vmtiming" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    return program


def test_in_a_terminal_it_is_the_dashboard_and_the_death_of_either_leaves_the_other(
    the_tool, window, lab
):
    watching = window("watch", "--wait")
    watching.wait_for("Waiting for a run to begin")
    script = "boot=0.2 1.boot=120"
    making = window(*the_tool.arguments(2, script, "--name", "made", "-v", ".."))
    watching.wait_for("made", "WATCHING", "1 booted", "1 connected")

    os.kill(program_in(watching), signal.SIGKILL)
    assert watching.exit_code() == 128 + signal.SIGKILL
    making.wait_for("made", "1 booted", "1 connected")

    again = window("watch", "made")
    again.wait_for("WATCHING", "1 booted", "1 connected")
    os.kill(program_in(making), signal.SIGKILL)
    again.wait_for("INTERRUPTED", "nobody makes this run any more")
    again.keys("q")
    assert again.exit_code() == 0
    wait_for(lambda: not list(lab.runtime.iterdir()))
