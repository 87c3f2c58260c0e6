"""What QEMU's small powers cost a boot: the demo guest, booted with them and without, in turn.

    python tests/bench/qemu_powers.py [ROUNDS]

``without`` is ``--run-as root`` with a filter of the user's own (``-sandbox off``), so root alone
can run this. Prints each boot, and the ratios of the medians (with / without) of the boot's time
and of the CPU time its QEMU used till then: 1.00 is no cost. The latter holds on a busy host too.
The two ways take turns, and which begins changes from round to round, so that a host that becomes
busier or quieter weighs on both.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

WAYS = {"with": [], "without": ["--run-as", "root", "--", "-sandbox", "off"]}


def boot(way: str, folder: Path) -> tuple[float, float]:
    """Boot the demo guest once; return its boot time and its QEMU's CPU time, in seconds."""
    export = folder / "boot.json"
    export.unlink(missing_ok=True)
    line = [sys.executable, "-m", "vmtiming_tui", "demo", "--plain", "-n", "1", "--accel", "tcg"]
    subprocess.run(
        [*line, "--no-history", "-o", str(export), *WAYS[way]], check=True, capture_output=True
    )
    (vm,) = json.loads(export.read_text())["vms"]
    attempt = vm["attempts"][-1]
    return attempt["boot_s"], attempt["usage"]["cpu_s"]


def main() -> None:
    """Measure, and say what came of it."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for way in sorted(WAYS, reverse=bool(number % 2)):
                load = os.getloadavg()[0]
                found[way].append(boot(way, Path(folder)))
                took_s, cpu_s = found[way][-1]
                print(
                    f"{way:>8} {took_s:7.2f} s, CPU {cpu_s:6.2f} s  (load {load:.1f})", flush=True
                )
    for name, figures in (("boot", 0), ("CPU", 1)):
        times = {way: [pair[figures] for pair in pairs] for way, pairs in found.items()}
        ratio = statistics.median(times["with"]) / statistics.median(times["without"])
        spread = max(max(each) / min(each) for each in times.values())
        print(f"{name}: median with / without {ratio:.3f}, spread of one {spread:.3f}")


if __name__ == "__main__":
    main()
