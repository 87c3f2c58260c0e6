"""One host of a cluster as whoever leads it sees it: an actor's methods, until it is lost."""

import asyncio
from types import NoneType
from typing import Any, TypeVar

from distributed.actor import Actor

from vmtiming_tui.cluster.dask_hosts.held_engine import POLL_S
from vmtiming_tui.cluster.dask_hosts.members import Member
from vmtiming_tui.cluster.dask_hosts.own_settings import DEAD_AFTER_S
from vmtiming_tui.cluster.host_link import Lines
from vmtiming_tui.errors import HostError
from vmtiming_tui.escape import one_line

T = TypeVar("T")

_AGAIN_S = 0.2
_KNOWN_SOON_S = 1.0
"""Till Dask has said why a call failed, which says more than the failure."""

_SILENT_AFTER_S = POLL_S + DEAD_AFTER_S
"""After how long without an answer a host counts as lost whose connections live: its worker is
stopped or hangs, of which Dask tells nothing for minutes."""

_HINT = "mend that host's network or start its worker again"


class DaskLink:
    """A ``HostLink`` to an actor; a host that is lost from the first has none.

    A connection that breaks is no loss: what was asked is asked again, for as long as Dask takes to
    call one dead. A host is lost once ``lose`` is told so (by Dask, whose scheduler knows), once
    that time is over, or where it does not answer.
    """

    def __init__(self, member: Member, actor: Actor | None) -> None:
        self._member = member
        self._actor: Any = actor
        self._lost: asyncio.Future[HostError] = asyncio.get_running_loop().create_future()
        self._sending = asyncio.Lock()
        self._sent = 0
        self._asked_s = asyncio.get_running_loop().time()

    @property
    def name(self) -> str:
        """What the host is called."""
        return self._member.name

    @property
    def address(self) -> str:
        """Its worker's address."""
        return self._member.worker

    @property
    def idle_s(self) -> float:
        """For how long nothing was asked of it."""
        return asyncio.get_running_loop().time() - self._asked_s

    def lose(self, why: str, hint: str = _HINT) -> None:
        """Count the host as lost, for this reason and no later one."""
        if not self._lost.done():
            self._lost.set_result(HostError(why, hint=hint))

    async def send(self, lines: tuple[bytes, ...]) -> None:
        """Hand commands to its engine; raise ``HostError``."""
        async with self._sending:
            first = self._sent
            await self._ask(NoneType, "send", first, lines)
            self._sent += len(lines)

    async def next(self, after: int) -> Lines:
        """Return what its engine says from number ``after`` on; raise ``HostError``."""
        while True:
            found = await self._ask(Lines, "next", after)
            if found.lines or found.ended:
                return found

    async def clock_ns(self) -> int:
        """Return its clock; raise ``HostError``."""
        return await self._ask(int, "clock_ns")

    async def still_there(self) -> None:
        """Keep its engine going; raise ``HostError``."""
        await self._ask(NoneType, "still_there")

    async def close(self) -> None:
        """End its engine, where it can be told to."""
        await self._ask(NoneType, "close")

    async def _ask(self, kind: type[T], method: str, *arguments: Any) -> T:
        """Call a method of the actor, again where the connection broke; raise ``HostError``.

        An answer that is of no such ``kind`` loses the host: it is not what we know.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DEAD_AFTER_S
        while not self._lost.done():
            # Dask leaves some calls of a lost actor without any answer, and refuses others at once.
            self._asked_s = loop.time()
            asking = asyncio.create_task(self._answered(method, *arguments))
            try:
                either: list[asyncio.Future[Any]] = [asking, self._lost]
                first = asyncio.FIRST_COMPLETED
                done, _ = await asyncio.wait(either, timeout=_SILENT_AFTER_S, return_when=first)
            finally:
                asking.cancel()
            if not done:
                self.lose(f"it has not answered for {_SILENT_AFTER_S:g} s")
            if not asking.done() or asking.cancelled():
                continue
            error = asking.exception()
            if error is None and isinstance(answer := asking.result(), kind):
                return answer
            error = error or HostError(f"its answer to {method} is none")
            is_cut = isinstance(error, OSError) and loop.time() < deadline
            await asyncio.wait([self._lost], timeout=_AGAIN_S if is_cut else _KNOWN_SOON_S)
            if not is_cut:
                self.lose(one_line(str(error) or type(error).__name__))
        lost = self._lost.result()
        raise HostError(lost.message, hint=lost.hint)

    async def _answered(self, method: str, *arguments: Any) -> Any:
        return await getattr(self._actor, method)(*arguments)
