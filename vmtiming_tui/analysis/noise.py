"""How much a host's storms differ where nothing does: the same guest held against itself, in turn.

What that tells is the smallest change that so many storms of each setting can be expected to show.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.comparison import paired, ranks
from vmtiming_tui.analysis.comparison.compare import GroupComparison, compare_variants
from vmtiming_tui.analysis.comparison.samples import Sample, StormSample, side_of
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan, Variant

SIDE = "side"
SIDES = ("A", "A again")
STORMS = (paired.FEWEST_ROUNDS, 10, 20)
POWER = 0.8
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What A against A came to; deviations are shares of the boot time.

    ``between`` is how much storms differ, ``within`` VMs of one storm: None where there were too
    few to tell. ``smallest_percent`` is by how many storms of each setting; None where so many
    could show nothing, or nothing tells.
    """

    storms: int
    vms: int
    between: float | None
    within: float | None
    against: GroupComparison
    smallest_percent: dict[int, float | None]


def noise_plan(config: RunConfig, pairs: int) -> RunPlan:
    """Return the plan that boots so many pairs of storms, every second one in the other order."""
    variants = tuple(Variant(config=config, parameters={SIDE: side}) for side in SIDES)
    return RunPlan(variants=variants, warmup=1, runs=pairs)


def noise_of(fleet: Fleet) -> Noise | None:
    """Return what such a run came to; None where one side has no storm."""
    samples = side_of(fleet).samples
    if len(samples) != len(SIDES):
        return None
    (against,) = compare_variants(sorted(samples, key=_place))
    storms = [storm for sample in samples for storm in sample.storms]
    interval, rounds = against.boot.percent_interval, against.boot.rounds or 0
    ratio = None
    if interval is not None and interval.low > -100 and math.isfinite(interval.high):
        low, high = 1 + interval.low / 100, 1 + interval.high / 100
        ratio = stats.Interval(low, high, interval.confidence)
    spread = stats.spread(_logs(storms))
    medians = [math.log(storm.median) for storm in storms if storm.boots and not storm.lost_count]
    return Noise(
        storms=rounds,
        vms=sum(storm.size for storm in storms),
        between=spread.between if spread else stats.stddev(medians),
        within=spread.within if spread else None,
        against=against,
        smallest_percent={count: smallest_percent(rounds, ratio, count) for count in STORMS},
    )


def _place(sample: Sample) -> int:
    return SIDES.index(sample.parameters[SIDE])


def _logs(storms: Sequence[StormSample]) -> list[list[float]]:
    """Return the logarithms of each storm's boots, less what VMs of a host have in common."""
    hosts = [storm.hosts or {"": storm} for storm in storms]
    names = [name for each in hosts for name, share in each.items() for _ in share.boots]
    logs = [[math.log(boot) for share in each.values() for boot in share.boots] for each in hosts]
    own = iter(stats.levelled([log for storm in logs for log in storm], names))
    return [list(itertools.islice(own, len(storm))) for storm in logs]


def smallest_percent(rounds: int, interval: stats.Interval | None, storms: int) -> float | None:
    """Return the smallest change (percent) that ``storms`` of each setting show in 4 of 5 runs.

    What ``ranks.needed_size`` says, the other way about: the interval of a ratio that so many
    rounds made has a half width W (of the logarithm), which narrows with the root of their number,
    and a change shows where it is 1.43 of them: ln change = 1.43 W sqrt(rounds / storms). The
    fewest storms that are advised show less than that: there it is, where larger, the change that
    makes all differences of one sign, which takes as many of their deviations as
    ``Phi^-1(0.8^(1/storms))``; blocks of rounds may do with less. None with fewer,
    or where the interval is open.
    """
    if storms < paired.FEWEST_ROUNDS or interval is None or interval.low <= 0:
        return None
    half = (math.log(interval.high) - math.log(interval.low)) / 2
    z = _NORMAL.inv_cdf(1 - ranks.ALPHA / 2)
    deviation = half * math.sqrt(rounds) / z
    by_width = (z + _NORMAL.inv_cdf(POWER)) * deviation / math.sqrt(storms)
    all_of_one_sign = _NORMAL.inv_cdf(POWER ** (1 / storms)) * deviation
    change = by_width
    if storms == paired.FEWEST_ROUNDS:
        change = max(by_width, all_of_one_sign)
    return 100 * (math.exp(change) - 1)
