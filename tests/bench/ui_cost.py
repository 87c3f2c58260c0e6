"""What the dashboard costs on a 200x60 terminal while every VM's cell changes ten times a second.

    python tests/bench/ui_cost.py [VMS ...] [--hosts N]        (default: 8 100 1000 5000 20000)

Each dashboard runs on a pty of its own and reads events from a process of its own, through the
real client: a storm of that many VMs, none of which ends, usage samples, stages and console lines
as often as the engine gives them, and some VMs that boot and are rerun at random moments. More
than 5,000 VMs are those of hosts with 1,000 each, whose engines all tell as much as one. With
``--hosts`` each fleet is measured once more as that of so many named hosts, each of which says
every second how busy it is; the VMs tell no more than they do on one.

An empty Textual app with one line that changes ten times a second runs before and after; CPU is
given as a ratio to it. The VM that boots now and then is that under the cursor, which every picture
shows with its figure.

- CPU: user and system time of the dashboard's process over the window, as a share of one core
- lag: how late a 5 ms timer of its event loop fires
- event to paint: from the event's write to the pipe until its figure's bytes leave the pty
- key to paint: from the key's bytes into the pty until its effect's bytes leave it
- first paint: from the start of the process until its first line leaves the pty
- frames: how often in a second something leaves the pty after it was still for 20 ms
"""

import argparse
import asyncio
import fcntl
import itertools
import json
import os
import random
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

COLUMNS, ROWS = 200, 60
WARM_UP_S, WINDOW_S, LAG_S, KEYS = 4.0, 8.0, 6.0, 30
MARKERS_PER_S = 4
HOST_VMS, ONE_HOST = 1000, 5000
STILL_NS = 20_000_000
TICKS = os.sysconf("SC_CLK_TCK")


# The process that plays the engine.


