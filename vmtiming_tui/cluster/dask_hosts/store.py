"""A host's store as Dask reaches it: functions that run there, beside the worker's loop."""

import asyncio
from typing import Any

from vmtiming_tui.cluster.dask_hosts.connection import Connection
from vmtiming_tui.cluster.shipping import store
from vmtiming_tui.cluster.shipping.store import Content
from vmtiming_tui.errors import HostError
from vmtiming_tui.escape import one_line

_FINISH_LIMIT_S = 3600.0
"""A large file is read once more when all of it is there."""


async def present(content: Content) -> bytes:
    """On the host: as ``store.present``."""
    return await asyncio.to_thread(store.present, content)


async def put(content: Content, offset: int, piece: bytes) -> None:
    """On the host: as ``store.put``."""
    await asyncio.to_thread(store.put, content, offset, piece)


async def finish(content: Content, modified_ns: int, image_format: str) -> str:
    """On the host: as ``store.finish``."""
    return await asyncio.to_thread(store.finish, content, modified_ns, image_format)


class DaskStore:
    """A ``StoreLink`` to a host of a cluster."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection, self._name = connection, name

    @property
    def name(self) -> str:
        """What the host is called."""
        return self._name

    async def present(self, content: Content) -> bytes:
        """As ``store.present``."""
        return bytes(await self._ask(present, content))

    async def put(self, content: Content, offset: int, piece: bytes) -> None:
        """As ``store.put``."""
        await self._ask(put, content, offset, piece)

    async def finish(self, content: Content, modified_ns: int, image_format: str) -> str:
        """As ``store.finish``."""
        return str(await self._ask(finish, content, modified_ns, image_format))

    async def _ask(self, function: Any, *arguments: Any) -> Any:
        asked = {self._name: arguments}
        answer = (await self._connection.ask(function, asked))[self._name]
        if isinstance(answer, HostError):
            raise answer
        if isinstance(answer, BaseException):
            raise HostError(one_line(str(answer) or type(answer).__name__))
        return answer
