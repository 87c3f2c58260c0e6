"""What a child writes to a pipe, read as it comes, its end only."""

import asyncio
import os

_OUTPUT_LIMIT = 64 * 1024


class Tail:
    """The last bytes of what a child writes to a pipe, read as they come."""

    def __init__(self, limit: int = _OUTPUT_LIMIT) -> None:
        self._limit = limit
        self._kept = bytearray()
        reader, self.write_fd = os.pipe()
        os.set_blocking(reader, False)
        self._reader: int | None = reader
        self._ended = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(reader, self._readable)

    def _readable(self) -> None:
        assert self._reader is not None  # noqa: S101  no reader is called once it was removed
        try:
            data = os.read(self._reader, 65536)
        except BlockingIOError:
            return
        self._kept += data
        del self._kept[: -self._limit]
        if not data:
            self.close()

    @property
    def kept(self) -> bytes:
        """What was read so far, its end only."""
        return bytes(self._kept)

    def given(self) -> None:
        """Close our copy of the end a child writes to, so that the pipe can end."""
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1

    def close(self) -> None:
        """Stop reading."""
        self.given()
        if self._reader is not None:
            asyncio.get_running_loop().remove_reader(self._reader)
            os.close(self._reader)
            self._reader = None
        if not self._ended.done():
            self._ended.set_result(None)

    async def ended(self, limit_s: float) -> bytes:
        """Return what was written, after the pipe's end or ``limit_s``."""
        await asyncio.wait([self._ended], timeout=limit_s)
        return bytes(self._kept)
