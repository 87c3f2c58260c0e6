"""A cluster that is connected to: its hosts, what each answers, and an engine on each of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from distributed import Client

from vmtiming_tui.cluster.dask_hosts.engines import (
    SCHEDULER_HINT,
    SCHEDULER_LOST,
    Engines,
    actor_on,
    engines_of,
)
from vmtiming_tui.cluster.dask_hosts.link import DaskLink
from vmtiming_tui.cluster.dask_hosts.meeting import everyone, unlike_versions
from vmtiming_tui.cluster.dask_hosts.members import Member
from vmtiming_tui.cluster.dask_hosts.own_settings import CONNECT_LIMIT_S, own_settings
from vmtiming_tui.cluster.dask_hosts.schedulers import scheduler_of
from vmtiming_tui.engine.host.capacity import raise_descriptor_limit
from vmtiming_tui.errors import HostError, VmTimingError
from vmtiming_tui.escape import one_line, printable
from vmtiming_tui.model.cluster import Cluster

_MOST_CONNECTIONS = 65_536
"""Each host has up to four at once: one that waits for news, one for commands, two besides."""

_ANSWER_LIMIT_S = 60.0
_CLOSE_LIMIT_S = 10.0


class Connection:
    """Hosts of a Dask cluster, named; what is asked of each is answered by name."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.members: tuple[Member, ...] = ()

    async def meet(self) -> None:
        """Find the hosts there are, and see that their versions of ours will do.

        Raises ``ConfigError`` with every one that cannot take part, ``VmTimingError`` where there
        are none.
        """
        if self._client.status != "running":
            raise VmTimingError(SCHEDULER_LOST, hint=SCHEDULER_HINT)
        try:
            async with asyncio.timeout(_ANSWER_LIMIT_S):
                self.members = tuple(await everyone(self._client))
        except OSError as error:
            raise VmTimingError(SCHEDULER_LOST, hint=SCHEDULER_HINT) from error

    async def ask(
        self, function: Callable[..., Any], arguments: Mapping[str, tuple[Any, ...]]
    ) -> dict[str, Any]:
        """Call a function on hosts, each with arguments of its own; return what each answers.

        What it raises is an answer, too. A coroutine function runs on a worker's loop, any other
        holds that up, so it is for what is quick.
        """
        asked = [member for member in self.members if member.name in arguments]
        answers = await asyncio.gather(
            *(self._answer(member, function, arguments[member.name]) for member in asked)
        )
        return {member.name: answer for member, answer in zip(asked, answers, strict=True)}

    async def ask_all(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """Call a function on every host."""
        return await self.ask(function, {member.name: arguments for member in self.members})

    async def actor(self, kind: type, member: Member) -> Any:
        """Return an actor on a host, which may have joined late; raise ``HostError`` without one.

        What is asked of it goes there directly, and its worker's log says nothing of it.
        """
        try:
            async with asyncio.timeout(_ANSWER_LIMIT_S):
                return await actor_on(self._client, kind, member)
        except TimeoutError:
            raise HostError(f"no answer within {_ANSWER_LIMIT_S:g} s") from None

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
    async def engines(self) -> AsyncIterator[tuple[list[DaskLink], Engines]]:
        """Yield links to new engines on all hosts there are at the moment; see ``engines_of``.

        Raises ``ConfigError`` and ``VmTimingError`` as ``meet`` does.
        """
        await self.meet()
        async with engines_of(self._client, self.members) as opened:
            yield opened


@asynccontextmanager
async def connected(cluster: Cluster, warn: Callable[[str], None]) -> AsyncIterator[Connection]:
    """Yield the hosts of a cluster that can take part; ``warn`` is told how their versions differ.

    Raises ``ConfigError`` with every reason why one cannot, ``VmTimingError`` where there are none.
    """
    raise_descriptor_limit()
    with own_settings(cluster.reach) as words:
        async with scheduler_of(cluster, words) as place:
            client = Client(
                place,
                asynchronous=True,
                direct_to_workers=True,
                connection_limit=_MOST_CONNECTIONS,
                timeout=CONNECT_LIMIT_S,
            )
            try:
                await _connect(client, cluster)
                connection = Connection(client)
                await connection.meet()
                for warning in await unlike_versions(client, connection.members):
                    warn(warning)
                yield connection
            finally:
                with contextlib.suppress(TimeoutError, OSError):
                    async with asyncio.timeout(_CLOSE_LIMIT_S):
                        await client.close()


async def _connect(client: Client, cluster: Cluster) -> None:
    """Reach the scheduler, and the workers that were started for us."""
    try:
        await client
        if count := cluster.workers or len(cluster.names):
            wait_for_workers: Any = client.wait_for_workers
            await wait_for_workers(count, timeout=_ANSWER_LIMIT_S)
    except (OSError, TimeoutError) as error:
        raise VmTimingError(
            f"the Dask scheduler at {printable(cluster.address) or 'the first host'} cannot be "
            f"reached: {one_line(str(error))}",
            hint="check its address, that it runs (dask scheduler), and its certificates with tls",
        ) from error
