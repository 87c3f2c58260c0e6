"""The hosts of a run as a person gives them: where they are, and how VMs are spread over them."""

import re
from dataclasses import replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from vmtiming_tui.errors import ConfigError, Problem
from vmtiming_tui.escape import printable
from vmtiming_tui.model.cluster import Cluster, Reach, Spread

DEFAULT_PORT = 8786
"""Where ``dask scheduler`` listens if it is told nothing else."""

MAX_LOCAL = 64
_FORMS = "tcp://HOST:PORT, tls://HOST:PORT, ssh:HOST,HOST or local:N"
_SSH_NAME = re.compile(r"[\w.:%-]+")


def is_loopback(host: str) -> bool:
    """Return whether a host's name or address, as it is written, leads no further than here."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_hosts(text: str) -> Cluster:
    """Return the hosts that ``--hosts`` names; raise ``ValueError`` with what to write instead."""
    scheme, colon, rest = text.strip().partition(":")
    reach = scheme.lower()
    if not colon or reach not in tuple(Reach):
        raise ValueError(f"{printable(text)!r} says no hosts; give {_FORMS}")
    match Reach(reach):
        case Reach.LOCAL:
            return Cluster(reach=Reach.LOCAL, workers=_workers(rest))
        case Reach.SSH:
            return Cluster(reach=Reach.SSH, names=_names(rest))
        case network:
            return Cluster(reach=network, address=_address(network, rest))


def _workers(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text.strip()):
        raise ValueError(f"{printable(text)!r} is no number of hosts to pretend; try local:3")
    count = int(text)
    if not 1 <= count <= MAX_LOCAL:
        raise ValueError(f"{count} is out of range; give local:1 to local:{MAX_LOCAL}")
    return count


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise ValueError("a host's name is empty; give names as ssh knows them: ssh:alpha,beta")
    for name in names:
        if "@" in name:
            raise ValueError(
                f"{printable(name)!r}: give the name alone; user, port and key of a host belong "
                "into ~/.ssh/config"
            )
        if name.startswith("-") or not _SSH_NAME.fullmatch(name):
            raise ValueError(f"{printable(name)!r} is no host's name; try ssh:alpha,beta")
    if len(set(names)) < len(names):
        raise ValueError("a host is given twice; each has one engine")
    return names


def _address(reach: Reach, rest: str) -> str:
    """Return a scheduler's address in full, its usual port where none is given."""
    example = f"try {reach}://scheduler:{DEFAULT_PORT}"
    try:
        parts = urlsplit(f"{reach}:{rest}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"{printable(rest)!r} is no address; {example}") from None
    plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    if not rest.startswith("//") or not host or not plain or not _SSH_NAME.fullmatch(host):
        raise ValueError(f"{reach}:{printable(rest)} is no scheduler's address; {example}")
    named = f"[{host}]" if ":" in host else host
    return f"{reach}://{named}:{port or DEFAULT_PORT}"


def _open_to_others(cluster: Cluster) -> str:
    """Return why a cluster must not be spoken to as it is asked for, or an empty text."""
    if cluster.reach is not Reach.TCP or cluster.insecure:
        return ""
    if is_loopback(urlsplit(cluster.address).hostname or ""):
        return ""
    return (
        f"{printable(cluster.address)}: without TLS, whoever reaches a Dask scheduler runs any "
        "code as its workers' user; give its tls:// address (certificates by Dask's "
        "distributed.comm.tls), or --insecure on a network that is yours alone"
    )


def build_cluster(
    hosts: str | None, *, spread: str | None, insecure: bool, ship: bool = False
) -> Cluster | None:
    """Return the hosts that were asked for, None where it is this one alone.

    Raises ``ConfigError`` with every fault.
    """
    problems = list[Problem]()
    cluster, share_by = None, Spread.CORES
    if hosts is not None:
        try:
            cluster = replace(read_hosts(hosts), insecure=insecure, ship=ship)
            if why := _open_to_others(cluster):
                problems.append(Problem("hosts", f"--hosts: {why}"))
        except ValueError as error:
            problems.append(Problem("hosts", f"--hosts: {error}"))
    if spread is not None:
        try:
            share_by = Spread(spread.strip().lower())
        except ValueError:
            known = ", ".join(Spread)
            problems.append(Problem("spread", f"--spread: {spread!r} is none of {known}"))
    told = (("spread", spread is not None), ("insecure", insecure), ("ship", ship))
    for name, is_given in told:
        if hosts is None and is_given:
            problems.append(Problem(name, f"--{name}: goes with --hosts"))
    if problems:
        raise ConfigError(problems)
    return replace(cluster, spread=share_by) if cluster else None
