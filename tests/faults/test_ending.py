"""You end a run, or something else does: what is kept, and that no QEMU goes on."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import pytest

from faults.fault import Fault, as_one
from faults.running import Outcome, Running, in_words, states_in
from faults.scene import Scene
from support.engine_lab import processes_naming, until
from support.terminal import LIMIT_S, Terminal
from support.traces import nothing_left

TITLE = "You end it, or something else does"
AGAIN_S = 15.0  # beyond what a stalled terminal is waited for at the end


@dataclass(frozen=True)
class Deed:
    """What is done to a run; ``script`` is for the stand-ins, ``words`` are for the tool."""

    do: Callable[[Running], None]
    script: str = "1.boot=60"
    number: int = 2
    words: tuple[str, ...] = ()

    def __call__(self, scene: Scene) -> Outcome:
        scene.script, scene.number = self.script, self.number
        scene.words += self.words
        running = Running(scene)
        self.do(running)
        return running.end()


def send(*numbers: signal.Signals) -> Callable[[Running], None]:
    """Send signals to the tool, each when the one before is known to have come."""

    def do(running: Running) -> None:
        for number in numbers:
            running.process.send_signal(number)
            if number is not numbers[-1]:
                assert running.process.stderr is not None
                for line in running.process.stderr:
                    running.seen += line
                    if "Stopping" in line:
                        break

    return do


def kill_engine(running: Running) -> None:
    os.kill(running.engine, signal.SIGKILL)


def kill_warden(running: Running) -> None:
    os.kill(running.warden, signal.SIGKILL)


def kill_all_of_ours(running: Running) -> None:
    """As the OOM killer may: nobody is left who could tidy up; then comes another run."""
    ours = [running.warden, running.engine, running.process.pid]
    for pid in ours:
        os.kill(pid, signal.SIGSTOP)
    for pid in ours:
        os.kill(pid, signal.SIGKILL)
    running.process.wait()
    asyncio.run(until(lambda: processes_naming(str(running.scene.lab.runtime)) == []))
    assert [path.name[:9] for path in running.scene.lab.runtime.iterdir()] == ["vmtiming-"]
    assert running.scene.tool.run(*running.scene.tool.arguments(1)).code == 0


def leave_the_pipe(running: Running) -> None:
    assert running.process.stdout is not None
    running.process.stdout.close()
    running.process.stdout = None


def in_terminal(scene: Scene, *words: str, by_hand: bool = False, **how: object) -> Terminal:
    """Return a terminal with a run on it, or with a shell that will start one."""
    line = scene.tool.command(*scene.line, *words)
    command = ["bash", "--norc", "--noprofile", "-i"] if by_hand else line
    terminal = Terminal(command, scene.folder, scene.tool.environment, **how)
    if by_hand:
        terminal.till(b"$ ")
        terminal.type(shlex.join(line).encode() + b"\n")
    return terminal


def lose_the_terminal(scene: Scene) -> Outcome:
    scene.script = "1.boot=60"
    with (scene.folder / "stderr").open("w") as stderr:
        terminal = in_terminal(scene, "--plain", "-o", "kept.json", stderr=stderr)
    with closing(terminal):
        terminal.till(b"VM 0 reported as booted")
        terminal.hang_up()
        code = terminal.wait()
    said = (scene.folder / "stderr").read_text()
    return Outcome(in_words(code), said, states_in(scene.folder / "kept.json"))


def lose_the_dashboard(scene: Scene, **how: object) -> Outcome:
    scene.script = "1.boot=60"
    with closing(in_terminal(scene, "-o", "kept.json", **how)) as terminal:
        terminal.till(b"?1049h")
        terminal.till(b"1 booted")
        terminal.hang_up()
        code = terminal.wait()
    return Outcome(in_words(code), "", states_in(scene.folder / "kept.json"))


def stall_the_dashboard(
    scene: Scene, leave: Callable[[Scene, Terminal], None], script: str = "1.boot=60"
) -> Outcome:
    """Nothing is read from there on."""
    scene.script = script
    with closing(in_terminal(scene, "-o", "kept.json")) as terminal:
        terminal.till(b"?1049h")
        terminal.till(b"1 booted")
        terminal.stall()
        leave(scene, terminal)
        code = terminal.process.wait(LIMIT_S)
    return Outcome(in_words(code), "", states_in(scene.folder / "kept.json"))


def terminate(scene: Scene, terminal: Terminal) -> None:
    terminal.process.send_signal(signal.SIGTERM)


def confirm(scene: Scene, terminal: Terminal) -> None:
    """Ctrl-C is a key there, which asks."""
    terminal.type(b"\x03")
    terminal.type(b"y")


def leave_after_the_run(scene: Scene, terminal: Terminal) -> None:
    asyncio.run(until(lambda: scene.history == [("finished", 2)]))
    # The history may know of the end before the screen does, which then asks: not now, and again.
    for _ in range(3):
        terminal.type(b"q")
        try:
            terminal.process.wait(AGAIN_S)
        except subprocess.TimeoutExpired:
            terminal.type(b"\x1b")
        else:
            return


def over(terminal: Terminal, after: int) -> str:
    """Return how the run in a shell ended; the shell takes words when it has prompted."""
    at = terminal.till(b"Wrote kept.json", after=after)
    terminal.till(b"$ ", after=at)
    terminal.type(b'echo "ov"er: $?\n')
    at = terminal.till(b"over: ", after=after)
    terminal.till(b"\n", after=at)
    code = int(terminal.output[at:].split()[0])
    terminal.type(b"exit\n")
    terminal.wait()
    return in_words(code)


def suspend_the_report(scene: Scene) -> Outcome:
    """VM 1 boots meanwhile; were it stamped by who is suspended, it would be when that is back."""
    scene.script = "1.boot=1"
    with closing(in_terminal(scene, "--json", "-o", "kept.json", by_hand=True)) as terminal:
        terminal.till(b'{"event":"vm_booted"')
        terminal.type(b"\x1a")
        at = terminal.till(b"Stopped")
        asyncio.run(until(lambda: processes_naming(str(scene.lab.runtime)) == []))
        back_ns = time.monotonic_ns()
        terminal.type(b"fg\n")
        ends = over(terminal, at)
    lines = terminal.output.decode().splitlines()
    boots = [json.loads(line) for line in lines if line.startswith('{"event":"vm_booted"')]
    assert [boot["vm"] for boot in boots] == [0, 1]
    assert all(boot["at_ns"] < back_ns for boot in boots)
    return Outcome(ends, terminal.output.decode(), states_in(scene.folder / "kept.json"))


def suspend_the_dashboard(scene: Scene) -> Outcome:
    scene.script = "1.boot=1"
    with closing(in_terminal(scene, "-o", "kept.json", by_hand=True)) as terminal:
        terminal.till(b"?1049h")
        terminal.till(b"1 booted")
        terminal.type(b"\x1a")
        at = terminal.till(b"Stopped")
        terminal.till(b"?1049l")
        terminal.type(b"stty -a\n")
        terminal.till(b" icanon", after=at)
        at = terminal.till(b" echo ", after=at)
        asyncio.run(until(lambda: len(processes_naming(str(scene.lab.runtime))) == 1))
        terminal.type(b"fg\n")
        at = terminal.till(b"?1049h", after=at)
        terminal.till(b"FINISHED", after=at)
        terminal.type(b"q")
        ends = over(terminal, at)
    return Outcome(ends, terminal.output.decode(), states_in(scene.folder / "kept.json"))


DEAF = "boot=60 0.boot=0.1 deaf=system_powerdown,quit"
STAYS = "1.boot=60 0.off=never"

EVERYWHERE = "what is known till then, in report, exports and history"
IN_FILES = "what is known till then, in exports and history"
IN_HISTORY = "what is known till then, in the history"

FAULTS: list[Fault[Callable[[Scene], Outcome]]] = [
    Fault(
        "Ctrl-C, once",
        Deed(send(signal.SIGINT)),
        ends="exit code 130",
        words="Stopping; once more ends everything at once.",
        kept=EVERYWHERE,
    ),
    Fault(
        "Ctrl-C, twice",
        Deed(send(signal.SIGINT, signal.SIGINT), script=DEAF),
        ends="exit code 130",
        words="VM 1 killed: stopped with the run",
        kept="the same; no guest is given time to shut down",
    ),
    *as_one(
        "SIGTERM, SIGHUP",
        [
            Fault(
                "SIGTERM",
                Deed(send(signal.SIGTERM)),
                ends="exit code 130",
                words="VM 1 killed: stopped with the run",
                kept=EVERYWHERE,
            ),
            Fault(
                "SIGHUP",
                Deed(send(signal.SIGHUP)),
                ends="exit code 130",
                words="VM 1 killed: stopped with the run",
                kept=EVERYWHERE,
            ),
        ],
        seen="exit code 130; the VMs are ended in order",
    ),
    Fault(
        "whoever reads the report goes away (`| head -1`)",
        # Nothing is said of any other VM till the next has booted.
        Deed(leave_the_pipe, "1.boot=1 2.boot=60", number=3, words=("--start", "together")),
        ends="exit code 141",
        words="Wrote kept.json",
        kept=IN_FILES,
    ),
    *as_one(
        "the tool is killed (SIGKILL), alone or with all its processes",
        [
            Fault(
                "all of them are killed at once",
                Deed(kill_all_of_ours),
                ends="killed by SIGKILL",
                kept=f"{IN_HISTORY}; the next start removes the run's folder",
            ),
            Fault(
                "the tool is killed (SIGKILL)",
                Deed(send(signal.SIGKILL)),
                ends="killed by SIGKILL",
                kept=IN_HISTORY,
            ),
        ],
        seen="no last words; no QEMU goes on",
    ),
    *as_one(
        "one of its helper processes is killed",
        [
            Fault(
                "its engine is killed",
                Deed(kill_engine, script=STAYS),
                ends="exit code 1",
                words="Error: the engine ended unexpectedly (killed by SIGKILL)",
                kept=EVERYWHERE,
            ),
            Fault(
                "the process that starts the QEMUs is killed",
                Deed(kill_warden, script=STAYS),
                ends="exit code 1",
                words="Error: the helper process that starts QEMUs was killed",
                kept=EVERYWHERE,
            ),
        ],
    ),
    *as_one(
        "the terminal is closed",
        [
            Fault(
                "the terminal of the plain report is closed",
                lose_the_terminal,
                ends="exit code 130",
                kept=IN_FILES,
            ),
            Fault(
                "the terminal of the dashboard is closed",
                lose_the_dashboard,
                ends="exit code 130",
                kept=IN_FILES,
            ),
            Fault(
                "the terminal of the dashboard is closed",
                partial(lose_the_dashboard, controlling=False),
                ends="exit code 130",
                kept=IN_FILES,
            ),
        ],
        seen="exit code 130; the VMs are ended in order",
    ),
    *as_one(
        "the dashboard's terminal takes nothing more, and stays (a frozen ssh, a stopped tmux)",
        [
            Fault(
                "the dashboard's terminal is stalled, and the run goes to its end",
                partial(stall_the_dashboard, leave=leave_after_the_run, script="1.boot=4"),
                ends="exit code 0",
                kept="everything",
            ),
            Fault(
                "the dashboard's terminal is stalled, then SIGTERM",
                partial(stall_the_dashboard, leave=terminate),
                ends="exit code 130",
                kept=IN_FILES,
            ),
            Fault(
                "the dashboard's terminal is stalled, then Ctrl-C",
                partial(stall_the_dashboard, leave=confirm),
                ends="exit code 130",
                kept=IN_FILES,
            ),
        ],
        seen="the run goes on, and obeys; the whole screen as soon as it takes something again",
    ),
    *as_one(
        "Ctrl-Z, then `fg`",
        [
            Fault(
                "Ctrl-Z, then `fg`, on the plain report",
                suspend_the_report,
                ends="exit code 0",
                words="Stopped",
                kept="everything: the VMs boot on meanwhile, and their times stay true",
            ),
            Fault(
                "Ctrl-Z, then `fg`, on the dashboard",
                suspend_the_dashboard,
                ends="exit code 0",
                words="Stopped",
                kept="everything: the shell has its terminal meanwhile, the VMs boot on",
            ),
        ],
        seen="the shell, and then the run as it goes on",
    ),
]

STATES: dict[str, tuple[str, ...] | None] = {
    "the tool is killed (SIGKILL)": None,
    "all of them are killed at once": None,
    "whoever reads the report goes away (`| head -1`)": ("booted", "booted", "killed"),
    "the dashboard's terminal is stalled, and the run goes to its end": ("booted", "booted"),
    "Ctrl-Z, then `fg`, on the plain report": ("booted", "booted"),
    "Ctrl-Z, then `fg`, on the dashboard": ("booted", "booted"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_run_that_is_ended(fault: Fault[Callable[[Scene], Outcome]], scene: Scene):
    images = [scene.folder / f"vm-{vm}.img" for vm in range(4)]
    with nothing_left(scene.lab.runtime, *images):
        outcome = fault.how(scene)
        asyncio.run(until(lambda: scene.leftovers() == []))

    assert outcome.ends == fault.ends, outcome.said
    assert fault.words in outcome.said
    assert "Traceback" not in outcome.said
    assert outcome.states == STATES.get(fault.what, ("booted", "killed"))
    if outcome.states is not None:
        booted = [state for state in outcome.states if state == "booted"]
        assert [count for _, count in scene.history] == [len(booted)]
