"""What the engine itself costs, and how far off its report stamps are, with stand-ins for QEMU.

    python tests/bench/engine_cost.py [VMS ...]        (default: 8 100 500)

For each fleet size: CPU seconds and peak memory of the engine's process and of its warden, per VM
and less what an engine costs that boots none; and the error of the report stamp. Each stand-in
writes its own CLOCK_MONOTONIC into its report just before sending it, at a moment of its own, so
that the error holds everything between the guest's write and our stamp: the kernel's wake-up, a
busy loop, and other programs on the host (their load is printed, since it is most of the tail).
"""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.engine_lab import Lab, Story, children_of, laboratory
from support.facts import plan_of
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.config import StartMode
from vmtiming_tui.sources.live_engine import EngineClient

_TICKS = os.sysconf("SC_CLK_TCK")
_SPREAD_S = 12.0


@dataclass(frozen=True)
class Cost:
    """Of the engine's process and its warden's: CPU seconds, and peak resident MiB."""

    cpu_s: float
    peak_mib: float


def _cost_of(pid: int) -> Cost:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    peak_kib = int(status.partition("VmHWM:")[2].split()[0])
    return Cost((int(words[11]) + int(words[12])) / _TICKS, peak_kib / 1024)


def _cost_of_engine(pid: int) -> Cost:
    costs = [_cost_of(one) for one in (pid, *children_of(pid))]
    return Cost(sum(cost.cpu_s for cost in costs), sum(cost.peak_mib for cost in costs))


async def boot(lab: Lab, number: int) -> tuple[Story, Cost]:
    """Boot a fleet whose reports come at random moments; return its story and the cost."""
    # All go together, when the stand-ins' own start-up is over; each reports at its own time.
    script = f"boot=1~{1 + _SPREAD_S}"
    async with EngineClient() as client:
        story = Story(client)
        config = lab.config(number, script, start=StartMode.TOGETHER, timeout_s=120.0)
        client.send(commands.Start(plan=plan_of(config), interactive=True))
        await story.till(lambda story: story.of(ev.RunEnded))
        cost = _cost_of_engine(client.pid)
    return story, cost


def stamp_errors_ms(story: Story) -> list[float]:
    """Return, in order, how much later than its writing each report was stamped."""
    return sorted(
        (attempt.report_ns - int(attempt.text.rpartition("sent_ns=")[2])) / 1e6
        for attempt in story.fleet.newest
        if attempt.report_ns is not None
    )


def share(values: list[float], part: float) -> float:
    """Return the value that ``part`` of them do not exceed."""
    return values[min(int(part * len(values)), len(values) - 1)]


async def main(numbers: list[int]) -> None:
    """Print a line per fleet size."""
    with laboratory() as lab:
        _, idle = await boot(lab, 1)
        print(f"an engine for one VM: {idle.cpu_s:.2f} s CPU, {idle.peak_mib:.1f} MiB")
        print("  VMs booted  CPU ms/VM  MiB/VM  stamp error ms: p50    p99  worst   load")
        for number in numbers:
            story, cost = await boot(lab, number)
            errors = stamp_errors_ms(story)
            print(
                f"{number:5} {len(errors):6} {1000 * (cost.cpu_s - idle.cpu_s) / number:10.2f} "
                f"{(cost.peak_mib - idle.peak_mib) / number:7.3f} "
                f"{share(errors, 0.5):20.3f} {share(errors, 0.99):6.3f} {errors[-1]:6.3f} "
                f"{os.getloadavg()[0]:6.2f}",
                flush=True,
            )


if __name__ == "__main__":
    asyncio.run(main([int(word) for word in sys.argv[1:]] or [8, 100, 500]))
