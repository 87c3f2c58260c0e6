"""How much room the names of hosts take beside VMs; pure."""

from vmtiming_tui.model.hosts import Hosts
from vmtiming_tui.tui.drawing.styled import shown

_LEAST, _MOST = 4, 16


def host_width(hosts: Hosts) -> int:
    """Return how many cells a host's name gets, of several; 0 where there is only one."""
    if not hosts.are_many:
        return 0
    return min(max(_LEAST, *(len(shown(name)) for name in hosts)), _MOST)
