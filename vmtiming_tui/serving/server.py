"""Serving the dashboard to browsers: one page, its files, a socket for what it draws, downloads.

Nothing is answered without the token, which is a part of every address; and what is answered comes
from here alone, so that a page needs no other host. A page can ask for nothing but to see.
"""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

import textual_serve
from aiohttp import WSMsgType, web

from vmtiming_tui.serving.viewers import Downloads, Viewer

MOST_VIEWERS = 30

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_THEIRS = Path(textual_serve.__file__).parent / "static"
_OURS = Path(__file__).parent / "page"
_FILES = {
    "page.css": _OURS / "page.css",
    "page.js": _OURS / "page.js",
    "textual.js": _THEIRS / "js" / "textual.js",
    "xterm.css": _THEIRS / "css" / "xterm.css",
    "RobotoMono.ttf": _THEIRS / "fonts" / "RobotoMono-VariableFont_wght.ttf",
}
_THIS_HOST = ("localhost", "127.0.0.1", "::1")
_MOST_MESSAGE_BYTES = 1 << 16
_HEARTBEAT_S = 15.0
_CLOSE_LIMIT_S = 1.0

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Gives whoever has ``token`` a viewer of their own, started by ``argv``.

    ``only_here``: it is reached by a name of this host alone, so that no other name is answered; a
    page from elsewhere may have had its own name lead here.
    """

    def __init__(self, argv: Sequence[str], token: str, *, only_here: bool) -> None:
        self._argv, self._token, self._only_here = argv, token.encode(), only_here
        self._viewers: set[Viewer] = set()
        self._downloads = Downloads()

    @property
    def viewers(self) -> int:
        """How many are watching."""
        return len(self._viewers)

    def application(self) -> web.Application:
        """Return what answers requests."""
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/{token}/", self._page)
        app.router.add_get("/{token}/static/{name}", self._file)
        app.router.add_get("/{token}/events", self._watch)
        app.router.add_get("/download/{key}", self._download)  # the script's own idea
        app.on_response_prepare.append(_add_headers)
        app.on_shutdown.append(self._end_all)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Answer who has the token; say nothing to anybody else, nor of what there is not."""
        given = request.match_info.get("token") or request.query.get("instance", "")
        is_known = hmac.compare_digest(given.encode(errors="replace"), self._token)
        if not (is_known and self._is_asked(request)):
            return web.Response(status=404)
        try:
            return await handler(request)
        except web.HTTPException as error:
            return web.Response(status=error.status)

    def _is_asked(self, request: web.Request) -> bool:
        """Whether a request was made to this server, by its own page or by a person."""
        try:
            name = urlsplit(f"//{request.host}").hostname
            origin = urlsplit(request.headers.get("Origin", f"//{request.host}")).netloc
        except ValueError:
            return False
        return origin == request.host and (not self._only_here or name in _THIS_HOST)

    async def _page(self, _: web.Request) -> web.StreamResponse:
        if self.viewers >= MOST_VIEWERS:
            text = f"{MOST_VIEWERS} are watching, as many as this serves; try again later.\n"
            return web.Response(status=503, text=text)
        return web.FileResponse(_OURS / "index.html")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        path = _FILES.get(request.match_info["name"])
        if path is None:
            raise web.HTTPNotFound
        return web.FileResponse(path)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        """Have a viewer for as long as a page is open."""
        if self.viewers >= MOST_VIEWERS or "Origin" not in request.headers:
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_S, max_msg_size=_MOST_MESSAGE_BYTES, timeout=_CLOSE_LIMIT_S
        )
        viewer = Viewer(self._argv, socket, self._downloads)
        self._viewers.add(viewer)
        try:
            await socket.prepare(request)
            await socket.send_json(["instance_id", self._token.decode()])  # goes with downloads
            await viewer.start(*(_whole(request.query.get(name)) for name in ("width", "height")))
            await _listen(socket, viewer)
        finally:
            ending = asyncio.create_task(viewer.stop())
            ending.add_done_callback(lambda _: self._viewers.discard(viewer))
            await asyncio.shield(ending)  # a connection that is lost cancels this
        return socket

    async def _download(self, request: web.Request) -> web.StreamResponse:
        key = request.match_info["key"]
        try:
            wanted = await self._downloads.get_download_metadata(key)
        except KeyError:
            raise web.HTTPNotFound from None
        name = f"attachment; filename*=UTF-8''{quote(wanted.file_name)}"
        headers = {"Content-Type": wanted.mime_type, "Content-Disposition": name}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        async for piece in self._downloads.download(key):
            await response.write(piece)
        await response.write_eof()
        return response

    async def _end_all(self, _: web.Application) -> None:
        await asyncio.gather(*(viewer.stop() for viewer in self._viewers))


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 6 else 80


async def _listen(socket: web.WebSocketResponse, viewer: Viewer) -> None:
    """Hand on what a page says, until it is closed; what is none of its words is left out."""
    async for message in socket:
        if message.type is not WSMsgType.TEXT:
            continue
        try:
            said = json.loads(message.data)
        except (ValueError, RecursionError):
            continue
        match said:
            case ["stdin", str(typed)]:
                await viewer.send_bytes(typed.encode(errors="replace"))
            case ["resize", {"width": int(width), "height": int(height)}]:
                await viewer.set_terminal_size(width, height)
            case ["ping", str(sent)]:
                await socket.send_json(["pong", sent])
            case ["focus", *_]:
                await viewer.focus()
            case ["blur", *_]:
                await viewer.blur()
