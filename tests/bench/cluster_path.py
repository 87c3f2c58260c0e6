"""What the way through a cluster costs: the same VMs on one host, and on ``local:1``, in turns.

    python tests/bench/cluster_path.py [VMS] [PAIRS]   (default: 100 10)

Stand-ins for QEMU boot for 2 s each, all let go together, and write the true time into their
reports. Storms go A B B A: A by an engine of this host, as a usual run's, B by one that a worker of
Dask holds on this host, led through its scheduler. So a boot's figure may differ by what the worker
and the leading cost, and by the host's noise.

Told of each way: the median and the 99th percentile of what boots took beyond 2 s, how late reports
were stamped, and what this process used of a CPU; of the two: the mean of the pairs' differences
with its 95 % interval.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import t

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.engine_lab import Lab, laboratory  # noqa: E402
from support.facts import plan_of  # noqa: E402
from vmtiming_tui.model import commands  # noqa: E402
from vmtiming_tui.model.cluster import Cluster, Reach  # noqa: E402
from vmtiming_tui.model.config import StartMode  # noqa: E402
from vmtiming_tui.model.fleet import Fleet  # noqa: E402
from vmtiming_tui.session.live_source import OpenSource, live_source  # noqa: E402
from vmtiming_tui.session.streams import Streams  # noqa: E402

BOOT_S = 2.0


@dataclass(frozen=True)
class Told:
    """What one storm came to, in ms; ``cpu_s`` is this process's own."""

    beyond: float
    beyond_p99: float
    late: float
    late_p99: float
    cpu_s: float


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


async def storm(lab: Lab, number: int, open_source: OpenSource) -> Told:
    """Boot the VMs once, and return what they told."""
    config = lab.config(
        number, f"boot={BOOT_S}", start=StartMode.TOGETHER, timeout_s=120.0, end="quit"
    )
    begun_s, fleet = time.process_time(), Fleet()
    async with open_source(None) as source:
        source.send(commands.Start(plan=plan_of(config)))
        async for batch in source.batches():
            for event in batch:
                fleet.fold(event)
            if fleet.ran_to_end:
                source.send(commands.Quit())
    attempts = fleet.newest
    assert all(attempt.boot_ns is not None for attempt in attempts)
    beyond = [attempt.boot_ns / 1e6 - BOOT_S * 1e3 for attempt in attempts]
    late = [
        (attempt.report_ns - int(attempt.text.rpartition("sent_ns=")[2])) / 1e6
        for attempt in attempts
    ]
    return Told(
        statistics.median(beyond), quantile(beyond, 0.99),
        statistics.median(late), quantile(late, 0.99),
        time.process_time() - begun_s,
    )  # fmt: skip


def say(name: str, storms: list[Told]) -> None:
    def mean(of: Callable[[Told], float]) -> float:
        return statistics.mean(map(of, storms))

    print(
        f"{name}: beyond {BOOT_S:g} s median {mean(lambda s: s.beyond):.3f} ms, "
        f"p99 {mean(lambda s: s.beyond_p99):.3f}; stamped late median "
        f"{mean(lambda s: s.late):.3f}, p99 {mean(lambda s: s.late_p99):.3f}; "
        f"this process {mean(lambda s: s.cpu_s):.2f} s of CPU"
    )


async def measure(number: int, pairs: int) -> None:
    with Streams() as streams, laboratory() as lab:
        plan = plan_of(lab.config(number))
        here, there = list[Told](), list[Told]()
        async with (
            live_source(None, plan, streams) as by_itself,
            live_source(Cluster(reach=Reach.LOCAL, workers=1), plan, streams) as through,
        ):
            await storm(lab, number, by_itself), await storm(lab, number, through)  # to warm up
            for pair in range(pairs):
                ways = [(here, by_itself), (there, through)]
                for told, way in ways if pair % 2 == 0 else reversed(ways):
                    told.append(await storm(lab, number, way))
        say("one host", here)
        say("local:1 ", there)
        for what in ("beyond", "beyond_p99", "late", "late_p99"):
            apart = [getattr(b, what) - getattr(a, what) for a, b in zip(here, there, strict=True)]
            half = t.ppf(0.975, len(apart) - 1) * statistics.stdev(apart) / len(apart) ** 0.5
            print(f"{what}: local:1 - one host = {statistics.mean(apart):+.3f} ± {half:.3f} ms")


if __name__ == "__main__":
    asked = [int(word) for word in sys.argv[1:]]
    asyncio.run(measure(*(asked + [100, 10][len(asked) :])))
