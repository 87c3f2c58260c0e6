"""How the cost of a VM grows with the number of VMs: what each costs among 1000, against 100.

    python tests/bench/scale.py [--few 100] [--many 1000] [--rounds 3]

Storms of so many stand-ins for QEMU boot under the real engine, drawn by the real dashboard on a
terminal of 200x60, few and many in turn. Of each process (engine, warden, dashboard) the CPU time
from the first VM queued to the end of the run is divided by the number of VMs; what a process takes
to start is not in it. Prints the median of each, and the ratio.
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from ui_cost import TICKS, Terminal  # noqa: E402  beside this file

from support.engine_lab import children_of, laboratory, warden_of  # noqa: E402

SCRIPT = "boot=0.02~0.2 off=0.02"


def run_storm(number: int, folder: Path) -> None:
    """Be the dashboard of the real engine and of stand-ins; write every event to a file."""
    from support.facts import plan_of
    from support.making import lines_into
    from vmtiming_tui.session.streams import Streams
    from vmtiming_tui.tui import open as run

    with (
        Streams() as streams,
        laboratory() as lab,
        (folder / "events").open("wb", buffering=0) as file,
    ):
        plan = plan_of(lab.config(number, SCRIPT))
        print(run.run_live(plan, streams, record=lines_into(file)).crash or "")


def cpu_s(pid: int) -> float:
    """Return the CPU time a process has taken, in seconds."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


def one(number: int) -> dict[str, float]:
    """Return what each process took per VM, in ms."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "events").touch()
        terminal = Terminal([__file__, "--storm", str(number), "--folder", name])
        wait_for(terminal, folder / "events", b'"run_started"')
        (engine,) = children_of(terminal.process.pid)
        pids = {"engine": engine, "warden": warden_of(engine), "dashboard": terminal.process.pid}
        before = {who: cpu_s(pid) for who, pid in pids.items()}
        wait_for(terminal, folder / "events", b'"run_ended"')
        after = {who: cpu_s(pid) for who, pid in pids.items()}
        terminal.close()
    return {who: 1000 * (after[who] - before[who]) / number for who in pids}


def wait_for(terminal: Terminal, events: Path, kind: bytes) -> None:
    """Read what the dashboard draws until an event of a kind has come."""
    with events.open("rb") as file:
        said = b""
        while kind not in said:
            terminal.read(0.05)
            said = said[-100:] + file.read()


def main() -> None:
    words = argparse.ArgumentParser(description="What a VM costs among few and among many.")
    words.add_argument("--few", type=int, default=100)
    words.add_argument("--many", type=int, default=1000)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--storm", type=int, help=argparse.SUPPRESS)
    words.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.storm:
        run_storm(given.storm, given.folder)
    else:
        compare(given.few, given.many, given.rounds)


def compare(few: int, many: int, rounds: int) -> None:
    """Measure in turn and print."""
    costs = {number: [] for number in (few, many)}
    for _ in range(rounds):
        for number, found in costs.items():
            found.append(one(number))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; CPU ms per VM, of {rounds}")
    for who in ("engine", "warden", "dashboard"):
        at = {number: statistics.median(each[who] for each in costs[number]) for number in costs}
        print(f"{who:>9}: {at[few]:6.2f} among {few}, {at[many]:6.2f} among {many}", end="")
        print(f", ratio {at[many] / at[few]:.2f}")


if __name__ == "__main__":
    main()
