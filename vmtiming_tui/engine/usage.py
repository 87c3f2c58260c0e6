"""What each QEMU has used so far, read from /proc a little at a time."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable

from vmtiming_tui import events as ev
from vmtiming_tui.engine.attempt import Attempt
from vmtiming_tui.engine.boot import BootRun

PER_SECOND = 100
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


def usage_of(attempt: Attempt) -> ev.VmUsage | None:
    """Return what an attempt's QEMU has used; None once it is gone."""
    pid = attempt.pid
    if not pid:
        return None
    try:
        stat = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        run_ns = wait_ns = 0
        for tid in attempt.vcpu_tids:
            ran, waited, _ = _read(f"/proc/{pid}/task/{tid}/schedstat").split()
            run_ns, wait_ns = run_ns + int(ran), wait_ns + int(waited)
        read_bytes = 0
        with contextlib.suppress(PermissionError):
            read_bytes = _disk_read_bytes(pid)
    except (OSError, ValueError, IndexError):
        return None
    return ev.VmUsage(
        at_ns=time.monotonic_ns(),
        vm=attempt.boot.vm,
        attempt=attempt.boot.attempt,
        rss_bytes=int(stat[21]) * _PAGE_BYTES,
        disk_read_bytes=read_bytes,
        cpu_ns=(int(stat[11]) + int(stat[12])) * _TICK_NS,
        vcpu_run_ns=run_ns,
        vcpu_wait_ns=wait_ns,
    )


class UsageWatch:
    """Says what each VM uses, once a second, or less often where there are many.

    ``PER_SECOND`` VMs are looked at per second at most, spread evenly, so that the engine's own
    cost and the delay it may give a report's stamp stay the same however many VMs there are.
    """

    def __init__(self, run: BootRun, emit: Callable[[ev.Event], None]) -> None:
        self._run = run
        self._emit = emit
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "UsageWatch":
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while True:
            running = [attempt for attempt in self._run.attempts if attempt.pid]
            pause_s = max(1 / max(len(running), 1), 1 / PER_SECOND)
            for attempt in running:
                await asyncio.sleep(pause_s)
                if usage := usage_of(attempt):
                    self._emit(usage)
            if not running:
                await asyncio.sleep(0.5)
