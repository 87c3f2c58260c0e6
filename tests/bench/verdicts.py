"""How often the verdicts are wrong where nothing differs, and right where something does.

python tests/bench/verdicts.py [TRIES] [--real STORMS] [--only TABLE]

On hosts made up (``support.made_hosts``), whose storms the product's own comparison is given; with
``--real`` a host is fitted to so many storms of the quick demo guest that are booted for it, else
one that was fitted before stands in (meas). Prints, asserts nothing.
"""

import argparse
import math
import random
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.made_hosts import HOSTS, VMS, Host, fitted, in_a_row, in_turn, sample, side, storms
from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.comparison.compare import (
    Comparison,
    Gate,
    GroupComparison,
    compare_sides,
    compare_variants,
)
from vmtiming_tui.analysis.comparison.difference import Verdict
from vmtiming_tui.analysis.comparison.looks import FIRST_LOOK, looks_for
from vmtiming_tui.analysis.comparison.moved import Parts, movement
from vmtiming_tui.analysis.comparison.paired import FEWEST_ROUNDS
from vmtiming_tui.analysis.comparison.samples import Sample, side_of
from vmtiming_tui.analysis.comparison.sequential import Pair, at_look, is_over
from vmtiming_tui.analysis.comparison.tolerance import KnownRun, Setting
from vmtiming_tui.model.decision import Standing, UntilDecided
from vmtiming_tui.report.export.from_json import read_export
from vmtiming_tui.request.sweeps import MOST_STORMS

LIMIT_PERCENT = 5.0
SETTING = Setting("this host", "this guest")
UNITS, MOVED_UNITS, FLOOR_S = 200, 10, 0.01
WRONG = (Standing.FASTER, Standing.SLOWER)


def print_row(*cells: object) -> None:
    shown = (f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in cells)
    print("  ".join(f"{cell:>13}" for cell in shown), flush=True)


FAILING = (Gate.TOO_SLOW, Gate.CANNOT_TELL)


def share(found: Sequence[object]) -> float:
    """Return of how many percent something is true."""
    return 100 * sum(map(bool, found)) / len(found)


def dice(*what: object) -> random.Random:
    """Return dice that fall the same way in every run of the bench."""
    return random.Random(" ".join(map(str, what)))


# Runs one after the other, and variants in turn.


def one_after_the_other(host: Host, count: int, factor: float, chance: random.Random) -> Comparison:
    first, second = in_a_row(host, count, factor, chance)
    return compare_sides(side("first", first), side("second", second))


def by_round(host: Host, count: int, factor: float, chance: random.Random) -> GroupComparison:
    (found,) = compare_variants(in_turn(host, count, factor, chance))
    return found


def covers(group: GroupComparison, factor: float) -> bool:
    interval = group.boot.percent_interval
    change = 100 * (factor - 1)
    return interval is not None and interval.low <= change <= interval.high


def print_comparisons(hosts: Sequence[Host], tries: int) -> None:
    print(f"""
Two of so many storms of {VMS}: decided in % of {tries} tries; exit codes at --fail-slower
{LIMIT_PERCENT:g}; in how many % the interval holds what is true""")
    print_row("how", "host", "storms", "factor", "boot", "any line", "exit 3", "exit 4", "covered")
    for factor, counts in ((1.0, (5, 6, 10, 20)), (1.1, (6, 10, 20))):
        for host in hosts:
            for count in counts:
                what = (host.name, count, f"{factor:g}")
                dealt = dice(*what)
                row = [one_after_the_other(host, count, factor, dealt) for _ in range(tries)]
                exits = [each.gate(LIMIT_PERCENT) for each in row]
                codes = [share([each is of for each in exits]) for of in FAILING]
                groups = [each.groups[0] for each in row]
                print_row("in a row", *what, *decided(groups), *codes, covered(groups, factor))
                if count >= FEWEST_ROUNDS:
                    turn = [by_round(host, count, factor, dealt) for _ in range(tries)]
                    print_row("in turn", *what, *decided(turn), "", "", covered(turn, factor))


