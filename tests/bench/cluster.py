"""What many hosts cost whoever leads them: the dashboard's CPU, its delay, its memory, and numbers.

    python tests/bench/cluster.py [--hosts 20] [--vms 500] [--window 20] [--minutes 0]
    python tests/bench/cluster.py --numbers [HOSTS ...]      (default: 20 100 1000 10000)

The first has a dashboard lead so many hosts with so many VMs each, on a terminal of 200x60. The
hosts are of another process, one connection each; their engines are made up and tell as much as
real ones: usage of 50 VMs a second, a console line each, stages, a host's sample a second. No VM
boots by itself; some do, one after another.

- CPU: user and system time of the dashboard's process over the window, as a share of one core
- event to paint: from a boot's write to the connection until it is counted on the terminal
- memory: resident, at the begin and the end of so many minutes, and how it grew in their last half

The second has no dashboard and no connection: what it costs to lead so many hosts of 10 VMs each
through a storm, in a process where time leaps. The hosts' own cost is not in it.
"""

import argparse
import asyncio
import itertools
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from ui_cost import Terminal, share  # noqa: E402  beside this file

from support.simulated_hosts import Fate, LedEngine  # noqa: E402
from vmtiming_tui.cluster import host_lines  # noqa: E402
from vmtiming_tui.cluster.host_link import Lines  # noqa: E402
from vmtiming_tui.errors import EventError, HostError  # noqa: E402
from vmtiming_tui.model import commands, events as ev  # noqa: E402
from vmtiming_tui.model.fleet import Fleet  # noqa: E402
from vmtiming_tui.model.plan import RunPlan  # noqa: E402
from vmtiming_tui.model.stage import Stage  # noqa: E402

MARKERS = 40
STYLES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
TURNS_PER_SECOND, PER_TURN = 10, 5
SEEN = (Stage.KERNEL, Stage.INITRD, Stage.USERSPACE)
AHEAD_NS = 7_000_000_000


def plan_for(number: int) -> RunPlan:
    """One storm whose VMs have hours."""
    from support.facts import plan

    return plan(number, timeout_s=36_000.0)


# The process that plays the hosts.


