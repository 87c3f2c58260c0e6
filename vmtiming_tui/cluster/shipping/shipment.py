"""Bringing files to all hosts at once: in pieces, and of what a host has already nothing."""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from vmtiming_tui.cluster.shipping.placed import Placed
from vmtiming_tui.cluster.shipping.shipped_file import ShippedFile, opened
from vmtiming_tui.cluster.shipping.store import PIECE_BYTES
from vmtiming_tui.cluster.shipping.store_link import StoreLink
from vmtiming_tui.errors import HostError

_UNDER_WAY_TO_EACH = 4
_MOST_UNDER_WAY = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """How much of a file a host has by now, of what is brought of it at all, in bytes."""

    host: str
    path: str
    done_bytes: int
    all_bytes: int


async def ship(
    files: Sequence[ShippedFile], stores: Sequence[StoreLink], tell: Callable[[Shipped], None]
) -> Mapping[str, Placed | HostError]:
    """Bring files to hosts; return where each host has them, or why it has not, by its name.

    ``tell`` is told of progress. Raises ``ImageError`` where a file can be read no more.
    """
    shipment = _Shipment(tell)
    with ExitStack() as held:
        fds = {file: held.enter_context(opened(file.path))[1] for file in files}
        outcomes = await asyncio.gather(*(shipment.to_host(store, fds) for store in stores))
    return {store.name: outcome for store, outcome in zip(stores, outcomes, strict=True)}


class _Shipment:
    """What goes to all hosts together keeps no more pieces in memory than a few for each."""

    def __init__(self, tell: Callable[[Shipped], None]) -> None:
        self._tell = tell
        self._room = asyncio.Semaphore(_MOST_UNDER_WAY)

    async def to_host(self, store: StoreLink, fds: Mapping[ShippedFile, int]) -> Placed | HostError:
        try:
            return Placed(
                {file.path: await self._bring(store, file, fd) for file, fd in fds.items()}
            )
        except HostError as error:
            return error

    async def _bring(self, store: StoreLink, file: ShippedFile, fd: int) -> str:
        there = await store.present(file.content)
        if len(there) != len(file.content.offsets):
            raise HostError(f"it has {len(there)} of {len(file.content.offsets)} pieces")
        missing = [offset for offset in file.offsets if not there[offset // PIECE_BYTES]]
        count = _Count(self._tell, store.name, file, missing)
        pieces = iter(missing)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_UNDER_WAY_TO_EACH):
                    group.create_task(self._carry(store, file, fd, pieces, count))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return await store.finish(file.content, file.modified_ns, file.image_format)

    async def _carry(
        self, store: StoreLink, file: ShippedFile, fd: int, pieces: Iterator[int], count: "_Count"
    ) -> None:
        for offset in pieces:
            async with self._room:
                size = file.content.piece_bytes(offset)
                await store.put(
                    file.content, offset, await asyncio.to_thread(os.pread, fd, size, offset)
                )
            count.add(size)


class _Count:
    """Counts what a host has of a file, and tells it."""

    def __init__(
        self,
        tell: Callable[[Shipped], None],
        host: str,
        file: ShippedFile,
        missing: Sequence[int],
    ) -> None:
        self._tell, self._host, self._file = tell, host, file
        self._done = file.data_bytes
        self.add(-sum(map(file.content.piece_bytes, missing)))

    def add(self, size: int) -> None:
        self._done += size
        self._tell(
            Shipped(
                host=self._host,
                path=self._file.path,
                done_bytes=self._done,
                all_bytes=self._file.data_bytes,
            )
        )
