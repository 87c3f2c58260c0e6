"""A host's store as Dask reaches it: an actor, whose methods work beside the worker's loop."""

import asyncio
from typing import Any

from vmtiming_tui.cluster.dask_hosts.connection import Connection
from vmtiming_tui.cluster.dask_hosts.members import Member
from vmtiming_tui.cluster.shipping import store
from vmtiming_tui.cluster.shipping.store import Content
from vmtiming_tui.errors import HostError
from vmtiming_tui.escape import one_line


class StoreActor:
    """The functions of ``store`` on a host."""

    async def present(self, content: Content) -> bytes:
        """As ``store.present``."""
        return await asyncio.to_thread(store.present, content)

    async def put(self, content: Content, offset: int, piece: bytes) -> None:
        """As ``store.put``."""
        await asyncio.to_thread(store.put, content, offset, piece)

    async def finish(self, content: Content, modified_ns: int, image_format: str) -> str:
        """As ``store.finish``."""
        return await asyncio.to_thread(store.finish, content, modified_ns, image_format)


class DaskStore:
    """A ``StoreLink`` to a host of a cluster; its actor is there from the first question on."""

    def __init__(self, connection: Connection, member: Member) -> None:
        self._connection, self._member = connection, member
        self._actor: Any = None

    @property
    def name(self) -> str:
        """What the host is called."""
        return self._member.name

    async def present(self, content: Content) -> bytes:
        """As ``store.present``."""
        return bytes(await self._ask("present", content))

    async def put(self, content: Content, offset: int, piece: bytes) -> None:
        """As ``store.put``."""
        await self._ask("put", content, offset, piece)

    async def finish(self, content: Content, modified_ns: int, image_format: str) -> str:
        """As ``store.finish``."""
        return str(await self._ask("finish", content, modified_ns, image_format))

    async def _ask(self, method: str, *arguments: Any) -> Any:
        """Call the actor; raise ``HostError`` for whatever it or Dask has to say against it."""
        try:
            if self._actor is None:
                self._actor = await self._connection.actor(StoreActor, self._member)
            return await getattr(self._actor, method)(*arguments)
        except HostError:
            raise
        except OSError as error:
            raise HostError(
                "it was lost while it was brought what it is to boot",
                hint="start its worker again, and then the run: what it has is not brought again",
            ) from error
        except Exception as error:  # Dask has no narrower kind for a host that is lost
            raise HostError(one_line(str(error) or type(error).__name__)) from error
