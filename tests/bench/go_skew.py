"""How far apart three hosts let VMs go that start together: as told, and how well that is known.

    python tests/bench/go_skew.py [VMS] [STORMS] [FAR_MS]     (default: 12 30 0)

The hosts are network namespaces with clocks hours apart, each with a real worker of Dask; they have
one machine's cores between them, so what else goes on there falls on the skew. Stand-ins for QEMU
boot for 0.2 s. With ``FAR_MS`` one host is so far away, each way. As root.
"""

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.rack import rack  # noqa: E402
from support.schema import exported_file  # noqa: E402


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def main() -> None:
    given = [int(word) for word in sys.argv[1:]]
    number, storms, far_ms = (*given, *(12, 30, 0)[len(given) :])
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    far = {"c": far_ms} if far_ms else None
    with tempfile.TemporaryDirectory() as folder, rack(Path(folder), far) as hosts:
        wanted = ("--start", "together", "--end", "quit", "-r", storms)
        outcome = hosts.run(*hosts.line(number, "boot=0.2", *wanted))
        assert outcome.ends == "exit code 0", outcome.said
        skews = exported_file(hosts.export)["between_hosts"]["go_skews"]
    for name, key in (("skew", "skew_s"), ("known to", "uncertainty_s")):
        told = [each[key] * 1000 for each in skews]
        figures = ", ".join(
            f"{word} {quantile(told, share):.2f}"
            for word, share in (("median", 0.5), ("p95", 0.95), ("p99", 0.99), ("worst", 1))
        )
        print(f"{name} (ms) of {len(told)} storms of {number} VMs: {figures}")
    print(f"load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
