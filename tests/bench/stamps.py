"""How late the engine stamps a report while the dashboard draws.

    python tests/bench/stamps.py [VMS]   (default: 1000)

So many stand-ins for QEMU boot under the real engine, all let go together, in the real dashboard on
a terminal of 200x60; each writes the true time into its report, at a moment of its own between 20
and 50 s, when every cell changes.

Beside them, and as often, one bare process writes the time to another, which does nothing but
read it and look at the clock, at a real-time priority where that is allowed. What that pair is late
by is the host's doing: no reader of a socket on this host, in these seconds, does better.
"""

import contextlib
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from ui_cost import Terminal, share  # noqa: E402  beside this file

FIRST_S, LAST_S = 20, 50


def run_storm(number: int, result: Path) -> None:
    """Be the dashboard of the real engine and of stand-ins; write every event to a file."""
    from support.engine_lab import laboratory
    from support.facts import plan_of
    from support.making import lines_into
    from vmtiming_tui.model.config import StartMode
    from vmtiming_tui.session.streams import Streams
    from vmtiming_tui.tui import open as run

    boot = f"boot={FIRST_S}~{LAST_S}"
    with Streams() as streams, laboratory() as lab, result.open("wb", buffering=0) as file:
        config = lab.config(number, boot, start=StartMode.TOGETHER, timeout_s=300.0)
        print(run.run_live(plan_of(config), streams, record=lines_into(file)).crash or "")


def write_times(descriptor: int, number: int) -> None:
    """Be the bare writer: wait for a byte, then write the time so often."""
    with socket.socket(fileno=descriptor) as sock:
        sock.recv(1)
        dice = random.Random(1)
        for pause in [dice.uniform(0, 2 * (LAST_S - FIRST_S) / number) for _ in range(number)]:
            time.sleep(pause)
            sock.send(b"%d" % time.monotonic_ns())


def read_times(descriptor: int) -> None:
    """Be the bare reader: print how late it was each time, in ms."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    late = []
    with socket.socket(fileno=descriptor) as sock:
        while data := sock.recv(64):
            late.append((time.monotonic_ns() - int(data)) / 1e6)
    print(*late)


class Yardstick:
    """The bare pair; begins to write when told to."""

    def __init__(self, number: int) -> None:
        reading, writing = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with reading, writing:
            self._writer = self._start(writing, "--write", str(number))
            self._reader = self._start(reading, "--read")
            self._go = reading.dup()

    def _start(self, sock: socket.socket, *words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, __file__, *words, "--socket", str(sock.fileno())]
        return subprocess.Popen(
            command, pass_fds=[sock.fileno()], stdout=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip

    def begin(self) -> None:
        with self._go:
            self._go.send(b"!")

    def late_ms(self) -> list[float]:
        self._writer.communicate()
        return [float(word) for word in self._reader.communicate()[0].split()]


def measure(number: int) -> None:
    """Print how late reports were stamped, and how late the bare pair was."""
    from vmtiming_tui.model import events as ev

    yardstick = Yardstick(number)
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "events"
        result.touch()
        terminal = Terminal([__file__, "--storm", str(number), "--result", str(result)])
        has_begun = False
        while b'"run_ended"' not in (said := result.read_bytes())[-4096:]:
            terminal.read(1)
            if not has_begun and b'"vm_booted"' in said:
                yardstick.begin()
                has_begun = True
        terminal.close()
        events = [ev.decode(line) for line in result.read_bytes().splitlines()]
    late = [
        (event.report_ns - int(event.text.rpartition("sent_ns=")[2])) / 1e6
        for event in events
        if isinstance(event, ev.VmBooted)
    ]
    print(f"{len(late)} of {number} booted; load {os.getloadavg()[0]:.1f}")
    rows = {"reports": late, "bare pair": yardstick.late_ms()}
    for name, times in rows.items():
        figures = (f"p{percent} {share(times, percent):7.3f} ms" for percent in (50, 95, 99))
        print(f"{name:>9} late by", *figures, f"at most {max(times):7.3f} ms", sep="  ")
    ratios = (f"p{p} {share(late, p) / share(rows['bare pair'], p):.2f}" for p in (50, 95, 99))
    print("    ratio", *ratios, sep="  ")


def main() -> None:
    match sys.argv[1:]:
        case ["--storm", number, "--result", result]:
            run_storm(int(number), Path(result))
        case ["--write", number, "--socket", descriptor]:
            write_times(int(descriptor), int(number))
        case ["--read", "--socket", descriptor]:
            read_times(int(descriptor))
        case []:
            measure(1000)
        case [number]:
            measure(int(number))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
