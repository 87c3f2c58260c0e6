"""The host's facts, and how busy it is while VMs boot."""

import asyncio
import os
import platform
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vmtiming_tui.engine.children.tasks import end
from vmtiming_tui.escape import one_line
from vmtiming_tui.model import events as ev

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What boot times depend on; kept with every run. ``cores`` are those we may run on.

    ``psi`` holds ``some avg10`` in percent by resource, at the start.
    """

    hostname: str
    kernel: str
    os: str
    cpu_model: str
    cores: int
    governor: str
    virtualised: str
    memory_bytes: int
    memory_available_bytes: int
    load1: float
    psi: dict[str, float]


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _field(text: str, name: str) -> str:
    match = re.search(rf"^{re.escape(name)}\s*[:=]\s*(.*)$", text, re.MULTILINE)
    return match[1].strip().strip('"') if match else ""


def memory_bytes(name: str) -> int:
    """Return a figure of /proc/meminfo, such as ``MemAvailable``; 0 where there is none."""
    words = _field(_read(_PROC / "meminfo"), name).split()
    return int(words[0]) * 1024 if words and words[0].isdigit() else 0


def pressure(resource: str) -> float | None:
    """Return PSI's ``some avg10`` in percent of a resource; None where the kernel has none."""
    match = re.search(r"^some avg10=([0-9.]+)", _read(_PROC / "pressure" / resource))
    return float(match[1]) if match else None


def _virtualised(cpuinfo: str) -> str:
    product = _read(Path("/sys/class/dmi/id/product_name"))
    vendor = _read(Path("/sys/class/dmi/id/sys_vendor"))
    if " hypervisor" in cpuinfo:
        return one_line(f"{vendor} {product}".strip() or "yes", 100)
    return ""


def host_facts() -> HostFacts:
    """Return the host's facts as they are now."""
    cpuinfo = _read(_PROC / "cpuinfo")
    governor = _read(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))
    found = {name: pressure(name) for name in ("cpu", "io", "memory")}
    return HostFacts(
        hostname=platform.node(),
        kernel=platform.release(),
        os=one_line(_field(_read(Path("/etc/os-release")), "PRETTY_NAME"), 200),
        cpu_model=one_line(_field(cpuinfo, "model name") or platform.machine(), 200),
        cores=len(os.sched_getaffinity(0)),
        governor=governor,
        virtualised=_virtualised(cpuinfo),
        memory_bytes=memory_bytes("MemTotal"),
        memory_available_bytes=memory_bytes("MemAvailable"),
        load1=os.getloadavg()[0],
        psi={name: value for name, value in found.items() if value is not None},
    )


def _cpu_times() -> tuple[int, int]:
    """Return the host's busy and total CPU time so far, in ticks."""
    first = _read(_PROC / "stat").partition("\n")[0].split()[1:9]
    ticks = [int(word) for word in first]
    total = sum(ticks)
    idle = sum(ticks[3:5])
    return total - idle, total


class HostWatch:
    """Says once a second how busy the host is, while it is entered."""

    def __init__(self, emit: Callable[[ev.Event], None], period_s: float = 1.0) -> None:
        self._emit = emit
        self._period_s = period_s
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "HostWatch":
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        await end(self._task)

    async def _watch(self) -> None:
        busy, total = _cpu_times()
        while True:
            await asyncio.sleep(self._period_s)
            before_busy, before_total = busy, total
            busy, total = _cpu_times()
            psi = {}
            for name in ("cpu", "io", "memory"):
                psi[name] = pressure(name)
                await asyncio.sleep(0)  # a report that came meanwhile has its stamp first
            self._emit(
                ev.HostSample(
                    at_ns=time.monotonic_ns(),
                    cpu_percent=round(100 * (busy - before_busy) / max(total - before_total, 1), 1),
                    load1=os.getloadavg()[0],
                    psi_cpu=psi["cpu"],
                    psi_io=psi["io"],
                    psi_memory=psi["memory"],
                    memory_available_bytes=memory_bytes("MemAvailable"),
                )
            )
