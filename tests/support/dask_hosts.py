"""Real Dask processes on hosts: a scheduler and workers, started as anybody starts them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support import relay
from support.engine_lab import children_of
from support.namespaces import Host, Network

LIMIT_S = 60
PORT, FAR_PORT, NEAR_PORT = 8786, 8886, 8887


@dataclass(frozen=True)
class Process:
    """A program on a host, whose words are in the file ``said``; ``entry`` took it there."""

    entry: "subprocess.Popen[bytes]"
    said: Path

    @classmethod
    def on(cls, host: Host, called: str, *words: object) -> "Process":
        said = host.folder / f"{called}.said"
        with said.open("wb") as file:
            entry = subprocess.Popen(
                [*host.prefix(), *map(str, words)],
                env=host.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        return cls(entry, said)

    @property
    def pid(self) -> int:
        """Its pid as we see it."""
        inside = children_of(self.entry.pid)
        return inside[0] if inside else self.entry.pid

    @property
    def is_running(self) -> bool:
        return self.entry.poll() is None

    def send_signal(self, number: int) -> None:
        """Send a signal to it alone."""
        os.kill(self.pid, number)
        if number != signal.SIGSTOP:
            self.entry.send_signal(signal.SIGCONT)  # nsenter stops with what it has started

    def end(self) -> None:
        """Kill it, and wait till it has gone."""
        if self.is_running:
            self.send_signal(signal.SIGKILL)
        self.entry.wait()

    @property
    def words(self) -> str:
        """All it has said."""
        return self.said.read_text(errors="replace")

    def wait_for(self, words: str) -> None:
        """Return as soon as it has said these words; fail where it never does."""
        self.wait_till(lambda: words in self.words)

    def wait_till(self, true: Callable[[], bool]) -> None:
        """Return as soon as something is true that it has to see to; fail where it never is."""
        until_s = time.monotonic() + LIMIT_S
        while not true():
            assert self.is_running, self.words
            assert time.monotonic() < until_s, self.words
            time.sleep(0.02)


@dataclass
class DaskHosts:
    """A scheduler where a person sits, and workers by their hosts' names.

    The links to the hosts in ``far_ms`` are so long, each way; no more than one is.
    """

    network: Network
    far_ms: Mapping[str, int]
    scheduler: Process
    workers: dict[str, Process] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"tcp://{self.network.front.address}:{PORT}"

    def start(self, name: str, *program: str) -> None:
        """Start a host's worker, by another program than Dask's own where one is given."""
        # The scheduler takes in nobody under a name that is still somebody's.
        self.scheduler.wait_till(lambda: self._knows(name) == 0)
        host, front = self.network.host(name), self.network.front.address
        scheduler, place = self.address, ["--host", host.address]
        if name in self.far_ms:
            scheduler = f"tcp://{front}:{FAR_PORT}"
            place = ["--listen-address", f"tcp://{host.address}:{PORT}"]
            place += ["--contact-address", f"tcp://{front}:{NEAR_PORT}"]
        self.workers[name] = Process.on(
            host, "worker", sys.executable, *(program or ("-m", "dask")), "worker", scheduler,
            *place, "--name", name, "--nthreads", 1, "--no-dashboard", "--no-nanny",
        )  # fmt: skip

    def _knows(self, name: str) -> int:
        """Return how many workers of a name the scheduler has taken in that it knows still."""
        lines = [line for line in self.scheduler.words.splitlines() if f"name: {name}" in line]
        came = sum("Register worker" in line for line in lines)
        return came - sum("Remove worker" in line for line in lines)

    def whole(self) -> None:
        """Have a scheduler and a worker on every host, started anew where there is none."""
        if not self.scheduler.is_running:
            self.scheduler = _scheduler(self.network.front)
        for host in self.network.hosts:
            if host.name not in self.workers or not self.workers[host.name].is_running:
                self.start(host.name)
        for worker in self.workers.values():
            worker.wait_for("Registered to:")

    def end(self, name: str) -> None:
        """End a host's worker."""
        self.workers[name].end()


def _scheduler(front: Host) -> Process:
    return Process.on(
        front, "scheduler", sys.executable, "-m", "dask", "scheduler",
        "--host", front.address, "--port", PORT, "--no-dashboard",
    )  # fmt: skip


@contextmanager
def dask_hosts(network: Network, far_ms: Mapping[str, int] | None = None) -> Iterator[DaskHosts]:
    """Start Dask on hosts; what is started ends with the network."""
    front, far_ms = network.front, far_ms or {}
    for name, delay_ms in far_ms.items():
        far = f"{network.host(name).address}:{PORT}"
        Process.on(
            front, f"relay-to-{name}", sys.executable, "-IS", relay.__file__, delay_ms,
            f"{front.address}:{FAR_PORT}", f"{front.address}:{PORT}",
            f"{front.address}:{NEAR_PORT}", far,
        ).wait_for("ready")  # fmt: skip
    made = DaskHosts(network, far_ms, _scheduler(front))
    try:
        made.whole()
        yield made
    finally:
        made.scheduler.end()
        for name in made.workers:
            made.end(name)
