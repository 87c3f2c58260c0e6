"""Hosts as network namespaces: each with an address, processes, mounts and a clock of its own.

A bridge in the front's namespace joins them. All of it lives as long as the processes that hold it,
and these as long as whoever made them: nothing is left even of a test that is killed.
"""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.engine_lab import children_of

# The shell takes the remains of whatever was left to it; when its input ends, all ends.
HOLD = ("sh", "-c", "echo; cat; :")
FRONT = ("--net", "--uts")
WHOLE = (*FRONT, "--pid", "--mount", "--time")


@dataclass(frozen=True)
class Host:
    """One host, as we see it: ``pid`` is its first process, ``folder`` its home.

    Its ``CLOCK_MONOTONIC`` is ``ahead_s`` ahead of ours.
    """

    name: str
    address: str
    folder: Path
    pid: int
    namespaces: tuple[str, ...]
    ahead_s: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """Every folder that a run uses, which no other host has."""
        own = {
            f"XDG_{kind.upper()}_HOME": self.folder / kind for kind in ("cache", "state", "config")
        }
        own |= {"HOME": self.folder, "XDG_RUNTIME_DIR": self.runtime, "TMPDIR": self.temp}
        return os.environ | {name: str(path) for name, path in own.items()}

    @property
    def runtime(self) -> Path:
        """Where run folders are made."""
        return self.folder / "run"

    @property
    def temp(self) -> Path:
        return self.folder / "tmp"

    def prefix(self, folder: Path | None = None) -> list[str]:
        """Return what runs a command line on this host, for as long as who runs it lives."""
        words = ["setpriv", "--pdeathsig=KILL", "nsenter", f"--target={self.pid}"]
        return [*words, *self.namespaces, f"--wdns={folder or self.folder}"]

    def do(self, *words: object) -> str:
        """Run a command here; return what it printed."""
        command = [*self.prefix(), *map(str, words)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def processes(self) -> dict[int, str]:
        """Return the command lines of all that runs here but for what holds the host."""
        here = Path(f"/proc/{self.pid}/ns/pid").readlink()
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if (entry / "ns" / "pid").readlink() == here:
                    words = os.fsdecode((entry / "cmdline").read_bytes()).split("\0")
                    found[int(entry.name)] = " ".join(words).strip()
            except OSError:
                continue
        return {pid: line for pid, line in found.items() if pid != self.pid and line != "cat"}


@dataclass(frozen=True)
class Network:
    """Hosts that reach each other, and the ``front`` where a person sits."""

    front: Host
    hosts: tuple[Host, ...]

    def host(self, name: str) -> Host:
        (found,) = (host for host in self.hosts if host.name == name)
        return found

    def cut(self, host: Host) -> None:
        """Unplug a host: nothing reaches it, and nobody is told."""
        self.front.do("ip", "link", "set", _port(host.name), "down")

    def mend(self, host: Host) -> None:
        """Plug it in again."""
        self.front.do("ip", "link", "set", _port(host.name), "up")


def _port(name: str) -> str:
    return f"to-{name}"


@contextmanager
def _held(*words: str) -> Iterator[int]:
    """Hold new namespaces; yield the pid of their first process."""
    holder = subprocess.Popen(
        ["unshare", "--fork", "--kill-child", *words, *HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline()
        (pid,) = children_of(holder.pid)
        yield pid
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()


def _settled(host: Host) -> Host:
    for place in (host.runtime, host.temp):
        place.mkdir(parents=True, mode=0o700)
    host.do("hostname", host.name)
    host.do("ip", "link", "set", "lo", "up")
    return host


@contextmanager
def network(folder: Path, names: Sequence[str] = ("a", "b", "c")) -> Iterator[Network]:
    """Make a front and hosts whose clocks differ by hours; their homes are in a folder."""
    with ExitStack() as stack:
        pid = stack.enter_context(_held(*FRONT))
        front = _settled(Host("front", "10.9.0.1", folder / "front", pid, FRONT))
        front.do("ip", "link", "add", "hosts", "type", "bridge")
        front.do("ip", "address", "add", f"{front.address}/24", "dev", "hosts")
        front.do("ip", "link", "set", "hosts", "up")
        hosts = []
        for number, name in enumerate(names, start=1):
            ahead_s = number * 3600
            clock = (f"--monotonic={ahead_s}", f"--boottime={ahead_s}")
            pid = stack.enter_context(_held(*WHOLE, "--mount-proc", *clock))
            address = f"10.9.0.{number + 1}"
            host = _settled(Host(name, address, folder / name, pid, WHOLE, ahead_s))
            _plug(front, host)
            hosts.append(host)
        yield Network(front, tuple(hosts))


def _plug(front: Host, host: Host) -> None:
    """Join a host to the front's bridge."""
    port = _port(host.name)
    front.do(
        "ip", "link", "add", port, "master", "hosts", "type", "veth",
        "peer", "name", "eth0", "netns", host.pid,
    )  # fmt: skip
    front.do("ip", "link", "set", port, "up")
    host.do("ip", "address", "add", f"{host.address}/24", "dev", "eth0")
    host.do("ip", "link", "set", "eth0", "up")