def feed(number: int, log: Path, named: int) -> None:
    """Write a storm as JSON lines to stdout; note when each marker was written."""
    from support.facts import argv, run_started
    from support.many_hosts import clock_measured, host_joined
    from support.recording import plan_for
    from vmtiming_tui.engine.host.usage import PER_SECOND, TURNS_PER_SECOND
    from vmtiming_tui.model import events as ev
    from vmtiming_tui.model.plan import StormKind
    from vmtiming_tui.model.stage import Stage

    seen = (Stage.KERNEL, Stage.INITRD, Stage.USERSPACE)
    hosts = number // HOST_VMS if number > ONE_HOST else 1
    at_once = hosts * PER_SECOND // TURNS_PER_SECOND
    names = [f"node{place:02}" for place in range(named)]
    host_of = {vm: names[vm * named // number] if names else "" for vm in range(number)}

    def say(*events: ev.Event) -> None:
        data = b"".join(ev.encode(event).encode() + b"\n" for event in events)
        os.write(1, data)

    now = time.monotonic_ns
    say(
        run_started(
            now(), "bench", wall_ns=time.time_ns(), number=number, plan=plan_for(number)
        ),
        *(tell(host, now()) for host in names for tell in (host_joined, clock_measured)),
        ev.StormStarted(at_ns=now(), storm=1, kind=StormKind.RUN, vms=tuple(range(number))),
    )  # fmt: skip

    def start(vm: int, attempt: int, storm: int = 1) -> list[ev.Event]:
        at = now()
        who = {"vm": vm, "attempt": attempt, "at_ns": at}
        return [
            ev.VmQueued(storm=storm, host=host_of[vm], **who),
            ev.VmLaunched(pid=1, spawn_ns=at, argv=argv(vm), **who),
            ev.VmConnected(**who),
            ev.VmStarted(go_ns=at, **who),
        ]

    attempts, told = [1] * number, [0] * number

    def news(vm: int, at: int) -> Iterator[ev.Event]:
        told[vm] += 1
        who = {"at_ns": at, "vm": vm, "attempt": attempts[vm]}
        yield ev.VmUsage(rss_bytes=300 << 20, disk_read_bytes=80 << 20, cpu_ns=at % 10**10,
                         vcpu_run_ns=1, vcpu_wait_ns=1, **who)  # fmt: skip
        if told[vm] % 3 == 0:
            yield ev.StageSeen(stage=seen[min(told[vm] // 3, len(seen)) - 1], **who)
        yield ev.ConsoleLine(text=f"[  OK  ] Started unit-{told[vm]}.service.", **who)

    for vm in range(number):
        os.set_blocking(1, True)
        say(*start(vm, 1))
        if vm % 100 == 99:
            time.sleep(0.02)
    dice = random.Random(1)
    usage_vms = itertools.cycle(range(number))
    usage_due = marker = sample_due = 0
    samplers = itertools.cycle(names)
    marker_due = now() + 2_000_000_000
    restart: tuple[int, int] | None = None
    with log.open("w") as notes:
        while True:
            if select.select([0], [], [], 0.01)[0] and b'"quit"' in (os.read(0, 4096) or b'"quit"'):
                return
            at = now()
            if at > usage_due:
                usage_due = at + 1_000_000_000 // TURNS_PER_SECOND
                vms = [next(usage_vms) for _ in range(at_once)]
                say(*(event for vm in vms for event in news(vm, at)))
            if names and at > sample_due:
                sample_due = at + 1_000_000_000 // named
                busy = {"cpu_percent": dice.uniform(50, 100), "load1": 2.0, "psi_cpu": 9.0}
                say(ev.HostSample(at_ns=at, host=next(samplers), **busy))
            if restart and at > restart[1]:
                vm = restart[0]
                attempts[vm], told[vm] = attempts[vm] + 1, 0
                say(*start(vm, attempts[vm]))
                restart = None
            if at > marker_due and restart is None:
                vm, figure = 0, 20 + marker * 0.01
                go = at - int(figure * 1e9)
                who = {"vm": vm, "attempt": attempts[vm]}
                lines = [
                    ev.VmStarted(at_ns=at, go_ns=go, **who),
                    ev.VmBooted(
                        at_ns=at,
                        report_ns=go + round(figure * 1e9),
                        uncertainty_ns=0,
                        text="",
                        **who,
                    ),
                    ev.HostSample(
                        at_ns=at, cpu_percent=dice.uniform(50, 100), load1=2.0, host=host_of[vm]
                    ),
                ]
                notes.write(f"{figure:.2f} {now()}\n")
                notes.flush()
                say(*lines)
                marker += 1
                marker_due = at + int(1e9 / MARKERS_PER_S * dice.uniform(0.7, 1.3))
                restart = (vm, at + 150_000_000)


# The process that is measured.


async def measure_lag(seconds: float) -> list[float]:
    """Return how late a 5 ms timer fires, in ms."""
    late = []
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        due = loop.time() + 0.005
        await asyncio.sleep(0.005)
        late.append((loop.time() - due) * 1000)
    return late


def lag_on_signal(result: Path) -> None:
    """On SIGUSR1 measure the lag, then write it."""

    async def run() -> None:
        text = json.dumps(await measure_lag(LAG_S))
        await asyncio.to_thread(result.write_text, text)

    loop = asyncio.get_running_loop()
    tasks = set()
    loop.add_signal_handler(signal.SIGUSR1, lambda: tasks.add(loop.create_task(run())))


def run_empty(result: Path) -> None:
    """Be a Textual app with one changing line."""
    from textual.app import App
    from textual.widgets import Static

    class Empty(App[None]):
        def compose(self):
            yield Static("empty 0", id="line")

        def on_mount(self) -> None:
            lag_on_signal(result)
            self.turns = 0
            self.set_interval(0.1, self.turn)

        def turn(self) -> None:
            self.turns += 1
            self.query_one("#line", Static).update(f"empty {self.turns}")

    Empty().run()


def run_dashboard(number: int, log: Path, result: Path, named: int) -> None:
    """Be the dashboard on a feeder."""
    from vmtiming_tui.sources import live_engine

    def command() -> list[str]:
        lag_on_signal(result)
        args = ["--feed", str(number), "--log", str(log), "--hosts", str(named)]
        return [sys.executable, __file__, *args]

    live_engine.engine_command = command
    from support.recording import plan_for
    from vmtiming_tui.session.streams import Streams
    from vmtiming_tui.tui import open as run

    with Streams() as streams:
        print(run.run_live(plan_for(number), streams).crash or "")


# The process that measures.


class Terminal:
    """A pty with a program on it; keeps what the program writes, with the time of every piece."""

    def __init__(self, args: list[str]) -> None:
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        environment.pop("NO_COLOR", None)
        self.began = time.monotonic_ns()
        self.process = subprocess.Popen(
            [sys.executable, *args], stdin=slave, stdout=slave,
            stderr=slave, env=environment, start_new_session=True,
            # Its terminal, so that it is told when we are gone.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  one thread
        )  # fmt: skip
        os.close(slave)
        self.pieces: list[tuple[int, bytes]] = []
        self.bytes = 0

    def read(self, seconds: float, until: bytes | None = None) -> int | None:
        """Read for a time, or until some bytes have come; return when they did (ns)."""
        end = time.monotonic() + seconds
        tail = b""
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.master], [], [], left)[0]:
                break
            try:
                data = os.read(self.master, 1 << 20)
            except OSError:
                break
            at = time.monotonic_ns()
            self.pieces.append((at, data))
            self.bytes += len(data)
            if until is not None:
                if until in tail + data:
                    return at
                tail = (tail + data)[-200:]
        return None

    def cpu_s(self) -> float:
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / TICKS

    def peak_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def close(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            end = time.monotonic() + 10
            while self.process.poll() is None and time.monotonic() < end:
                self.read(0.05)
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)
        finally:
            os.close(self.master)


def share(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)] if ordered else 0.0


def one(number: int | None, folder: Path, hosts: int = 0) -> dict[str, float]:
    """Measure the empty app (None) or the dashboard with so many VMs, on so many named hosts."""
    result, log = folder / "lag.json", folder / "markers"
    result.unlink(missing_ok=True)
    log.write_text("")
    args = ["--empty"] if number is None else ["--dashboard", str(number), "--log", str(log)]
    args += ["--hosts", str(hosts)]
    terminal = Terminal([__file__, *args, "--result", str(result)])
    first = terminal.read(15, b"empty" if number is None else b"debian-12")
    figures = {"first_paint_s": ((first or 0) - terminal.began) / 1e9}
    terminal.read(WARM_UP_S + (number or 0) / 1000)
    cpu, sent, at = terminal.cpu_s(), terminal.bytes, time.monotonic()
    terminal.read(WINDOW_S)
    passed = time.monotonic() - at
    figures["cpu"] = (terminal.cpu_s() - cpu) / passed
    figures["bytes_per_s"] = (terminal.bytes - sent) / passed
    figures["frames_per_s"] = frames(terminal, at, passed)
    if number is not None:
        figures |= paint_times(terminal, log)
        figures |= key_times(terminal)
    os.kill(terminal.process.pid, signal.SIGUSR1)
    terminal.read(LAG_S + 1.5)
    lag = json.loads(result.read_text())
    figures["lag_p50_ms"], figures["lag_p99_ms"] = share(lag, 50), share(lag, 99)
    figures["peak_mib"] = terminal.peak_mib()
    terminal.close()
    return figures


def frames(terminal: Terminal, since_s: float, length_s: float) -> float:
    """Return how often something was drawn in a second of a time."""
    began_ns = int(since_s * 1e9)
    times = [at for at, _ in terminal.pieces if began_ns <= at <= began_ns + length_s * 1e9]
    return sum(later - at > STILL_NS for at, later in itertools.pairwise(times)) / length_s


def paint_times(terminal: Terminal, log: Path) -> dict[str, float]:
    """Return how long markers took to the screen, in ms."""
    times = []
    pieces = terminal.pieces
    for line in log.read_text().splitlines()[:-2]:  # the last may still be on their way
        figure, written = line.split()
        wanted = re.compile(rb"\xe2\x9c\x93(?: booted)? +" + figure.encode())
        written_ns = int(written)
        for place, (at, data) in enumerate(pieces):
            if at < written_ns or at > written_ns + 3_000_000_000:
                continue
            before = pieces[place - 1][1][-64:] if place else b""
            if wanted.search(before + data):
                times.append((at - written_ns) / 1e6)
                break
    return {
        "markers": len(times),
        "event_p50_ms": share(times, 50),
        "event_p99_ms": share(times, 99),
    }


def key_times(terminal: Terminal) -> dict[str, float]:
    """Return how long it takes until a mark that a key sets is on the screen, in ms."""
    times = []
    dice = random.Random(2)
    for count in range(1, KEYS + 1):
        terminal.read(dice.uniform(0.05, 0.2))
        pressed = time.monotonic_ns()
        os.write(terminal.master, b" ")
        at = terminal.read(2, f"{count} marked".encode())
        if at is None:
            break
        times.append((at - pressed) / 1e6)
    return {"keys": len(times), "key_p50_ms": share(times, 50), "key_p99_ms": share(times, 99)}


def main() -> None:
    parser = argparse.ArgumentParser(description="What the dashboard costs.")
    parser.add_argument("vms", nargs="*", type=int)
    parser.add_argument("--hosts", type=int, default=0)
    parser.add_argument("--feed", type=int)
    parser.add_argument("--dashboard", type=int)
    parser.add_argument("--empty", action="store_true")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--result", type=Path)
    given = parser.parse_args()
    if given.feed:
        feed(given.feed, given.log, given.hosts)
    elif given.empty:
        run_empty(given.result)
    elif given.dashboard:
        run_dashboard(given.dashboard, given.log, given.result, given.hosts)
    else:
        compare(given.vms or [8, 100, 1000, 5000, 20_000], given.hosts)


def compare(fleets: list[int], hosts: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {COLUMNS}x{ROWS}")
        empties = [one(None, folder)]
        ways = [(number, on) for number in fleets for on in dict.fromkeys((0, hosts))]
        rows = [(f"{number}/{on}" if on else str(number), one(number, folder, on))
                for number, on in ways]  # fmt: skip
        empties.append(one(None, folder))
    base = sum(empty["cpu"] for empty in empties) / 2
    heads = ("VMs", "CPU", "ratio", "lag p99", "event p50", "event p99", "key p99", "kB/s", "MiB",
             "frames/s", "first paint")  # fmt: skip
    print(" ".join(f"{head:>11}" for head in heads))
    for label, figures in [("empty", empties[0]), *rows, ("empty", empties[1])]:
        cells = (
            f"{label}",
            f"{figures['cpu']:.1%}",
            f"{figures['cpu'] / base:.2f}",
            f"{figures['lag_p99_ms']:.1f} ms",
            f"{figures.get('event_p50_ms', 0):.0f} ms",
            f"{figures.get('event_p99_ms', 0):.0f} ms",
            f"{figures.get('key_p99_ms', 0):.0f} ms",
            f"{figures['bytes_per_s'] / 1000:.0f}",
            f"{figures['peak_mib']:.0f}",
            f"{figures['frames_per_s']:.1f}",
            f"{figures['first_paint_s']:.2f} s",
        )
        print(" ".join(f"{cell:>11}" for cell in cells))
    print(
        "seen: "
        + ", ".join(
            f"{number}: {figures['markers']:.0f} markers {figures['keys']:.0f} keys"
            for number, figures in rows
        )
    )


if __name__ == "__main__":
    main()
