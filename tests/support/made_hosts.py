"""Hosts made up for measuring verdicts: how their storms differ, and a fit to a real one's."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.comparison.samples import QEMU, Sample, Side, StormSample

VMS = 4
SHARES = {QEMU: 0.02, "firmware": 0.08, "kernel": 0.2, "initrd": 0.2, "userspace": 0.5, "lag": 0.02}
_BOOT_S = 8.0


@dataclass(frozen=True)
class Host:
    """How storms and VMs of a host differ, as deviations of the logarithm.

    Storms differ by ``storm``, VMs of one storm by ``vm``; a share ``odd`` of the storms takes half
    as long again, and the host drifts by ``drift`` (the deviation of a first-order process that
    keeps ``memory`` of itself from one storm to the next).
    """

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
    # Fitted to 24 storms of 4 demo guests, booted on a host of two cores that others used, too.
    Host("meas", 0.12, 0.04, drift=0.2, memory=0.85),
)


def storms(
    host: Host, factor: float, chance: random.Random, vms: int = VMS
) -> Iterator[StormSample]:
    """Yield storms without end; the host's mood goes on from one to the next."""
    mood = chance.gauss(0, host.drift)
    while True:
        mood = host.memory * mood + chance.gauss(0, host.drift * math.sqrt(1 - host.memory**2))
        level = math.log(_BOOT_S * factor) + mood + chance.gauss(0, host.storm)
        level += math.log(1.5) if chance.random() < host.odd else 0
        boots = tuple(math.exp(level + chance.gauss(0, host.vm)) for _ in range(vms))
        stages = {
            name: tuple(boot * share * math.exp(chance.gauss(0, 0.05)) for boot in boots)
            for name, share in SHARES.items()
        }
        yield StormSample(boots=boots, all_booted_in=max(boots), stages=stages)


def slower(storm: StormSample, factor: float) -> StormSample:
    """Return a storm that took ``factor`` times as long in all its parts."""
    return StormSample(
        boots=tuple(boot * factor for boot in storm.boots),
        all_booted_in=(storm.all_booted_in or 0) * factor,
        stages={name: tuple(v * factor for v in values) for name, values in storm.stages.items()},
    )


def in_a_row(host: Host, count: int, factor: float, chance: random.Random) -> tuple[Sample, Sample]:
    """Return two runs of so many storms, the second after the first, ``factor`` times as slow."""
    source = storms(host, 1.0, chance)
    first = [next(source) for _ in range(count)]
    return sample(first), sample([slower(next(source), factor) for _ in range(count)])


def in_turn(host: Host, count: int, factor: float, chance: random.Random) -> tuple[Sample, Sample]:
    """Return two variants of one run, booted in turn, every second turn backwards."""
    source = storms(host, 1.0, chance)
    first, second = [], []
    for turn in range(count):
        pair = [next(source), next(source)]
        one, other = pair if turn % 2 == 0 else pair[::-1]
        first.append(one)
        second.append(slower(other, factor))
    return sample(first), sample(second, {"variant": "second"})


def sample(found: Sequence[StormSample], parameters: dict[str, str] | None = None) -> Sample:
    """Return storms as a sample, in the order of their turns."""
    numbered = tuple(replace(storm, turn=turn) for turn, storm in enumerate(found))
    return Sample(parameters=parameters or {}, storms=numbered)


def side(label: str, found: Sample) -> Side:
    """Return a run of one sample."""
    return Side(label=label, samples=(found,), facts={})


def fitted(name: str, found: Sequence[StormSample]) -> Host:
    """Return the host that storms came from, as far as their boots tell.

    Between and within by analysis of variance of the logarithms (``stats.spread``); of what lies
    between, the drift is what storms have in common with the next one and the one after: of a
    first-order process the covariance falls by ``memory`` from each to the next.
    """
    logs = [[math.log(boot) for boot in storm.boots] for storm in found if storm.boots]
    spread = stats.spread(logs)
    assert spread is not None, "too few storms to fit anything"
    levels = [stats.mean(storm) for storm in logs]
    middle = stats.mean(levels)
    one, two = (
        sum((a - middle) * (b - middle) for a, b in zip(levels, levels[lag:], strict=False))
        / len(levels)
        for lag in (1, 2)
    )
    memory = min(max(two / one, 0.1), 0.95) if one > 0 else 0.0
    drift = min(math.sqrt(one / memory), spread.between) if one > 0 else 0.0
    storm = math.sqrt(spread.between**2 - drift**2)
    return Host(name, storm, spread.within, drift=drift, memory=memory)