def covered(groups: Sequence[GroupComparison], factor: float) -> float:
    """Return how often the interval of the boot's change holds the true one."""
    return share([covers(each, factor) for each in groups])


def decided(groups: Sequence[GroupComparison]) -> tuple[float, float]:
    """Return how often the boot is decided, and any of all lines."""
    return (
        share([each.boot.is_decided for each in groups]),
        share([any(line.is_decided for line in each.differences) for each in groups]),
    )


def print_medians(hosts: Sequence[Host], tries: int) -> None:
    print("\nThe interval of one run's median of so many storms: how often it holds the host's own")
    print_row("host", "storms", "covered")
    for host in hosts:
        dealt = dice(host.name, "median")
        source = storms(host, 1.0, dealt)
        truth = statistics.median(next(source).median for _ in range(20_000))
        for count in (6, 10, 20):
            held = []
            for _ in range(tries):
                fresh = storms(host, 1.0, dealt)
                interval = stats.median_interval([next(fresh).median for _ in range(count)])
                held.append(interval is not None and interval.low <= truth <= interval.high)
            print_row(host.name, count, share(held))


# Single storms.


def single(host: Host, runs: int, chance: random.Random, *, together: bool) -> Comparison:
    """Compare two single storms of a host of which the history keeps so many runs.

    They were booted right after those runs, or each on another day than they.
    """
    source = storms(host, 1.0, chance)
    known = tuple(KnownRun(f"{at}", SETTING, (next(source).median,)) for at in range(runs))
    sides = []
    for label in ("first", "second"):
        found = next(source if together else storms(host, 1.0, chance))
        one = Sample(parameters={}, storms=(found,), setting=SETTING)
        sides.append(replace(side(label, one), known=known))
    return compare_sides(*sides)


def print_single(hosts: Sequence[Host], tries: int) -> None:
    print("""
Single storms where the history keeps so many runs of one: decided in % with nothing different, on
other days and in a row; how many times slower one has to be""")
    print_row("host", "past runs", "other days", "exit 3", "in a row", "limit")
    for host in hosts:
        for runs in (5, 6, 10, 20, 40):
            dealt = dice(host.name, runs)
            later = [single(host, runs, dealt, together=False) for _ in range(tries)]
            row = [single(host, runs, dealt, together=True) for _ in range(tries)]
            limits = [known.ratio for each in later if (known := each.groups[0].boot.tolerance)]
            wrong = (Verdict.SLOWER, Verdict.FASTER)
            print_row(
                host.name,
                runs,
                share([each.verdict in wrong for each in later]),
                share([each.gate(LIMIT_PERCENT) is Gate.TOO_SLOW for each in later]),
                share([each.verdict in wrong for each in row]),
                f"{statistics.median(limits) if limits else math.inf:.2f}",
            )


# Units.


def units(host: Host, count: int, chance: random.Random, moved: int = 0) -> Parts:
    """Return the values a storm of units that took 20 ms to 2 s; the first few are half slower."""
    source = storms(host, 1.0, chance)
    levels = [next(source).median / 8 for _ in range(count)]
    sizes = random.Random("sizes")
    found: dict[str, list[float]] = {}
    for at in range(UNITS):
        base = math.exp(sizes.uniform(math.log(0.02), math.log(2))) * (1.5 if at < moved else 1)
        found[f"unit-{at}"] = [base * level * math.exp(chance.gauss(0, 0.1)) for level in levels]
    return found


