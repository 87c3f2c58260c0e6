"""Reaching the hosts of a run: what stands in the way of it, and the way itself."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias

from vmtiming_tui.cluster.dask_hosts.members import Member
from vmtiming_tui.cluster.host_link import HostLink
from vmtiming_tui.cluster.placing import placed, weight
from vmtiming_tui.cluster.preflight import HostShare, examined, facts, preflight, refuse, sentence
from vmtiming_tui.cluster.shipping.placed import Placed
from vmtiming_tui.cluster.shipping.shipment import Shipped
from vmtiming_tui.cluster.shipping.shipping_link import Shipper, ShippingLink
from vmtiming_tui.cluster.shipping.store_link import StoreLink
from vmtiming_tui.cluster.source import ClusterSource
from vmtiming_tui.errors import ConfigError, EngineError, ImageError, Problem
from vmtiming_tui.escape import one_line, plural
from vmtiming_tui.model.cluster import Cluster, Reach
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.host import HostFacts
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.setup.checks import Check, Fitness
from vmtiming_tui.sources.event_lines import Told
from vmtiming_tui.sources.source import EventSource

if TYPE_CHECKING:
    from vmtiming_tui.cluster.dask_hosts.connection import Connection

Tap: TypeAlias = Callable[[Sequence[Told]], None]

_EXTRA = "pip install 'vmtiming-tui[cluster]'"
_TLS = "distributed.comm.tls"
_MOST_NAMED = 12
_ALL_ROLES = ("client", "scheduler", "worker")


def cluster_problems(cluster: Cluster) -> list[Problem]:
    """Return what this host lacks to reach others, and what Dask's configuration lacks to be safe.

    Dask is loaded only where that is asked of it.
    """
    needed = ["distributed", *(["asyncssh"] if cluster.reach is Reach.SSH else [])]
    if missing := [name for name in needed if find_spec(name) is None]:
        text = f"--hosts: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        return [Problem("hosts", f"{text}: {_EXTRA}")]
    match cluster.reach:
        case Reach.TLS if trouble := _tls_trouble("client"):
            return [
                Problem(
                    "hosts",
                    f"--hosts: tls:// needs certificates, by {_TLS} in Dask's configuration "
                    f"(ca-file, client.cert, client.key), and {trouble}",
                )
            ]
        case Reach.SSH if not cluster.insecure and (trouble := _tls_trouble(*_ALL_ROLES)):
            return [
                Problem(
                    "hosts",
                    "--hosts: ssh starts workers, which speak with a Dask scheduler on the first "
                    "host by the network: without TLS, whoever reaches it runs any code as your "
                    f"user there; set {_TLS} in Dask's configuration (ca-file; cert and key of "
                    f"{', '.join(_ALL_ROLES)}, at the same paths on each host; {trouble}), or give "
                    "--insecure on a network that is yours alone",
                )
            ]
    return []


def _tls_trouble(*roles: str) -> str:
    from vmtiming_tui.cluster.dask_hosts.schedulers import tls_trouble  # noqa: PLC0415

    return tls_trouble(*roles)


class ReachedHosts:
    """The hosts of a run, reached for as long as it and those after it go on."""

    def __init__(self, connection: "Connection", cluster: Cluster) -> None:
        self._connection, self._cluster = connection, cluster
        self._shipper = Shipper() if cluster.ship else None

    @asynccontextmanager
    async def source(self, tap: Tap | None = None) -> AsyncIterator[EventSource]:
        """Yield a new engine on each host as the one source of a run's events.

        ``tap`` is as that of ``EngineClient``. Raises ``ConfigError`` and ``VmTimingError``.
        """
        async with (
            self._connection.engines() as (links, engines),
            ClusterSource(map(self._way, links), tap, spread=self._cluster.spread) as source,
        ):
            engines.tell_of_joins(lambda link: source.join(self._way(link)))
            yield source

    def _way(self, link: HostLink) -> HostLink:
        """Return a host as it is led: brought first what it is to boot, where that is asked."""
        if self._shipper is None:
            return link
        return ShippingLink(
            link, self._store(Member(name=link.name, worker=link.address)), self._shipper
        )

    async def look(self, plan: RunPlan, tell: Callable[[Shipped], None] = lambda _: None) -> None:
        """Have each host look whether it can boot its share of a plan.

        It is brought first what it boots, where that is asked, and ``tell`` hears of progress.
        Raises ``ConfigError`` with all that keeps any of them from it.
        """
        known = await self._connection.ask_all(facts)
        refuse({host: said for host, said in known.items() if not isinstance(said, HostFacts)})
        weights = {host: weight(said, self._cluster.spread) for host, said in known.items()}
        shares = _shares(plan, weights)
        if self._shipper is not None:
            shares = _placed_shares(shares, await self._shipped(plan, self._shipper, tell))
        refuse(
            await self._connection.ask(preflight, {host: (its,) for host, its in shares.items()})
        )

    async def _shipped(
        self, plan: RunPlan, shipper: Shipper, tell: Callable[[Shipped], None]
    ) -> dict[str, Placed]:
        stores = list(map(self._store, self._connection.members))
        try:
            outcomes = await shipper.bring(plan, stores, tell)
        except (EngineError, ImageError) as error:
            raise ConfigError([Problem("ship", sentence(error))]) from error
        refuse({host: said for host, said in outcomes.items() if not isinstance(said, Placed)})
        return {host: said for host, said in outcomes.items() if isinstance(said, Placed)}

    def _store(self, member: Member) -> StoreLink:
        from vmtiming_tui.cluster.dask_hosts.store import DaskStore  # noqa: PLC0415

        return DaskStore(self._connection, member)

    async def examine(self, config: RunConfig) -> dict[str, list[Check]]:
        """Return what ``doctor`` says of each host."""
        told = await self._connection.ask_all(examined, config)
        return {host: _checks(said) for host, said in told.items()}


def _checks(said: object) -> list[Check]:
    """Return what a host said of itself; that it said nothing is a check that failed."""
    return said if isinstance(said, list) else [Check("host", Fitness.MISSING, one_line(str(said)))]


def _shares(plan: RunPlan, weights: Mapping[str, int]) -> dict[str, tuple[HostShare, ...]]:
    """Return what each host is to boot of each config of a plan."""
    shares: dict[str, list[HostShare]] = {host: [] for host in weights}
    for config in plan.configs:
        host_of = placed(range(config.number), weights)
        for host, its in shares.items():
            vms = tuple(vm for vm, where in host_of.items() if where == host)
            its.append(HostShare(config=config, vms=vms))
    return {host: tuple(its) for host, its in shares.items()}


def _placed_shares(
    shares: Mapping[str, tuple[HostShare, ...]], places: Mapping[str, Placed]
) -> dict[str, tuple[HostShare, ...]]:
    """Return shares as they hold on hosts that were brought what VMs boot from."""
    return {
        host: tuple(replace(each, config=places[host].config(each.config)) for each in its)
        for host, its in shares.items()
    }


@asynccontextmanager
async def reached(cluster: Cluster, say: Callable[[str], None]) -> AsyncIterator[ReachedHosts]:
    """Yield the hosts of a cluster, once they are known to take part.

    Raises ``ConfigError`` with all that keeps any of them from it, ``VmTimingError`` where they
    cannot be reached at all.
    """
    from vmtiming_tui.cluster.dask_hosts.connection import connected  # noqa: PLC0415

    say(f"Reaching {_where(cluster)} ...")
    async with connected(cluster, lambda word: say(f"Warning: {word}")) as connection:
        names = [member.name for member in connection.members]
        more = ["..."] if len(names) > _MOST_NAMED else []
        told = ", ".join([*names[:_MOST_NAMED], *more])
        say(f"{plural(len(names), 'host')}: {told}; each looks what it has.")
        yield ReachedHosts(connection, cluster)


def _where(cluster: Cluster) -> str:
    match cluster.reach:
        case Reach.LOCAL:
            return f"{plural(cluster.workers, 'host')} that this one pretends to be"
        case Reach.SSH:
            return f"{plural(len(cluster.names), 'host')} by ssh"
    return cluster.address
