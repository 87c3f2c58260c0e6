"""An engine on each host of a cluster, for as long as a front end leads them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from distributed import Client

from vmtiming_tui.cluster.dask_hosts.held_engine import LEASE_S
from vmtiming_tui.cluster.dask_hosts.host_actor import HostActor
from vmtiming_tui.cluster.dask_hosts.link import DaskLink
from vmtiming_tui.cluster.dask_hosts.meeting import members_of, workers_there
from vmtiming_tui.cluster.dask_hosts.members import Member, named
from vmtiming_tui.errors import ConfigError, HostError, Problem
from vmtiming_tui.escape import one_line

SCHEDULER_LOST = "the Dask scheduler is gone"
SCHEDULER_HINT = "start it and its workers again, and then the run"
_WORKER_LOST = "its Dask worker has ended, or the scheduler hears nothing more of it"
_OPEN_LIMIT_S = 60.0
_CLOSE_LIMIT_S = 25.0
_LOOK_S = 0.5


async def actor_on(client: Client, kind: type, member: Member) -> Any:
    """Return a new actor beside a host's worker, and no other's."""
    submitted: Any = client.submit(
        kind, actor=True, workers=[member.worker], allow_other_workers=False, pure=False
    )
    return await submitted


class Engines:
    """Links to the engines that were opened, kept up and told of losses by what Dask knows."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._links: dict[str, DaskLink] = {}
        self._on_join: Callable[[DaskLink], None] | None = None
        self._joining: set[asyncio.Task[None]] = set()

    async def open(self, members: Sequence[Member]) -> list[DaskLink]:
        """Start an engine on each host; raise ``ConfigError`` with all that keep one from it."""
        opened = await asyncio.gather(*map(self._open, members), return_exceptions=True)
        problems = [
            Problem("hosts", f"host {member.name}: {one_line(str(found))}")
            for member, found in zip(members, opened, strict=True)
            if isinstance(found, BaseException)
        ]
        if problems:
            raise ConfigError(problems)
        return [found for found in opened if isinstance(found, DaskLink)]

    def tell_of_joins(self, on_join: Callable[[DaskLink], None]) -> None:
        """Have each host that joins from here on get an engine, and tell of it."""
        self._on_join = on_join

    async def _open(self, member: Member) -> DaskLink:
        async with asyncio.timeout(_OPEN_LIMIT_S):
            actor = await actor_on(self._client, HostActor, member)
            await actor.open()
        link = self._links[member.worker] = DaskLink(member, actor)
        return link

    async def hear(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Take what the scheduler tells of its workers."""
        _, told = event
        worker = str(told.get("worker"))
        match told.get("action"):
            case "remove-worker" if link := self._links.pop(worker, None):
                link.lose(_WORKER_LOST)
            case "add-worker" if self._on_join is not None:
                task = asyncio.create_task(self._take_in(worker, self._on_join))
                self._joining.add(task)
                task.add_done_callback(self._joining.discard)

    async def _take_in(self, address: str, on_join: Callable[[DaskLink], None]) -> None:
        """Give a host that has joined an engine; one that cannot take part is lost at once."""
        workers = {each.address: each for each in await workers_there(self._client)}
        known = {each.place for each in workers.values() if each.address in self._links}
        newcomer = workers.get(address)
        if newcomer is None or newcomer.place in known:
            return
        taken = [link.name for link in self._links.values()]
        try:
            (member,) = await members_of(self._client, [newcomer], taken)
            link = await self._open(member)
        except Exception as error:  # noqa: BLE001  Dask, and what runs there, raises any
            (refused,) = named([newcomer], {}, taken)
            link = DaskLink(refused, None)
            link.lose(one_line(str(error) or type(error).__name__))
        on_join(link)

    async def watch(self) -> None:
        """Keep engines going whose lines are not fetched, and see whether the scheduler is lost."""
        while True:
            await asyncio.sleep(_LOOK_S)
            links = list(self._links.values())
            if self._client.status != "running":
                for link in links:
                    link.lose(f"{SCHEDULER_LOST}, and its workers leave with it", SCHEDULER_HINT)
            idle = (link.still_there() for link in links if link.idle_s > LEASE_S / 4)
            await asyncio.gather(*idle, return_exceptions=True)

    async def close(self) -> None:
        """End them all, as far as they can be told to."""
        self._on_join = None
        for task in self._joining:
            task.cancel()
        closing = [link.close() for link in self._links.values()]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_LIMIT_S):
                for ended in await asyncio.gather(*closing, return_exceptions=True):
                    if isinstance(ended, BaseException) and not isinstance(ended, HostError):
                        raise ended


@asynccontextmanager
async def engines_of(
    client: Client, members: Sequence[Member]
) -> AsyncIterator[tuple[list[DaskLink], Engines]]:
    """Yield a link to an engine of its own on every host; on leaving, each has ended.

    Raises ``ConfigError`` with what keeps each host from having one.
    """
    engines = Engines(client)
    client.subscribe_topic("all", engines.hear)
    watching = asyncio.create_task(engines.watch())
    try:
        yield await engines.open(members), engines
    finally:
        watching.cancel()
        await engines.close()
