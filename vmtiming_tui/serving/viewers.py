"""One process a viewer: started when a page opens, gone with it, and with the server."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Sequence

from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from vmtiming_tui.sources.live_engine import package_root

_PROGRAM = (
    "import sys; sys.path[:0] = sys.argv[2:]; "
    "from vmtiming_tui.serving.viewer import main; main(sys.argv[1])"
)
_MOST_CELLS = {"width": 500, "height": 200}
_CHUNK_BYTES = 1 << 16
_CHUNK_LIMIT_S = 60.0


def viewer_command(run: str) -> list[str]:
    """Return the command of a viewer of a run, of the newest where ``run`` is empty.

    It dies with who starts it, whatever ends that one.
    """
    words = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-P", "-c", _PROGRAM, run]
    return [*words, *package_root()]


class Downloads(DownloadManager):
    """What viewers hand to their browsers: whole, or seen to have failed."""

    async def download(self, delivery_key: str) -> AsyncGenerator[bytes, None]:
        """Yield a file's pieces; raise ``TimeoutError`` where its viewer gives no more."""
        download = self._active_downloads[delivery_key]
        request: dict[str, str | int | bool | None] = {
            "type": "deliver_chunk_request",
            "key": delivery_key,
            "size": _CHUNK_BYTES,
            "name": download.name,
        }
        try:
            while True:
                await download.app_service.send_meta(request)
                async with asyncio.timeout(_CHUNK_LIMIT_S):
                    chunk = await download.incoming_chunks.get()
                if chunk is None:
                    raise TimeoutError
                if not chunk:
                    return
                yield chunk
        finally:
            del self._active_downloads[delivery_key]


class Viewer(AppService):
    """A dashboard in a process of its own, whose terminal is the page at a socket's other end."""

    def __init__(
        self, argv: Sequence[str], socket: web.WebSocketResponse, downloads: Downloads
    ) -> None:
        async def close() -> None:
            await socket.close()

        super().__init__(
            "",
            write_bytes=socket.send_bytes,
            write_str=socket.send_str,
            close=close,
            download_manager=downloads,
        )
        self._argv = argv

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        size = _bounded(width, height)
        environment = self._build_environment(**size) | {"TEXTUAL_FPS": "20"}
        process = await asyncio.create_subprocess_exec(
            *self._argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment
        )
        self._process, self._stdin = process, process.stdin
        return process

    async def run(self) -> None:
        """Hand on what the process draws, until it has ended; the page is then told."""
        try:
            await super().run()
        finally:
            with contextlib.suppress(OSError, RuntimeError):
                await self.remote_close()

    async def set_terminal_size(self, width: int, height: int) -> None:
        """Tell the process the page's size, within reason."""
        await super().set_terminal_size(**_bounded(width, height))

    async def stop(self) -> None:
        """End the process; it holds nothing that could be lost."""
        if self._process is None:
            return
        await self._download_manager.cancel_app_downloads(self.app_service_id)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        self.stdin.close()
        with contextlib.suppress(OSError):
            await self.stdin.wait_closed()
        if self._task is not None:
            await asyncio.wait([self._task])


def _bounded(width: int, height: int) -> dict[str, int]:
    asked = {"width": width, "height": height}
    return {name: min(max(asked[name], 1), most) for name, most in _MOST_CELLS.items()}
