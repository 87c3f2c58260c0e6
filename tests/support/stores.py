"""Hosts that are brought files, each a folder of this process's own."""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

from vmtiming_tui.cluster.shipping import store
from vmtiming_tui.cluster.shipping.shipped_file import ShippedFile
from vmtiming_tui.cluster.shipping.store import PIECE_BYTES, Content
from vmtiming_tui.errors import HostError


def content_of(data: bytes) -> Content:
    return Content(digest=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


def pieces_of(data: bytes) -> Sequence[tuple[int, bytes]]:
    return [(at, data[at : at + PIECE_BYTES]) for at in range(0, len(data), PIECE_BYTES)]


def file_of(path: Path, image_format: str = "") -> ShippedFile:
    """Return what is to be brought of a file, every piece of it."""
    content = content_of(path.read_bytes())
    return ShippedFile(
        path=str(path),
        content=content,
        offsets=tuple(content.offsets),
        modified_ns=path.stat().st_mtime_ns,
        image_format=image_format,
    )


class FolderStore:
    """A host whose cache is a folder; it is lost after so many pieces, where that is told.

    ``received`` is where the pieces began that came; ``most_under_way`` is how many came at once.
    """

    def __init__(self, name: str, cache: Path, lost_after: int | None = None) -> None:
        self.name = name
        self.cache = cache
        self.lost_after = lost_after
        self.received: list[int] = []
        self.under_way = self.most_under_way = 0

    async def present(self, content: Content) -> bytes:
        return store.present(content, self.cache)

    async def put(self, content: Content, offset: int, piece: bytes) -> None:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        if len(self.received) == self.lost_after:
            raise HostError(f"{self.name} is gone")
        self.received.append(offset)
        store.put(content, offset, piece, self.cache)
        self.under_way -= 1

    async def finish(self, content: Content, modified_ns: int, image_format: str) -> str:
        return store.finish(content, modified_ns, image_format, self.cache)
