"""How often the comparison is wrong where nothing differs, and right where something does.

python tests/bench/verdicts.py [tries]

Hosts are those of the measurements this method was chosen by: storms differ by ``storm``, VMs of
one storm by ``vm`` (deviations of the log), a share ``odd`` of the storms takes half as long again,
and the host drifts by ``drift`` (the deviation of a slow first-order process) through both runs,
booted one after the other. Prints, asserts nothing.

Then single storms, held against each other where the history keeps so many runs of one storm: how
often a verdict is wrong where nothing differs, with both storms booted right after those runs ("in
a row") and each on another day than they ("later"), and how many times slower one has to be.
"""

import math
import random
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from vmtiming_tui.analysis.comparison.compare import Comparison, Gate, Verdict, compare_sides
from vmtiming_tui.analysis.comparison.samples import QEMU, Sample, Side, StormSample
from vmtiming_tui.analysis.comparison.tolerance import KnownRun, Setting
from vmtiming_tui.analysis.stages import Stage

VMS = 4
LIMIT_PERCENT = 5
SETTING = Setting("this host", "this guest")
SHARES = {QEMU: 0.02, "firmware": 0.08, "kernel": 0.2, "initrd": 0.2, "userspace": 0.5, "lag": 0.02}


@dataclass(frozen=True)
class Host:
    """How storms and VMs of a host differ, as deviations of the logarithm."""

    name: str
    storm: float
    vm: float
    odd: float = 0.0
    drift: float = 0.0
    memory: float = 0.9


HOSTS = (
    Host("calm", 0.03, 0.05),
    Host("real", 0.04, 0.07, odd=0.05),
    Host("moody", 0.05, 0.10, odd=0.05, drift=0.04),
    Host("meas", 0.12, 0.04, drift=0.2, memory=0.85),
)


def storms(
    host: Host, factor: float, chance: random.Random, vms: int = VMS
) -> Iterator[StormSample]:
    """Yield storms without end; the host's mood goes on from one to the next."""
    mood = chance.gauss(0, host.drift)
    while True:
        mood = host.memory * mood + chance.gauss(0, host.drift * math.sqrt(1 - host.memory**2))
        level = math.log(8 * factor) + mood + chance.gauss(0, host.storm)
        level += math.log(1.5) if chance.random() < host.odd else 0
        boots = tuple(math.exp(level + chance.gauss(0, host.vm)) for _ in range(vms))
        stages = {
            name: tuple(boot * share * math.exp(chance.gauss(0, 0.05)) for boot in boots)
            for name, share in SHARES.items()
        }
        yield StormSample(boots=boots, all_booted_in=max(boots), stages=stages)


def compared(host: Host, count: int, factor: float, chance: random.Random) -> Comparison:
    """Compare two runs of so many storms, the second ``factor`` times as slow, made in turn."""
    source = storms(host, 1.0, chance)
    first = [next(source) for _ in range(count)]
    second = [_slower(next(source), factor) for _ in range(count)]
    return compare_sides(_side("first", first), _side("second", second))


def _slower(storm: StormSample, factor: float) -> StormSample:
    return StormSample(
        boots=tuple(boot * factor for boot in storm.boots),
        all_booted_in=(storm.all_booted_in or 0) * factor,
        stages={name: tuple(v * factor for v in values) for name, values in storm.stages.items()},
    )


def _side(label: str, found: list[StormSample]) -> Side:
    return Side(label=label, samples=(Sample(parameters={}, storms=tuple(found)),), facts={})


def rates(host: Host, count: int, factor: float, tries: int) -> tuple[float, float, float, float]:
    """Return in percent: the boot decided, any line, exit 3, and exit 4 at the limit."""
    chance = random.Random(f"{host.name} {count} {factor}")
    boot = line = failed = open_ = 0
    for _ in range(tries):
        found = compared(host, count, factor, chance)
        verdicts = [each.verdict for each in found.groups[0].differences]
        decided = [verdict in (Verdict.SLOWER, Verdict.FASTER) for verdict in verdicts]
        gate = found.gate(LIMIT_PERCENT)
        boot += decided[0]
        line += any(decided)
        failed += gate is Gate.TOO_SLOW
        open_ += gate is Gate.CANNOT_TELL
    return tuple(100 * n / tries for n in (boot, line, failed, open_))  # type: ignore[return-value]


def single(host: Host, runs: int, chance: random.Random, *, in_a_row: bool) -> Comparison:
    """Compare two single storms of a host of which the history keeps so many runs."""
    source = storms(host, 1.0, chance)
    known = tuple(KnownRun(f"{at}", SETTING, (next(source).median,)) for at in range(runs))
    sides = []
    for label in ("first", "second"):
        found = next(source if in_a_row else storms(host, 1.0, chance))
        sample = Sample(parameters={}, storms=(found,), setting=SETTING)
        sides.append(Side(label=label, samples=(sample,), facts={}, known=known))
    return compare_sides(*sides)


def single_rates(host: Host, runs: int, tries: int) -> tuple[float, float, float, float]:
    """Return the percent decided and failed later, decided in a row, and the median limit."""
    chance = random.Random(f"{host.name} {runs}")
    later = [single(host, runs, chance, in_a_row=False) for _ in range(tries)]
    row = [single(host, runs, chance, in_a_row=True) for _ in range(tries)]
    limits = [known.ratio for each in later if (known := each.groups[0].boot.tolerance)]

    def share(found: list[Comparison]) -> float:
        wrong = (Verdict.SLOWER, Verdict.FASTER)
        return 100 * sum(each.verdict in wrong for each in found) / tries

    failed = sum(each.gate(LIMIT_PERCENT) is Gate.TOO_SLOW for each in later)
    limit = statistics.median(limits) if limits else math.inf
    return share(later), 100 * failed / tries, share(row), limit


def print_single(tries: int) -> None:
    """Print what single storms come to where nothing differs."""
    heads = ("host", "past runs", "later %", "exit 3 %", "in a row %", "limit")
    print("  ".join(f"{head:>10}" for head in ("", *heads)))
    for host in HOSTS:
        for runs in (5, 6, 10, 20, 40, 100):
            row = ("single", host.name, runs, *single_rates(host, runs, tries))
            cells = (f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row)
            print("  ".join(f"{cell:>10}" for cell in cells))


def main(tries: int = 1000) -> None:
    print_single(tries)
    assert set(SHARES) >= set(map(str, Stage)) - {str(Stage.LOADER)}
    print(f"{tries} tries a cell; storms of {VMS} VMs; --fail-slower {LIMIT_PERCENT}")
    heads = ("host", "storms", "factor", "boot %", "any line %", "exit 3 %", "exit 4 %")
    print("  ".join(f"{head:>10}" for head in heads))
    for factor, counts in ((1.0, (1, 3, 5, 10, 20)), (1.1, (6, 10, 20))):
        for host in HOSTS:
            for count in counts:
                row = (host.name, count, factor, *rates(host, count, factor, tries))
                cells = (f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in row)
                print("  ".join(f"{cell:>10}" for cell in cells))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
