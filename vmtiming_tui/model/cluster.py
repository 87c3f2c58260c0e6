"""Which hosts a run is made on, where it is not this one alone."""

from dataclasses import dataclass
from enum import StrEnum


class Reach(StrEnum):
    """How hosts are reached: a Dask scheduler that runs, by ssh, or as workers of this host."""

    TCP = "tcp"
    TLS = "tls"
    SSH = "ssh"
    LOCAL = "local"


class Spread(StrEnum):
    """What a host's share of a storm's VMs goes by."""

    CORES = "cores"
    MEMORY = "memory"
    EVEN = "even"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The hosts of a run.

    ``address`` is the scheduler's, with its scheme; ``names`` are what ssh knows the hosts by;
    ``workers`` is how many of this host pretend to be hosts. With ``ship`` what VMs boot from is
    brought to each host; ``insecure`` allows a scheduler that anybody may reach.
    """

    reach: Reach
    address: str = ""
    names: tuple[str, ...] = ()
    workers: int = 0
    spread: Spread = Spread.CORES
    ship: bool = False
    insecure: bool = False
