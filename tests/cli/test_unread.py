"""A run whose output is not read, or slowly, and a Ctrl-C meanwhile (as `... | less`, paused)."""

import asyncio
import fcntl
import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from faults.reading import HELD, SLOW, UNREAD, UNREAD_TWICE
from support.engine_lab import Lab, processes_naming, until
from support.schema import exported_file
from vmtiming_tui.session.headless import _PATIENCE_S

SMALL = 4096  # the least a pipe can hold
VMS = 8
WAYS = ["--plain", "--json"]


@dataclass
class Unread:
    """A run whose standard output goes into a pipe that nobody reads yet."""

    process: "subprocess.Popen[str]"
    reader: int
    lab: Lab

    @property
    def exported(self) -> list[str]:
        kept = exported_file(self.lab.folder / "kept.json")
        return [vm["attempts"][-1]["state"] for vm in kept["vms"]]

    def till(self, words: str) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if words in line:
                return
        raise AssertionError(words)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.till(UNREAD.words)

    def ends_within(self, limit_s: float) -> str:
        """Return how it ends, as the rows of faults have it."""
        return f"exit code {self.process.wait(limit_s)}"

    def ended(self) -> bool:
        """Whether the run is over: its export is there, and neither engine nor QEMU."""
        kept = self.lab.folder / "kept.json"
        return kept.exists() and not processes_naming(str(self.lab.runtime))

    def read_on(self, pause_s: float = 0.0) -> str:
        with os.fdopen(self.reader, "rb", buffering=0) as file:
            pieces = []
            while piece := file.read(1024):
                pieces.append(piece)
                time.sleep(pause_s)
        return b"".join(pieces).decode()


@pytest.fixture
def unread(tool, arguments, lab):
    """Start a run of VMs of which VM 3 never reports, unless another script is given."""
    pipes = []

    def start(way: str, script: str = "boot=0.1 3.boot=60") -> Unread:
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, SMALL)
        pipes.append(reader)
        process = tool(*arguments(VMS, script), way, "-o", "kept.json", stdout=writer)
        os.close(writer)
        return Unread(process, reader, lab)

    yield start
    for reader in pipes:
        try:
            os.close(reader)
        except OSError:  # it was read to its end
            continue


def fills(run: Unread) -> None:
    """Wait till the pipe takes no more."""
    tasks = Path(f"/proc/{run.process.pid}/task")
    asyncio.run(
        until(lambda: any("pipe_write" in (task / "wchan").read_text() for task in tasks.iterdir()))
    )


@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_ends_the_run_and_a_reader_that_comes_back_gets_the_rest(unread, way):
    run = unread(way)
    fills(run)
    run.interrupt()
    asyncio.run(until(run.ended))

    assert len(run.exported) == VMS
    assert run.exported[3] == "killed"
    assert run.process.poll() is None  # the rest is there for whoever reads
    out = run.read_on()
    assert run.ends_within(10) == UNREAD.ends
    last = out.splitlines()[-1]
    if way == "--json":
        assert json.loads(last)["event"] == "run_ended"
    else:
        assert last.startswith(("It took ", f"None of {VMS} VMs"))


@pytest.mark.parametrize("way", WAYS)
def test_a_second_ctrl_c_leaves_at_once(unread, way):
    run = unread(way)
    fills(run)
    run.interrupt()
    asyncio.run(until(run.ended))
    began = time.monotonic()
    run.process.send_signal(signal.SIGINT)

    assert run.ends_within(10) == UNREAD_TWICE.ends
    assert time.monotonic() - began < 3


def test_two_ctrl_c_in_a_row_end_a_run_of_deaf_guests(unread):
    run = unread("--json", "boot=60 deaf=system_powerdown,quit")
    fills(run)
    run.interrupt()
    run.process.send_signal(signal.SIGINT)

    assert run.process.wait(20) == 130
    assert run.exported == ["killed"] * VMS


def test_after_ctrl_c_a_reader_that_never_comes_is_not_waited_for(unread):
    run = unread("--json")
    fills(run)
    run.interrupt()
    asyncio.run(until(run.ended))
    began = time.monotonic()

    assert run.ends_within(_PATIENCE_S + 20) == UNREAD.ends
    assert f"waits {_PATIENCE_S:.0f} s" in UNREAD.kept
    assert time.monotonic() - began < _PATIENCE_S + 5


@pytest.mark.parametrize("way", WAYS)
def test_a_slow_reader_gets_the_whole(unread, way):
    run = unread(way, "boot=0.1")
    out = run.read_on(pause_s=0.02)

    assert run.ends_within(30) == SLOW.ends
    if way == "--json":
        events = [json.loads(line)["event"] for line in out.splitlines()]
        assert events[0] == "run_started"
        assert events[-1] == "run_ended"
        assert events.count("vm_booted") == VMS
    else:
        assert [f"VM {vm} booted in" in out for vm in range(VMS)] == [True] * VMS
        assert out.splitlines()[-1].startswith("It took ")


@pytest.fixture
def stopped(tool, arguments) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """A run on a terminal that was stopped with Ctrl-S; its words go elsewhere."""
    master, slave = pty.openpty()
    process = tool(
        *arguments(2, "1.boot=60"), "--plain", "-o", "kept.json",
        stdin=slave, stdout=slave, start_new_session=True,
    )  # fmt: skip
    os.write(master, b"\x13")
    yield master, process
    os.close(slave)
    os.close(master)


def test_a_terminal_stopped_with_ctrl_s_does_not_keep_a_run_from_ending(stopped, lab):
    master, process = stopped
    run = Unread(process, master, lab)
    asyncio.run(until(lambda: len(processes_naming(f"{lab.folder}/qemu\0-name")) == 2))
    run.interrupt()
    asyncio.run(until(run.ended))

    assert process.poll() is None
    os.write(master, b"\x11")
    assert run.ends_within(10) == HELD.ends


def test_a_run_into_a_file_is_there_as_a_whole(tool, arguments, lab):
    with (lab.folder / "report").open("w") as file:
        process = tool(*arguments(2), "--plain", stdout=file)
        assert process.wait(30) == 0

    assert (lab.folder / "report").read_text().splitlines()[-1].startswith("It took ")
