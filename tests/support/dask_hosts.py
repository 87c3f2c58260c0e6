"""Real Dask processes on hosts: a scheduler and workers, started as anybody starts them."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support import relay
from support.engine_lab import children_of
from support.namespaces import Host, Network

LIMIT_S = 60
PORT = 8786


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

    def send_signal(self, number: int) -> None:
        """Send a signal to it alone."""
        os.kill(self.pid, number)

    def wait_for(self, words: str) -> "Process":
        """Return as soon as it has said these words; fail where it never does."""
        until_s = time.monotonic() + LIMIT_S
        while words not in (said := self.said.read_text(errors="replace")):
            assert self.entry.poll() is None, said
            assert time.monotonic() < until_s, said
            time.sleep(0.02)
        return self


@dataclass
class Cluster:
    """A scheduler where a person sits, and workers by their hosts' names."""

    network: Network
    scheduler: Process
    workers: dict[str, Process] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"tcp://{self.network.front.address}:{PORT}"

    def join(
        self, name: str, *words: object, far_ms: int = 0, program: tuple[str, ...] = ()
    ) -> None:
        """Start a host's worker, behind a link that is ``far_ms`` long both ways."""
        host = self.network.host(name)
        scheduler, place = self.address, ["--host", host.address]
        if far_ms:
            scheduler, place = self._far(host, far_ms)
        dask = program or ("-m", "dask")
        self.workers[name] = Process.on(
            host, "worker", sys.executable, *dask, "worker", scheduler, *place,
            "--name", name, "--nthreads", 1, "--no-dashboard", "--no-nanny", *words,
        )  # fmt: skip

    def _far(self, host: Host, far_ms: int) -> tuple[str, list[str]]:
        front = self.network.front.address
        near, far = f"{front}:{PORT + 1}", f"{host.address}:{PORT}"
        Process.on(
            self.network.front, f"relay-{host.name}", sys.executable, "-IS", relay.__file__, far_ms,
            near, f"{front}:{PORT}", f"{front}:{PORT + 2}", far,
        ).wait_for("ready")  # fmt: skip
        listens = ["--listen-address", f"tcp://{far}"]
        return f"tcp://{near}", [*listens, "--contact-address", f"tcp://{front}:{PORT + 2}"]

    def joined(self) -> None:
        """Wait till every worker that was started is known to the scheduler."""
        for worker in self.workers.values():
            worker.wait_for("Registered to:")

    def leave(self, name: str) -> None:
        """End a host's worker for good."""
        worker = self.workers.pop(name)
        worker.send_signal(9)
        worker.entry.wait()


@contextmanager
def dask_hosts(network: Network) -> Iterator[Cluster]:
    """Start a scheduler that waits for workers; all ends with the network."""
    front = network.front
    scheduler = Process.on(
        front, "scheduler", sys.executable, "-m", "dask", "scheduler",
        "--host", front.address, "--port", PORT, "--no-dashboard",
    )  # fmt: skip
    cluster = Cluster(network, scheduler)
    try:
        yield cluster
    finally:
        for process in (*cluster.workers.values(), scheduler):
            process.entry.kill()
            process.entry.wait()