class Rack:
    """Hosts whose VMs come up over ten seconds and boot when they are told to."""

    def __init__(self, markers: Path) -> None:
        self.engines: dict[str, LedEngine] = {}
        self._markers = markers
        self._tasks: set[asyncio.Task[None]] = set()

    def _now_ns(self) -> int:
        return time.monotonic_ns() + AHEAD_NS

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = (await reader.readline()).decode().strip()
        chance = random.Random(name)
        lots = (Fate(boot_ns=None, up_ns=chance.randrange(10**10)) for _ in itertools.count())
        loop = asyncio.get_running_loop()
        engine = self.engines[name] = LedEngine(
            lambda event: writer.write(ev.encode(event).encode() + b"\n"),
            self._now_ns,
            lambda by_ns, then: loop.call_later(by_ns / 1e9, then),
            lots,
            facts={"hostname": name},
        )
        task = asyncio.create_task(self._tell(engine, writer))
        self._tasks.add(task)
        while line := await reader.readline():
            engine.obey(commands.decode(line))
        task.cancel()

    async def _tell(self, engine: LedEngine, writer: asyncio.StreamWriter) -> None:
        """Tell what an engine tells while VMs boot, as often."""
        said: Counter[int] = Counter()
        for turn in itertools.count():
            await asyncio.sleep(1 / TURNS_PER_SECOND)
            booting = engine.booting
            if not booting:
                continue
            at_ns, first = self._now_ns(), turn * PER_TURN % len(booting)
            events = [
                event
                for vm in booting[first : first + PER_TURN]
                for event in self._news(engine, vm, at_ns, said)
            ]
            if turn % TURNS_PER_SECOND == 0:
                events.append(ev.HostSample(at_ns=at_ns, cpu_percent=turn % 100, load1=2.0))
            writer.write(b"".join(ev.encode(event).encode() + b"\n" for event in events))

    def _news(
        self, engine: LedEngine, vm: int, at_ns: int, said: Counter[int]
    ) -> Iterator[ev.Event]:
        said[vm] += 1
        who = {"at_ns": at_ns, "vm": vm, "attempt": engine.attempt(vm)}
        yield ev.VmUsage(rss_bytes=300 << 20, disk_read_bytes=80 << 20, cpu_ns=at_ns % 10**10,
                         vcpu_run_ns=1, vcpu_wait_ns=1, **who)  # fmt: skip
        if said[vm] % 3 == 0:
            yield ev.StageSeen(stage=SEEN[min(said[vm] // 3, len(SEEN)) - 1], **who)
        yield ev.ConsoleLine(text=f"[  OK  ] Started unit-{said[vm]}.service.", **who)

    async def mark(self, vms: int, go: Path) -> None:
        """Have VMs report one after another once that is wanted; note each, and when."""
        while not await asyncio.to_thread(go.exists):  # noqa: ASYNC110  another process makes it
            await asyncio.sleep(0.05)
        engine = self.engines["host-0"]
        chance = random.Random(1)
        with self._markers.open("w") as notes:
            for vm in range(min(vms, MARKERS)):
                await asyncio.sleep(chance.uniform(0.5, 0.9))
                notes.write(f"{time.monotonic_ns()}\n")
                notes.flush()
                engine.report(vm)

    async def run(self, socket: Path, vms: int, go: Path) -> None:
        server = await asyncio.start_unix_server(self.serve, socket, limit=1 << 24)
        async with server, asyncio.TaskGroup() as group:
            group.create_task(self.mark(vms, go))
            group.create_task(server.serve_forever())


# The process that is measured.


class RackLink:
    """A host of the rack."""

    def __init__(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.name, self.address = name, "rack"
        self._reader, self._writer = reader, writer
        self._rest = b""

    async def send(self, lines: tuple[bytes, ...]) -> None:
        self._writer.write(b"".join(line + b"\n" for line in lines))

    async def next(self, after: int) -> Lines:
        data = await self._reader.read(1 << 18)
        if not data:
            raise HostError("the rack is gone")
        *whole, self._rest = (self._rest + data).split(b"\n")
        return Lines(first=after, lines=tuple(whole))

    async def clock_ns(self) -> int:
        await asyncio.sleep(0)
        return time.monotonic_ns() + AHEAD_NS


def run_dashboard(hosts: int, vms: int, socket: Path) -> None:
    """Be the dashboard that leads the rack's hosts."""
    from vmtiming_tui.cluster.source import ClusterSource
    from vmtiming_tui.session.streams import Streams
    from vmtiming_tui.tui import open as run

    @asynccontextmanager
    async def to_the_rack(*_: object) -> AsyncIterator[Callable[..., ClusterSource]]:
        links = []
        for place in range(hosts):
            reader, writer = await asyncio.open_unix_connection(socket, limit=1 << 20)
            writer.write(f"host-{place}\n".encode())
            links.append(RackLink(f"host-{place}", reader, writer))
        yield lambda tap: ClusterSource(links, tap)

    run.live_source = to_the_rack
    with Streams() as streams:
        print(run.run_live(plan_for(hosts * vms), streams).crash or "")


# The process that measures.


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def paint_times(terminal: Terminal, markers: Path, count: int) -> list[float]:
    """Return how long it took till each boot was counted on the screen, in ms."""
    seen: list[float] = []
    for place in range(count):
        while len(lines := markers.read_text().splitlines() if markers.exists() else []) <= place:
            terminal.read(0.005)
        written_ns = int(lines[place])
        wanted = re.compile(rb"\xe2\x9c\x93 +%d +booted" % (place + 1))
        end = time.monotonic() + 3
        while time.monotonic() < end:
            late = [piece for piece in terminal.pieces[-60:] if piece[0] >= written_ns]
            text, at_ns = b"", None
            for at, data in late:
                text += data
                if wanted.search(STYLES.sub(b" ", text)):
                    at_ns = at
                    break
            if at_ns is not None:
                seen.append((at_ns - written_ns) / 1e6)
                break
            terminal.read(0.005)
    return seen


def measure(hosts: int, vms: int, window_s: float, minutes: float) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        socket, markers, go = folder / "rack", folder / "markers", folder / "go"
        rack = Terminal([__file__, "--rack", str(vms), "--folder", name])
        while not socket.exists():
            rack.read(0.05)
        terminal = Terminal(
            [__file__, "--dashboard", name, "--hosts", str(hosts), "--vms", str(vms)]
        )
        first = terminal.read(30, b"host-0")
        terminal.read(20)
        cpu, rack_cpu, at = terminal.cpu_s(), rack.cpu_s(), time.monotonic()
        terminal.read(window_s)
        passed = time.monotonic() - at
        busy, rack_busy = terminal.cpu_s() - cpu, rack.cpu_s() - rack_cpu
        load = os.getloadavg()[0]
        print(f"{hosts} hosts, {vms} VMs each; load {load:.1f} on {os.cpu_count()} cores")
        print(f"first paint {((first or 0) - terminal.began) / 1e9:.2f} s")
        print(
            f"dashboard {busy / passed:.1%} of a core (the hosts' process {rack_busy / passed:.1%})"
        )
        go.touch()
        times = paint_times(terminal, markers, count := min(vms, MARKERS))
        print(
            f"event to paint p50 {share(times, 50):.0f} ms, p99 {share(times, 99):.0f} ms, worst "
            f"{max(times, default=0):.0f} ms, of {len(times)} that were seen of {count}"
        )
        sizes = [resident_mib(terminal.process.pid)]
        for _ in range(round(minutes * 6)):
            terminal.read(10)
            terminal.pieces.clear()
            sizes.append(resident_mib(terminal.process.pid))
        half = sizes[len(sizes) // 2 :]
        print(
            f"resident {sizes[0]:.0f} MiB, after {minutes:g} minutes {sizes[-1]:.0f} MiB; in their "
            f"last half it grew by {half[-1] - half[0]:.1f} MiB"
        )
        terminal.close()
        rack.close()


# Numbers alone.


def numbers(hosts: int, vms: int = 10) -> None:
    """Lead hosts through a storm where time leaps; print what each part costs."""
    from support.leaping_hosts import World, quick

    names = [f"h{place}" for place in range(hosts)]
    world = World(*names, lots=lambda name: quick(int(name[1:]), trouble=0.01), delay_ns=10**6)
    spent: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    heard = world.conductor.heard

    def timed(host: str, event: ev.Event, now_ns: int) -> list:
        began = time.process_time_ns()
        result = heard(host, event, now_ns)
        kind = "steps" if isinstance(event, (ev.Awaiting, ev.StormEnded)) else "other"
        kind = "begin" if isinstance(event, ev.RunStarted) else kind
        spent[kind] += time.process_time_ns() - began
        calls[kind] += 1
        return result

    world.conductor.heard = timed  # type: ignore[method-assign]
    world.start(plan_for(hosts * vms))
    world.run()
    lines = [ev.encode(event).encode() for event in world.told]
    began = time.process_time_ns()
    fleet = Fleet()
    for event in world.told:
        fleet.fold(event)
    folded_ns = time.process_time_ns() - began
    some = lines[:: max(1, len(lines) // 20_000)]
    began = time.process_time_ns()
    for line in some:
        try:
            host_lines.told(line, 12345)
        except EventError as error:
            raise AssertionError(line) from error
    decoded_ns = (time.process_time_ns() - began) / len(some)
    booted = sum(attempt.state.is_booted for attempt in fleet.attempts)
    parts = {
        "begin": f"{spent['begin'] / 1e9:.2f} s",
        "steps": f"{spent['steps'] / 1e9:.2f} s",
        "a step's word": f"{spent['steps'] / calls['steps'] / 1e3:.0f} us",
        "any other": f"{spent['other'] / calls['other'] / 1e3:.1f} us",
        "decode and move": f"{decoded_ns / 1e3:.1f} us",
        "fold": f"{folded_ns / len(lines) / 1e3:.1f} us",
    }
    told = ", ".join(f"{name} {figure}" for name, figure in parts.items())
    print(f"{hosts:6} hosts, {hosts * vms} VMs, {len(lines)} events, {booted} booted: {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description="What many hosts cost whoever leads them.")
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--vms", type=int, default=500)
    parser.add_argument("--window", type=float, default=20)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--numbers", nargs="*", type=int)
    parser.add_argument("--rack", type=int)
    parser.add_argument("--dashboard", type=Path)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.numbers is not None:
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        for hosts in given.numbers or (20, 100, 1000, 10_000):
            numbers(hosts)
    elif given.rack:
        folder = given.folder
        asyncio.run(Rack(folder / "markers").run(folder / "rack", given.rack, folder / "go"))
    elif given.dashboard:
        run_dashboard(given.hosts, given.vms, given.dashboard / "rack")
    else:
        measure(given.hosts, given.vms, given.window, given.minutes)


if __name__ == "__main__":
    main()
