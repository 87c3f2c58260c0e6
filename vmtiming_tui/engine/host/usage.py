"""What each QEMU has used so far, read from /proc, and told a little at a time."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from vmtiming_tui.engine.children.tasks import end

PER_SECOND = 50
TURNS_PER_SECOND = 10
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 4096)
    finally:
        os.close(fd)


def _disk_read_bytes(pid: int) -> int:
    for line in _read(f"/proc/{pid}/io").splitlines():
        if line.startswith(b"read_bytes:"):
            return int(line[11:])
    return 0


@dataclass(frozen=True, slots=True)
class Usage:
    """As ``VmUsage`` has it."""

    rss_bytes: int
    disk_read_bytes: int
    cpu_ns: int
    vcpu_run_ns: int
    vcpu_wait_ns: int


def usage_of(pid: int, vcpu_tids: Sequence[int]) -> Usage | None:
    """Return what a QEMU has used; None where there is none, or no more.

    ``schedstat`` of a vCPU's thread says how long it ran, and how long it was ready to run and
    waited for a CPU (Documentation/scheduler/sched-stats).
    """
    if not pid:
        return None
    try:
        stat = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        run_ns = wait_ns = 0
        for tid in vcpu_tids:
            ran, waited, _ = _read(f"/proc/{pid}/task/{tid}/schedstat").split()
            run_ns, wait_ns = run_ns + int(ran), wait_ns + int(waited)
        read_bytes = 0
        with contextlib.suppress(PermissionError):
            read_bytes = _disk_read_bytes(pid)
        return Usage(
            rss_bytes=int(stat[21]) * _PAGE_BYTES,
            disk_read_bytes=read_bytes,
            cpu_ns=(int(stat[11]) + int(stat[12])) * _TICK_NS,
            vcpu_run_ns=run_ns,
            vcpu_wait_ns=wait_ns,
        )
    except (OSError, ValueError, IndexError):
        return None


class Watched(Protocol):
    """A boot as the watch sees it."""

    @property
    def is_booting(self) -> bool:
        """Whether there is something to look at."""

    def tell_so_far(self) -> None:
        """Say what it uses and where it is, as events."""


class UsageWatch:
    """Has it told how far each VM is that boots, once a second, or less often where there are many.

    ``PER_SECOND`` VMs are looked at per second at most, a few at each of at most
    ``TURNS_PER_SECOND`` turns, so that the cost to the engine, and to whoever it wakes with the
    news, stays the same however many VMs there are.
    """

    def __init__(self, watched: Callable[[], Sequence[Watched]]) -> None:
        self._watched = watched
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "UsageWatch":
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        await end(self._task)

    def _booting(self) -> list[Watched]:
        return [watched for watched in self._watched() if watched.is_booting]

    async def _watch(self) -> None:
        while True:
            booting = self._booting()
            at_once = min(-(-len(booting) // TURNS_PER_SECOND), PER_SECOND // TURNS_PER_SECOND)
            for first in range(0, len(booting), at_once or 1):
                await asyncio.sleep(at_once / min(len(booting), PER_SECOND))
                for watched in booting[first : first + at_once]:
                    if watched.is_booting:
                        watched.tell_so_far()
            if not booting:
                await asyncio.sleep(0.5)
