"""What QEMU's small powers cost a boot: the demo guest, booted with them and without, in turn.

    python tests/bench/qemu_powers.py [ROUNDS]

``without`` is ``--run-as root`` with a filter of the user's own (``-sandbox off``), so root alone
can run this. Prints each boot, and the ratio of the medians (with / without): 1.00 is no cost. The
two ways take turns, and which begins changes from round to round, so that a host that becomes
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


def boot_s(way: str, folder: Path) -> float:
    """Boot the demo guest once; return its boot time."""
    export = folder / "boot.json"
    export.unlink(missing_ok=True)
    line = [sys.executable, "-m", "vmtiming_tui", "demo", "--plain", "-n", "1", "--accel", "tcg"]
    subprocess.run(
        [*line, "--no-history", "-o", str(export), *WAYS[way]], check=True, capture_output=True
    )
    (vm,) = json.loads(export.read_text())["vms"]
    return vm["attempts"][-1]["boot_s"]


def main() -> None:
    """Measure, and say what came of it."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for way in sorted(WAYS, reverse=bool(number % 2)):
                load = os.getloadavg()[0]
                seconds = boot_s(way, Path(folder))
                found[way].append(seconds)
                print(f"{way:>8} {seconds:7.2f} s  (load {load:.1f})", flush=True)
    medians = {way: statistics.median(times) for way, times in found.items()}
    spread = max(max(times) / min(times) for times in found.values())
    print(f"median with / without: {medians['with'] / medians['without']:.3f}")
    print(f"largest / smallest of one way: {spread:.3f}")


if __name__ == "__main__":
    main()
