"""The command on several hosts: where a person sits, its own folders; on each host, that host's."""

import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from faults.running import Outcome, in_words, states_in
from support.dask_hosts import DaskHosts, dask_hosts
from support.engine_lab import Lab, laboratory
from support.namespaces import network
from support.tool_lab import Tool


@dataclass(frozen=True)
class Rack:
    """Hosts a, b and c; images, kernel and QEMU are at the same paths on all of them."""

    lab: Lab
    dask: DaskHosts
    tool: Tool

    @property
    def export(self) -> Path:
        return self.lab.folder / "kept.json"

    def line(self, number: int = 6, script: str = "boot=0.1", *more: object) -> list[str]:
        """Return the words for so many VMs on all hosts, exported when they have ended."""
        self.export.unlink(missing_ok=True)
        hosts = ("--hosts", self.dask.address, "--insecure", "-o", self.export)
        return self.tool.arguments(number, script, *hosts, *more)

    def run(self, *words: object) -> Outcome:
        """Run the command to its end."""
        ended = self.tool.run(*words)
        return self._outcome(ended.code, ended.out + ended.err)

    def _outcome(self, code: int, said: str) -> Outcome:
        states = states_in(self.export) if self.export.exists() else None
        return Outcome(in_words(code), said, states)

    def leftovers(self) -> list[object]:
        """Return what runs on the hosts but for Dask, and what runs left in their folders."""
        found: list[object] = []
        for host in self.dask.network.hosts:
            ours = self.dask.workers[host.name]
            found += [line for pid, line in host.processes().items() if pid != ours.pid]
            found += [*host.runtime.iterdir(), *host.temp.glob("vm*timing*")]
        return found


class Running:
    """A run on several hosts of which something was seen, and its end."""

    def __init__(self, rack: Rack, *words: str) -> None:
        self.rack = rack
        self.process = rack.tool.start(*words, stderr=subprocess.STDOUT)
        self.seen = ""

    def till(self, words: str, times: int = 1) -> None:
        """Read till these words have been said so often."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.seen += line
            times -= words in line
            if not times:
                return
        raise AssertionError(self.seen)

    def end(self) -> Outcome:
        out, _ = self.process.communicate(timeout=120)
        return self.rack._outcome(self.process.returncode, self.seen + (out or ""))

    def stop(self) -> Outcome:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self.end()


@contextmanager
def rack(folder: Path, far_ms: Mapping[str, int] | None = None) -> Iterator[Rack]:
    """Make three hosts with Dask, and a lab whose environment is this process's meanwhile."""
    with laboratory() as lab, network(folder) as joined, dask_hosts(joined, far_ms) as dask:
        tool = Tool(lab, prefix=joined.front.prefix(lab.folder))
        lab.config(1)
        try:
            yield Rack(lab, dask, tool)
        finally:
            tool.close()
