"""A cluster that is connected to: its hosts, what each answers, and an engine on each of them."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Any

from distributed import Client

from vmtiming_tui.cluster.dask_hosts.held_engine import LEASE_S
from vmtiming_tui.cluster.dask_hosts.host_actor import HostActor
from vmtiming_tui.cluster.dask_hosts.link import DaskLink
from vmtiming_tui.cluster.dask_hosts.members import Member, named, workers_of
from vmtiming_tui.cluster.dask_hosts.own_settings import CONNECT_LIMIT_S, own_settings
from vmtiming_tui.cluster.dask_hosts.schedulers import scheduler_of
from vmtiming_tui.cluster.dask_hosts.versions import (
    PACKAGE,
    own_version_problems,
    version_warnings,
)
from vmtiming_tui.errors import ConfigError, HostError, Problem, VmTimingError
from vmtiming_tui.escape import one_line
from vmtiming_tui.model.cluster import Cluster

_MOST_CONNECTIONS = 65_536
"""Each host has up to four at once: one that waits for news, one for commands, two besides."""

_ANSWER_LIMIT_S = 60.0
_LOOK_S = 0.5
_CLOSE_LIMIT_S = 25.0
_SCHEDULER_LOST = "the Dask scheduler is gone"
_SCHEDULER_HINT = "start it and its workers again, and then the run"
_NO_WORKERS_HINT = "start one on each host: dask worker SCHEDULER"


class Connection:
    """Hosts of a Dask cluster, named; what is asked of each is answered by name.

    ``warn`` is told of versions that differ.
    """

    def __init__(self, client: Client, warn: Callable[[str], None]) -> None:
        self._client, self._warn = client, warn
        self._links: dict[str, DaskLink] = {}
        self.members: tuple[Member, ...] = ()

    async def meet(self) -> None:
        """Find the hosts there are, and see that their versions will do.

        Raises ``ConfigError`` with every one that cannot take part, ``VmTimingError`` where there
        are none.
        """
        if self._client.status != "running":
            raise VmTimingError(_SCHEDULER_LOST, hint=_SCHEDULER_HINT)
        try:
            async with asyncio.timeout(_ANSWER_LIMIT_S):
                self.members = tuple(await _members(self._client, self._warn))
        except OSError as error:
            raise VmTimingError(_SCHEDULER_LOST, hint=_SCHEDULER_HINT) from error

    async def ask(
        self, function: Callable[..., Any], arguments: Mapping[str, tuple[Any, ...]]
    ) -> dict[str, Any]:
        """Call a function on hosts, each with arguments of its own; return what each answers.

        What it raises is an answer, too. A coroutine function runs on a worker's loop, any other
        holds that up, so it is for what is quick.
        """
        told = {member.name: member for member in self.members if member.name in arguments}
        answers = await asyncio.gather(
            *(self._answer(told[name], function, arguments[name]) for name in told)
        )
        return dict(zip(told, answers, strict=True))

    async def ask_all(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """Call a function on every host."""
        return await self.ask(function, {member.name: arguments for member in self.members})

    async def _answer(
        self, member: Member, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> Any:
        try:
            async with asyncio.timeout(_ANSWER_LIMIT_S):
                answers = await self._client.run(
                    function, *arguments, workers=[member.worker], on_error="return"
                )
        except TimeoutError:
            return HostError(f"no answer within {_ANSWER_LIMIT_S:g} s")
        except OSError as error:
            return HostError(one_line(str(error)))
        return answers.get(member.worker, HostError("its worker has gone"))

    @asynccontextmanager
    async def engines(self) -> AsyncIterator[list[DaskLink]]:
        """Yield a link to an engine of its own on every host; on leaving, each has ended.

        Raises ``ConfigError`` with what keeps each host from having one.
        """
        watching = asyncio.create_task(self._watch())
        try:
            yield await self._opened()
        finally:
            watching.cancel()
            links = list(self._links.values())
            self._links.clear()
            closing = (link.close() for link in links)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_LIMIT_S):
                    await asyncio.gather(*closing, return_exceptions=True)

    async def _opened(self) -> list[DaskLink]:
        self._client.subscribe_topic("all", self._hear)
        opened = await asyncio.gather(
            *(self._open(member) for member in self.members), return_exceptions=True
        )
        problems = []
        for member, found in zip(self.members, opened, strict=True):
            if isinstance(found, BaseException):
                problems.append(Problem("hosts", f"host {member.name}: {one_line(str(found))}"))
        if problems:
            raise ConfigError(problems)
        return [self._links[member.worker] for member in self.members]

    async def _open(self, member: Member) -> None:
        async with asyncio.timeout(_ANSWER_LIMIT_S):
            actor = await self._client.submit(
                HostActor,
                actor=True,
                workers=[member.worker],
                allow_other_workers=False,
                pure=False,
            )
            self._links[member.worker] = DaskLink(member, actor)
            await actor.open()

    async def _hear(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Take what the scheduler tells of its workers."""
        _, told = event
        link = self._links.get(str(told.get("worker")))
        if link is not None and told.get("action") == "remove-worker":
            link.lose("its Dask worker has ended, or the scheduler hears nothing more of it")

    async def _watch(self) -> None:
        """Keep engines going whose lines are not fetched, and see whether the scheduler is lost."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._client.status != "running":
                for link in self._links.values():
                    link.lose(f"{_SCHEDULER_LOST}, and its workers leave with it")
            idle = [link for link in self._links.values() if link.idle_s > LEASE_S / 4]
            await asyncio.gather(*(link.still_there() for link in idle), return_exceptions=True)


@asynccontextmanager
async def connected(cluster: Cluster, warn: Callable[[str], None]) -> AsyncIterator[Connection]:
    """Yield the hosts of a cluster that can take part, by their versions.

    Raises ``ConfigError`` with every reason why one cannot, ``VmTimingError`` where there are none.
    """
    with own_settings() as words:
        async with scheduler_of(cluster, words) as place:
            client = Client(
                place,
                asynchronous=True,
                direct_to_workers=True,
                connection_limit=_MOST_CONNECTIONS,
                timeout=CONNECT_LIMIT_S,
            )
            try:
                try:
                    await client
                except OSError as error:
                    raise VmTimingError(
                        f"the Dask scheduler at {cluster.address} cannot be reached: "
                        f"{one_line(str(error))}",
                        hint="check its address, and that it runs: dask scheduler",
                    ) from error
                connection = Connection(client, warn)
                await connection.meet()
                yield connection
            finally:
                with contextlib.suppress(TimeoutError, OSError):
                    async with asyncio.timeout(_CLOSE_LIMIT_S):
                        await client.close()


async def _members(client: Client, warn: Callable[[str], None]) -> list[Member]:
    """Return the hosts there are, named, once their versions are known to do."""
    scheduler: Any = client.scheduler
    workers = workers_of(await scheduler.identity(n_workers=-1))
    if not workers:
        raise VmTimingError("the Dask scheduler has no workers", hint=_NO_WORKERS_HINT)
    addresses = [worker.address for worker in workers]
    hostnames = await client.run(socket.gethostname, workers=addresses, on_error="ignore")
    members = named(workers, hostnames)
    own = await client.run(metadata.version, PACKAGE, workers=addresses, on_error="return")
    if problems := own_version_problems({each.name: own.get(each.worker) for each in members}):
        raise ConfigError(problems)
    asked: Any = client.get_versions()
    versions = await asked
    told = {each.name: versions["workers"].get(each.worker, {}) for each in members}
    for warning in version_warnings(versions["client"], told):
        warn(warning)
    return members
