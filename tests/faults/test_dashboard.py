"""The dashboard itself fails, or its engine does: the run goes on, or says that it cannot."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from faults.fault import Fault, as_one
from faults.running import states_in
from faults.scene import Scene
from support.engine_lab import child_naming, processes_naming, until
from support.schema import exported_file
from support.terminal import Terminal
from support.traces import nothing_left

FAILS_ONCE = """
from vmtiming_tui.tui.widgets.header import Header
def lines(self, width):
    if self.model.figures.booted:
        raise ValueError("a fault of the dashboard")
    return []
Header.lines = lines
"""

NEVER_STARTS = """
from vmtiming_tui.tui.app import VmTimingApp
async def run_async(self, *given, **how):
    raise LookupError("no such terminal")
VmTimingApp.run_async = run_async
"""

TITLE = "The dashboard itself, or its engine"

EVERYTHING = "everything: the VMs boot on, and the plain report goes on; what failed, in a file"

DASHBOARD_FAILS = as_one(
    "the dashboard fails, in the middle of a run or before it is drawn",
    [
        Fault(
            "in the middle",
            (FAILS_ONCE, "ValueError: a fault of"),
            ends="exit code 0",
            words="; the run goes on without it.",
            kept=EVERYTHING,
        ),
        Fault(
            "at the start",
            (NEVER_STARTS, "LookupError: no such terminal"),
            ends="exit code 0",
            words="; the run goes on without it.",
            kept=EVERYTHING,
        ),
    ],
    seen="“the dashboard failed (ValueError: ...); the run goes on without it.”, and the exit code "
    "of the run",
)
ENGINE_LOST = Fault(
    "the engine is killed below the dashboard",
    signal.SIGKILL,
    ends="exit code 130",
    words="ENGINE LOST",
    kept="what is known till then, in exports and history; no QEMU goes on",
    seen="“ENGINE LOST”, with clocks that stand; `r` offers to start anew",
)
FAULTS = [*DASHBOARD_FAILS, ENGINE_LOST]

TOOL = "import runpy; runpy.run_module('vmtiming_tui', run_name='__main__')"


@pytest.fixture
def faulty(scene: Scene) -> Iterator[object]:
    """Start the dashboard on a terminal with a fault in it."""
    terminals = []

    def start(fault: str, *words: str) -> Terminal:
        line = scene.tool.command(*scene.line, "-o", "kept.json", *words)
        at = line.index("-m")
        program = f"{fault}\n{TOOL}"
        line = [*line[:at], "-c", program, *line[at + 2 :]]
        terminals.append(Terminal(line, scene.folder, scene.tool.environment))
        return terminals[-1]

    with nothing_left(scene.lab.runtime):
        yield start
        for terminal in terminals:
            terminal.close()
        asyncio.run(until(lambda: scene.leftovers() == []))


def said_after(terminal: Terminal) -> str:
    """Return what was said once the terminal was as it was before."""
    return terminal.output[max(terminal.output.rfind(b"\x1b[?1049l"), 0) :].decode()


@pytest.mark.parametrize("fault", DASHBOARD_FAILS, ids=str)
def test_a_dashboard_that_fails_ends_no_vm(scene: Scene, faulty, fault: Fault[tuple[str, str]]):
    scene.script = "0.boot=0.2 1.boot=3"
    program, what = fault.how
    terminal = faulty(program)
    assert f"exit code {terminal.wait()}" == fault.ends
    said = said_after(terminal)

    kept = scene.folder / "state" / "vmtiming-tui" / "dashboard-crash.txt"
    assert f"the dashboard failed ({what}" in said
    assert fault.words in said
    assert str(kept) in said
    assert "Traceback" not in said
    assert "Traceback" in kept.read_text()
    assert "VM 1 reported as booted" in said
    assert "All machines" not in said or program is NEVER_STARTS
    assert "It took " in said
    assert "2 of 2 booted, all booted in " in said
    assert "see it again by vm-timing-report show last" in said
    assert states_in(scene.folder / "kept.json") == ("booted", "booted")
    assert scene.history == [("finished", 2)]


def test_after_the_dashboards_fault_the_exit_code_is_the_runs(scene: Scene, faulty):
    scene.script = "0.boot=0.2 1.die=half:3"
    assert faulty(FAILS_ONCE).wait() == 1
    assert states_in(scene.folder / "kept.json") == ("booted", "failed")


def test_after_the_dashboards_fault_ctrl_c_still_ends_the_run(scene: Scene, faulty):
    scene.script = "0.boot=0.2 1.boot=60"
    terminal = faulty(FAILS_ONCE)
    terminal.till(b"the run goes on without it")
    terminal.type(b"\x03")
    assert terminal.wait() == 130
    assert "Stopping; once more" in said_after(terminal)
    assert "Stopped: 1 of 2 booted, the last after " in said_after(terminal)
    assert states_in(scene.folder / "kept.json") == ("booted", "killed")
    assert scene.history == [("stopped", 1)]


def test_an_engine_killed_below_the_dashboard_is_said_and_another_run_can_be_started(scene: Scene):
    scene.script = "0.boot=0.2 1.boot=60 0.off=never"
    line = scene.tool.command(*scene.line, "-o", "kept.json")
    with closing(Terminal(line, scene.folder, scene.tool.environment)) as terminal:
        terminal.till(b"?1049h")
        terminal.till(b"1 booted")
        os.kill(child_naming(terminal.process.pid, "engine.__main__"), ENGINE_LOST.how)
        terminal.till(ENGINE_LOST.words.encode())
        terminal.till(b"run cannot go on")
        terminal.till(b"ended with the engine")
        terminal.till(b"ENGINE LOST")
        at = len(terminal.output)
        terminal.type(b"lll\r")  # to "Look"; an escape would be one with the key that follows it
        at = terminal.till(b"ENGINE LOST", after=at)  # drawn anew, nothing lies over it
        asyncio.run(until(lambda: processes_naming(str(scene.lab.runtime)) == []))
        terminal.type(b"r")
        at = terminal.till(b"whole run anew", after=at)
        terminal.type(b"y")
        at = terminal.till(b"RUNNING", after=at)
        at = terminal.till(b"1 booted", after=at)
        terminal.type(b"q")
        terminal.till(b"End and leave", after=at)
        terminal.type(b"y")
        assert f"exit code {terminal.wait()}" == ENGINE_LOST.ends
    asyncio.run(until(lambda: scene.leftovers() == []))

    assert scene.history == [("interrupted", 1), ("stopped", 1)]
    assert exported_file(scene.folder / "kept.json")["vms"][0]["attempts"]


def test_an_engine_killed_below_the_plain_report_ends_it_with_all_that_is_known(scene: Scene):
    scene.script = "0.boot=0.2 1.boot=60 0.off=never"
    process = scene.tool.start(*scene.line, "--plain", "-o", "kept.json")
    assert process.stdout is not None
    while "VM 0 reported" not in process.stdout.readline():
        pass
    os.kill(child_naming(process.pid, "engine.__main__"), signal.SIGKILL)
    out, err = process.communicate(timeout=30)
    asyncio.run(until(lambda: scene.leftovers() == []))

    assert process.returncode == 1
    assert "the engine ended unexpectedly (killed by SIGKILL)" in err
    assert "VM 1 killed: ended with the engine" in out
    assert states_in(Path(scene.folder / "kept.json")) == ("booted", "killed")
    assert scene.history == [("interrupted", 1)]