def print_units(hosts: Sequence[Host], tries: int) -> None:
    print(f"""
{UNITS} units, runs in a row: in how many % any is said to have moved where none did; of
{MOVED_UNITS} that took half as long again how many are found, and how many others are said to""")
    print_row("host", "storms", "any, none did", "found", "wrongly")
    for host in hosts:
        for count in (8, 10, 20):
            dealt = dice(host.name, "units", count)

            def said(moved: int, count: int = count, host: Host = host) -> set[str]:
                sides = units(host, count, dealt), units(host, count, dealt, moved)  # noqa: B023
                found = movement(*sides, storms=(count, count), floor_s=FLOOR_S)
                return {each.name for each in found.moved}

            none = [said(0) for _ in range(tries)]
            some = [said(MOVED_UNITS) for _ in range(tries)]
            true = {f"unit-{at}" for at in range(MOVED_UNITS)}
            print_row(
                host.name,
                count,
                share(none),
                statistics.fmean(len(each & true) for each in some),
                statistics.fmean(len(each - true) for each in some),
            )


# Until it is decided.


def until_decided(pair: Pair, most: int) -> tuple[Standing, int]:
    """Return what a run comes to that goes on until it is decided, and after how many storms."""
    first = FEWEST_ROUNDS if pair.is_paired else FIRST_LOOK
    until = UntilDecided(percent=LIMIT_PERCENT, looks=looks_for(most, first, pair.can_tell))
    for storms_ in until.looks:
        found = at_look([pair], until, storms_)
        if is_over(found, until, storms_):
            break
    return found[0].standing, storms_


def made_pair(host: Host, factor: float, chance: random.Random, *, base: int | None) -> Pair:
    """Return as many storms as there may be in turn, or against a run of ``base`` before."""
    if base is None:
        first, second = in_turn(host, MOST_STORMS, factor, chance)
    else:
        source = storms(host, 1.0, chance)
        first = sample([next(source) for _ in range(base)])
        second = sample([next(source) for _ in range(MOST_STORMS)])
    return Pair(
        parameters={},
        against="",
        first=tuple(storm.median for storm in first.storms),
        second=tuple(storm.median * (factor if base else 1) for storm in second.storms),
        is_paired=base is None,
    )


def print_until_decided(hosts: Sequence[Host], tries: int) -> None:
    print(f"""
--until-decided {LIMIT_PERCENT:g}, at most {MOST_STORMS} storms: what it comes to, in %, and after
how many storms; in turn, or against a run of 10 storms before""")
    print_row("how", "host", "factor", *Standing, "storms")
    for how, base in (("in turn", None), ("after 10", 10)):
        for factor in (1.0, 1.05, 1.1):
            for host in hosts:
                dealt = dice(host.name, factor, how)
                ends = [
                    until_decided(made_pair(host, factor, dealt, base=base), MOST_STORMS)
                    for _ in range(tries)
                ]
                counts = Counter(standing for standing, _ in ends)
                shares = [100 * counts[each] / tries for each in Standing]
                print_row(
                    how, host.name, f"{factor:g}", *shares, statistics.fmean(n for _, n in ends)
                )


# All of it.


def real_host(count: int) -> Host:
    """Boot so many storms of the quick demo guest here, and return the host they tell of."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.json"
        command = [sys.executable, "-m", "vmtiming_tui", "demo", "--variant", "quick", "--plain"]
        command += ["-n", "2", "-w", "1", "-r", str(count), "--end", "quit", "-o", str(file)]
        subprocess.run([*command, "--no-history"], check=True, stdout=subprocess.DEVNULL)
        (booted,) = side_of(read_export(file)).samples
    host = fitted("here", booted.storms)
    print(f"fitted to {count} storms of the quick guest: {host}")
    return host


TABLES: dict[str, Callable[[Sequence[Host], int], None]] = {
    "comparisons": print_comparisons,
    "medians": print_medians,
    "single": print_single,
    "units": print_units,
    "until-decided": print_until_decided,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tries", type=int, nargs="?", default=1000)
    parser.add_argument("--real", type=int, metavar="STORMS")
    parser.add_argument("--only", choices=TABLES, action="append")
    given = parser.parse_args()
    hosts = [*HOSTS, *([real_host(given.real)] if given.real else [])]
    for name in given.only or TABLES:
        TABLES[name](hosts, given.tries)


if __name__ == "__main__":
    main()
