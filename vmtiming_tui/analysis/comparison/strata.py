"""Hosts as strata: the storms of two runs compared within the hosts that both sides have.

Hosts differ in how fast they are, and another placing of the VMs, or a host that is lost, would
pass for a change. So a storm's figure is reckoned of each host apart and put together as the mean
of the logarithms, with the same weight for a host on both sides: the change of that is the weighted
mean of the changes within hosts, whichever VMs were booted where. A host weighs ``n m / (n + m)``,
n and m being its VMs a storm on either side: what more VMs tell is surer and counts more (Cochran,
1954; Mantel and Haenszel, 1959). One host weighs 1 and leaves its figures as they are. The storm
stays the unit.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from vmtiming_tui.analysis.comparison.samples import Sample, Share, StormSample
from vmtiming_tui.analysis.hosts import named_hosts
from vmtiming_tui.analysis.units.own_times import OwnTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Strata:
    """The hosts within which two samples are compared, by weight; none where as wholes.

    ``apart`` are the hosts that count on neither side, as a storm of one lacks or lost them;
    without ``weights`` there is no other. ``uneven`` are those that booted more VMs a storm on one
    side than on the other.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    apart: tuple[str, ...] = ()
    uneven: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is to be said of it; nothing of runs on one host each."""
        within = (f"compared within {named_hosts(self.weights)}",) if self.weights else ()
        return (*within, *self.left_out)

    @property
    def left_out(self) -> tuple[str, ...]:
        """What is said of hosts that do not count, or count as unlike as they are."""
        found = []
        if self.apart and not self.weights:
            found.append("compared as wholes: no host is in every storm of both sides")
        elif self.apart:
            them = "it" if len(self.apart) == 1 else "them"
            found.append(
                f"VMs of {named_hosts(self.apart)} count on neither side: not every storm of both "
                f"had {them} to the end"
            )
        if self.uneven:
            found.append(
                f"{named_hosts(self.uneven)} booted more VMs at once on one side: that alone may "
                "change how long each takes"
            )
        return tuple(found)


AS_WHOLES = Strata()


def within_hosts(first: Sample, second: Sample) -> tuple[Sample, Sample, Strata]:
    """Return two samples as they are to be compared, and within which hosts.

    Those on one host each, or without a host in common, stay as they are.
    """
    storms = [storm for side in (first, second) for storm in side.storms if storm.size]
    known = dict.fromkeys(name for storm in storms for name in (*storm.hosts, *storm.lost_hosts))
    common = [name for name in known if all(name in storm.hosts for storm in storms)]
    if not common:
        return first, second, Strata(apart=tuple(known))
    one, other = (_vms_a_storm(side) for side in (first, second))
    sure = {name: one[name] * other[name] / (one[name] + other[name]) for name in common}
    weights = {name: each / sum(sure.values()) for name, each in sure.items()}
    strata = Strata(
        weights=weights,
        apart=tuple(name for name in known if name not in weights),
        uneven=tuple(name for name in common if one[name] != other[name]),
    )
    return _within(first, weights), _within(second, weights), strata


def _vms_a_storm(sample: Sample) -> dict[str, float]:
    """Return how many VMs each host boots of a sample's storms, in the mean."""
    found = Counter[str]()
    for storm in sample.storms:
        found.update({name: share.size for name, share in storm.hosts.items()})
    return {name: count / len(sample.storms) for name, count in found.items()}


def _within(sample: Sample, weights: Mapping[str, float]) -> Sample:
    storms = (_together(storm, weights) if storm.size else storm for storm in sample.storms)
    return replace(sample, storms=tuple(storms))


def _together(storm: StormSample, weights: Mapping[str, float]) -> StormSample:
    """Return a storm as what the hosts that count come to together."""
    shares = tuple(Share(weight, storm.hosts[name]) for name, weight in weights.items())
    hosts = [share.storm for share in shares]
    return replace(
        storm,
        boots=tuple(boot for host in hosts for boot in host.boots),
        lost=sum((Counter(host.lost) for host in hosts), Counter()),
        doubtful=sum(host.doubtful for host in hosts),
        initcalls=_mean([(share.weight, share.storm.initcalls) for share in shares], 0.0),
        units=_UnitsWithin(shares),
        shares=shares,
    )


class _UnitsWithin(OwnTimes):
    """The units' own times of a storm, the mean of those of its hosts by their weight."""

    def __init__(self, shares: Sequence[Share]) -> None:
        super().__init__()
        self._shares = shares

    @property
    def are_told(self) -> bool:
        return all(share.storm.units.are_told for share in self._shares)

    @cached_property
    def medians_s(self) -> Mapping[str, float]:
        return _mean([(share.weight, share.storm.units.medians_s) for share in self._shares])


def _mean(
    hosts: Sequence[tuple[float, Mapping[str, float]]], missing: float | None = None
) -> dict[str, float]:
    """Return the mean of each part that all hosts have; nothing where one of them tells of none.

    What is ``missing`` on one counts as this, where it is known what that means.
    """
    if not all(parts for _, parts in hosts):
        return {}
    names = dict.fromkeys(name for _, parts in hosts for name in parts)
    found = {}
    for name in names:
        told = [(weight, parts.get(name, missing)) for weight, parts in hosts]
        known = [weight * value for weight, value in told if value is not None]
        if len(known) == len(hosts):
            found[name] = math.fsum(known)
    return found
