"""What VMs that have reported cost those that still boot: frozen, and off as the original's are.

    python tests/bench/disturbance.py [ROUNDS]

Boots demo guests, two ways in turn, and which begins changes from round to round. Prints, of the
medians:

- 6 VMs, ``--parallel 2``: boots of the last four / of the first two; 1.00 is undisturbed;
- 6 VMs, ``--stagger 2``: all booted, freeze / off;
- guest CPU after the report / up to it, to gather details and to shut down (freeze);
- seconds from the last report to the end of the run with 2 VMs (freeze).
"""

import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet

WAYS = ("freeze", "off")
HZ = os.sysconf("SC_CLK_TCK")


@dataclass
class Storm:
    """One storm as it was told, with the CPU time (s) of each QEMU when it got to a phase."""

    fleet: Fleet = field(default_factory=Fleet)
    at_report_s: dict[int, float] = field(default_factory=dict)
    at_details_s: dict[int, float] = field(default_factory=dict)
    at_end_s: dict[int, float] = field(default_factory=dict)

    def take(self, event: ev.Event) -> None:
        self.fleet.fold(event)
        match event:
            case ev.VmUsage() if event.vm not in self.at_report_s:
                if self.fleet.vms[event.vm].newest.report_ns:
                    self.at_report_s[event.vm] = event.cpu_ns / 1e9
            case ev.VmEnding():
                self.at_details_s[event.vm] = self._cpu_s(event.vm)
            case ev.QmpSeen(name="SHUTDOWN"):
                self.at_end_s[event.vm] = self._cpu_s(event.vm)

    def _cpu_s(self, vm: int) -> float:
        """Return what a QEMU has used; at its SHUTDOWN it is still there, or its ghost is."""
        try:
            stat = Path(f"/proc/{self.fleet.vms[vm].newest.pid}/stat").read_text()
        except OSError:
            return float("nan")
        words = stat.rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / HZ

    @property
    def boots_s(self) -> list[float]:
        return [attempt.boot_ns / 1e9 for attempt in self.fleet.newest]

    @property
    def all_booted_s(self) -> float:
        attempts = self.fleet.newest
        return (max(a.report_ns for a in attempts) - min(a.go_ns for a in attempts)) / 1e9

    @property
    def after_last_report_s(self) -> float:
        return (self.fleet.ended_ns - max(a.report_ns for a in self.fleet.newest)) / 1e9


def boot(number: int, way: str, *more: str) -> Storm:
    """Boot demo guests once."""
    line = [sys.executable, "-m", "vmtiming_tui", "demo", "--json", "--no-history"]
    line += ["-n", str(number), "--accel", "tcg", "--after-report", way, *more]
    storm, load = Storm(), os.getloadavg()[0]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tool:
        for told in tool.stdout:
            storm.take(ev.decode(told))
    boots = " ".join(f"{boot_s:.1f}" for boot_s in storm.boots_s)
    print(
        f"  {' '.join(more) or '-n ' + str(number):>14} {way:>6}: {boots} s, all booted "
        f"{storm.all_booted_s:.1f} s, then {storm.after_last_report_s:.1f} s  (load {load:.1f})",
        flush=True,
    )
    return storm


def shares(storms: list[Storm]) -> tuple[float, float]:
    """Return the CPU time to gather and to shut down, each over that of the boot: medians."""
    gathered, ended = [], []
    for storm in storms:
        for vm, boot_s in storm.at_report_s.items():
            gathered.append((storm.at_details_s[vm] - boot_s) / boot_s)
            ended.append((storm.at_end_s[vm] - storm.at_details_s[vm]) / boot_s)
    return statistics.median(gathered), statistics.median(ended)


def main() -> None:
    """Measure, and say what came of it."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    crowds: dict[str, list[Storm]] = {way: [] for way in WAYS}
    staggered: dict[str, list[Storm]] = {way: [] for way in WAYS}
    pairs = []
    for number in range(rounds):
        for way in sorted(WAYS, reverse=bool(number % 2)):
            crowds[way].append(boot(6, way, "--parallel", "2"))
            staggered[way].append(boot(6, way, "--stagger", "2"))
        pairs.append(boot(2, "freeze"))
    for way, storms in crowds.items():
        ratio = statistics.median(
            statistics.median(storm.boots_s[2:]) / statistics.median(storm.boots_s[:2])
            for storm in storms
        )
        print(f"--parallel 2, {way}: later boots / first boots {ratio:.2f}")
    medians = {
        way: statistics.median(storm.all_booted_s for storm in storms)
        for way, storms in staggered.items()
    }
    print(f"--stagger 2: all booted, freeze / off {medians['freeze'] / medians['off']:.2f}")
    gathered, ended = shares(crowds["freeze"])
    print(f"guest CPU after the report / up to it: {gathered:.2f} to gather, {ended:.2f} to end")
    tail_s = statistics.median(storm.after_last_report_s for storm in pairs)
    print(f"2 VMs: the run ends {tail_s:.1f} s after the last report")


if __name__ == "__main__":
    main()
