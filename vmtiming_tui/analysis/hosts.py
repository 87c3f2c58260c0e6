"""The hosts of a run: what each booted, how busy it was, and how together they let VMs go.

What is said here of one host rests on its own clock alone; only what lies between two hosts carries
what their clocks are off by.
"""

from collections.abc import Callable, Iterable

from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.hosts import Host, Hosts

_NAMED = 5


def named_hosts(names: Iterable[str]) -> str:
    """Return hosts by name in words: ``host b``, ``hosts a, b and c``."""
    found = list(names)
    if len(found) == 1:
        return f"host {found[0]}"
    more = len(found) - _NAMED
    *first, last = [*found[:_NAMED], f"{more} more"] if more > 1 else found
    return f"hosts {', '.join(first)} and {last}"


def by_host(attempts: Iterable[Attempt]) -> dict[str, list[Attempt]]:
    """Return attempts by their host; a run on one has them all under an empty name."""
    found: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        found.setdefault(attempt.host, []).append(attempt)
    return found


def was_lost_with_host(fleet: Fleet, attempt: Attempt) -> bool:
    """Return whether an attempt did not boot as its host was lost: that says nothing of its boot.

    What ended on a host before that ended by itself.
    """
    host = fleet.hosts.get(attempt.host)
    if host is None or host.lost is None or not attempt.state.is_lost:
        return False
    return attempt.decided_ns is not None and attempt.decided_ns >= host.lost.at_ns


def alike(hosts: Iterable[Host], fact: Callable[[Host], str]) -> dict[str, list[str]]:
    """Return the names of hosts by a fact of theirs; where it is not known they are left out."""
    found: dict[str, list[str]] = {}
    for host in hosts:
        if told := fact(host):
            found.setdefault(told, []).append(host.name)
    return found


def alike_words(hosts: Hosts, fact: Callable[[Host], str]) -> str:
    """Return a fact of hosts in words: once where they are alike, else by host."""
    found = alike(hosts.values(), fact)
    if len(found) < 2:
        return next(iter(found), "")
    return "; ".join(f"{told} ({', '.join(names)})" for told, names in found.items())
