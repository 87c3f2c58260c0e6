"""Which host boots which VMs: ranges of ids, as many as a host's weight gives it."""

from collections.abc import Mapping, Sequence

from vmtiming_tui.model.cluster import Spread
from vmtiming_tui.model.host import HostFacts


def weight(facts: HostFacts, spread: Spread) -> int:
    """Return how much of a storm a host is to have, beside what others are."""
    match spread:
        case Spread.CORES:
            return facts.cores
        case Spread.MEMORY:
            return facts.memory_bytes
        case Spread.EVEN:
            return 1


def placed(vms: Sequence[int], weights: Mapping[str, int]) -> dict[int, str]:
    """Return the host of each VM: neighbours stay together, and hosts keep the order they have.

    Shares are rounded by largest remainder (Hamilton's method), the first of equal ones first. A
    host of weight 0 gets none, unless all are; where VMs are fewer than hosts some get none.
    Raises ``ValueError`` without a host.
    """
    if not weights:
        raise ValueError("there is no host to place VMs on")
    total = sum(weights.values())
    if not total:
        weights, total = dict.fromkeys(weights, 1), len(weights)
    shares = {host: len(vms) * its // total for host, its in weights.items()}
    by_remainder = sorted(weights, key=lambda host: -(len(vms) * weights[host] % total))
    for host in by_remainder[: len(vms) - sum(shares.values())]:
        shares[host] += 1
    hosts = (host for host, share in shares.items() for _ in range(share))
    return dict(zip(vms, hosts, strict=True))
