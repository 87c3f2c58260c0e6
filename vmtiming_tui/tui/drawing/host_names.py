"""How much room the names of hosts take beside VMs; pure."""

from vmtiming_tui.model.hosts import Hosts

_LEAST, _MOST = 4, 16


def host_width(hosts: Hosts) -> int:
    """Return how many cells a host's name gets, of several; 0 where there is only one.

    It is asked for each row that is drawn, so names are taken to be as they are shown.
    """
    if not hosts.are_many:
        return 0
    return max(_LEAST, min(max(map(len, hosts)), _MOST))
